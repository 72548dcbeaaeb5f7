//! Alerts of the engines' own rules, as of the last poll of each engine.

use std::{collections::BTreeMap, sync::Arc};

use model::live::{Alert, AlertList, AlertState, AlertTransition};
use parking_lot::Mutex;

/// The last responses of the engines.
#[derive(Default)]
pub(crate) struct EngineAlerts(Mutex<Known>);

#[derive(Default)]
struct Known {
    list: Arc<AlertList>,
    /// Time of each engine's last response, by name.
    answered_ms: BTreeMap<String, i64>,
}

/// What an update changed.
pub(crate) struct Replaced {
    /// Alerts whose state changed.
    pub changes: Vec<AlertTransition>,
    /// Whether the set of reachable engines changed.
    pub is_reachability_other: bool,
}

impl EngineAlerts {
    /// All known alerts, and why the list may be incomplete.
    pub(crate) fn list(&self) -> Arc<AlertList> {
        Arc::clone(&self.0.lock().list)
    }

    /// Updates the alerts from the engines' responses. Alerts of an engine that did not respond stay, with their age.
    pub(crate) fn replace(&self, lists: Vec<(String, AlertList)>, at_ms: i64) -> Replaced {
        let mut known = self.0.lock();
        let mut new = AlertList::default();
        let mut reasons = Vec::new();
        new.without_rules = lists.iter().all(|(_, list)| list.without_rules);
        for (engine, list) in lists {
            let Some(reason) = list.unavailable else {
                new.alerts.extend(list.alerts);
                known.answered_ms.insert(engine, at_ms);
                continue;
            };
            reasons.push(reason);
            let answered_ms = known.answered_ms.get(&engine).copied();
            let before = known.list.alerts.iter().filter(|alert| alert.source == engine);
            new.alerts.extend(before.map(|alert| Alert { stale_since: answered_ms, ..alert.clone() }));
        }
        new.unavailable = (!reasons.is_empty()).then(|| reasons.join("; "));
        let is_stale = |list: &AlertList| list.alerts.iter().any(|alert| alert.stale_since.is_some());
        let is_reachability_other = new.unavailable != known.list.unavailable
            || new.without_rules != known.list.without_rules
            || is_stale(&new) != is_stale(&known.list);
        let changes = changes(&known.list.alerts, &new.alerts, at_ms);
        known.list = Arc::new(new);
        Replaced { changes, is_reachability_other }
    }
}

fn changes(before: &[Alert], after: &[Alert], at_ms: i64) -> Vec<AlertTransition> {
    let change = |from: AlertState, to: AlertState, alert: &Alert| AlertTransition {
        at: at_ms,
        from,
        to,
        alert: Alert { state: to, ..alert.clone() },
    };
    let is_same = |one: &Alert, other: &Alert| one.labels == other.labels && one.source == other.source;
    let state_before =
        |alert: &Alert| before.iter().find(|old| is_same(old, alert)).map_or(AlertState::Inactive, |old| old.state);
    let begun = after.iter().map(|alert| change(state_before(alert), alert.state, alert));
    let over = before
        .iter()
        .filter(|old| !after.iter().any(|alert| is_same(old, alert)))
        .map(|old| change(old.state, AlertState::Inactive, old));
    begun.chain(over).filter(|change| change.from != change.to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(engine: &str, names: &[&str]) -> (String, AlertList) {
        let alert = |name: &&str| Alert {
            name: (*name).to_owned(),
            state: AlertState::Firing,
            labels: [("alertname".to_owned(), (*name).to_owned())].into(),
            source: engine.to_owned(),
            ..Alert::default()
        };
        (engine.to_owned(), AlertList { alerts: names.iter().map(alert).collect(), ..AlertList::default() })
    }

    fn silence(engine: &str) -> (String, AlertList) {
        (engine.to_owned(), AlertList { unavailable: Some(format!("{engine} is away")), ..AlertList::default() })
    }

    #[test]
    fn what_one_engine_does_not_answer_says_nothing_of_another() {
        let upstream = EngineAlerts::default();
        let seen = || {
            let alerts = upstream.list().alerts.clone();
            alerts.into_iter().map(|alert| (alert.name, alert.stale_since)).collect::<Vec<_>>()
        };
        let begun = upstream.replace(vec![answer("a", &["A"]), answer("b", &["B"])], 1_000);
        assert_eq!((begun.changes.len(), begun.is_reachability_other), (2, false));
        let away = upstream.replace(vec![silence("a"), answer("b", &["C"])], 2_000);
        assert_eq!(seen(), [("A".to_owned(), Some(1_000)), ("C".to_owned(), None)]);
        assert_eq!((away.changes.len(), away.is_reachability_other), (2, true), "B is over, C fires, A is not over");
        let still = upstream.replace(vec![silence("a"), answer("b", &["C"])], 3_000);
        assert_eq!((still.changes.len(), still.is_reachability_other), (0, false));
        assert_eq!(seen()[0].1, Some(1_000), "the age is that of the last answer");
        let back = upstream.replace(vec![answer("a", &[]), answer("b", &["C"])], 4_000);
        assert_eq!((back.changes.len(), back.is_reachability_other), (1, true));
        assert_eq!(seen(), [("C".to_owned(), None)]);
    }
}
