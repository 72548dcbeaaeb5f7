//! What was told to whom, so that nobody is told twice.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    alert::{Alert, Fingerprint},
    config::Kind,
};

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

    /// Whether it has to be told, after `last` was.
    pub(super) fn is_due(
        &self,
        last: Option<&LogEntry>,
        sends_resolved: bool,
        now_ms: i64,
        repeat_interval_ms: i64,
    ) -> bool {
        let Some(last) = last else { return !self.firing.is_empty() };
        if !is_subset(&self.firing, &last.firing) {
            return true;
        }
        if self.firing.is_empty() {
            return !last.firing.is_empty();
        }
        if sends_resolved && !is_subset(&self.resolved, &last.resolved) {
            return true;
        }
        last.at_ms < now_ms.saturating_sub(repeat_interval_ms)
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

    pub(super) fn drop_expired(&mut self, now_ms: i64) {
        self.0.retain(|_, entry| entry.expires_at_ms > now_ms);
    }
}
