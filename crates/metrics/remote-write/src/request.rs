//! What a request holds.

use std::sync::Arc;

use labels::Labels;
use timeseries::histogram::Histogram;

use crate::Rejected;

/// A request, with what had to be left out of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Series whose labels are good.
    pub series: Vec<TimeSeries>,
    /// What is said about metric families.
    pub families: Vec<Family>,
    /// How many series and histograms were left out.
    pub rejected: usize,
    /// The first of those.
    pub first_rejected: Option<Rejected>,
}

/// New samples of one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TimeSeries {
    /// The series; it has a metric name.
    pub labels: Labels,
    /// Times, in milliseconds since the Unix epoch, and values, staleness markers included bit by bit.
    pub samples: Vec<(i64, f64)>,
    /// Native histograms with their times.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
    /// Traces that stand for samples.
    pub exemplars: Vec<Exemplar>,
}

/// A trace that stands for a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// For example `trace_id`.
    pub labels: Labels,
    /// The value that was observed.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
}

/// What is said about a metric family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FamilyKind,
    /// What it means.
    pub help: String,
    /// Its unit.
    pub unit: String,
}

/// Type of a metric family; the numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FamilyKind {
    /// The sender does not say.
    #[default]
    Unknown = 0,
    /// Only rises.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// Counts by upper bound, with their sum.
    Histogram = 3,
    /// A histogram whose counts go up and down.
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

    /// The kind of a number of the protocol; one that is not known counts as [`FamilyKind::Unknown`].
    pub(crate) fn of(number: u64) -> Self {
        usize::try_from(number).ok().and_then(|index| Self::ALL.get(index).copied()).unwrap_or_default()
    }

    /// The word for it in Prometheus' metadata API.
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
