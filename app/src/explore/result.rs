//! The result of a query: a chart of its range or a table of its values, with notices.

use leptos::prelude::*;
use model::{
    dashboard::{Panel, Query},
    frame::ESTIMATED,
    label::selector,
    panel::{PanelData, QueryState},
    range::DurationMs,
    unit,
};

use super::{ExploreView, Found, Kind};
use crate::{
    alerts::words::nothing,
    panels::{self, Viewport},
    view::view,
};

/// Most series of an instant query that are listed. The page says how many it leaves out.
pub(super) const MOST_ROWS: usize = 500;

pub(super) fn draw(page: &ExploreView, found: &Found) -> AnyView {
    let estimate = found.frame.estimated.then(|| ESTIMATED.to_owned());
    let remarks: Vec<String> =
        estimate.into_iter().chain(found.frame.remarks.iter().chain(&found.frame.notices).cloned()).collect();
    let has_notices = !remarks.is_empty();
    let notices = remarks.into_iter().map(|notice| view! { <li>{notice}</li> }).collect_view();
    let notices = has_notices.then(|| view! { <ul class="explore-notices">{notices}</ul> });
    let body = match page.address.kind {
        _ if found.frame.is_empty() => nothing("Nothing found", &nothing_at(page, found)),
        Kind::Range => course(page, found),
        Kind::Instant => values(found),
    };
    view! {
        <section class="card explore-result" aria-labelledby="explore-said">
            <p class="explore-said" id="explore-said" role="status">{said(page, found)}</p>
            {notices}
            {body}
        </section>
    }
}

/// The error of a query, and the query with the position of the error marked.
pub(super) fn failed(page: &ExploreView, message: &str, position: Option<usize>) -> AnyView {
    let expr = &page.address.expr;
    let place = position.and_then(|at| expr.split_at_checked(at)).map(|(before, after)| {
        // At the end of the query there is no text to mark.
        let after = if after.is_empty() { "\u{2026}" } else { after };
        view! { <pre class="alert-expr"><code>{before.to_owned()} <mark>{after.to_owned()}</mark></code></pre> }
    });
    view! {
        <section class="card explore-result" role="alert">
            <p class="notice-title">"The query was not answered"</p>
            <p class="form-error">{message.to_owned()}</p>
            {place}
        </section>
    }
}

fn nothing_at(page: &ExploreView, found: &Found) -> String {
    let at = |at_ms| page.zone.civil(at_ms).to_string();
    match page.address.kind {
        Kind::Range => format!("No series has a value from {} to {}.", at(found.start_ms), at(found.end_ms)),
        Kind::Instant => format!("No series has a value at {}.", at(found.end_ms)),
    }
}

/// A sentence with the number of series and points, the range, and the duration of the evaluation.
fn said(page: &ExploreView, found: &Found) -> String {
    let series = found.frame.series.iter().filter(|series| !series.timestamps.is_empty()).count();
    let points: usize = found.frame.series.iter().map(|series| series.timestamps.len()).sum();
    let at = |at_ms| page.zone.civil(at_ms).to_string();
    let what = match page.address.kind {
        Kind::Range => format!(
            "{series} series with {points} points, {} to {}, every {}",
            at(found.start_ms),
            at(found.end_ms),
            DurationMs(found.step_ms)
        ),
        Kind::Instant => format!("{series} series at {}", at(found.end_ms)),
    };
    let sent = found.frame.sent.as_ref().map(|sent| format!(" Sent as {sent}")).unwrap_or_default();
    format!("{what}, in {}.{sent}", unit::duration(found.took_secs))
}

fn course(page: &ExploreView, found: &Found) -> AnyView {
    let query = Query { expr: page.address.expr.clone(), ..Query::default() };
    let panel = Panel::timeseries("explore", &page.address.expr, 11, query);
    let viewport = Viewport { start_ms: found.start_ms, end_ms: found.end_ms, step_ms: found.step_ms, zone: page.zone };
    let data = PanelData::Queries(vec![QueryState::Ready { frame: found.frame.clone(), stale: None }]);
    view! { <div class="explore-course">{panels::still(panel, data, viewport, page.now_ms)}</div> }
}

fn values(found: &Found) -> AnyView {
    let series = &found.frame.series;
    let rows = series.iter().take(MOST_ROWS).filter_map(|series| {
        let (_, value) = series.last()?;
        Some(view! { <tr><td><code>{selector(&series.labels)}</code></td> <td class="explore-value">{written(value)}</td></tr> })
    });
    let more = series.len().saturating_sub(MOST_ROWS);
    let more = (more > 0).then(|| {
        view! { <p class="quiet-words">{format!("and {more} more: a sum, or topk(), shows what matters.")}</p> }
    });
    view! {
        <div class="explore-values" tabindex="0" role="region" aria-label="Values">
            <table>
                <thead><tr><th scope="col">"Series"</th> <th scope="col" class="explore-value">"Value"</th></tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
        {more}
    }
}

/// A value with all significant digits.
fn written(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
