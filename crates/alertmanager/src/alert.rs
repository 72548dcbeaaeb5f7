//! An alert as it is told of: who it is, since when, until when.

use std::collections::BTreeMap;

use labels::Fingerprint;
use model::label::is_label_name;
use serde::{Deserialize, Serialize};

/// Names and values, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// The label that holds an alert's name.
pub const ALERT_NAME: &str = "alertname";

/// An alert as whoever evaluates rules tells of it, at each change and again while it fires: what Prometheus posts to an
/// Alertmanager. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PostableAlert {
    /// What it is; `alertname` among them.
    pub labels: Labels,
    /// What people read of it.
    #[serde(default)]
    pub annotations: Labels,
    /// When it began to fire; `None` for now.
    #[serde(default)]
    pub starts_at_ms: Option<i64>,
    /// When it is over unless it is told of again: past for a resolved one, `None` for the configured `resolve_timeout` from now.
    #[serde(default)]
    pub ends_at_ms: Option<i64>,
    /// Where its expression can be looked at.
    #[serde(default)]
    pub generator_url: String,
    /// Value of its expression, where that is known.
    #[serde(default)]
    pub value: Option<f64>,
}

/// An alert that is known. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Names it.
    pub fingerprint: Fingerprint,
    /// What it is.
    pub labels: Labels,
    /// What people read of it.
    pub annotations: Labels,
    /// When it began to fire.
    pub starts_at_ms: i64,
    /// When it is over unless it is told of again.
    pub ends_at_ms: i64,
    /// When it was told of last.
    pub updated_at_ms: i64,
    /// Where its expression can be looked at.
    pub generator_url: String,
    /// Value of its expression, where that is known.
    #[serde(default)]
    pub value: Option<f64>,
}

/// Why an alert cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongAlert {
    /// It has no label with a value.
    #[error("an alert needs at least one label")]
    NoLabels,
    /// A label's or annotation's name is none.
    #[error("{0:?} is not a name of a label: it is empty")]
    Name(String),
    /// It ends before it starts.
    #[error("the alert ends before it starts")]
    Order,
    /// It is too long.
    #[error("the alert has more than 32 KiB of labels and annotations")]
    Size,
}

/// Most bytes of one alert's labels, annotations and address.
const MOST_BYTES: usize = 32 << 10;
/// What a label or an annotation takes beside its text.
const PAIR_BYTES: usize = 64;

/// About how many bytes labels and annotations take.
#[must_use]
pub fn size_of(labels: &Labels, annotations: &Labels) -> usize {
    labels.iter().chain(annotations).map(|(name, value)| name.len() + value.len() + PAIR_BYTES).sum()
}

impl Alert {
    /// The alert that was posted at `now_ms`, which lasts for `resolve_timeout_ms` if it does not say how long.
    ///
    /// # Errors
    /// It has no labels, a name that is none, ends before it starts, or is too long.
    pub fn from_posted(posted: PostableAlert, now_ms: i64, resolve_timeout_ms: i64) -> Result<Self, WrongAlert> {
        let PostableAlert { mut labels, annotations, starts_at_ms, ends_at_ms, generator_url, value } = posted;
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() {
            return Err(WrongAlert::NoLabels);
        }
        if let Some(name) = labels.keys().chain(annotations.keys()).find(|name| !is_label_name(name)) {
            return Err(WrongAlert::Name(name.clone()));
        }
        if size_of(&labels, &annotations).saturating_add(generator_url.len()) > MOST_BYTES {
            return Err(WrongAlert::Size);
        }
        let starts_at_ms = starts_at_ms.unwrap_or_else(|| ends_at_ms.map_or(now_ms, |end| end.min(now_ms)));
        let ends_at_ms = ends_at_ms.unwrap_or_else(|| now_ms.saturating_add(resolve_timeout_ms));
        if ends_at_ms < starts_at_ms {
            return Err(WrongAlert::Order);
        }
        let fingerprint = Fingerprint::of(&labels);
        Ok(Alert {
            fingerprint,
            labels,
            annotations,
            starts_at_ms,
            ends_at_ms,
            updated_at_ms: now_ms,
            generator_url,
            value,
        })
    }

    /// Its name, or nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get(ALERT_NAME).map_or("", String::as_str)
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of(&self.labels, &self.annotations).saturating_add(self.generator_url.len())
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_resolved(&self, now_ms: i64) -> bool {
        self.ends_at_ms <= now_ms
    }

    /// What is known after `newer` was told of: one that goes on keeps its start.
    #[must_use]
    pub fn merged(&self, mut newer: Alert) -> Alert {
        if newer.starts_at_ms <= self.ends_at_ms && self.starts_at_ms <= newer.ends_at_ms {
            newer.starts_at_ms = newer.starts_at_ms.min(self.starts_at_ms);
        }
        newer
    }
}

impl model::Labelled for Alert {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_no_alert_is_refused() {
        let post = |names: &[(&str, &str)], start, end| {
            let posted = PostableAlert {
                labels: labels(names),
                starts_at_ms: start,
                ends_at_ms: end,
                ..PostableAlert::default()
            };
            Alert::from_posted(posted, 1_000, 300)
        };
        assert_eq!(post(&[("a", "")], None, None), Err(WrongAlert::NoLabels));
        assert_eq!(post(&[("", "c")], None, None), Err(WrongAlert::Name(String::new())));
        assert!(post(&[("service.name", "c"), ("caf\u{e9} au lait", "d")], None, None).is_ok());
        assert_eq!(post(&[("a", "b")], Some(20), Some(10)), Err(WrongAlert::Order));
        let alert = post(&[("a", "b"), ("empty", "")], None, None).unwrap();
        assert_eq!((alert.starts_at_ms, alert.ends_at_ms, alert.labels.len()), (1_000, 1_300, 1));
        assert!(!alert.is_resolved(1_299) && alert.is_resolved(1_300));
    }

    #[test]
    fn one_that_goes_on_keeps_its_start() {
        let at = |start, end| {
            let posted = PostableAlert {
                labels: labels(&[("a", "b")]),
                starts_at_ms: Some(start),
                ends_at_ms: Some(end),
                ..PostableAlert::default()
            };
            Alert::from_posted(posted, start, 0).unwrap()
        };
        assert_eq!(at(10, 100).merged(at(50, 150)).starts_at_ms, 10);
        assert_eq!(at(10, 20).merged(at(50, 150)).starts_at_ms, 50);
    }
}
