//! The notification log: what was sent to which integration, so that nothing is sent twice.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{alert::Alert, config::Kind};
use labels::Fingerprint;

/// A time before any `repeat_interval`.
const LONG_AGO_MS: i64 = i64::MIN;

/// A group and one integration of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogKey {
    /// The group key.
    pub group: String,
    /// The receiver's name.
    pub receiver: String,
    /// Kind of the integration.
    pub kind: Kind,
    /// Index of the integration in the receiver.
    pub integration: usize,
}

/// The last notification about the group to one integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Alerts that were firing, sorted.
    pub firing: Vec<Fingerprint>,
    /// Alerts that were resolved, sorted.
    pub resolved: Vec<Fingerprint>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// When the entry can be removed.
    pub expires_at_ms: i64,
}

impl LogEntry {
    pub(super) fn of(alerts: &[(Arc<Alert>, bool)], now_ms: i64, repeat_interval_ms: i64) -> Self {
        let those = |wanted: bool| {
            let mut prints: Vec<_> = alerts
                .iter()
                .filter(|(_, is_resolved)| *is_resolved == wanted)
                .map(|(alert, _)| alert.fingerprint)
                .collect();
            prints.sort_unstable();
            prints
        };
        LogEntry {
            firing: those(false),
            resolved: those(true),
            at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(repeat_interval_ms.saturating_mul(2)),
        }
    }

    /// Why a notification is due after `last`; `None` if it is not. Decides like Alertmanager's
    /// `DedupStage.needsUpdate`.
    pub(super) fn reason(
        &self,
        last: Option<&LogEntry>,
        sends_resolved: bool,
        now_ms: i64,
        repeat_interval_ms: i64,
    ) -> Option<Reason> {
        let Some(last) = last else { return (!self.firing.is_empty()).then_some(Reason::First) };
        if !is_subset(&self.firing, &last.firing) {
            // The last notification had only resolved alerts, so this is the first one of a new firing.
            return Some(if last.firing.is_empty() { Reason::First } else { Reason::NewAlerts });
        }
        if self.firing.is_empty() {
            return (!last.firing.is_empty()).then_some(Reason::AllResolved);
        }
        if sends_resolved && !is_subset(&self.resolved, &last.resolved) {
            return Some(Reason::SomeResolved);
        }
        (last.at_ms < now_ms.saturating_sub(repeat_interval_ms)).then_some(Reason::Repeat)
    }
}

/// A change of the log by one notification. It is undone if the notification is never delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChange {
    /// Key of the changed entry.
    pub key: LogKey,
    /// Time of the new entry, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The previous entry, if any.
    pub before: Option<LogEntry>,
}

impl LogChange {
    /// Whether `entry` is still the one that this notification wrote.
    #[must_use]
    pub fn made(&self, entry: &LogEntry) -> bool {
        entry.at_ms == self.at_ms
    }

    /// The log entry after the notification of `failed` was given up: the previous one, made old enough that the next
    /// flush of the group sends it again.
    #[must_use]
    pub fn undone(&self, failed: &LogEntry) -> Option<LogEntry> {
        let before = self.before.clone()?;
        Some(LogEntry { at_ms: LONG_AGO_MS, expires_at_ms: failed.expires_at_ms, ..before })
    }
}

/// Why a notification is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The first notification about the group, or the first since all its alerts were resolved.
    First,
    /// More alerts of the group are firing.
    NewAlerts,
    /// Some alerts of the group are resolved.
    SomeResolved,
    /// All alerts of the group are resolved.
    AllResolved,
    /// Nothing changed, and the last notification is older than `repeat_interval`.
    Repeat,
}

impl Reason {
    /// The text that Alertmanager (0.32 and newer) uses in templates and in the body of webhooks.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Reason::First => "first notification",
            Reason::NewAlerts => "new alerts added",
            Reason::SomeResolved => "some alerts resolved",
            Reason::AllResolved => "all alerts resolved",
            Reason::Repeat => "repeat interval elapsed",
        }
    }
}

/// Whether all of the sorted `part` are in the sorted `whole`.
fn is_subset(part: &[Fingerprint], whole: &[Fingerprint]) -> bool {
    part.iter().all(|fingerprint| whole.binary_search(fingerprint).is_ok())
}

#[derive(Debug, Default)]
pub(super) struct NotificationLog(HashMap<LogKey, LogEntry>);

impl NotificationLog {
    pub(super) fn get(&self, key: &LogKey) -> Option<&LogEntry> {
        self.0.get(key)
    }

    pub(super) fn put(&mut self, key: LogKey, entry: LogEntry) {
        self.0.insert(key, entry);
    }

    /// Undoes the change of a notification that was never delivered, unless a newer one changed the entry since.
    pub(super) fn take_back(&mut self, change: &LogChange) {
        let Some(failed) = self.0.get(&change.key).filter(|entry| change.made(entry)) else { return };
        match change.undone(failed) {
            Some(before) => self.put(change.key.clone(), before),
            None => drop(self.0.remove(&change.key)),
        }
    }

    pub(super) fn drop_expired(&mut self, now_ms: i64) {
        self.0.retain(|_, entry| entry.expires_at_ms > now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_changed_since_the_last_notification() {
        let entry = |firing: &[u64], resolved: &[u64]| LogEntry {
            firing: firing.iter().copied().map(Fingerprint).collect(),
            resolved: resolved.iter().copied().map(Fingerprint).collect(),
            at_ms: 0,
            expires_at_ms: 0,
        };
        let reason = |last: Option<LogEntry>, now: LogEntry, now_ms| {
            now.reason(last.as_ref(), true, now_ms, 1_000).map(Reason::words)
        };
        for (last, now, at_ms, expected) in [
            (None, entry(&[1], &[]), 0, Some("first notification")),
            (None, entry(&[], &[1]), 0, None),
            (Some(entry(&[], &[1])), entry(&[1], &[]), 0, Some("first notification")),
            (Some(entry(&[1], &[])), entry(&[1, 2], &[]), 0, Some("new alerts added")),
            (Some(entry(&[1, 2], &[])), entry(&[1], &[2]), 0, Some("some alerts resolved")),
            (Some(entry(&[1], &[2])), entry(&[], &[1, 2]), 0, Some("all alerts resolved")),
            (Some(entry(&[], &[1])), entry(&[], &[1]), 5_000, None),
            (Some(entry(&[1], &[])), entry(&[1], &[]), 1_000, None),
            (Some(entry(&[1], &[])), entry(&[1], &[]), 1_001, Some("repeat interval elapsed")),
        ] {
            assert_eq!(reason(last.clone(), now.clone(), at_ms), expected, "{last:?} {now:?}");
        }
    }
}
