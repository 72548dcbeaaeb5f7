//! Prometheus' HTTP API under `/api/v1`, over whichever engine answers.
//!
//! The embedded engine's answers are written here; an upstream's are passed on as they come.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, Request, State},
    response::Response,
    routing::get,
};
use promql::{Outcome, matcher::Matcher};
use serde::Serialize;

use super::{
    Backend, ErrorKind, QueryError, Reads, Scope, ScopedSelectors,
    embedded::{Embedded, When},
    envelope::{annotated_raw, success},
    json,
    params::Params,
    within,
};
use crate::{auth::Principal, clock::now_ms};

/// The routes, to be nested under `/api/v1`. GET and POST alike.
pub fn routes<S: Clone + Send + Sync + 'static>(backend: Backend) -> Router<S> {
    Router::new()
        .route("/query", get(query).post(query))
        .route("/query_range", get(query_range).post(query_range))
        .route("/query_exemplars", get(query_exemplars).post(query_exemplars))
        .route("/labels", get(labels).post(labels))
        .route("/label/{name}/values", get(label_values))
        .route("/series", get(series).post(series))
        .route("/metadata", get(metadata))
        .route("/alerts", get(alerts))
        .route("/rules", get(rules))
        .route("/status/buildinfo", get(buildinfo))
        .fallback(unknown)
        .with_state(backend)
}

type Answer = Result<Response, QueryError>;

fn bad_data(message: impl Into<String>) -> QueryError {
    QueryError::new(ErrorKind::BadData, message)
}

async fn unknown(request: Request) -> QueryError {
    bad_data(format!("there is no endpoint {} {}", request.method(), request.uri().path()))
}

async fn query(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            return Ok(engine.pass_on(&scope.request("query", Reads::Query, &params)?).await);
        }
    };
    let query = scope.query(params.required("query")?)?;
    let time_ms = params.time_ms("time")?.unwrap_or_else(now_ms);
    answer(engine, &engine.evaluate(&query, When::At(time_ms)).await?)
}

/// Exemplars: an engine elsewhere may have some; the embedded store has none.
async fn query_exemplars(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let request = principal.scope().request("query_exemplars", Reads::Query, &params)?;
    match &backend {
        Backend::Embedded(_) => {
            principal.scope().query(params.required("query")?)?.parsed()?;
            Ok(success(&Vec::<()>::new()))
        }
        Backend::Prometheus(engine) => Ok(engine.pass_on(&request).await),
    }
}

async fn query_range(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            return Ok(engine.pass_on(&scope.request("query_range", Reads::Query, &params)?).await);
        }
    };
    let query = scope.query(params.required("query")?)?;
    params.required("start")?;
    params.required("end")?;
    params.required("step")?;
    let start_ms = params.time_ms("start")?.unwrap_or_default();
    let end_ms = params.time_ms("end")?.unwrap_or_default();
    let step_ms = params.duration_ms("step")?.unwrap_or_default();
    if end_ms < start_ms {
        return Err(bad_data("invalid parameter \"end\": end timestamp must not be before start time"));
    }
    if step_ms == 0 {
        return Err(bad_data(
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    answer(engine, &engine.evaluate(&query, When::Range { start_ms, end_ms, step_ms }).await?)
}

/// The engine's outcome in Prometheus' shape.
fn answer(engine: &Embedded, outcome: &Outcome) -> Answer {
    let limit = engine.limits().max_response_bytes;
    let mut data = String::with_capacity(1024);
    if !json::write_value(&mut data, &outcome.value, limit) {
        return Err(QueryError::new(
            ErrorKind::Execution,
            format!("the answer is larger than {limit} bytes: ask for fewer series or a larger step"),
        ));
    }
    Ok(annotated_raw(&data, &outcome.warnings, &outcome.infos))
}

/// What `match[]`, `start` and `end` select.
struct Selection {
    /// Which series.
    selectors: ScopedSelectors,
    start_ms: i64,
    end_ms: i64,
    limit: Option<usize>,
}

impl Selection {
    fn of(scope: &Scope, params: &Params) -> Result<Self, QueryError> {
        Ok(Selection {
            selectors: scope.selectors(params.all("match[]"))?,
            start_ms: params.time_ms("start")?.unwrap_or(i64::MIN / 2),
            end_ms: params.time_ms("end")?.unwrap_or(i64::MAX / 2),
            limit: params.limit()?,
        })
    }

    /// Asks the store for each selector, off the threads that serve sockets, and joins the answers: sorted, each once.
    async fn gather<T: Ord + Send + 'static>(
        self,
        engine: &Arc<Embedded>,
        ask: impl Fn(&store::Store, &[Matcher], i64, i64) -> Vec<T> + Send + 'static,
    ) -> Result<Vec<T>, QueryError> {
        let store = engine.store().clone();
        tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            for matchers in self.selectors.matchers() {
                found.extend(ask(&store, matchers, self.start_ms, self.end_ms));
            }
            found.sort();
            found.dedup();
            found.truncate(self.limit.unwrap_or(usize::MAX));
            found
        })
        .await
        .map_err(|error| QueryError::new(ErrorKind::Internal, error.to_string()))
    }
}

async fn labels(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            return Ok(engine.pass_on(&scope.request("labels", Reads::Selectors, &params)?).await);
        }
    };
    let names = Selection::of(scope, &params)?
        .gather(engine, |store, matchers, start_ms, end_ms| store.label_names(matchers, start_ms, end_ms))
        .await?;
    Ok(success(&names))
}

async fn label_values(
    State(backend): State<Backend>,
    principal: Principal,
    Path(name): Path<String>,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let request = scope.request(format!("label/{name}/values"), Reads::Selectors, &params)?;
            return Ok(engine.pass_on(&request).await);
        }
    };
    let values = Selection::of(scope, &params)?
        .gather(engine, move |store, matchers, start_ms, end_ms| store.label_values(&name, matchers, start_ms, end_ms))
        .await?;
    Ok(success(&values))
}

async fn series(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            if !scope.is_all() && params.get("match[]").is_none() {
                return Err(bad_data("no match[] parameter provided"));
            }
            return Ok(engine.pass_on(&scope.request("series", Reads::Selectors, &params)?).await);
        }
    };
    if params.get("match[]").is_none() {
        return Err(bad_data("no match[] parameter provided"));
    }
    let selection = Selection::of(scope, &params)?;
    let found =
        selection.gather(engine, |store, matchers, start_ms, end_ms| store.series(matchers, start_ms, end_ms)).await?;
    let as_maps: Vec<BTreeMap<&str, &str>> = found.iter().map(|labels| labels.iter().collect()).collect();
    Ok(success(&as_maps))
}

/// Type, help and unit of a metric family.
#[derive(Serialize)]
struct Family {
    r#type: String,
    help: String,
    unit: String,
}

async fn metadata(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            let request = scope.request("metadata", Reads::Nothing, &params)?;
            if scope.is_all() {
                return Ok(engine.pass_on(&request).await);
            }
            let names =
                engine.json(&scope.request("label/__name__/values", Reads::Selectors, &Params::none())?).await?;
            let mut families = engine.json(&request).await?;
            within::families(&mut families, &within::names(&names));
            return Ok(success(&families));
        }
    };
    let seen = if scope.is_all() {
        None
    } else {
        let all = Selection::of(scope, &Params::none())?;
        let names = all.gather(engine, |store, matchers, start_ms, end_ms| {
            store.label_values(promql::labels::METRIC_NAME, matchers, start_ms, end_ms)
        });
        Some(names.await?.into_iter().map(|name| name.to_string()).collect())
    };
    let wanted = params.get("metric").filter(|metric| !metric.is_empty());
    let families: BTreeMap<String, [Family; 1]> = engine
        .store()
        .metadata()
        .into_iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| name.as_str() == wanted))
        .filter(|(name, _)| seen.as_ref().is_none_or(|seen| within::has_family(seen, name)))
        .take(params.limit()?.unwrap_or(usize::MAX))
        .map(|(name, family)| (name, [Family { r#type: family.kind, help: family.help, unit: family.unit }]))
        .collect();
    Ok(success(&families))
}

async fn alerts(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    match &backend {
        Backend::Embedded(_) => Ok(success(&serde_json::json!({ "alerts": [] }))),
        Backend::Prometheus(engine) => {
            let request = scope.request("alerts", Reads::Nothing, &params)?;
            if scope.is_all() {
                return Ok(engine.pass_on(&request).await);
            }
            let mut data = engine.json(&request).await?;
            within::alerts(&mut data, scope);
            Ok(success(&data))
        }
    }
}

async fn rules(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    match &backend {
        Backend::Embedded(_) => Ok(success(&serde_json::json!({ "groups": [] }))),
        Backend::Prometheus(engine) => {
            let request = scope.request("rules", Reads::Nothing, &params)?;
            if scope.is_all() {
                return Ok(engine.pass_on(&request).await);
            }
            let mut data = engine.json(&request).await?;
            within::rules(&mut data, scope);
            Ok(success(&data))
        }
    }
}

async fn buildinfo(State(backend): State<Backend>, principal: Principal, params: Params) -> Answer {
    if let Backend::Prometheus(engine) = &backend {
        // Clients choose by it what they ask for, and it is the engine that answers.
        let request = principal.scope().request("status/buildinfo", Reads::Nothing, &params)?;
        return Ok(engine.pass_on(&request).await);
    }
    Ok(success(&serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "hyperscope",
    })))
}
