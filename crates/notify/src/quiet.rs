//! Firing alerts that short-form webhooks were not notified of, because they were muted. The notification follows when
//! the muting ends.

use std::collections::HashSet;

use alertmanager::alert::Alert;
use labels::Fingerprint;

/// Maximum time between checks of what mutes them.
const LONGEST_WAIT_MS: i64 = 60_000;
/// Minimum time between checks.
const SHORTEST_WAIT_MS: i64 = 1_000;

/// The alerts, all of which the dispatcher knows, and the time of the next check.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    alerts: HashSet<Fingerprint>,
    next_look_ms: i64,
    /// The version of muting at the last check.
    seen: Option<u64>,
}

impl Quiet {
    /// Those stored `alerts` that fire and are not among the `notified` ones.
    pub(crate) fn of(alerts: &[Alert], notified: &HashSet<Fingerprint>) -> Self {
        let fires = alerts.iter().filter(|alert| !alert.is_resolved(alert.updated_at_ms));
        let others = fires.map(|alert| alert.fingerprint).filter(|fingerprint| !notified.contains(fingerprint));
        Quiet { alerts: others.collect(), ..Quiet::default() }
    }

    pub(crate) fn add(&mut self, alert: Fingerprint) {
        if self.alerts.is_empty() {
            // While the set was empty, nobody checked when muting ends.
            self.next_look_ms = 0;
        }
        self.alerts.insert(alert);
    }

    pub(crate) fn remove(&mut self, alert: Fingerprint) {
        self.alerts.remove(&alert);
    }

    /// When to check again at the latest, in milliseconds since the Unix epoch; `None` if there are no alerts.
    pub(crate) fn next_look(&self) -> Option<i64> {
        (!self.alerts.is_empty()).then_some(self.next_look_ms)
    }

    /// Alerts to check: all of them if the time has come or muting changed since the last check, otherwise none.
    pub(crate) fn due(&mut self, version: u64, now_ms: i64) -> Vec<Fingerprint> {
        if self.alerts.is_empty() || self.seen == Some(version) && now_ms < self.next_look_ms {
            return Vec::new();
        }
        self.seen = Some(version);
        self.alerts.iter().copied().collect()
    }

    /// Sets the time of the next check. `change_ms` is when muting next changes by itself.
    pub(crate) fn look_again(&mut self, change_ms: Option<i64>, now_ms: i64) {
        let longest_ms = now_ms.saturating_add(LONGEST_WAIT_MS);
        self.next_look_ms = change_ms.unwrap_or(longest_ms).clamp(now_ms.saturating_add(SHORTEST_WAIT_MS), longest_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mutes_alerts_is_looked_at_when_it_changes_and_now_and_then() {
        let mut quiet = Quiet::default();
        assert_eq!((quiet.due(1, 10), quiet.next_look()), (vec![], None), "there are none");
        quiet.add(Fingerprint(7));
        assert_eq!(quiet.next_look(), Some(0), "at once");
        assert_eq!(quiet.due(2, 10), [Fingerprint(7)]);
        quiet.look_again(Some(5_010), 10);
        quiet.add(Fingerprint(8));
        assert_eq!((quiet.due(2, 5_009), quiet.next_look()), (vec![], Some(5_010)), "when a silence ends");
        assert_eq!(quiet.due(3, 5_009).len(), 2, "when there is another silence");
        quiet.look_again(None, 5_010);
        assert_eq!(quiet.next_look(), Some(5_010 + LONGEST_WAIT_MS));
        quiet.look_again(Some(5_010), 5_010);
        assert_eq!(quiet.next_look(), Some(5_010 + SHORTEST_WAIT_MS));
        quiet.remove(Fingerprint(7));
        quiet.remove(Fingerprint(8));
        assert_eq!(quiet.next_look(), None);
    }
}
