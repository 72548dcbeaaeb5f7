//! Scrapes one target: converts its `/metrics` into points for the store.

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
use tokio::time::Instant;

use crate::client::{CallError, Client};

/// Limits of a scrape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScrapeLimits {
    /// Maximum uncompressed size of the response.
    pub body_bytes: usize,
    /// Maximum number of samples.
    pub samples: usize,
}

/// Scrapes one target repeatedly.
pub(crate) struct Scraper {
    client: Client,
    labels: TargetLabels,
    limits: ScrapeLimits,
    redactor: Arc<Redactor>,
    /// Cache of labels by the series' text in the response, which hardly changes except for values.
    known: HashMap<Box<str>, Labels>,
    described: Vec<Metadata>,
    names: HashSet<String>,
}

/// Result of one scrape.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub points: Vec<Point>,
    pub duration: Duration,
    /// Number of samples in the response.
    pub samples: usize,
    pub error: Option<ScrapeError>,
    /// Set if the metadata of families changed.
    pub metadata: Option<Vec<Metadata>>,
}

/// Why a scrape failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ScrapeError {
    #[error(transparent)]
    Call(#[from] CallError),
    /// The response cannot be parsed.
    #[error("{url}: {reason}")]
    Page { url: String, reason: String },
}

impl Scraper {
    pub(crate) fn new(client: Client, labels: TargetLabels, limits: ScrapeLimits, redactor: Arc<Redactor>) -> Self {
        Scraper {
            client,
            labels,
            limits,
            redactor,
            known: HashMap::new(),
            described: Vec::new(),
            names: HashSet::new(),
        }
    }

    /// Names of the series in the last valid response.
    pub(crate) fn names(&self) -> &HashSet<String> {
        &self.names
    }

    /// The target labels of this target.
    pub(crate) fn labels(&self) -> &TargetLabels {
        &self.labels
    }

    /// Scrapes `path` for the time `at_ms`.
    #[tracing::instrument(level = "debug", skip_all, fields(path))]
    pub(crate) async fn scrape(&mut self, path: &str, at_ms: i64) -> Scrape {
        let start = Instant::now();
        let answer = self.client.get_text(path, Format::ACCEPT, self.limits.body_bytes).await;
        let duration = start.elapsed();
        let mut scrape = Scrape { points: Vec::new(), duration, samples: 0, error: None, metadata: None };
        let url = self.client.shown(path);
        let result = answer.map_err(ScrapeError::from).and_then(|answer| {
            let format =
                Format::from_content_type(answer.content_type.as_deref()).ok_or_else(|| ScrapeError::Page {
                    url: url.clone(),
                    reason: format!(
                        "the content type {:?} is none of metrics",
                        answer.content_type.unwrap_or_default()
                    ),
                })?;
            let limits = Limits { samples: self.limits.samples, ..Limits::default() };
            let families = parse(&answer.body, format, limits).map_err(|error| ScrapeError::Page {
                url: url.clone(),
                reason: self.redactor.text(&error.to_string()).into_owned(),
            })?;
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
