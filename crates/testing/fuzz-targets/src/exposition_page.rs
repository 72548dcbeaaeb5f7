//! Pages of metrics in both text forms.

use exposition::{
    page::Format,
    parse::{Limits, parse},
};

pub(crate) const WORDS: &[&str] = &[
    "# HELP ",
    "# TYPE ",
    "# UNIT ",
    "# EOF\n",
    " counter\n",
    " histogram\n",
    " summary\n",
    "_total",
    "_bucket",
    "_sum",
    "{le=\"+Inf\"}",
    "{a=\"b\"}",
    " # {trace_id=\"x\"} 1 2\n",
    " NaN\n",
    " +Inf\n",
    " 1e308",
    " 1 1700000000000\n",
    "\\n",
    "\"",
    "\\\\",
    "{\"a.b\",c=\"d\"} 1\n",
    "\r\n",
    "\t",
    "\u{fffd}",
];

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for format in [Format::Text, Format::OpenMetrics] {
        // An error is a valid result.
        let _ = parse(text, format, Limits { samples: 10_000, ..Limits::default() });
    }
}
