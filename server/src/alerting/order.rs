//! Which alerts come first in a list. Among thousands most are only compared, and written out if they are among the first.

use std::cmp::Ordering;

use model::{
    Severity,
    live::{Alert, AlertState},
};

use super::view::{GroupView, RuleView, state};
use crate::{query::Scope, visible};

/// An alert of any origin.
pub(super) enum Listed<'a> {
    /// Of one of our rules.
    Ours(&'a GroupView, &'a RuleView, &'a rules::Alert),
    /// Of others.
    Others(&'a Alert),
}

impl<'a> Listed<'a> {
    /// The alerts of a group.
    pub(super) fn of(group: &'a GroupView) -> impl Iterator<Item = Self> {
        group.rules.iter().flat_map(move |rule| rule.alerts.iter().map(move |alert| Listed::Ours(group, rule, alert)))
    }

    /// Whether it is in a scope.
    pub(super) fn is_seen(&self, scope: &Scope) -> bool {
        match self {
            Listed::Ours(_, _, alert) => scope.proves(|name| Some(alert.labels.get(name))),
            Listed::Others(alert) => visible::alert(scope, alert),
        }
    }

    fn state(&self) -> AlertState {
        match self {
            Listed::Ours(_, _, alert) => state(alert.state),
            Listed::Others(alert) => alert.state,
        }
    }

    /// Whether it fires.
    pub(super) fn is_firing(&self) -> bool {
        self.state() == AlertState::Firing
    }

    /// How bad it is.
    pub(super) fn severity(&self) -> Severity {
        Severity::of(match self {
            Listed::Ours(_, _, alert) => alert.labels.get("severity"),
            Listed::Others(alert) => alert.severity.as_str(),
        })
    }

    fn name(&self) -> &str {
        match self {
            Listed::Ours(_, rule, _) => rule.name(),
            Listed::Others(alert) => &alert.name,
        }
    }

    fn labels(&self) -> Box<dyn Iterator<Item = (&str, &str)> + '_> {
        match self {
            Listed::Ours(_, _, alert) => Box::new(alert.labels.iter()),
            Listed::Others(alert) => Box::new(alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        }
    }

    /// The order of [`Alert::order`].
    fn order(&self, other: &Self) -> Ordering {
        let rank = |alert: &Self| (alert.state().rank(), alert.severity());
        let by_name = || self.name().cmp(other.name());
        rank(self).cmp(&rank(other)).then_with(by_name).then_with(|| self.labels().cmp(other.labels()))
    }

    /// As it is shown.
    pub(super) fn written_out(&self) -> Alert {
        match self {
            Listed::Ours(group, rule, alert) => group.alert(rule, alert),
            Listed::Others(alert) => (*alert).clone(),
        }
    }
}

/// The first of the alerts, in order, at most so many.
pub(super) fn first(mut alerts: Vec<Listed>, most: usize) -> Vec<Alert> {
    if alerts.len() > most {
        alerts.select_nth_unstable_by(most, Listed::order);
        alerts.truncate(most);
    }
    alerts.sort_by(Listed::order);
    alerts.iter().map(Listed::written_out).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_the_rest_is_left_out() {
        let alert = |name: &str, severity: &str, state| Alert {
            name: name.to_owned(),
            severity: severity.to_owned(),
            state,
            ..Alert::default()
        };
        let all = [
            alert("a", "info", AlertState::Firing),
            alert("a", "critical", AlertState::Pending),
            alert("z", "critical", AlertState::Firing),
            alert("b", "warning", AlertState::Firing),
            alert("a", "warning", AlertState::Firing),
        ];
        let first = |most| {
            let first = first(all.iter().map(Listed::Others).collect(), most);
            first.iter().map(|alert| format!("{}{}", alert.severity, alert.name)).collect::<Vec<_>>()
        };
        assert_eq!(first(2), ["criticalz", "warninga"]);
        assert_eq!(first(9), ["criticalz", "warninga", "warningb", "infoa", "criticala"]);
        let mut sorted = all.clone();
        sorted.sort_by(Alert::order);
        assert_eq!(super::first(all.iter().map(Listed::Others).collect(), 9), sorted, "the order is one");
        assert!(first(0).is_empty());
    }
}
