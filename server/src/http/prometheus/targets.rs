//! Scrape targets: the daemons, and ourselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use access::{Principal, Reads, Scope};
use axum::{extract::State, response::Response};
use datasource::{Backend, QueryError};
use labels::{Labels, METRIC_NAME, Matcher};
use model::{
    clock::now_ms,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};
use serde::Serialize;
use timeseries::SeriesSource;

use super::{
    Answer, bad_data,
    envelope::{ErrorResponse, success},
    params::Params,
    pass_on, scope_filter,
};
use crate::{config::Config, http::api::listed::Listed, http::slices::TargetState};

/// Maximum age of a sample.
const LOOK_BACK_MS: i64 = 5 * 60 * 1000;
/// Label with the name of a daemon.
const DAEMON: &str = "daemon";
/// Label `job` of a daemon that has no series yet.
const DAEMON_JOB: &str = "hypersdk";
/// Label `job` of our own series.
const OWN_JOB: &str = "hyperscope";

/// A target in the JSON of Prometheus' API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    discovered_labels: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    scrape_pool: String,
    scrape_url: String,
    global_url: String,
    last_error: String,
    last_scrape: String,
    last_scrape_duration: f64,
    health: &'static str,
    scrape_interval: String,
    scrape_timeout: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
    dropped_targets: [(); 0],
    dropped_target_counts: BTreeMap<String, usize>,
}

/// The response of a remote engine about its own targets. Only for viewers who may see everything: we do not know the
/// scope of its targets.
async fn of_engine(
    path: &str,
    backend: &Backend,
    scope: &Scope,
    params: &Params,
) -> Result<Option<Response>, ErrorResponse> {
    match backend {
        Backend::Prometheus(engine) if scope.is_all() => {
            Ok(Some(pass_on(engine, &scope.request(path, Reads::Nothing, params.pairs())?).await?))
        }
        _ => Ok(None),
    }
}

pub(super) async fn targets(
    State(state): State<TargetState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if let Some(answer) = of_engine("targets", &backend, scope, &params).await? {
        return Ok(answer);
    }
    let wanted = params.get("state").unwrap_or_default().to_ascii_lowercase();
    let pool = params.get("scrapePool").filter(|pool| !pool.is_empty());
    // As in Prometheus, another value selects nothing; there are never dropped targets here.
    let shows_active = matches!(wanted.as_str(), "" | "any" | "active");
    let mut active_targets = if shows_active { active(&state, scope).await? } else { Vec::new() };
    active_targets.retain(|target| pool.is_none_or(|pool| target.scrape_pool == pool));
    Ok(success(&Targets { active_targets, dropped_targets: [], dropped_target_counts: BTreeMap::new() }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pools {
    scrape_pools: BTreeSet<String>,
}

pub(super) async fn pools(
    State(state): State<TargetState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if let Some(answer) = of_engine("scrape_pools", &backend, scope, &params).await? {
        return Ok(answer);
    }
    let scrape_pools = active(&state, scope).await?.into_iter().map(|target| target.scrape_pool).collect();
    Ok(success(&Pools { scrape_pools }))
}

/// A target's metadata of one metric family.
#[derive(Serialize)]
struct OfTarget {
    target: BTreeMap<String, String>,
    /// Absent if one family is requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    r#type: String,
    help: String,
    unit: String,
}

/// Metadata of the families of which each target has series.
pub(super) async fn metadata(
    State(state): State<TargetState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if let Some(answer) = of_engine("targets/metadata", &backend, scope, &params).await? {
        return Ok(answer);
    }
    let limit = params.count("limit")?.unwrap_or(usize::MAX);
    let wanted_target = params.get("match_target").filter(|text| !text.is_empty()).map(promql::parse_selector);
    let wanted_target = wanted_target
        .transpose()
        .map_err(|error| bad_data(format!("invalid parameter \"match_target\": {error}")))?
        .unwrap_or_default();
    let metric = params.get("metric").filter(|metric| !metric.is_empty()).map(str::to_owned);
    let seen = scope.selectors([])?.matchers().first().cloned().unwrap_or_default();
    let targets = active(&state, scope).await?;
    let (lists, families) = (state.lists.clone(), state.embedded.store().family_count());
    let make = move || {
        let mut metadata = metadata_of(state.embedded.store(), &targets, &wanted_target, metric.as_deref(), &seen);
        metadata.truncate(limit);
        success(&metadata)
    };
    Ok(lists.answer(Listed::Families(families), make).await?)
}

/// Metadata of the families of which each of these targets has series, if they match `seen`.
fn metadata_of(
    store: &tsdb::Store,
    targets: &[Target],
    wanted_target: &[Matcher],
    metric: Option<&str>,
    seen: &[Matcher],
) -> Vec<OfTarget> {
    let families = store.metadata();
    let mut metadata = Vec::new();
    for target in targets {
        let label = |name: &str| target.labels.get(name).map_or("", String::as_str);
        if !wanted_target.iter().all(|matcher| matcher.matches(label(&matcher.name))) {
            continue;
        }
        let of_target = target.labels.iter().map(|(name, value)| Matcher::equal(name, value));
        let matchers: Vec<Matcher> = seen.iter().cloned().chain(of_target).collect();
        let now = now_ms();
        let names = store.label_values(METRIC_NAME, &matchers, now.saturating_sub(LOOK_BACK_MS), now);
        let names: BTreeSet<String> = names.into_iter().map(|name| name.to_string()).collect();
        let of_metric = families.iter().filter(|(name, _)| metric.is_none_or(|metric| name == metric));
        for (name, about) in of_metric.filter(|(name, _)| scope_filter::has_family(&names, name)) {
            metadata.push(OfTarget {
                target: target.labels.clone(),
                metric: metric.is_none().then(|| name.clone()),
                r#type: about.kind.clone(),
                help: about.help.clone(),
                unit: about.unit.clone(),
            });
        }
    }
    metadata
}

#[derive(Serialize)]
struct Receiver {
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receivers {
    active_alertmanagers: Vec<Receiver>,
    dropped_alertmanagers: [(); 0],
}

/// The Alertmanagers that get alerts; for viewers who may see everything.
pub(super) async fn alertmanagers(
    State(config): State<Arc<Config>>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if let Some(answer) = of_engine("alertmanagers", &backend, scope, &params).await? {
        return Ok(answer);
    }
    let configured = config.alertmanagers.iter().filter(|_| scope.is_all());
    let active_alertmanagers = configured
        .filter_map(|one| {
            let mut url = one.url.join("api/v2/alerts").ok()?;
            // Only fails for schemes without a host, and therefore without a password.
            let _ = (url.set_username(""), url.set_password(None));
            Some(Receiver { url: url.into() })
        })
        .collect();
    Ok(success(&Receivers { active_alertmanagers, dropped_alertmanagers: [] }))
}

/// All targets that a scope may see.
async fn active(state: &TargetState, scope: &Scope) -> Result<Vec<Target>, QueryError> {
    let scope = scope.clone();
    let seen = state.clone();
    state.lists.list(Listed::Targets, move || active_now(&seen, &scope)).await
}

fn active_now(state: &TargetState, scope: &Scope) -> Vec<Target> {
    // A target's labels are those of its series, which are checked against the scope below.
    let statuses = state.watched.daemons().for_all().into_iter().filter(|status| status.kind == UpstreamKind::Daemon);
    let mut found: Vec<Target> = statuses.map(|status| of_daemon(state, status)).collect();
    found.push(ourselves(state));
    found.retain(|target| scope.is_all() || scope.has_series(|name| target.labels.get(name).map(String::as_str)));
    found
}

fn of_daemon(state: &TargetState, status: UpstreamStatus) -> Target {
    let up = newest(state, &[Matcher::equal(METRIC_NAME, "up"), Matcher::equal(DAEMON, &status.name)]);
    let health = match (&up, status.state) {
        (Some((_, _, value)), _) if *value > 0.0 => "up",
        (Some(_), _) => "down",
        (None, UpstreamState::Connecting) => "unknown",
        (None, state) if state.is_fresh() => "up",
        (None, _) => "down",
    };
    let labels: BTreeMap<String, String> = up.as_ref().map_or_else(
        || BTreeMap::from([(DAEMON.to_owned(), status.name.clone())]),
        |(labels, ..)| labels.iter().filter(|(name, _)| *name != METRIC_NAME).map(owned).collect(),
    );
    let pool = labels.get("job").map_or_else(|| DAEMON_JOB.to_owned(), Clone::clone);
    let configured = state.config.daemons.iter().find(|daemon| daemon.name == status.name);
    let url = match (configured, labels.get("instance")) {
        (Some(daemon), _) => daemon.url.join("metrics").unwrap_or_else(|_| daemon.url.clone()).to_string(),
        (None, Some(instance)) => format!("http://{instance}/metrics"),
        (None, None) => String::new(),
    };
    Target {
        last_error: status.error.unwrap_or_default(),
        last_scrape_duration: status.scrape_duration_seconds.unwrap_or_default(),
        ..Target::new(state, pool, url, labels, health, up.map(|(_, time, _)| time))
    }
}

fn ourselves(state: &TargetState) -> Target {
    let newest = newest(state, &[Matcher::equal("job", OWN_JOB)]);
    let labels = BTreeMap::from([("job".to_owned(), OWN_JOB.to_owned())]);
    let health = if newest.is_some() { "up" } else { "unknown" };
    let scheme = if state.config.is_https() { "https" } else { "http" };
    let url = format!("{scheme}://{}/metrics", state.config.listen);
    Target::new(state, OWN_JOB.to_owned(), url, labels, health, newest.map(|(_, time, _)| time))
}

impl Target {
    fn new(
        state: &TargetState,
        pool: String,
        url: String,
        labels: BTreeMap<String, String>,
        health: &'static str,
        last_ms: Option<i64>,
    ) -> Self {
        let parsed = url::Url::parse(&url).ok();
        let part = |part: &dyn Fn(&url::Url) -> String| parsed.as_ref().map(part).unwrap_or_default();
        let address = part(&|url| {
            let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
            format!("{}{port}", url.host_str().unwrap_or_default())
        });
        let interval = format!("{}s", state.config.scrape.interval.as_secs_f64());
        let timeout = format!("{}s", state.config.scrape.timeout.as_secs_f64());
        let discovered_labels = BTreeMap::from(
            [
                ("__address__", address),
                ("__metrics_path__", part(&|url| url.path().to_owned())),
                ("__scheme__", part(&|url| url.scheme().to_owned())),
                ("__scrape_interval__", interval.clone()),
                ("__scrape_timeout__", timeout.clone()),
                ("job", pool.clone()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let last = last_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        Target {
            discovered_labels,
            labels,
            scrape_pool: pool,
            global_url: url.clone(),
            scrape_url: url,
            last_error: String::new(),
            // Go's zero time, which clients of this API know.
            last_scrape: last.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string()),
            last_scrape_duration: 0.0,
            health,
            scrape_interval: interval,
            scrape_timeout: timeout,
        }
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The latest sample of a series that was stored recently.
fn newest(state: &TargetState, matchers: &[Matcher]) -> Option<(Labels, i64, f64)> {
    let now = now_ms();
    let found = state.embedded.store().select(matchers, now.saturating_sub(LOOK_BACK_MS), now).ok()?;
    found
        .into_iter()
        .filter_map(|series| {
            let last = series.timestamps.last().copied().zip(series.values.last().copied())?;
            Some((series.labels, last.0, last.1))
        })
        .max_by_key(|(_, time, _)| *time)
}
