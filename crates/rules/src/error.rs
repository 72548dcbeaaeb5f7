//! What goes wrong with rules that were checked.

use promql::ParseError;
use timeseries::SourceError;

/// Why a rule gives nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RuleError {
    /// A query was not answered, for this reason.
    #[error("{0}")]
    Query(String),
    /// Its samples were not stored.
    #[error(transparent)]
    Append(#[from] SourceError),
    /// Its query gives a text or a range.
    #[error("rule result is not a vector or scalar")]
    NotVector,
    /// It records one series twice.
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    SameSeries,
    /// It raises one alert twice.
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    SameAlert,
    /// It records more series than its group allows.
    #[error("exceeded limit of {limit} with {count} series")]
    TooManySeries {
        /// Most that are allowed.
        limit: usize,
        /// How many there are.
        count: usize,
    },
    /// It raises more alerts than its group allows.
    #[error("exceeded limit of {limit} with {count} alerts")]
    TooManyAlerts {
        /// Most that are allowed.
        limit: usize,
        /// How many there are.
        count: usize,
    },
}

/// Why a group cannot be made: it is not one that the check lets pass.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvalidRule {
    /// What is evaluated is no PromQL.
    #[error(transparent)]
    Expression(#[from] ParseError),
    /// A label or annotation is no template.
    #[error(transparent)]
    Template(#[from] InvalidTemplate),
}

/// Why a text of a label or annotation cannot be filled in, whatever the alert.
#[derive(Debug, Clone, thiserror::Error)]
#[error("could not parse template: error parsing template {name}: {error}")]
pub struct InvalidTemplate {
    /// Name of the template.
    pub(crate) name: String,
    /// What is wrong.
    #[source]
    pub(crate) error: Box<gotemplate::Error>,
}
