//! Rejected alerts: they are counted, and the alert page shows them for an hour, because nobody will be notified of
//! them.

use std::{collections::HashMap, sync::atomic::Ordering};

use alertmanager::alert::{ALERT_NAME, Labels};
use labels::Fingerprint;
use parking_lot::Mutex;
use telemetry::Telemetry;

/// How long a rejection is shown.
const SHOWN_MS: i64 = 3_600_000;
/// Maximum number of distinct alerts; more are only counted.
const MAX_KNOWN: usize = 1_000;
/// Minimum time between two log lines, so that a client that posts thousands of invalid alerts does not fill the log.
const LOGGED_EVERY_MS: i64 = 10_000;
/// Maximum length of a stored reason, in characters.
const REASON: usize = 300;

/// Recently rejected alerts.
pub(crate) struct Refusals {
    telemetry: Telemetry,
    /// The last rejection of each alert. An alert that is posted each minute counts once.
    known: Mutex<HashMap<Fingerprint, Refusal>>,
    lines: Mutex<Lines>,
}

/// Time of the last log line about a rejection, and the number of rejections since.
#[derive(Debug, Default)]
struct Lines {
    last_ms: Option<i64>,
    since: u64,
}

impl Lines {
    /// Whether to log a rejection now; returns the number of rejections since the last log line.
    fn next(&mut self, now_ms: i64) -> Option<u64> {
        if self.last_ms.is_some_and(|last_ms| now_ms < last_ms.saturating_add(LOGGED_EVERY_MS)) {
            self.since = self.since.saturating_add(1);
            return None;
        }
        self.last_ms = Some(now_ms);
        Some(std::mem::take(&mut self.since))
    }
}

#[derive(Debug, Clone)]
struct Refusal {
    at_ms: i64,
    name: String,
    reason: String,
}

impl std::fmt::Debug for Refusals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Refusals").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Refusals {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Refusals { telemetry, known: Mutex::default(), lines: Mutex::default() }
    }

    /// Records a rejected alert. If an alert with the same labels was rejected in the last hour, it is not counted
    /// again.
    pub(crate) fn add(&self, labels: &Labels, reason: &str, now_ms: i64) {
        let count = || self.telemetry.deliveries().refused.fetch_add(1, Ordering::Relaxed);
        let mut known = self.known.lock();
        known.retain(|_, refusal| refusal.at_ms.saturating_add(SHOWN_MS) > now_ms);
        let fingerprint = Fingerprint::of(labels);
        if known.len() >= MAX_KNOWN && !known.contains_key(&fingerprint) {
            count();
        } else {
            let name = labels.get(ALERT_NAME).cloned().unwrap_or_default();
            let refusal = Refusal { at_ms: now_ms, name, reason: reason.chars().take(REASON).collect() };
            // An alert that is posted repeatedly is logged once.
            if known.insert(fingerprint, refusal).is_none() {
                count();
                let line = self.lines.lock().next(now_ms);
                if let Some(unwritten) = line {
                    tracing::warn!(?labels, reason, unwritten, "alert rejected");
                }
            }
        }
    }

    /// The text for the alert page, if any alert was rejected in the last hour.
    pub(crate) fn summary(&self, now_ms: i64) -> Option<String> {
        let mut known = self.known.lock();
        known.retain(|_, refusal| refusal.at_ms.saturating_add(SHOWN_MS) > now_ms);
        let last = known.values().max_by(|one, other| (one.at_ms, &one.name).cmp(&(other.at_ms, &other.name)))?;
        let name = if last.name.is_empty() { String::new() } else { format!("{}: ", last.name) };
        Some(match known.len() {
            1 => format!("1 alert was refused in the last hour, and nobody is notified of it: {name}{}", last.reason),
            count => format!(
                "{count} alerts were refused in the last hour, and nobody is notified of them. The last one: {name}{}",
                last.reason
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_line_with_a_count() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(0), Some(0));
        assert_eq!((1..LOGGED_EVERY_MS).find_map(|now_ms| lines.next(now_ms)), None);
        assert_eq!(lines.next(LOGGED_EVERY_MS), Some(9_999));
        assert_eq!(lines.next(3 * LOGGED_EVERY_MS), Some(0));
    }

    #[test]
    fn an_alert_that_is_refused_again_is_one_alert_and_is_shown_for_an_hour() {
        let telemetry = Telemetry::default();
        let refusals = Refusals::new(telemetry.clone());
        let counted = || telemetry.deliveries().refused.load(Ordering::Relaxed);
        let labels = |name: &str| Labels::from([(ALERT_NAME.to_owned(), name.to_owned())]);
        assert_eq!(refusals.summary(0), None);
        refusals.add(&labels("a"), "it ends too early", 1);
        refusals.add(&labels("a"), "it ends too early", 60_001);
        let one = refusals.summary(60_002).unwrap();
        assert!(one.starts_with("1 alert was refused") && one.ends_with("a: it ends too early"), "{one}");
        assert_eq!(counted(), 1, "the metric says what the page says");
        refusals.add(&labels("b"), "why", 60_003);
        assert!(refusals.summary(60_004).unwrap().starts_with("2 alerts were refused"));
        assert_eq!(counted(), 2);
        assert_eq!(refusals.summary(60_004 + SHOWN_MS), None);
        refusals.add(&labels("a"), "it ends too early", 60_005 + SHOWN_MS);
        assert_eq!(counted(), 3, "again after an hour");
    }
}
