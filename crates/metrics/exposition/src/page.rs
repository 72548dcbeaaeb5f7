//! What a page of metrics holds.

use std::borrow::Cow;

/// The two text forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4: timestamps in milliseconds, the page ends where it ends.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds, the page ends with `# EOF`.
    OpenMetrics,
}

impl Format {
    /// What to ask a source for, best first.
    pub const ACCEPT: &str =
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

    /// Content type of a page in Prometheus text 0.0.4.
    pub const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// The form that a `Content-Type` names. An absent or unspecific one means text; `None` means that the page is something
    /// else altogether, such as HTML.
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
    /// Only rises, except when its process starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound, with their sum.
    Histogram,
    /// A histogram whose counts go up and down.
    GaugeHistogram,
    /// Quantiles computed by the source.
    Summary,
    /// Constant 1, its labels are the information.
    Info,
    /// One of several states at a time.
    StateSet,
    /// The source does not say.
    #[default]
    Unknown,
}

impl Kind {
    /// The word for it in OpenMetrics and in Prometheus' metadata API.
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

    /// The kind with this name, in either form.
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

    /// What the names of its samples may have after the name of the family.
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
    /// Name, in OpenMetrics without the suffix of its samples.
    pub name: Cow<'page, str>,
    /// Its type.
    pub kind: Kind,
    /// What it means, in a sentence; empty if the source does not say.
    pub help: Cow<'page, str>,
    /// Its unit (OpenMetrics); empty if the source does not say.
    pub unit: Cow<'page, str>,
    /// Its samples in the order of the page.
    pub samples: Vec<Sample<'page>>,
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'page> {
    /// Name and labels as the page writes them: equal text is the same series, so a reader can remember what it made of it.
    pub series: &'page str,
    /// Name of the series: the family's, perhaps with a suffix.
    pub name: Cow<'page, str>,
    /// Labels in the order of the page; each name occurs once.
    pub labels: Vec<Label<'page>>,
    /// The value; may be NaN or infinite.
    pub value: f64,
    /// When it was measured, in milliseconds since the Unix epoch, if the source says.
    pub timestamp_ms: Option<i64>,
    /// A trace that stands for the sample (OpenMetrics).
    pub exemplar: Option<Exemplar<'page>>,
}

/// Name and value of a label.
pub type Label<'page> = (Cow<'page, str>, Cow<'page, str>);

/// What a sample points to, usually a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar<'page> {
    /// For example `trace_id`.
    pub labels: Vec<Label<'page>>,
    /// The value that was observed.
    pub value: f64,
    /// When, in milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
}
