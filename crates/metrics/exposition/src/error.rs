//! Errors of parsing.

/// The text is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The byte within the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// Problems of a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else was expected.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// What was found, quoted and shortened.
        found: String,
    },
    /// A quoted text is not closed on its line.
    #[error("the closing quote is missing")]
    OpenQuote,
    /// A label occurs twice.
    #[error("the label {0:?} occurs twice")]
    RepeatedLabel(String),
    /// A sample without a name.
    #[error("the sample has no metric name")]
    NoName,
    /// A second name inside the braces.
    #[error("the sample has two metric names")]
    TwoNames,
    /// `# TYPE` with an unknown type.
    #[error("{0:?} is not a metric type")]
    Kind(String),
    /// A second, different `# TYPE` for the same name.
    #[error("the type of {0:?} is given twice, and differs")]
    RepeatedKind(String),
    /// A timestamp that does not fit into 64-bit milliseconds.
    #[error("the timestamp is out of range")]
    Timestamp,
    /// Lines after `# EOF`.
    #[error("the page goes on after # EOF")]
    AfterEnd,
    /// No `# EOF` at the end of an OpenMetrics page.
    #[error("the page ends without # EOF: it was cut off")]
    NoEnd,
    /// A limit is exceeded.
    #[error("more than {limit} {what}")]
    Limit {
        /// The limited objects.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
