//! Exemplars: traces that stand for samples.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;

use super::{Answer, bad_data, in_query};
use crate::{
    auth::Principal,
    query::{
        Backend, Reads,
        envelope::success,
        json::{seconds, write_number},
        params::Params,
    },
    state::AppState,
};

/// Exemplars of one series.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfSeries<'a> {
    series_labels: BTreeMap<&'a str, &'a str>,
    exemplars: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    labels: BTreeMap<&'a str, &'a str>,
    value: String,
    timestamp: serde_json::Number,
}

/// The exemplars of all series that the selectors of a query name.
pub(super) async fn query(
    State(state): State<AppState>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if let Backend::Prometheus(engine) = &backend {
        return Ok(engine.pass_on(&scope.request("query_exemplars", Reads::Query, &params)?).await);
    }
    let start_ms = params.time_ms("start")?.unwrap_or(i64::MIN);
    let end_ms = params.time_ms("end")?.unwrap_or(i64::MAX);
    if end_ms < start_ms {
        return Err(bad_data("end timestamp must not be before start timestamp"));
    }
    let query = scope.query(params.query()).map_err(in_query)?;
    let parsed = query.parsed().map_err(in_query)?;
    let bounds = parsed.selectors(0, 0, 1, &promql::Options::default());
    let selectors: Vec<_> = bounds.into_iter().map(|bounds| bounds.matchers).collect();
    if selectors.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let found = state.exemplars.select(&selectors, start_ms, end_ms);
    let told: Vec<OfSeries> = found
        .iter()
        .map(|of_series| OfSeries {
            series_labels: of_series.series.iter().collect(),
            exemplars: of_series
                .exemplars
                .iter()
                .map(|exemplar| {
                    let mut value = String::new();
                    write_number(&mut value, exemplar.value);
                    One { labels: exemplar.labels.iter().collect(), value, timestamp: seconds(exemplar.timestamp_ms) }
                })
                .collect(),
        })
        .collect();
    Ok(success(&told))
}
