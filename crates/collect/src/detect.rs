//! Detects the kind of daemon at a URL. Only `/status` is required; any other route may be missing.

use exposition::page::Format;
use hypervisord::wire::StatusWire;

use crate::client::{CallError, Client};

/// Stock daemons have their routes at the root; the documentation puts them below a prefix.
const PREFIXES: [&str; 2] = ["", "/api/v1"];

/// Paths where metrics may be, the documented one first.
const METRICS_PATHS: [&str; 2] = ["/api/v1/metrics", PLAIN_METRICS];
/// The usual path of exporters.
const PLAIN_METRICS: &str = "/metrics";

/// Maximum size of a `/status` response, in bytes.
pub(crate) const STATUS_LIMIT: usize = 1 << 20;

/// Dialects of daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The stock daemon: a constant feed, no metrics.
    Stock,
    /// The stock daemon with `/metrics` enabled.
    Custom,
    /// As in the HyperSDK documentation: events, `/api/v1/metrics`.
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

    /// What a series with this name measures, in words, if daemons of this dialect never report it: they do not measure
    /// it, or always write zero.
    pub(crate) fn never_reports(self, series: &str) -> Option<&'static str> {
        let never = match self {
            Dialect::Stock => STOCK_NEVER,
            Dialect::Custom => CUSTOM_NEVER,
            Dialect::Documented => &[],
        };
        never.iter().find(|(name, _)| *name == series).map(|(_, words)| *words)
    }
}

/// Canonical series that the stock daemon never reports, and what they measure.
const STOCK_NEVER: &[(&str, &str)] = &[
    ("hypersdk_cpu_usage", "CPU usage"),
    ("hypersdk_export_bytes_total", "exported bytes"),
    ("hypersdk_http_response_time_seconds_bucket", "how HTTP response times are distributed"),
];
/// The same with `/metrics` enabled, which has a histogram of response times.
const CUSTOM_NEVER: &[(&str, &str)] =
    &[("hypersdk_cpu_usage", "CPU usage"), ("hypersdk_export_bytes_total", "exported bytes")];

/// Result of detection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Prefix of all paths.
    pub prefix: &'static str,
    pub dialect: Dialect,
    pub version: Option<String>,
    /// Path of its metrics, if it has any.
    pub metrics_path: Option<&'static str>,
    /// What is wrong with the response at the metrics path, if it is not metrics.
    pub metrics_trouble: Option<String>,
    /// Whether a probe for metrics was inconclusive, so that there may be some.
    pub may_have_metrics: bool,
}

impl Profile {
    /// Description for people.
    pub(crate) fn detail(&self) -> String {
        let version = self.version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default();
        let metrics =
            self.metrics_path.map_or_else(|| ", no metrics".to_owned(), |path| format!(", metrics at {path}"));
        format!("{} dialect{version}{metrics}", self.dialect.name())
    }
}

/// Detects the kind of daemon.
///
/// # Errors
///
/// Nothing responds, or it is not a daemon.
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

/// Probes for metrics of a daemon with this profile; repeat it if the result was inconclusive.
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
        // A page at the usual path of exporters is meant to be metrics, and may become so.
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
