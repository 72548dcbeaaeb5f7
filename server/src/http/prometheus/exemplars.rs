//! Exemplars: links from samples to traces.

use std::{collections::BTreeMap, sync::Arc};

use access::{Principal, Reads, distinct_selectors_of};
use axum::{extract::State, http::StatusCode, response::IntoResponse};
use datasource::{Backend, Embedded, ExemplarFilter, Exemplars, Reading, SeriesExemplars};
use remote_write::Exemplar;
use serde::Serialize;

use super::{
    Answer, bad_data,
    envelope::success,
    in_query,
    json::{seconds, write_number},
    params::Params,
    pass_on,
};

/// Approximate memory of an exemplar in a response with the labels of its series, in bytes.
const EXEMPLAR_BYTES: usize = 1 << 10;

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

/// The exemplars of all series that the selectors of a query match.
pub(super) async fn query(
    State(embedded): State<Arc<Embedded>>,
    State(exemplars): State<Exemplars>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if let Backend::Prometheus(engine) = &backend {
        return pass_on(engine, &scope.request("query_exemplars", Reads::Query, params.pairs())?).await;
    }
    let start_ms = params.time_ms("start")?.unwrap_or(i64::MIN);
    let end_ms = params.time_ms("end")?.unwrap_or(i64::MAX);
    if end_ms < start_ms {
        return Err(bad_data("end timestamp must not be before start timestamp").into());
    }
    let query = scope.query(params.query()).map_err(in_query)?;
    let parsed = query.parsed().map_err(in_query)?;
    let selectors = distinct_selectors_of(parsed)?;
    if selectors.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (exemplars, wanted) = (exemplars.clone(), Arc::new(ExemplarFilter { selectors, start_ms, end_ms }));
    let weight = {
        let (exemplars, wanted) = (exemplars.clone(), Arc::clone(&wanted));
        move |reading: &Reading| {
            let weight = |count: usize| u64::try_from(count.saturating_mul(EXEMPLAR_BYTES)).unwrap_or(u64::MAX);
            weight(exemplars.count(&wanted, |count| weight(count) <= reading.most_bytes() && !reading.is_over()))
        }
    };
    let make = move |reading: &Reading| {
        let found = exemplars.select(&wanted, || reading.check())?;
        Ok(success(&found.iter().map(OfSeries::of).collect::<Vec<_>>()).into_response())
    };
    Ok(embedded.reads().read_sized(weight, make).await?)
}

impl<'a> OfSeries<'a> {
    fn of(found: &'a SeriesExemplars) -> Self {
        let one = |exemplar: &'a Exemplar| {
            let mut value = String::new();
            write_number(&mut value, exemplar.value);
            One { labels: exemplar.labels.iter().collect(), value, timestamp: seconds(exemplar.timestamp_ms) }
        };
        OfSeries { series_labels: found.series.iter().collect(), exemplars: found.exemplars.iter().map(one).collect() }
    }
}
