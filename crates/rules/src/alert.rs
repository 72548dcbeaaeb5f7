//! One alert and its state transitions.

use std::sync::Arc;

use labels::Labels;

use crate::group::Recorded;

/// How long a resolved alert is retained, so that its resolution is sent repeatedly.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;
/// Interval between notifications of an alert.
pub const RESEND_MS: i64 = 60 * 1000;
/// An alert expires at its receivers if they do not get it for this many intervals.
const VALID_INTERVALS: i64 = 4;

/// Annotation names and texts, sorted by name.
pub type Annotations = Arc<[(Arc<str>, String)]>;

/// State of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// The expression does not hold.
    Inactive,
    /// It holds, but not long enough.
    Pending,
    /// It has held long enough.
    Firing,
}

impl AlertState {
    /// Prometheus' name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// One alert of a rule. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Labels, with `alertname`; unique within the rule.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Annotations,
    /// The expression's last value.
    pub value: f64,
    /// Its state.
    pub state: AlertState,
    /// Since when the expression is true.
    pub active_at_ms: i64,
    /// Since when it fires.
    pub fired_at_ms: Option<i64>,
    /// When it ended.
    pub resolved_at_ms: Option<i64>,
    /// Since when it fires although the expression is not true.
    pub keep_firing_since_ms: Option<i64>,
    /// When the last notification was sent.
    pub last_sent_ms: Option<i64>,
}

/// `for` and `keep_firing_for` of a rule, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) hold_ms: i64,
    pub(crate) keep_firing_ms: i64,
}

/// State of an alert after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum After {
    /// It is pending or firing.
    On,
    /// It is resolved, and retained for a while.
    Over,
    /// It can be dropped.
    Gone,
}

impl Alert {
    /// An alert whose expression has become true.
    pub(crate) fn begun(labels: Labels, annotations: Annotations, value: f64, at_ms: i64) -> Self {
        Alert {
            labels,
            annotations,
            value,
            state: AlertState::Pending,
            active_at_ms: at_ms,
            fired_at_ms: None,
            resolved_at_ms: None,
            keep_firing_since_ms: None,
            last_sent_ms: None,
        }
    }

    /// Applies one evaluation, at which the expression is true or not (`AlertingRule.Eval` in Prometheus'
    /// rules/alerting.go).
    pub(crate) fn step(&mut self, holds: bool, at_ms: i64, patience: Patience) -> After {
        if holds {
            self.keep_firing_since_ms = None;
        } else {
            let mut lingers = false;
            if self.state == AlertState::Firing && patience.keep_firing_ms > 0 {
                let since_ms = *self.keep_firing_since_ms.get_or_insert(at_ms);
                lingers = at_ms - since_ms < patience.keep_firing_ms;
            }
            if !lingers {
                let was = self.state;
                let is_old = self.resolved_at_ms.is_some_and(|resolved_ms| at_ms - resolved_ms > RESOLVED_RETENTION_MS);
                if was != AlertState::Inactive {
                    self.state = AlertState::Inactive;
                    self.resolved_at_ms = Some(at_ms);
                }
                let gone = was == AlertState::Pending || (was == AlertState::Inactive && is_old);
                return if gone { After::Gone } else { After::Over };
            }
        }
        if self.state == AlertState::Pending && at_ms - self.active_at_ms >= patience.hold_ms {
            self.state = AlertState::Firing;
            self.fired_at_ms = Some(at_ms);
        }
        After::On
    }

    /// Whether a notification is due: every minute while it fires, and at once when it resolves.
    fn is_due(&self, at_ms: i64) -> bool {
        let last_ms = self.last_sent_ms.unwrap_or(i64::MIN / 2);
        match self.state {
            AlertState::Pending => false,
            _ if self.resolved_at_ms.is_some_and(|resolved_ms| resolved_ms > last_ms) => true,
            _ => last_ms + RESEND_MS < at_ms,
        }
    }

    /// The notification that is due, if any. It counts as sent.
    pub(crate) fn notification(&mut self, at_ms: i64, interval_ms: i64, generator_url: &str) -> Option<Notification> {
        if !self.is_due(at_ms) {
            return None;
        }
        self.last_sent_ms = Some(at_ms);
        let valid_until_ms = at_ms + VALID_INTERVALS * interval_ms.max(RESEND_MS);
        Some(Notification {
            labels: self.labels.clone(),
            annotations: Arc::clone(&self.annotations),
            value: self.value,
            starts_at_ms: self.fired_at_ms.unwrap_or(self.active_at_ms),
            ends_at_ms: self.resolved_at_ms.unwrap_or(valid_until_ms),
            is_resolved: self.resolved_at_ms.is_some(),
            generator_url: generator_url.to_owned(),
        })
    }

    /// The samples of `ALERTS` and `ALERTS_FOR_STATE`.
    pub(crate) fn samples(&self, timestamp_ms: i64) -> [Recorded; 2] {
        let point = |labels, value| Recorded::float(labels, timestamp_ms, value);
        let state = self.labels.with("__name__", "ALERTS").with("alertstate", self.state.name());
        #[allow(clippy::cast_precision_loss)] // seconds since the epoch
        let since = self.active_at_ms.div_euclid(1000) as f64;
        [point(state, 1.0), point(self.labels.with("__name__", FOR_STATE), since)]
    }
}

/// Name of the series with the time since when alerts are active, in seconds since the Unix epoch.
pub const FOR_STATE: &str = "ALERTS_FOR_STATE";

/// A notification of an alert, as Prometheus posts it to an Alertmanager. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Labels, with `alertname`.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Annotations,
    /// The expression's last value.
    pub value: f64,
    /// Since when it fires.
    pub starts_at_ms: i64,
    /// When it resolved; while it fires, when it expires unless there is another notification.
    pub ends_at_ms: i64,
    /// Whether it is resolved.
    pub is_resolved: bool,
    /// Link to the expression.
    pub generator_url: String,
}
