//! What kind of daemon answers at an address. Only `/status` must be there; nothing fails because another route is missing.

use exposition::page::Format;
use hypervisord::wire::StatusWire;

use crate::client::{CallError, Client};

/// The daemon as it is serves its routes at the root; its documents put them below a prefix.
const PREFIXES: [&str; 2] = ["", "/api/v1"];

/// Where metrics may be, the documented place first.
const METRICS_PATHS: [&str; 2] = ["/api/v1/metrics", PLAIN_METRICS];
/// Where every exporter has them.
const PLAIN_METRICS: &str = "/metrics";

/// Size of an answer of `/status` that is accepted.
pub(crate) const STATUS_LIMIT: usize = 1 << 20;

/// The ways in which daemons speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As built: a constant feed, no metrics.
    Stock,
    /// The same with `/metrics` switched on.
    Custom,
    /// As the HyperSDK documents describe it: events, `/api/v1/metrics`.
    Documented,
}

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Dialect::Stock => "stock",
            Dialect::Custom => "custom",
            Dialect::Documented => "documented",
        }
    }

    /// What the series of this name tell, in words, if no daemon of this dialect can ever have them: it does not measure it, or always
    /// writes zero.
    pub(crate) fn never_reports(self, series: &str) -> Option<&'static str> {
        let never = match self {
            Dialect::Stock => STOCK_NEVER,
            Dialect::Custom => CUSTOM_NEVER,
            Dialect::Documented => &[],
        };
        never.iter().find(|(name, _)| *name == series).map(|(_, words)| *words)
    }
}

/// Canonical series that cannot come from the daemon as built, and what they tell.
const STOCK_NEVER: &[(&str, &str)] = &[
    ("hypersdk_cpu_usage", "CPU usage"),
    ("hypersdk_export_bytes_total", "exported bytes"),
    ("hypersdk_http_response_time_seconds_bucket", "how HTTP response times are distributed"),
];
/// The same with `/metrics` switched on, which has a histogram of response times.
const CUSTOM_NEVER: &[(&str, &str)] =
    &[("hypersdk_cpu_usage", "CPU usage"), ("hypersdk_export_bytes_total", "exported bytes")];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Before each path.
    pub prefix: &'static str,
    pub dialect: Dialect,
    pub version: Option<String>,
    /// Where its metrics are, if it has any.
    pub metrics_path: Option<&'static str>,
    /// What is wrong with what answers in the place of metrics, if it is none.
    pub metrics_trouble: Option<String>,
    /// A place where metrics may be did not say: there may be some after all.
    pub may_have_metrics: bool,
}

impl Profile {
    /// In words, for a person.
    pub(crate) fn detail(&self) -> String {
        let version = self.version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default();
        let metrics =
            self.metrics_path.map_or_else(|| ", no metrics".to_owned(), |path| format!(", metrics at {path}"));
        format!("{} dialect{version}{metrics}", self.dialect.name())
    }
}

/// Finds out what answers.
///
/// # Errors
/// Nothing does, or something that is no daemon.
pub(crate) async fn detect(client: &Client, metrics_limit: usize) -> Result<Profile, CallError> {
    let (prefix, status) = find_status(client).await?;
    let profile = Profile {
        prefix,
        dialect: Dialect::Stock,
        version: status.version.text(),
        metrics_path: None,
        metrics_trouble: None,
        may_have_metrics: true,
    };
    Ok(probe_metrics(client, metrics_limit, profile).await)
}

/// Looks for the metrics of a daemon of this profile, again if that was not settled before.
pub(crate) async fn probe_metrics(client: &Client, metrics_limit: usize, mut profile: Profile) -> Profile {
    profile.may_have_metrics = false;
    profile.metrics_trouble = None;
    for path in METRICS_PATHS {
        let trouble = match client.get_text(path, Format::ACCEPT, metrics_limit).await {
            Ok(answer) => {
                let is_text = Format::from_content_type(answer.content_type.as_deref()).is_some();
                if is_text && answer.body.contains("hypersdk_") {
                    profile.metrics_path = Some(path);
                    profile.metrics_trouble = None;
                    profile.may_have_metrics = false;
                    profile.dialect = if path == PLAIN_METRICS { Dialect::Custom } else { Dialect::Documented };
                    break;
                }
                Some(format!("{} answered with something that is no page of a daemon's metrics", client.shown(path)))
            }
            Err(error @ CallError::Html { status: 200..=299, .. }) => Some(error.to_string()),
            Err(error) => {
                profile.may_have_metrics |= !error.is_absent();
                None
            }
        };
        // A page at the place that every exporter has is meant to be one of metrics; it may become one.
        if let Some(trouble) = trouble.filter(|_| path == PLAIN_METRICS) {
            profile.metrics_trouble = Some(trouble);
            profile.may_have_metrics = true;
        }
    }
    profile
}

async fn find_status(client: &Client) -> Result<(&'static str, StatusWire), CallError> {
    let mut missing = None;
    for prefix in PREFIXES {
        let path = format!("{prefix}/status");
        match client.get::<StatusWire>(&path, STATUS_LIMIT).await {
            Ok(status) if status.total_jobs.number().is_some() || status.uptime.as_text().is_some() => {
                return Ok((prefix, status));
            }
            Ok(_) => {
                return Err(CallError::Malformed {
                    url: client.shown(&path),
                    expected: "a hypervisord",
                    reason: "its status has neither total_jobs nor uptime".to_owned(),
                });
            }
            Err(error @ CallError::Status { .. }) if error.is_absent() => missing = missing.or(Some(error)),
            // An error below the prefix says less than the first one.
            Err(error) => return Err(missing.unwrap_or(error)),
        }
    }
    Err(missing.unwrap_or_else(|| CallError::Malformed {
        url: client.shown("/status"),
        expected: "a hypervisord",
        reason: "it has no status".to_owned(),
    }))
}
