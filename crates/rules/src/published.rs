//! Alerts of rules as pages and live clients get them.

use labels::Fingerprint;
use model::{
    frame::Labels,
    live::{self, AlertThreshold},
};

use crate::{Alert, AlertState, Rule, Threshold};

/// What the alerts of one rule have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertOrigin {
    /// Name of the rule.
    pub name: String,
    /// Its expression.
    pub expr: String,
    /// The threshold of the expression, if it has one.
    pub threshold: Option<AlertThreshold>,
}

impl AlertOrigin {
    /// The origin of the alerts of `rule`.
    #[must_use]
    pub fn of(rule: &Rule) -> Self {
        let expr = rule.query.text().to_owned();
        let threshold =
            Threshold::of(&expr).map(|Threshold { expr, op, value }| AlertThreshold { expr, op: op.to_owned(), value });
        AlertOrigin { name: rule.name.clone(), expr, threshold }
    }

    /// An alert of this rule. Its group, file and source are the caller's to add.
    #[must_use]
    pub fn published(&self, alert: &Alert) -> live::Alert {
        let annotations = pairs(alert.annotations.iter().map(|(name, text)| (&**name, text.as_str())));
        let annotation = |name: &str| annotations.get(name).cloned();
        live::Alert {
            name: self.name.clone(),
            state: state(alert.state),
            severity: alert.labels.get("severity").to_owned(),
            labels: pairs(alert.labels.iter()),
            summary: annotation("summary").unwrap_or_default(),
            description: annotation("description").unwrap_or_default(),
            value: Some(alert.value),
            active_at: Some(alert.active_at_ms),
            fired_at: alert.fired_at_ms,
            resolved_at: alert.resolved_at_ms,
            runbook: annotation("runbook_url").or_else(|| annotation("runbook")),
            expr: self.expr.clone(),
            threshold: self.threshold.clone(),
            fingerprint: Fingerprint::of(alert.labels.iter()).to_string(),
            annotations,
            ..live::Alert::default()
        }
    }
}

/// A state as pages get it.
#[must_use]
pub fn state(state: AlertState) -> live::AlertState {
    match state {
        AlertState::Inactive => live::AlertState::Inactive,
        AlertState::Pending => live::AlertState::Pending,
        AlertState::Firing => live::AlertState::Firing,
    }
}

/// Names and values as pages get them.
pub fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Labels {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
