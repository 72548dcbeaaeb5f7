//! The content of an exposition.

use std::borrow::Cow;

/// The two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4: timestamps in milliseconds, no end marker.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds, ends with `# EOF`.
    OpenMetrics,
}

impl Format {
    /// The `Accept` header for scrapes, best format first.
    pub const ACCEPT: &str =
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

    /// Content type of Prometheus text 0.0.4.
    pub const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// The format of a `Content-Type`. An absent or unspecific one means text; `None` means that it is something else,
    /// such as HTML.
    #[must_use]
    pub fn from_content_type(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(Format::Text) };
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Some(Format::OpenMetrics)
        } else if ["text/plain", "application/octet-stream", ""]
            .iter()
            .any(|known| media_type.eq_ignore_ascii_case(known))
        {
            Some(Format::Text)
        } else {
            None
        }
    }
}

/// Type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// Only increases, except when its process restarts.
    Counter,
    /// Increases and decreases.
    Gauge,
    /// Counts by upper bound, with their sum.
    Histogram,
    /// A histogram whose counts may decrease.
    GaugeHistogram,
    /// Quantiles computed by the source.
    Summary,
    /// Constant 1, its labels are the information.
    Info,
    /// One of several states at a time.
    StateSet,
    /// The source does not specify it.
    #[default]
    Unknown,
}

impl Kind {
    /// Name in OpenMetrics and in Prometheus' metadata API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::GaugeHistogram => "gaugehistogram",
            Kind::Summary => "summary",
            Kind::Info => "info",
            Kind::StateSet => "stateset",
            Kind::Unknown => "unknown",
        }
    }

    /// The kind with this name, in either format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "gaugehistogram" => Kind::GaugeHistogram,
            "summary" => Kind::Summary,
            "info" => Kind::Info,
            "stateset" => Kind::StateSet,
            "unknown" | "untyped" => Kind::Unknown,
            _ => return None,
        })
    }

    /// Possible suffixes of its samples' names.
    pub(crate) fn suffixes(self, format: Format) -> &'static [&'static str] {
        match (self, format) {
            (Kind::Counter, Format::OpenMetrics) => &["_total", "_created"],
            (Kind::Info, Format::OpenMetrics) => &["_info"],
            (Kind::Histogram, Format::OpenMetrics) => &["_bucket", "_sum", "_count", "_created"],
            (Kind::Summary, Format::OpenMetrics) => &["", "_sum", "_count", "_created"],
            (Kind::GaugeHistogram, _) => &["_bucket", "_gsum", "_gcount"],
            (Kind::Histogram, Format::Text) => &["_bucket", "_sum", "_count", ""],
            (Kind::Summary, Format::Text) => &["", "_sum", "_count"],
            _ => &[""],
        }
    }
}

/// All metrics of one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Family<'page> {
    /// Name; in OpenMetrics without the suffix of its samples.
    pub name: Cow<'page, str>,
    /// Its type.
    pub kind: Kind,
    /// Help text; empty if missing.
    pub help: Cow<'page, str>,
    /// Unit (OpenMetrics); empty if missing.
    pub unit: Cow<'page, str>,
    /// Its samples, in order.
    pub samples: Vec<Sample<'page>>,
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'page> {
    /// Name and labels as text: equal text is the same series, so a reader can cache the parsed labels.
    pub series: &'page str,
    /// Name of the series: the family's, with an optional suffix.
    pub name: Cow<'page, str>,
    /// Labels, in order; each name occurs once.
    pub labels: Vec<Label<'page>>,
    /// The value; may be NaN or infinite.
    pub value: f64,
    /// Timestamp in milliseconds since the Unix epoch, if any.
    pub timestamp_ms: Option<i64>,
    /// Exemplar (OpenMetrics).
    pub exemplar: Option<Exemplar<'page>>,
}

/// Name and value of a label.
pub type Label<'page> = (Cow<'page, str>, Cow<'page, str>);

/// An exemplar: links a sample, usually to a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar<'page> {
    /// For example `trace_id`.
    pub labels: Vec<Label<'page>>,
    /// The observed value.
    pub value: f64,
    /// Timestamp in milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
}
