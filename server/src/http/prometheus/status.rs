//! The status endpoints of Prometheus' API.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use access::{Principal, Reads};
use axum::extract::State;
use datasource::{Backend, Embedded};
use model::clock::now_ms;
use serde_json::json;

use super::{Answer, envelope::success, params::Params, pass_on};
use crate::{config::Config, state::AppState};

/// Returns the response of a remote engine: clients choose features by it, and the engine evaluates their queries.
macro_rules! from_engine {
    ($backend:expr, $principal:expr, $params:expr, $path:literal) => {
        if let Backend::Prometheus(engine) = &$backend {
            let request = $principal.scope().request($path, Reads::Nothing, $params.pairs())?;
            return pass_on(engine, &request).await;
        }
    };
}

/// The version of Prometheus whose API this is. Clients choose features by it: Grafana, for example, lists label values
/// by selector from 2.24 on.
const LIKE_PROMETHEUS: &str = "3.5.0";

pub(super) async fn buildinfo(backend: Backend, principal: Principal, params: Params) -> Answer {
    from_engine!(backend, principal, params, "status/buildinfo");
    Ok(success(&json!({
        "version": LIKE_PROMETHEUS,
        "revision": concat!("hyperscope ", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "hyperscope",
    })))
}

/// The state of log replay: the server only responds when it is done.
pub(super) async fn wal_replay(backend: Backend, principal: Principal, params: Params) -> Answer {
    from_engine!(backend, principal, params, "status/walreplay");
    Ok(success(&json!({ "min": 0, "max": 0, "current": 0 })))
}

pub(super) async fn runtimeinfo(
    State(state): State<AppState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    from_engine!(backend, principal, params, "status/runtimeinfo");
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(success(&json!({
        "startTime": time(state.started_ms),
        "CWD": std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default(),
        "hostname": sysinfo::System::host_name().unwrap_or_default(),
        "serverTime": time(now_ms()),
        "reloadConfigSuccess": true,
        "lastConfigTime": time(state.started_ms),
        "corruptionCount": state.embedded.store().damage().len(),
        "goroutineCount": 0,
        "GOMAXPROCS": cores,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": duration(state.config.retention),
    })))
}

/// The settings that Prometheus has too, under the names of its flags.
pub(super) async fn flags(
    State(config): State<Arc<Config>>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    from_engine!(backend, principal, params, "status/flags");
    let config = &config;
    let experimental = if config.promql_experimental { "promql-experimental-functions" } else { "" };
    let flags = BTreeMap::from([
        ("enable-feature", experimental.to_owned()),
        ("query.lookback-delta", "5m".to_owned()),
        ("query.max-samples", promql::Options::default().max_samples.to_string()),
        ("query.timeout", duration(config.limits.query_time)),
        ("storage.exemplars.exemplars-limit", config.limits.exemplars.to_string()),
        ("storage.tsdb.path", config.data_dir.join("store").display().to_string()),
        ("storage.tsdb.retention.time", duration(config.retention)),
        ("web.enable-admin-api", "true".to_owned()),
        ("web.enable-remote-write-receiver", "true".to_owned()),
        ("web.listen-address", config.listen.to_string()),
    ]);
    Ok(success(&flags))
}

/// Statistics of the store.
pub(super) async fn tsdb(
    State(embedded): State<Arc<Embedded>>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    from_engine!(backend, principal, params, "status/tsdb");
    super::tsdb_status::status(embedded.store().clone(), params.given("limit"), embedded.reads()).await
}

/// What is scraped, in the format of Prometheus' configuration, without secrets.
pub(super) async fn config(
    State(config): State<Arc<Config>>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    from_engine!(backend, principal, params, "status/config");
    let scrape = &config.scrape;
    let (interval, timeout) = (duration(scrape.interval), duration(scrape.timeout));
    let mut yaml = format!("global:\n  scrape_interval: {interval}\n  scrape_timeout: {timeout}\n");
    if !config.daemons.is_empty() {
        yaml.push_str("scrape_configs:\n");
    }
    for daemon in &config.daemons {
        // Writing to a string cannot fail; JSON's strings are YAML's.
        let _ = write!(
            yaml,
            "- job_name: {}\n  scheme: {}\n  metrics_path: {}\n  static_configs:\n  - targets:\n    - {}\n",
            json!(daemon.name),
            daemon.url.scheme(),
            json!(daemon.url.join("metrics").map(|url| url.path().to_owned()).unwrap_or_default()),
            json!(daemon.url.authority()),
        );
    }
    Ok(success(&json!({ "yaml": yaml })))
}

/// A duration in Prometheus' syntax.
fn duration(duration: Duration) -> String {
    model::range::DurationMs(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)).to_string()
}
