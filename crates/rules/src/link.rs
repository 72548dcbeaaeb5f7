//! Paths to an expression's graph or table, as in Prometheus.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Go's `url.QueryEscape`, except for the space.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// Escapes a text for a query string.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string().replace(' ', "+")
}

/// Path to the graph of an expression.
#[must_use]
pub fn graph(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=0", escape(expr))
}

/// Path to the table of an expression.
#[must_use]
pub fn table(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", escape(expr))
}

/// The path of a URL, without a trailing slash.
pub(crate) fn path(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.find('/').and_then(|at| after.get(at..)).unwrap_or_default().trim_end_matches('/')
}
