//! Fuzz targets: parsers of external input must not panic on any input, and what they parse must be the same after it
//! is written and parsed again.
//!
//! `make fuzz` searches for failing inputs with libFuzzer (`fuzz/`); the tests of this crate run the seeds, some
//! mutations of them, and every input that once failed.

mod exposition_page;
pub mod mutate;
mod promql_query;
mod remote_write_body;

/// A fuzz target. A failure is a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Pages of metrics.
    Exposition,
    /// Bodies of remote writes.
    RemoteWrite,
    /// Queries: parsed, printed, evaluated.
    Promql,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::Exposition, Target::RemoteWrite, Target::Promql];

    /// The name, also of its directories.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Target::Exposition => "exposition",
            Target::RemoteWrite => "remote_write",
            Target::Promql => "promql",
        }
    }

    /// Runs the target on an input.
    pub fn run(self, input: &[u8]) {
        match self {
            Target::Exposition => exposition_page::run(input),
            Target::RemoteWrite => remote_write_body::run(input),
            Target::Promql => promql_query::run(input),
        }
    }

    /// Words from which inputs are made.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Target::Exposition => exposition_page::WORDS,
            Target::RemoteWrite => remote_write_body::WORDS,
            Target::Promql => promql_query::WORDS,
        }
    }
}
