//! An alert: its labels, when it started and when it ends.

use std::collections::BTreeMap;

use labels::Fingerprint;
use model::label::is_label_name;
use serde::{Deserialize, Serialize};

/// Label or annotation names and values, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// The label that holds an alert's name.
pub const ALERT_NAME: &str = "alertname";

/// An alert as Prometheus posts it to an Alertmanager: at each change, and repeatedly while it fires. Times are
/// milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PostableAlert {
    /// Labels, `alertname` among them.
    pub labels: Labels,
    /// Text for people.
    #[serde(default)]
    pub annotations: Labels,
    /// When it began to fire; `None` for now.
    #[serde(default)]
    pub starts_at_ms: Option<i64>,
    /// When the alert resolves unless it is posted again: past for a resolved one; `None` means `resolve_timeout` from
    /// now.
    #[serde(default)]
    pub ends_at_ms: Option<i64>,
    /// Link to the expression.
    #[serde(default)]
    pub generator_url: String,
    /// Value of the expression, if known.
    #[serde(default)]
    pub value: Option<f64>,
}

/// An alert that the dispatcher holds. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Fingerprint of the labels; identifies the alert.
    pub fingerprint: Fingerprint,
    /// Labels.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Labels,
    /// When it began to fire.
    pub starts_at_ms: i64,
    /// When it resolves unless it is posted again.
    pub ends_at_ms: i64,
    /// When it was last posted.
    pub updated_at_ms: i64,
    /// Link to the expression.
    pub generator_url: String,
    /// Value of the expression, if known.
    #[serde(default)]
    pub value: Option<f64>,
}

/// Why an alert is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongAlert {
    /// It has no label with a value.
    #[error("an alert needs at least one label")]
    NoLabels,
    /// The name of a label or annotation is invalid.
    #[error("{0:?} is not a name of a label: it is empty")]
    Name(String),
    /// It ends before it starts.
    #[error("the alert ends before it starts")]
    Order,
    /// It is too long.
    #[error("the alert has more than 32 KiB of labels and annotations")]
    Size,
}

/// Maximum size of one alert's labels, annotations and generator URL.
const MOST_BYTES: usize = 32 << 10;
/// Memory of one label or annotation beside its text.
const PAIR_BYTES: usize = 64;

/// Approximate size of labels and annotations in bytes.
#[must_use]
pub fn size_of(labels: &Labels, annotations: &Labels) -> usize {
    labels.iter().chain(annotations).map(|(name, value)| name.len() + value.len() + PAIR_BYTES).sum()
}

impl Alert {
    /// The alert that was posted at `now_ms`. Without an end it lasts for `resolve_timeout_ms`.
    ///
    /// # Errors
    ///
    /// It has no labels or an invalid label name, ends before it starts, or is too long.
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

    /// Value of the label `alertname`, or an empty text.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get(ALERT_NAME).map_or("", String::as_str)
    }

    /// Approximate size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of(&self.labels, &self.annotations).saturating_add(self.generator_url.len())
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_resolved(&self, now_ms: i64) -> bool {
        self.ends_at_ms <= now_ms
    }

    /// This alert updated by a newer post of it: an alert that still fires keeps its start time.
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
