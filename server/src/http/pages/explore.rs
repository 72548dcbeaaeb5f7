//! Explore: evaluates one query, whose result the app renders.

use std::{collections::BTreeSet, time::Instant};

use access::Principal;
use app::explore::{ExploreAddress, ExploreView, Found, Kind, Outcome};
use datasource::{QueryError, fixed};
use model::{
    dashboard::{Panel, PanelKind, Query},
    zone::Zone,
};

use crate::http::slices::PageState;

/// Most names of metrics that are suggested.
const METRICS: usize = 1_000;
/// Most example queries.
const EXAMPLES: usize = 8;

/// Gathers the data of the page with the URL's `query`.
pub(super) async fn gather(
    state: &PageState,
    principal: &Principal,
    query: &str,
    now_ms: i64,
    zone: Zone,
) -> ExploreView {
    let mut address = ExploreAddress::read(|name| super::parameter(query, name), now_ms);
    address.expr = one_line(address.expr);
    let outcome =
        async { if address.expr.is_empty() { None } else { Some(outcome(state, principal, &address, now_ms).await) } };
    let (outcome, metrics) = tokio::join!(outcome, metrics(state, principal, &address));
    ExploreView {
        engines: state.panels.engines.names().map(str::to_owned).collect(),
        metrics,
        examples: if outcome.is_none() { examples(state, principal) } else { Vec::new() },
        address,
        now_ms,
        zone,
        outcome,
    }
}

/// A query on one line. A text field would remove line breaks, which would join words.
fn one_line(expr: String) -> String {
    if !expr.contains(['\n', '\r']) {
        return expr;
    }
    // Comments end at a line break, so they are removed.
    promql::parse(&expr).map_or_else(|_| expr.replace(['\n', '\r'], " "), |query| query.to_string())
}

/// The names that the form suggests. It works without them, so they have a short timeout.
async fn metrics(state: &PageState, principal: &Principal, address: &ExploreAddress) -> Vec<String> {
    let engine = state.panels.engines.get(address.engine.as_deref()).or_else(|_| state.panels.engines.first());
    let Ok(engine) = engine else { return Vec::new() };
    match tokio::time::timeout(super::PATIENCE, engine.metric_names(principal.scope(), METRICS)).await {
        Ok(Ok(names)) => names,
        Ok(Err(error)) => {
            tracing::debug!(%error, "metric names could not be fetched");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

async fn outcome(state: &PageState, principal: &Principal, address: &ExploreAddress, now_ms: i64) -> Outcome {
    let asked = Instant::now();
    match found(state, principal, address, now_ms).await {
        Ok(found) => Outcome::Found(Found { took_secs: asked.elapsed().as_secs_f64(), ..found }),
        Err(error) => Outcome::Failed {
            message: error.message,
            // Another engine may accept more of the language. The position is known only if our parser refuses the query as well.
            position: promql::parse(&address.expr).err().map(|wrong| wrong.position),
        },
    }
}

async fn found(
    state: &PageState,
    principal: &Principal,
    address: &ExploreAddress,
    now_ms: i64,
) -> Result<Found, QueryError> {
    let instant = address.kind == Kind::Instant;
    let query = Query { expr: address.expr.clone(), instant, engine: address.engine.clone(), ..Query::default() };
    let step_ms = address.step_ms.unwrap_or_else(|| address.range.step_ms(now_ms)).max(1);
    let range_ms = address.range.resolve(now_ms);
    let frame = fixed::frame(&state.panels.engines, principal.scope(), &query, range_ms, step_ms).await?;
    let (start_ms, end_ms, step_ms) = match address.kind {
        Kind::Instant => (range_ms.1, range_ms.1, 0),
        Kind::Range => {
            let (start_ms, end_ms) = fixed::aligned(range_ms, step_ms);
            (start_ms, end_ms, step_ms)
        }
    };
    Ok(Found { frame, start_ms, end_ms, step_ms, took_secs: 0.0 })
}

/// Queries of the dashboards' time series panels, with their titles. Each title occurs once, because equal links should lead to the same query.
fn examples(state: &PageState, principal: &Principal) -> Vec<(String, String)> {
    let links = state.library.links(&principal.session);
    let dashboards = links.iter().filter_map(|link| state.library.get(&link.uid));
    let panels = dashboards.flat_map(|dashboard| &dashboard.panels).filter(|panel| panel.kind == PanelKind::Timeseries);
    let of_panel = |panel: &Panel| {
        let query = panel.queries.iter().find(|query| query.engine.is_none())?;
        Some((panel.title.clone(), query.expr.clone()))
    };
    first_of_each(panels.filter_map(of_panel)).take(EXAMPLES).collect()
}

/// The first example of each title.
fn first_of_each(examples: impl Iterator<Item = (String, String)>) -> impl Iterator<Item = (String, String)> {
    let mut titles = BTreeSet::new();
    examples.filter(move |(title, _)| titles.insert(title.clone()))
}

#[cfg(test)]
mod tests {
    use super::{first_of_each, one_line};

    #[test]
    fn examples_have_distinct_titles() {
        let panels = [("Memory Usage", "a"), ("CPU Usage", "b"), ("Memory Usage", "sum(a)")];
        let examples = first_of_each(panels.into_iter().map(|(title, expr)| (title.to_owned(), expr.to_owned())));
        assert_eq!(examples.map(|(_, expr)| expr).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_query_of_several_lines_has_the_same_meaning_on_one_line() {
        assert_eq!(one_line("up".to_owned()), "up");
        let joined = one_line("a > 0.1\n# a word on it\nand\nb".to_owned());
        assert_eq!(joined, "a > 0.1 and b");
        assert_eq!(one_line("sum(\nup".to_owned()), "sum( up");
    }
}
