//! Why a page cannot be read.

/// A page that is not what it claims to be.
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

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else was due.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was due.
        expected: &'static str,
        /// What is there instead, quoted and shortened.
        found: String,
    },
    /// A text in quotes goes on past the end of the line.
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
    /// `# TYPE` with a word that is no type.
    #[error("{0:?} is not a metric type")]
    Kind(String),
    /// A second `# TYPE` for the same name.
    #[error("the type of {0:?} is given twice, and differs")]
    RepeatedKind(String),
    /// A timestamp outside of what milliseconds in 64 bits hold.
    #[error("the timestamp is out of range")]
    Timestamp,
    /// Lines after `# EOF`.
    #[error("the page goes on after # EOF")]
    AfterEnd,
    /// No `# EOF` at the end of an OpenMetrics page.
    #[error("the page ends without # EOF: it was cut off")]
    NoEnd,
    /// More than the caller accepts.
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are accepted.
        limit: usize,
    },
}
