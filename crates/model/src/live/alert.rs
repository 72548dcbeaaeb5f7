//! Alerts as pages and live clients see them: where each is, what keeps it quiet, and in which order they are listed.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{frame::Labels, severity::Severity, unit};

/// What a label takes beside its name and value, in bytes: two texts and its place in a map.
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
    /// Where it is.
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
    /// Since when it fires, in milliseconds since the Unix epoch; `None` while it is pending, and where the source does not tell.
    #[serde(default)]
    pub fired_at: Option<i64>,
    /// When it ended, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub resolved_at: Option<i64>,
    /// All annotations.
    #[serde(default)]
    pub annotations: Labels,
    /// Annotation `runbook_url` or `runbook`: where it is written what to do.
    #[serde(default)]
    pub runbook: Option<String>,
    /// The expression of its rule; empty where the source does not tell.
    #[serde(default)]
    pub expr: String,
    /// The number that the expression is compared with, if it is.
    #[serde(default)]
    pub threshold: Option<AlertThreshold>,
    /// Group of its rule; empty where the source does not tell.
    #[serde(default)]
    pub group: String,
    /// File of its rule; empty where the source does not tell.
    #[serde(default)]
    pub file: String,
    /// Who evaluates its rule: `hyperscope`, or the name of an engine.
    #[serde(default)]
    pub source: String,
    /// Names it among all alerts, as Alertmanager does: a hash of its labels in hexadecimal digits.
    #[serde(default)]
    pub fingerprint: String,
    /// Ids of the silences that mute it now.
    #[serde(default)]
    pub silenced_by: Vec<String>,
    /// When the last of these silences ends, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub silenced_until: Option<i64>,
    /// Fingerprints of the alerts that inhibit it now.
    #[serde(default)]
    pub inhibited_by: Vec<String>,
    /// Who acknowledged this firing: the name of a token.
    #[serde(default)]
    pub acknowledged_by: Option<String>,
    /// Set while its source cannot be asked: when the alert was known last, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub stale_since: Option<i64>,
}

impl Alert {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        Severity::of(&self.severity)
    }

    /// What it takes in memory, about, in bytes.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        let pairs = self.labels.iter().chain(&self.annotations);
        let pairs: usize = pairs.map(|(name, value)| PAIR_BYTES + name.len() + value.len()).sum();
        let texts = [&self.name, &self.summary, &self.description, &self.expr, &self.group, &self.file];
        let texts: usize = texts.into_iter().map(String::len).sum();
        u64::try_from(size_of::<Alert>() + pairs + texts).unwrap_or(u64::MAX)
    }

    /// What mutes it, in a word, if something does: nothing rings or covers a wall for it then.
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

    /// What mutes it, in words with what a viewer may ask next: until when, or who.
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

    /// Whether it fires and nothing mutes it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == AlertState::Firing && self.muted().is_none()
    }

    /// Since when it fires, or is true where its source does not tell; in milliseconds since the Unix epoch.
    #[must_use]
    pub fn began_at(&self) -> Option<i64> {
        self.fired_at.or(self.active_at)
    }

    /// Where it is, and for how long: `firing for 5 s`; while its source is away, up to when it is known.
    #[must_use]
    pub fn state_words(&self, now_ms: i64) -> String {
        let known_ms = self.stale_since.unwrap_or(now_ms);
        self.state.words(self.began_at().map(|began_ms| known_ms.saturating_sub(began_ms)))
    }

    /// Names this firing among all firings of all alerts: the same alert that fires again later has another one.
    #[must_use]
    pub fn firing_key(&self) -> String {
        format!("{}@{}", self.fingerprint, self.began_at().unwrap_or_default())
    }

    /// The order of lists: firing first, then the worst, then by name and labels.
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
    /// Its word on pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AlertState::Firing => "firing",
            AlertState::Pending => "pending",
            AlertState::Inactive => "resolved",
        }
    }

    /// Its word, with for how long an alert is in it already where that is known: `firing for 5 s`.
    #[must_use]
    pub fn words(self, lasting_ms: Option<i64>) -> String {
        match lasting_ms {
            Some(lasting_ms) if self != AlertState::Inactive => {
                format!("{} for {}", self.word(), unit::rough_duration(lasting_ms))
            }
            _ => self.word().to_owned(),
        }
    }

    /// Its place in lists: what fires comes first.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            AlertState::Firing => 0,
            AlertState::Pending => 1,
            AlertState::Inactive => 2,
        }
    }
}

/// How many alerts fire, and how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FiringCount {
    /// Those that nothing mutes.
    pub active: usize,
    /// Those that are silenced, inhibited or acknowledged.
    pub muted: usize,
    /// Those of the muted that are silenced.
    pub silenced: usize,
    /// The worst of the active ones.
    pub worst: Severity,
    /// When each of them began to fire, in seconds since the Unix epoch, summed up: tells one set from another of as many.
    pub begins_secs: i64,
}

impl FiringCount {
    /// Counts those of `alerts` that fire.
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
    /// What is compared, as PromQL: the line of a chart.
    pub expr: String,
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`.
    pub op: String,
    /// The number.
    pub value: f64,
}

/// How long changes of alerts are remembered, in milliseconds: before that, what fired is not known.
pub const ALERT_HISTORY_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// A change of an alert's state, as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertTransition {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The state before.
    pub from: AlertState,
    /// The state after, which `alert` has too.
    pub to: AlertState,
    /// The alert after it.
    pub alert: Alert,
}

/// Alerts of the sources, and why there may be none or not all of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AlertList {
    /// Firing first, then by severity and name.
    pub alerts: Vec<Alert>,
    /// Which sources cannot be asked, and why. What is listed of them is from before.
    pub unavailable: Option<String>,
    /// Set where no source has alert rules, or none is known to have evaluated any at that time: that none fires says nothing then.
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
