//! From a page of metrics to points for the store.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use exposition::{
    Metadata,
    page::{Family, Format, Kind},
    parse::{Limits, parse},
};
use labels::{Labels, TargetLabels};
use redact::{MASK, Redactor};
use timeseries::{MAX_AHEAD_MS, Point};

use crate::{Answer, CallError, Endpoint, Request};

/// Limits of a page.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// Maximum uncompressed size of the response.
    pub body_bytes: usize,
    /// Maximum number of samples.
    pub samples: usize,
}

impl Default for PageLimits {
    fn default() -> Self {
        PageLimits { body_bytes: 16 << 20, samples: 200_000 }
    }
}

/// Reads the pages of one target.
pub struct PageReader {
    labels: TargetLabels,
    limits: PageLimits,
    redactor: Arc<Redactor>,
    /// Cache of labels by the series' text in the page, which hardly changes except for values.
    known: HashMap<Box<str>, Labels>,
    described: Vec<Metadata>,
    names: HashSet<String>,
}

/// Result of one scrape.
#[derive(Debug)]
pub struct Scrape {
    /// The samples of the page, with target labels.
    pub points: Vec<Point>,
    /// How long the request took.
    pub duration: Duration,
    /// Number of samples in the page.
    pub samples: usize,
    /// Why there are none.
    pub error: Option<ScrapeError>,
    /// Set if the metadata of families changed.
    pub metadata: Option<Vec<Metadata>>,
}

/// Why a scrape failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScrapeError {
    /// The request failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The response cannot be parsed.
    #[error("{url}: {reason}")]
    Page {
        /// URL without credentials.
        url: String,
        /// What is wrong with the page.
        reason: String,
    },
}

impl PageReader {
    /// A reader for a target with these labels.
    #[must_use]
    pub fn new(labels: TargetLabels, limits: PageLimits, redactor: Arc<Redactor>) -> Self {
        PageReader { labels, limits, redactor, known: HashMap::new(), described: Vec::new(), names: HashSet::new() }
    }

    /// Names of the series in the last valid page.
    #[must_use]
    pub fn names(&self) -> &HashSet<String> {
        &self.names
    }

    /// The target labels of this target.
    #[must_use]
    pub fn labels(&self) -> &TargetLabels {
        &self.labels
    }

    /// The request for the page at `path`.
    #[must_use]
    pub fn request(&self, path: &str) -> Request {
        Request { path: path.to_owned(), body: None, accept: Format::ACCEPT, limit_bytes: self.limits.body_bytes }
    }

    /// Reads the answer to a request for `path`, which took `duration`, for the time `at_ms`.
    pub fn read(
        &mut self,
        endpoint: &Endpoint,
        path: &str,
        answer: Result<Answer, CallError>,
        duration: Duration,
        at_ms: i64,
    ) -> Scrape {
        let mut scrape = Scrape { points: Vec::new(), duration, samples: 0, error: None, metadata: None };
        let page_error = |reason: String| ScrapeError::Page { url: endpoint.shown(path), reason };
        let result = answer.map_err(ScrapeError::from).and_then(|answer| {
            let format = Format::from_content_type(answer.content_type.as_deref());
            let format = format.ok_or_else(|| {
                let content_type = answer.content_type.unwrap_or_default();
                page_error(format!("the content type {content_type:?} is none of metrics"))
            })?;
            let limits = Limits { samples: self.limits.samples, ..Limits::default() };
            let families = parse(&answer.body, format, limits)
                .map_err(|error| page_error(self.redactor.text(&error.to_string()).into_owned()))?;
            self.take(&families, at_ms, &mut scrape);
            Ok(())
        });
        scrape.error = result.err();
        scrape
    }

    fn take(&mut self, families: &[Family], at_ms: i64, scrape: &mut Scrape) {
        let total: usize = families.iter().map(|family| family.samples.len()).sum();
        // Labels of removed series stay in the cache; clear it before that becomes a leak.
        if self.known.len() > total.saturating_mul(2).saturating_add(1024) {
            self.known.clear();
        }
        scrape.points.reserve(total);
        scrape.samples = total;
        for sample in families.iter().flat_map(|family| &family.samples) {
            let labels = match self.known.get(sample.series) {
                Some(labels) => labels.clone(),
                None => {
                    let values: Vec<String> =
                        sample.labels.iter().map(|(name, value)| self.clean(name, value)).collect();
                    let pairs: Vec<(&str, &str)> =
                        sample.labels.iter().zip(&values).map(|((name, _), value)| (&**name, &**value)).collect();
                    let labels = self.labels.series(&sample.name, &pairs);
                    self.known.insert(sample.series.into(), labels.clone());
                    labels
                }
            };
            let timestamp_ms = sample.timestamp_ms.unwrap_or(at_ms);
            if timestamp_ms > at_ms.saturating_add(MAX_AHEAD_MS) {
                tracing::debug!(series = sample.series, timestamp_ms, "a sample from the future is left out");
                continue;
            }
            scrape.points.push(Point { labels, timestamp_ms, value: sample.value });
        }
        let metadata: Vec<Metadata> = families.iter().map(|family| self.metadata(family)).collect();
        if metadata != self.described {
            let samples = families.iter().flat_map(|family| &family.samples);
            self.names = samples.map(|sample| sample.name.to_string()).collect();
            self.described.clone_from(&metadata);
            scrape.metadata = Some(metadata);
        }
    }

    /// Under the name by which the family is queried: OpenMetrics leaves out the common suffix of its series.
    fn metadata(&self, family: &Family) -> Metadata {
        let suffix = match family.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            _ => "",
        };
        let is_suffixed = !suffix.is_empty()
            && !family.name.ends_with(suffix)
            && family.samples.iter().any(|sample| sample.name.ends_with(suffix));
        Metadata {
            name: if is_suffixed { format!("{}{suffix}", family.name) } else { family.name.to_string() },
            kind: family.kind,
            help: self.redactor.text(&family.help).into_owned(),
            unit: family.unit.to_string(),
        }
    }

    fn clean(&self, name: &str, value: &str) -> String {
        if self.redactor.is_secret_key(name) { MASK.to_owned() } else { self.redactor.known(value).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use timeseries::is_stale_marker;

    use super::*;
    use crate::{StalenessTracker, report::with_report};

    fn reader() -> (PageReader, Endpoint) {
        let labels = TargetLabels::new([("job", "node"), ("instance", "h:9100")]);
        let redactor = Arc::new(Redactor::default());
        redactor.learn_configured("a-known-secret");
        let limits = PageLimits { samples: 3, ..PageLimits::default() };
        let endpoint = Endpoint::new("http://h:9100".parse().unwrap(), "a page of metrics", Arc::clone(&redactor));
        (PageReader::new(labels, limits, redactor), endpoint)
    }

    fn page(content_type: Option<&str>, body: &str) -> Result<Answer, CallError> {
        Ok(Answer { content_type: content_type.map(str::to_owned), body: body.to_owned() })
    }

    /// Name, interesting label and value of each point; stale markers have no value.
    fn shown(points: &[Point]) -> Vec<(String, String, Option<f64>)> {
        let one = |point: &Point| {
            let value = Some(point.value).filter(|value| !is_stale_marker(*value));
            (point.labels.metric_name().to_owned(), point.labels.get("a").to_owned(), value)
        };
        points.iter().map(one).collect()
    }

    #[test]
    fn a_page_becomes_points_with_a_report_and_stale_markers() {
        let (mut reader, endpoint) = reader();
        let mut staleness = StalenessTracker::default();
        let mut scrape = |answer, at_ms| {
            let scrape = reader.read(&endpoint, "/metrics", answer, Duration::from_millis(250), at_ms);
            let (error, has_metadata) = (scrape.error.as_ref().map(ToString::to_string), scrape.metadata.is_some());
            let mut points = with_report(scrape, reader.labels(), at_ms);
            staleness.close_missing(&mut points, at_ms);
            assert!(points.iter().all(|point| point.labels.get("instance") == "h:9100"));
            (shown(&points), error, has_metadata)
        };
        let own = |up, samples| {
            [("up", up), ("scrape_duration_seconds", 0.25), ("scrape_samples_scraped", samples)]
                .map(|(name, value)| (name.to_owned(), String::new(), Some(value)))
        };
        let sample = |name: &str, label: &str, value| (name.to_owned(), label.to_owned(), value);

        let (points, error, has_metadata) = scrape(page(None, "x{a=\"1\"} 1\nx{a=\"a-known-secret\"} 2\n"), 1_000);
        let expected = [vec![sample("x", "1", Some(1.0)), sample("x", "***", Some(2.0))], own(1.0, 2.0).into()];
        assert_eq!((points, error, has_metadata), (expected.concat(), None, true));

        let (points, error, has_metadata) = scrape(page(None, "x{a=\"1\"} 3\n"), 2_000);
        let expected = [vec![sample("x", "1", Some(3.0))], own(1.0, 1.0).into(), vec![sample("x", "***", None)]];
        assert_eq!((points, error, has_metadata), (expected.concat(), None, false));

        // A sample that is far ahead of our clock is left out, but counted.
        let (points, ..) = scrape(page(None, "x{a=\"1\"} 3 99999999999\n"), 3_000);
        assert_eq!(points, [own(1.0, 1.0).into(), vec![sample("x", "1", None)]].concat());

        for (answer, error) in [
            (page(None, "a 1\nb 1\nc 1\nd 1\n"), "http://h:9100/metrics: "),
            (page(Some("image/png"), ""), "http://h:9100/metrics: the content type \"image/png\" is none of metrics"),
            (Err(CallError::TimedOut { url: "u".to_owned(), seconds: 10 }), "u did not answer within 10 s"),
        ] {
            let (points, told, _) = scrape(answer, 4_000);
            assert_eq!(points, own(0.0, 0.0));
            assert!(told.as_deref().unwrap_or_default().starts_with(error), "{told:?}");
        }
    }
}
