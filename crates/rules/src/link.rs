//! Links to an expression, as Prometheus makes them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Go's `url.QueryEscape`, but for the space.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// A text as part of a query string.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string().replace(' ', "+")
}

/// Path to a graph of an expression.
#[must_use]
pub fn graph(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=0", escape(expr))
}

/// Path to a table of an expression.
#[must_use]
pub fn table(expr: &str) -> String {
    format!("/graph?g0.expr={}&g0.tab=1", escape(expr))
}

/// The path of a URL, without a slash at its end.
pub(crate) fn path(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    after.find('/').and_then(|at| after.get(at..)).unwrap_or_default().trim_end_matches('/')
}
