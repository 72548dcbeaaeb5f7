//! The content of Explore, which only the server renders: a form for one query, and its result.
//!
//! The form uses GET, so every result has a URL. With scripts, the page fetches the same HTML and inserts it (see `pages::drawn`), so the browser's
//! program contains no code of this module.

mod address;
mod form;
mod result;

use leptos::prelude::*;
use model::{frame::Frame, zone::Zone};

pub use address::{ExploreAddress, Kind};

use crate::{alerts::words::nothing, view::view};

/// Everything that the page is rendered from.
#[derive(Debug, Clone)]
pub struct ExploreView {
    /// The query in the URL.
    pub address: ExploreAddress,
    /// The server's time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The viewer's time zone.
    pub zone: Zone,
    /// Names of the available engines. The first one is the default.
    pub engines: Vec<String>,
    /// Names of metrics that the form suggests, sorted.
    pub metrics: Vec<String>,
    /// Example queries, as pairs of title and expression.
    pub examples: Vec<(String, String)>,
    /// The outcome of the query; `None` if there is no query.
    pub outcome: Option<Outcome>,
}

/// The outcome of a query.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The query was evaluated.
    Found(Found),
    /// The query failed.
    Failed {
        /// What is wrong, and how to correct it.
        message: String,
        /// Byte offset of a syntax error in the query.
        position: Option<usize>,
    },
}

/// The result of a query.
#[derive(Debug, Clone)]
pub struct Found {
    /// The series.
    pub frame: Frame,
    /// Start of the range, in milliseconds since the Unix epoch; the evaluation time of an instant query.
    pub start_ms: i64,
    /// End of the range, in milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// Step in milliseconds.
    pub step_ms: i64,
    /// Duration of the evaluation, in seconds.
    pub took_secs: f64,
}

/// Renders the page's content as HTML.
#[must_use]
pub fn draw(page: &ExploreView) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| content(page).to_html());
    owner.unset_with_forced_cleanup();
    html
}

fn content(page: &ExploreView) -> AnyView {
    let result = match &page.outcome {
        Some(Outcome::Found(found)) => result::draw(page, found),
        Some(Outcome::Failed { message, position }) => result::failed(page, message, *position),
        None => start(page),
    };
    view! {
        {form::draw(page)}
        {result}
    }
}

/// The content below an empty form.
fn start(page: &ExploreView) -> AnyView {
    if page.examples.is_empty() {
        return nothing("Nothing is asked yet", "Write a query in PromQL above.");
    }
    let examples = page.examples.iter().map(|(title, expr)| {
        let href = ExploreAddress { expr: expr.clone(), ..page.address.clone() }.href();
        view! {
            <li>
                <a href=href>{title.clone()}</a>
                <code>{expr.clone()}</code>
            </li>
        }
    });
    view! {
        <section class="card">
            <h2>"Queries to begin with"</h2>
            <ul class="explore-examples">{examples.collect_view()}</ul>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use model::frame::{Labels, Series};

    use super::*;

    fn page(kind: Kind, outcome: Option<Outcome>) -> ExploreView {
        ExploreView {
            address: ExploreAddress { expr: "a < \"b".into(), kind, ..ExploreAddress::default() },
            now_ms: 1_795_165_200_000,
            zone: Zone::UTC,
            engines: vec!["one".into(), "embedded".into()],
            metrics: vec!["up".into()],
            examples: vec![("Jobs".into(), "sum(jobs)".into())],
            outcome,
        }
    }

    fn found(count: usize) -> Option<Outcome> {
        let series = |index: usize| Series {
            labels: Labels::from([("__name__".into(), "up".into()), ("vm".into(), format!("<{index}>"))]).into(),
            timestamps: vec![1_795_165_100_000, 1_795_165_200_000],
            values: vec![0.25, f64::NAN],
        };
        let frame = Frame {
            series: (0..count).map(series).collect(),
            notices: vec!["PromQL info: metric might not be a counter".into()],
            ..Frame::default()
        };
        Some(Outcome::Found(Found {
            frame,
            start_ms: 1_795_161_600_000,
            end_ms: 1_795_165_200_000,
            step_ms: 15_000,
            took_secs: 0.012,
        }))
    }

    fn has(html: &str, parts: &[&str]) {
        for part in parts {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    #[test]
    fn a_range_is_a_chart_with_a_static_legend() {
        let html = draw(&page(Kind::Range, found(2)));
        has(
            &html,
            &["<svg", "2 series", "4 points", "12 ms", "metric might not be a counter", "legend-item", "value=\"up\""],
        );
        assert!(!html.contains("aria-pressed"), "{html}");
        assert!(!html.contains("Arrow keys"), "{html}");
    }

    #[test]
    fn an_instant_is_a_table() {
        let html = draw(&page(Kind::Instant, found(2)));
        has(&html, &["<table", "&lt;1&gt;", "NaN"]);
    }

    #[test]
    fn a_long_result_says_how_many_rows_it_leaves_out() {
        let html = draw(&page(Kind::Instant, found(result::MOST_ROWS + 7)));
        has(&html, &["and 7 more"]);
    }

    #[test]
    fn a_query_with_a_syntax_error_shows_its_position() {
        let failed = Outcome::Failed { message: "1:5: unterminated".into(), position: Some(4) };
        let html = draw(&page(Kind::Range, Some(failed)));
        has(&html, &["1:5: unterminated", "role=\"alert\"", "<mark>", "value=\"a &lt; &quot;b\""]);
    }

    #[test]
    fn without_a_query_there_are_examples() {
        let html = draw(&page(Kind::Range, None));
        has(&html, &["sum(jobs)", "expr=sum%28jobs%29", "<option value=\"one\"", "<option value=\"embedded\""]);
    }
}
