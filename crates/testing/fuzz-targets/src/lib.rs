//! What is tried with inputs that nobody wrote: the readers of what comes from outside must not panic on anything, and what they
//! understand must survive being written and read again.
//!
//! `make fuzz` has libFuzzer look for such inputs (`fuzz/`); the tests of this crate try the seeds, some mutations of them, and every
//! input that was once a fault.

mod exposition_page;
pub mod mutate;
mod promql_query;
mod remote_write_body;

/// Something to be tried. A fault is a panic.
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

    /// The name, of its folders too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Target::Exposition => "exposition",
            Target::RemoteWrite => "remote_write",
            Target::Promql => "promql",
        }
    }

    /// Tries an input.
    pub fn run(self, input: &[u8]) {
        match self {
            Target::Exposition => exposition_page::run(input),
            Target::RemoteWrite => remote_write_body::run(input),
            Target::Promql => promql_query::run(input),
        }
    }

    /// Words that inputs are made of.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Target::Exposition => exposition_page::WORDS,
            Target::RemoteWrite => remote_write_body::WORDS,
            Target::Promql => promql_query::WORDS,
        }
    }
}
