//! One alert, and how it moves between its states.

use std::sync::Arc;

use labels::Labels;

use crate::group::Recorded;

/// An alert that is over is kept for so long, so that those who are told of alerts hear of its end.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;
/// How often those who are told of alerts hear of each again.
pub const RESEND_MS: i64 = 60 * 1000;
/// Those who are told of an alert take it for over when they did not hear of it for so many intervals.
const VALID_INTERVALS: i64 = 4;

/// Names and texts, sorted by name.
pub type Annotations = Arc<[(Arc<str>, String)]>;

/// Whether an alert is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// The expression does not hold.
    Inactive,
    /// It holds, but not for long enough.
    Pending,
    /// It held for long enough.
    Firing,
}

impl AlertState {
    /// Prometheus' word.
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
    /// What tells it from the rule's other alerts; with `alertname`.
    pub labels: Labels,
    /// What people read.
    pub annotations: Annotations,
    /// The expression's value when it held last.
    pub value: f64,
    /// Its state.
    pub state: AlertState,
    /// Since when the expression holds.
    pub active_at_ms: i64,
    /// Since when it fires.
    pub fired_at_ms: Option<i64>,
    /// When it ended.
    pub resolved_at_ms: Option<i64>,
    /// Since when it fires although the expression does not hold.
    pub keep_firing_since_ms: Option<i64>,
    /// When others were told of it last.
    pub last_sent_ms: Option<i64>,
}

/// How long an alert waits and lingers, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) hold_ms: i64,
    pub(crate) keep_firing_ms: i64,
}

/// What is left of an alert after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum After {
    /// It is pending or fires.
    On,
    /// It is over, and kept for a while.
    Over,
    /// It can be forgotten.
    Gone,
}

impl Alert {
    /// An alert whose expression has begun to hold.
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

    /// One evaluation at which the expression holds or does not (`AlertingRule.Eval` in Prometheus' rules/alerting.go).
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

    /// Whether others are to be told of it now: each minute while it fires, and at once when it ends.
    fn is_due(&self, at_ms: i64) -> bool {
        let last_ms = self.last_sent_ms.unwrap_or(i64::MIN / 2);
        match self.state {
            AlertState::Pending => false,
            _ if self.resolved_at_ms.is_some_and(|resolved_ms| resolved_ms > last_ms) => true,
            _ => last_ms + RESEND_MS < at_ms,
        }
    }

    /// What others are told of it now, if they are. It counts as told.
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

/// Name of the series that says since when alerts are on, in seconds since the Unix epoch.
pub const FOR_STATE: &str = "ALERTS_FOR_STATE";

/// What a notifier is told of an alert, as Prometheus tells an Alertmanager. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What tells it from others; with `alertname`.
    pub labels: Labels,
    /// What people read.
    pub annotations: Annotations,
    /// The expression's value when it held last.
    pub value: f64,
    /// Since when it fires.
    pub starts_at_ms: i64,
    /// When it ended; while it fires, until when it may be taken to fire if nothing more is heard.
    pub ends_at_ms: i64,
    /// Whether it ended.
    pub is_resolved: bool,
    /// Where the expression can be looked at.
    pub generator_url: String,
}
