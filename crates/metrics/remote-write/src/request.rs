//! The content of a request.

use std::sync::Arc;

use labels::Labels;
use timeseries::histogram::Histogram;

use crate::Rejected;

/// A decoded request, and what was skipped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Series with valid labels.
    pub series: Vec<TimeSeries>,
    /// Metadata of metric families.
    pub families: Vec<Family>,
    /// Number of skipped series and histograms.
    pub rejected: usize,
    /// The first skipped one.
    pub first_rejected: Option<Rejected>,
}

/// Samples of one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TimeSeries {
    /// The series; it has a metric name.
    pub labels: Labels,
    /// Times in milliseconds since the Unix epoch, and values, including stale markers with their exact bits.
    pub samples: Vec<(i64, f64)>,
    /// Native histograms with their times.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
}

/// An exemplar.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// For example `trace_id`.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
}

/// Metadata of a metric family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FamilyKind,
    /// Help text.
    pub help: String,
    /// Its unit.
    pub unit: String,
}

/// Type of a metric family; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FamilyKind {
    /// Not specified by the sender.
    #[default]
    Unknown = 0,
    /// Only increases.
    Counter = 1,
    /// Increases and decreases.
    Gauge = 2,
    /// Counts by upper bound, with their sum.
    Histogram = 3,
    /// A histogram whose counts may decrease.
    GaugeHistogram = 4,
    /// Quantiles computed by the source.
    Summary = 5,
    /// Constant 1, its labels are the information.
    Info = 6,
    /// One of several states at a time.
    StateSet = 7,
}

impl FamilyKind {
    const ALL: [FamilyKind; 8] = [
        FamilyKind::Unknown,
        FamilyKind::Counter,
        FamilyKind::Gauge,
        FamilyKind::Histogram,
        FamilyKind::GaugeHistogram,
        FamilyKind::Summary,
        FamilyKind::Info,
        FamilyKind::StateSet,
    ];

    /// The kind with a number of the protocol; an unknown one is [`FamilyKind::Unknown`].
    pub(crate) fn of(number: u64) -> Self {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index).copied()).unwrap_or_default()
    }

    /// Name in Prometheus' metadata API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FamilyKind::Unknown => "unknown",
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
            FamilyKind::GaugeHistogram => "gaugehistogram",
            FamilyKind::Summary => "summary",
            FamilyKind::Info => "info",
            FamilyKind::StateSet => "stateset",
        }
    }
}
