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

pub(crate) fn run(input: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(input) else { return String::new() };
    let mut told = String::new();
    for format in [Format::Text, Format::OpenMetrics] {
        let limits = Limits { samples: 10_000, ..Limits::default() };
        match parse(text, format, limits) {
            Ok(families) => {
                let samples: usize = families.iter().map(|family| family.samples.len()).sum();
                told += &format!("{} {samples} ", families.len());
            }
            Err(error) => told += &error.to_string(),
        }
    }
    told
}
