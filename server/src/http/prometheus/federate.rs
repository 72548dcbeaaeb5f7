//! `/federate`: the latest samples in the text format, for a Prometheus that scrapes us.

use std::{collections::BTreeMap, sync::Arc};

use access::{Principal, Reads, ScopedSelectors};
use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use datasource::{Backend, Embedded, ErrorKind, QueryError, Reading, cost};
use exposition::{
    page::{Format, Kind},
    write::Writer,
};
use labels::{Labels, METRIC_NAME};
use model::clock::now_ms;
use timeseries::{SeriesSource, is_stale_marker};

use super::{Answer, bad_data, params::Params, pass_on};

/// Maximum age of a sample.
const LOOK_BACK_MS: i64 = 5 * 60 * 1000;
/// Prometheus would set this label to our address on series without it.
const INSTANCE: &str = "instance";

/// The latest float sample of each series that a `match[]` selects, unless the series has a stale marker.
pub(super) async fn federate(
    State(embedded): State<Arc<Embedded>>,
    backend: Backend,
    principal: Principal,
    params: Params,
) -> Answer {
    let scope = principal.scope();
    if params.get("match[]").is_none() {
        return Err(bad_data("no match[] parameter provided").into());
    }
    if let Backend::Prometheus(engine) = &backend {
        // The path is outside of `/api/v1`.
        return pass_on(engine, &scope.request("../../federate", Reads::Selectors, params.pairs())?).await;
    }
    let selectors = scope.selectors(params.all("match[]"))?;
    let (store, limit) = (embedded.store().clone(), embedded.limits().max_response_bytes);
    let now_ms = now_ms();
    let sized = (store.clone(), selectors.clone());
    let times = (now_ms.saturating_sub(LOOK_BACK_MS), now_ms);
    let size = move |reading: &Reading| cost::of_page(&sized.0, sized.1.matchers(), times, reading);
    let make = move |reading: &Reading| page(&store, &selectors, now_ms, reading);
    let page = embedded.reads().read_sized(size, make).await?;
    if page.len() > limit {
        let message = format!("the answer is larger than {limit} bytes: select fewer series");
        return Err(QueryError::new(ErrorKind::Execution, message).into());
    }
    Ok(response(page))
}

fn response(page: String) -> Response {
    ([(CONTENT_TYPE, Format::TEXT_CONTENT_TYPE)], page).into_response()
}

/// Time in milliseconds since the Unix epoch, and value.
type Newest = (i64, f64);

fn page(
    store: &tsdb::Store,
    selectors: &ScopedSelectors,
    now_ms: i64,
    reading: &Reading,
) -> Result<String, QueryError> {
    let mut newest: BTreeMap<Labels, Newest> = BTreeMap::new();
    for matchers in selectors.matchers() {
        reading.check()?;
        let found = store
            .select(matchers, now_ms.saturating_sub(LOOK_BACK_MS).saturating_add(1), now_ms)
            .map_err(|error| QueryError::new(ErrorKind::Execution, error.to_string()))?;
        for series in found {
            let float = series.timestamps.last().copied().zip(series.values.last().copied());
            // The text format has no native histograms; a series that became one has no current float.
            let became_histogram = series.histograms.last().map(|(time, _)| *time);
            if let Some((time, value)) = float
                && !is_stale_marker(value)
                && became_histogram.is_none_or(|other| other < time)
            {
                newest.insert(series.labels, (time, value));
            }
        }
    }
    let kinds: BTreeMap<String, tsdb::Metadata> = store.metadata().into_iter().collect();
    let mut by_name: BTreeMap<Arc<str>, Vec<(Labels, Newest)>> = BTreeMap::new();
    for (labels, sample) in newest {
        by_name.entry(labels.metric_name().into()).or_default().push((labels, sample));
    }
    let mut page = Writer::new();
    for (name, series) in by_name {
        // The parts of a histogram are single series here, without a type.
        let kind = match kinds.get(&*name).map(|about| about.kind.as_str()) {
            Some("counter") => Kind::Counter,
            Some("gauge") => Kind::Gauge,
            _ => Kind::Unknown,
        };
        page.family(&name, kind, "");
        for (labels, (time, value)) in series {
            let has_instance = !labels.get(INSTANCE).is_empty();
            let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
            page.sample_at(own.chain((!has_instance).then_some((INSTANCE, ""))), value, time);
        }
    }
    Ok(page.finish())
}
