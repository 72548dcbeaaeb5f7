//! Detects the kind of daemon at a URL. Only `/status` is required; any other route may be missing.

use exposition::page::Format;
use scrape::{Answer, CallError, Endpoint, Request};

use crate::{poll::SMALL_LIMIT, wire::StatusWire};

/// Stock daemons have their routes at the root; the documentation puts them below a prefix.
const PREFIXES: [&str; 2] = ["", "/api/v1"];

/// Paths where metrics may be, the documented one first.
const METRICS_PATHS: [&str; 2] = ["/api/v1/metrics", PLAIN_METRICS];
/// The usual path of exporters.
const PLAIN_METRICS: &str = "/metrics";

/// Dialects of daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The stock daemon: a constant feed, no metrics.
    Stock,
    /// The stock daemon with `/metrics` enabled.
    Custom,
    /// As in the HyperSDK documentation: events, `/api/v1/metrics`.
    Documented,
}

impl Dialect {
    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
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
pub struct Profile {
    /// Prefix of all paths.
    pub prefix: &'static str,
    /// Its dialect.
    pub dialect: Dialect,
    /// Version of the daemon.
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
    #[must_use]
    pub fn detail(&self) -> String {
        let version = self.version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default();
        let metrics =
            self.metrics_path.map_or_else(|| ", no metrics".to_owned(), |path| format!(", metrics at {path}"));
        format!("{} dialect{version}{metrics}", self.dialect.name())
    }
}

/// A detection in progress: send the request of [`Detection::next`], pass its answer to [`Detection::answered`], and
/// repeat until there is a profile.
#[derive(Debug)]
pub struct Detection {
    stage: Stage,
    /// Maximum uncompressed size of a page of metrics.
    page_bytes: usize,
}

/// What a detection needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The answer to this request.
    Request(Request),
    /// Nothing: this is the result.
    Done(Profile),
}

#[derive(Debug)]
enum Stage {
    /// `missing` is the error below the previous prefix. It says more than those below later ones.
    Status {
        prefix: &'static str,
        more: &'static [&'static str],
        missing: Option<CallError>,
    },
    Metrics {
        path: &'static str,
        more: &'static [&'static str],
        profile: Profile,
    },
    Done(Profile),
}

impl Detection {
    /// Detects the kind of daemon. `page_bytes` is the maximum uncompressed size of a page of metrics.
    #[must_use]
    pub fn new(page_bytes: usize) -> Self {
        let [prefix, more @ ..] = &PREFIXES;
        Detection { stage: Stage::Status { prefix, more, missing: None }, page_bytes }
    }

    /// Probes for metrics of a daemon with this profile, whose last probe was inconclusive. It never fails.
    #[must_use]
    pub fn of_metrics(profile: Profile, page_bytes: usize) -> Self {
        Detection { stage: Stage::metrics(profile), page_bytes }
    }

    /// The next request, or the result.
    #[must_use]
    pub fn next(&self) -> Next {
        match &self.stage {
            Stage::Status { prefix, .. } => Next::Request(Request::get(status_path(prefix), SMALL_LIMIT)),
            Stage::Metrics { path, .. } => Next::Request(Request {
                path: (*path).to_owned(),
                body: None,
                accept: Format::ACCEPT,
                limit_bytes: self.page_bytes,
            }),
            Stage::Done(profile) => Next::Done(profile.clone()),
        }
    }

    /// Continues with the answer to the request.
    ///
    /// # Errors
    ///
    /// Nothing responds, or it is not a daemon.
    pub fn answered(&mut self, endpoint: &Endpoint, answer: Result<Answer, CallError>) -> Result<(), CallError> {
        match &mut self.stage {
            Stage::Status { prefix, more, missing } => {
                let path = status_path(prefix);
                match answer.and_then(|answer| endpoint.json::<StatusWire>(&path, &answer)) {
                    Ok(status) if status.total_jobs.number().is_some() || status.uptime.as_text().is_some() => {
                        self.stage = Stage::metrics(Profile::stock(prefix, status));
                    }
                    Ok(_) => return Err(endpoint.malformed(&path, "its status has neither total_jobs nor uptime")),
                    Err(error @ CallError::Status { .. }) if error.is_absent() => {
                        let error = missing.take().unwrap_or(error);
                        let [next, rest @ ..] = *more else { return Err(error) };
                        (*prefix, *more, *missing) = (next, rest, Some(error));
                    }
                    // An error below the prefix says less than the first one.
                    Err(error) => return Err(missing.take().unwrap_or(error)),
                }
            }
            Stage::Metrics { path, more, profile } => {
                let is_found = profile.read_metrics(path, endpoint, answer);
                match *more {
                    [next, rest @ ..] if !is_found => (*path, *more) = (next, rest),
                    _ => self.stage = Stage::Done(profile.clone()),
                }
            }
            Stage::Done(_) => {}
        }
        Ok(())
    }
}

fn status_path(prefix: &str) -> String {
    format!("{prefix}/status")
}

impl Stage {
    /// Probes for metrics of a daemon with this profile.
    fn metrics(profile: Profile) -> Self {
        let [path, more @ ..] = &METRICS_PATHS;
        Stage::Metrics { path, more, profile: Profile { may_have_metrics: false, metrics_trouble: None, ..profile } }
    }
}

impl Profile {
    /// A daemon about which only its status is known.
    fn stock(prefix: &'static str, status: StatusWire) -> Self {
        Profile {
            prefix,
            dialect: Dialect::Stock,
            version: status.version.text(),
            metrics_path: None,
            metrics_trouble: None,
            may_have_metrics: true,
        }
    }

    /// Reads the answer at a path where metrics may be. True if they are there.
    fn read_metrics(&mut self, path: &'static str, endpoint: &Endpoint, answer: Result<Answer, CallError>) -> bool {
        let trouble = match answer {
            Ok(answer) => {
                let is_text = Format::from_content_type(answer.content_type.as_deref()).is_some();
                if is_text && answer.body.contains("hypersdk_") {
                    self.metrics_path = Some(path);
                    self.metrics_trouble = None;
                    self.may_have_metrics = false;
                    self.dialect = if path == PLAIN_METRICS { Dialect::Custom } else { Dialect::Documented };
                    return true;
                }
                let url = endpoint.shown(path);
                Some(format!("{url} answered with something that is no page of a daemon's metrics"))
            }
            Err(error @ CallError::Html { status: 200..=299, .. }) => Some(error.to_string()),
            Err(error) => {
                self.may_have_metrics |= !error.is_absent();
                None
            }
        };
        // A page at the usual path of exporters is meant to be metrics, and may become so.
        if let Some(trouble) = trouble.filter(|_| path == PLAIN_METRICS) {
            self.metrics_trouble = Some(trouble);
            self.may_have_metrics = true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use redact::Redactor;

    use super::*;

    /// Status, content type and body of a response.
    type Answered = (u16, &'static str, &'static str);

    const STATUS: Answered = (200, "application/json", r#"{"version":"0.0.1","total_jobs":3,"uptime":"2h"}"#);
    const MISSING: Answered = (404, "text/plain", "404 page not found");
    const PAGE: Answered = (200, "text/plain; version=0.0.4", "hypersdk_active_jobs 0\n");

    /// Detects a daemon with these responses, and no others. The requested paths come with the result.
    fn detect(responses: &[(&str, Answered)]) -> Result<(Profile, Vec<String>), String> {
        run(Detection::new(1 << 20), responses)
    }

    fn run(mut detection: Detection, responses: &[(&str, Answered)]) -> Result<(Profile, Vec<String>), String> {
        let base = "http://h:8080/below".parse().unwrap();
        let endpoint = Endpoint::new(base, "a hypervisord", Arc::new(Redactor::default()));
        let mut asked = Vec::new();
        loop {
            let request = match detection.next() {
                Next::Request(request) => request,
                Next::Done(profile) => return Ok((profile, asked)),
            };
            let (status, content_type, body) =
                responses.iter().find(|(path, _)| *path == request.path).map_or(MISSING, |(_, response)| *response);
            let content_type = Some(content_type.to_owned());
            let response = scrape::Response { status, content_type, body: body.into() };
            let answer = endpoint.read(&request.path, response);
            asked.push(request.path);
            detection.answered(&endpoint, answer).map_err(|error| error.to_string())?;
        }
    }

    #[test]
    fn dialects_differ_in_where_their_status_and_metrics_are() {
        let (stock, asked) = detect(&[("/status", STATUS)]).unwrap();
        assert_eq!((stock.dialect, stock.prefix, stock.metrics_path), (Dialect::Stock, "", None));
        assert_eq!((stock.may_have_metrics, stock.metrics_trouble.as_deref()), (false, None), "it has none");
        assert_eq!(stock.detail(), "stock dialect, version 0.0.1, no metrics");
        assert_eq!(asked, ["/status", "/api/v1/metrics", "/metrics"]);

        let (custom, _) = detect(&[("/status", STATUS), ("/metrics", PAGE)]).unwrap();
        assert_eq!(custom.detail(), "custom dialect, version 0.0.1, metrics at /metrics");

        let documented = [("/api/v1/status", STATUS), ("/api/v1/metrics", PAGE), ("/metrics", PAGE)];
        let (documented, asked) = detect(&documented).unwrap();
        assert_eq!((documented.dialect, documented.prefix), (Dialect::Documented, "/api/v1"));
        assert_eq!(asked, ["/status", "/api/v1/status", "/api/v1/metrics"]);
    }

    #[test]
    fn something_else_is_named() {
        for (responses, error) in [
            (&[][..], "http://h:8080/below/status answered HTTP 404: 404 page not found"),
            (
                &[("/status", (200, "application/json", "{}"))],
                "http://h:8080/below/status answered with something that is not a hypervisord: its status has neither \
                 total_jobs nor uptime",
            ),
            (
                &[("/api/v1/status", (500, "text/plain", "broken"))],
                "http://h:8080/below/status answered HTTP 404: 404 page not found",
            ),
            (&[("/status", (503, "text/plain", "wait"))], "http://h:8080/below/status answered HTTP 503: wait"),
            (
                &[("/status", (200, "text/html", "<html>"))],
                "http://h:8080/below/status answered with an HTML page: this is not a hypervisord; check the address \
                 and port",
            ),
        ] {
            assert_eq!(detect(responses).unwrap_err(), error);
        }
    }

    #[test]
    fn an_inconclusive_probe_for_metrics_is_repeated() {
        let (unsure, _) = detect(&[("/status", STATUS), ("/metrics", (500, "text/plain", "broken"))]).unwrap();
        assert_eq!((unsure.may_have_metrics, unsure.metrics_trouble.as_deref()), (true, None));
        let (wrong, _) = detect(&[("/status", STATUS), ("/metrics", (200, "text/plain", "go_goroutines 1"))]).unwrap();
        assert!(wrong.may_have_metrics);
        let trouble = "http://h:8080/below/metrics answered with something that is no page of a daemon's metrics";
        assert_eq!(wrong.metrics_trouble.as_deref(), Some(trouble));
        let (found, asked) = run(Detection::of_metrics(wrong, 1 << 20), &[("/metrics", PAGE)]).unwrap();
        assert_eq!((found.metrics_path, found.metrics_trouble.as_deref()), (Some(PLAIN_METRICS), None));
        assert_eq!((found.dialect, asked.len()), (Dialect::Custom, 2));
    }
}
