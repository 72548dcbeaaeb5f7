//! What was told to whom, so that nobody is told twice.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{alert::Alert, config::Kind};
use labels::Fingerprint;

/// A time that is longer ago than every `repeat_interval`.
const LONG_AGO_MS: i64 = i64::MIN;

/// A group and one means of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogKey {
    /// The group.
    pub group: String,
    /// The receiver's name.
    pub receiver: String,
    /// Kind of the means.
    pub kind: Kind,
    /// Its place in the receiver.
    pub integration: usize,
}

/// The newest that it was told of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Alerts that fired, sorted.
    pub firing: Vec<Fingerprint>,
    /// Alerts that were over, sorted.
    pub resolved: Vec<Fingerprint>,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// When this is not worth knowing any more.
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

    /// Why it has to be sent, after `last` was; `None` if it has not to be. As Alertmanager decides (`DedupStage.needsUpdate`).
    pub(super) fn reason(
        &self,
        last: Option<&LogEntry>,
        sends_resolved: bool,
        now_ms: i64,
        repeat_interval_ms: i64,
    ) -> Option<Reason> {
        let Some(last) = last else { return (!self.firing.is_empty()).then_some(Reason::First) };
        if !is_subset(&self.firing, &last.firing) {
            // After nothing but ends it is the first of a new firing.
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

/// What a notification changed in the log: to be taken back if it is never delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChange {
    /// Where.
    pub key: LogKey,
    /// Time of the entry that it made, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The entry before, if there was one.
    pub before: Option<LogEntry>,
}

impl LogChange {
    /// Whether `entry` is the one that the notification made, and no newer one.
    #[must_use]
    pub fn made(&self, entry: &LogEntry) -> bool {
        entry.at_ms == self.at_ms
    }

    /// What the receiver knows, now that the notification of `failed` never came: what it was told before, so long ago that it is told
    /// again when the group is looked at next.
    #[must_use]
    pub fn undone(&self, failed: &LogEntry) -> Option<LogEntry> {
        let before = self.before.clone()?;
        Some(LogEntry { at_ms: LONG_AGO_MS, expires_at_ms: failed.expires_at_ms, ..before })
    }
}

/// Why a notification is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing was sent of the group, or nothing that fires.
    First,
    /// More alerts of the group fire.
    NewAlerts,
    /// Some alerts of the group are over.
    SomeResolved,
    /// No alert of the group fires any more.
    AllResolved,
    /// Nothing changed, and the last notification is older than `repeat_interval`.
    Repeat,
}

impl Reason {
    /// The words that Alertmanager (0.32 and newer) has for it in templates and in the body of webhooks.
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

/// Whether all of the sorted `part` is in the sorted `whole`.
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

    /// Takes back what a notification changed that was never delivered, unless something newer was told.
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
