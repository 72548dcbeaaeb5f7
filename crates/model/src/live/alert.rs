//! Alerts on pages and in live clients: their state, what mutes them, and their order.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{frame::Labels, severity::Severity, unit};

/// Memory of a label beside its text, in bytes: two strings and its place in a map.
const PAIR_BYTES: usize = 64;

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// True, but not for long enough.
    Pending,
    /// True for long enough.
    Firing,
    /// No longer true.
    #[default]
    Inactive,
}

/// One alert, and data of `alert.fired` and `alert.resolved`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Alert {
    /// Name of its rule.
    pub name: String,
    /// State.
    pub state: AlertState,
    /// Label `severity`, or empty.
    pub severity: String,
    /// All labels.
    pub labels: Labels,
    /// Annotation `summary`, or empty.
    pub summary: String,
    /// Annotation `description`, or empty.
    pub description: String,
    /// Value of its expression.
    pub value: Option<f64>,
    /// Since when, in milliseconds since the Unix epoch.
    pub active_at: Option<i64>,
    /// Since when it fires, in milliseconds since the Unix epoch; `None` while it is pending, or if the source does not
    /// report it.
    #[serde(default)]
    pub fired_at: Option<i64>,
    /// When it ended, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub resolved_at: Option<i64>,
    /// All annotations.
    #[serde(default)]
    pub annotations: Labels,
    /// Annotation `runbook_url` or `runbook`.
    #[serde(default)]
    pub runbook: Option<String>,
    /// The expression of its rule; empty if the source does not report it.
    #[serde(default)]
    pub expr: String,
    /// The threshold of the expression, if it has one.
    #[serde(default)]
    pub threshold: Option<AlertThreshold>,
    /// Group of its rule; empty if the source does not report it.
    #[serde(default)]
    pub group: String,
    /// File of its rule; empty if the source does not report it.
    #[serde(default)]
    pub file: String,
    /// Which engine evaluates its rule: `hyperscope`, or the name of an engine.
    #[serde(default)]
    pub source: String,
    /// Identifies it among all alerts, as in Alertmanager: a hash of its labels in hexadecimal.
    #[serde(default)]
    pub fingerprint: String,
    /// IDs of the silences that mute it now.
    #[serde(default)]
    pub silenced_by: Vec<String>,
    /// When the last of these silences ends, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub silenced_until: Option<i64>,
    /// Fingerprints of the alerts that inhibit it now.
    #[serde(default)]
    pub inhibited_by: Vec<String>,
    /// Who acknowledged this firing: name of a token.
    #[serde(default)]
    pub acknowledged_by: Option<String>,
    /// Set while its source is unavailable: when the alert was last reported, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub stale_since: Option<i64>,
}

impl Alert {
    /// Its severity.
    #[must_use]
    pub fn severity(&self) -> Severity {
        Severity::of(&self.severity)
    }

    /// Approximate memory in bytes.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        let pairs = self.labels.iter().chain(&self.annotations);
        let pairs: usize = pairs.map(|(name, value)| PAIR_BYTES + name.len() + value.len()).sum();
        let texts = [&self.name, &self.summary, &self.description, &self.expr, &self.group, &self.file];
        let texts: usize = texts.into_iter().map(String::len).sum();
        u64::try_from(size_of::<Alert>() + pairs + texts).unwrap_or(u64::MAX)
    }

    /// What mutes it, in one word, if anything does: then it causes no sound, and no overlay on a wall display.
    #[must_use]
    pub fn muted(&self) -> Option<&'static str> {
        if !self.silenced_by.is_empty() {
            Some("silenced")
        } else if !self.inhibited_by.is_empty() {
            Some("inhibited")
        } else {
            self.acknowledged_by.as_ref().map(|_| "acknowledged")
        }
    }

    /// What mutes it, with the end or the name: until when, or by whom.
    #[must_use]
    pub fn muted_words(&self, now_ms: i64) -> Option<String> {
        let word = self.muted()?;
        Some(match (word, self.silenced_until, &self.acknowledged_by) {
            ("silenced", Some(until_ms), _) => {
                format!("{word} for another {}", unit::rough_duration(until_ms.saturating_sub(now_ms)))
            }
            ("acknowledged", _, Some(who)) => format!("{word} by {who}"),
            _ => word.to_owned(),
        })
    }

    /// Whether it fires and is not muted.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == AlertState::Firing && self.muted().is_none()
    }

    /// Since when it fires, or is active if its source does not report that; in milliseconds since the Unix epoch.
    #[must_use]
    pub fn began_at(&self) -> Option<i64> {
        self.fired_at.or(self.active_at)
    }

    /// Its state with the duration: `firing for 5 s`; while its source is unavailable, up to the last report.
    #[must_use]
    pub fn state_words(&self, now_ms: i64) -> String {
        let known_ms = self.stale_since.unwrap_or(now_ms);
        self.state.words(self.began_at().map(|began_ms| known_ms.saturating_sub(began_ms)))
    }

    /// Identifies this firing: if the same alert fires again later, the key is different.
    #[must_use]
    pub fn firing_key(&self) -> String {
        format!("{}@{}", self.fingerprint, self.began_at().unwrap_or_default())
    }

    /// The order of lists: firing first, then by severity, name and labels.
    #[must_use]
    pub fn order(&self, other: &Alert) -> Ordering {
        let rank = |alert: &Alert| (alert.state.rank(), alert.severity());
        rank(self)
            .cmp(&rank(other))
            .then_with(|| self.name.cmp(&other.name))
            .then_with(|| self.labels.cmp(&other.labels))
    }
}

impl AlertState {
    /// Name on pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AlertState::Firing => "firing",
            AlertState::Pending => "pending",
            AlertState::Inactive => "resolved",
        }
    }

    /// Name with the duration of the state, if known: `firing for 5 s`.
    #[must_use]
    pub fn words(self, lasting_ms: Option<i64>) -> String {
        match lasting_ms {
            Some(lasting_ms) if self != AlertState::Inactive => {
                format!("{} for {}", self.word(), unit::rough_duration(lasting_ms))
            }
            _ => self.word().to_owned(),
        }
    }

    /// Rank in lists: firing comes first.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            AlertState::Firing => 0,
            AlertState::Pending => 1,
            AlertState::Inactive => 2,
        }
    }
}

/// Number of firing alerts, and their severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FiringCount {
    /// Alerts that are not muted.
    pub active: usize,
    /// Alerts that are silenced, inhibited or acknowledged.
    pub muted: usize,
    /// Muted alerts that are silenced.
    pub silenced: usize,
    /// The highest severity of the active ones.
    pub worst: Severity,
    /// Sum of the start times in seconds since the Unix epoch: distinguishes sets with the same number of alerts.
    pub begins_secs: i64,
}

impl FiringCount {
    /// Counts the firing ones of `alerts`.
    pub fn of<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Self {
        let mut count = FiringCount::default();
        for alert in alerts.filter(|alert| alert.state == AlertState::Firing) {
            count.begins_secs += alert.fired_at.unwrap_or_default() / 1_000;
            match alert.muted() {
                None => count.add(alert.severity()),
                Some(word) => {
                    count.muted += 1;
                    count.silenced += usize::from(word == "silenced");
                }
            }
        }
        count
    }

    /// Counts an active alert of this severity.
    pub fn add(&mut self, severity: Severity) {
        self.active += 1;
        self.worst = self.worst.min(severity);
    }
}

/// A comparison of an expression with a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertThreshold {
    /// The compared expression, as PromQL: the line of a chart.
    pub expr: String,
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`.
    pub op: String,
    /// The number.
    pub value: f64,
}

/// Retention of the alert history, in milliseconds: earlier alerts are unknown.
pub const ALERT_HISTORY_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// A state change of an alert in the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertTransition {
    /// Time, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The previous state.
    pub from: AlertState,
    /// The new state, the same as that of `alert`.
    pub to: AlertState,
    /// The alert after the change.
    pub alert: Alert,
}

/// Alerts of the sources, and why the list may be empty or incomplete.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AlertList {
    /// Firing first, then by severity and name.
    pub alerts: Vec<Alert>,
    /// Which sources are unavailable, and why. Their alerts in the list are outdated.
    pub unavailable: Option<String>,
    /// Set if no source has alerting rules, or none is known to have evaluated any at that time: an empty list then
    /// does not mean that all is well.
    #[serde(default)]
    pub without_rules: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, state: AlertState, severity: &str) -> Alert {
        Alert {
            name: name.into(),
            state,
            severity: severity.into(),
            fingerprint: name.into(),
            fired_at: Some(5),
            ..Alert::default()
        }
    }

    fn firing(severity: &str) -> Alert {
        alert("A", AlertState::Firing, severity)
    }

    #[test]
    fn lists_begin_with_what_fires_and_is_worst() {
        let mut all = [
            alert("a", AlertState::Pending, "critical"),
            alert("d", AlertState::Firing, ""),
            alert("c", AlertState::Firing, "info"),
            alert("z", AlertState::Firing, "page"),
            alert("b", AlertState::Firing, "warning"),
            alert("y", AlertState::Firing, "critical"),
        ];
        all.sort_by(Alert::order);
        assert_eq!(all.map(|alert| alert.name), ["y", "z", "b", "c", "d", "a"]);
    }

    #[test]
    fn only_what_nothing_mutes_is_active_and_decides_how_bad_it_is() {
        let silenced = Alert { silenced_by: vec!["s".into()], silenced_until: Some(61_000), ..firing("critical") };
        let inhibited = Alert { inhibited_by: vec!["f".into()], ..firing("critical") };
        let acknowledged = Alert { acknowledged_by: Some("ops".into()), ..firing("critical") };
        let words = [&silenced, &inhibited, &acknowledged].map(|alert| alert.muted_words(1_000).unwrap());
        assert_eq!(words, ["silenced for another 1 min", "inhibited", "acknowledged by ops"]);
        assert!(firing("info").is_active() && !silenced.is_active() && !inhibited.is_active());
        let pending = alert("p", AlertState::Pending, "critical");
        let all = [silenced, inhibited, acknowledged, pending, firing("info"), firing("warning")];
        let count = FiringCount::of(all.iter());
        assert_eq!(count, FiringCount { active: 2, muted: 3, silenced: 1, worst: Severity::Warning, begins_secs: 0 });
        let later = all.map(|alert| Alert { fired_at: Some(9_000), ..alert });
        assert_ne!(FiringCount::of(later.iter()), count, "others fire");
        assert_eq!(FiringCount::of([].iter()), FiringCount::default());
    }

    #[test]
    fn a_state_says_for_how_long() {
        let fires = Alert { fired_at: Some(5_000), active_at: Some(0), ..firing("info") };
        assert_eq!(fires.state_words(10_000), "firing for 5 s");
        let waits = Alert { state: AlertState::Pending, fired_at: None, ..fires.clone() };
        assert_eq!(waits.state_words(120_000), "pending for 2 min");
        assert_eq!(Alert { state: AlertState::Inactive, ..fires.clone() }.state_words(10_000), "resolved");
        assert_eq!(Alert { fired_at: None, active_at: None, ..fires }.state_words(10_000), "firing");
    }

    #[test]
    fn a_firing_is_told_from_the_next_one_of_the_same_alert() {
        let first = firing("info");
        let again = Alert { fired_at: Some(6), ..first.clone() };
        let goes_on = Alert { summary: "7 GiB".into(), value: Some(7.0), ..first.clone() };
        assert_ne!(first.firing_key(), again.firing_key());
        assert_eq!(first.firing_key(), goes_on.firing_key());
        let theirs = Alert { fired_at: None, active_at: Some(5), ..first.clone() };
        assert_eq!(theirs.firing_key(), first.firing_key(), "a source that tells only since when it is true");
    }

    #[test]
    fn what_an_older_server_says_is_read() {
        let text = r#"{"name":"A","state":"firing","severity":"page","labels":{},"summary":"","description":"","value":null,"active_at":5}"#;
        let alert: Alert = serde_json::from_str(text).unwrap();
        assert!(alert.is_active() && alert.severity() == Severity::Critical);
    }
}
