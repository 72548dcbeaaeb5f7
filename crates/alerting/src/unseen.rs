//! Ends alerts in the history whose end nobody saw: the server was down, or the rule was removed. Otherwise the history
//! would show such an alert as firing for its whole retention.

use std::{collections::HashSet, sync::Arc, time::Duration};

use labels::{Labels, Matcher};
use model::{
    clock::now_ms,
    live::{Alert, AlertState, AlertTransition},
};
use timeseries::{SeriesSource, is_stale_marker};
use tokio_util::sync::CancellationToken;

use crate::{SOURCE, Shared, history::MAX_ANSWER};

/// Delay before the history is compared with the current alerts, and before the comparison is repeated while they
/// differ; it doubles each time.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Maximum delay.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long to wait for external alerts after a start: clients post alerts again every minute, and engines are polled
/// more often.
const OTHERS_MS: i64 = 5 * 60 * 1_000;
/// Number of evaluations of a group before its state counts.
const EVALUATIONS: u64 = 2;

/// Identifies a change of an alert: fingerprint and time.
type Key = (String, i64);

/// Ends alerts that are pending or firing in the history only: after the start, and whenever rules were replaced, until
/// `stop` is cancelled.
pub(crate) async fn follow(shared: Arc<Shared>, stop: CancellationToken) {
    let started_ms = now_ms();
    loop {
        settle(&shared, started_ms, &stop).await;
        tokio::select! {
            () = shared.rules_replaced.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Compares until history and alerts agree. An alert is ended only if two comparisons miss it, because its end may
/// still be in a queue.
async fn settle(shared: &Arc<Shared>, started_ms: i64, stop: &CancellationToken) {
    let mut missed: HashSet<Key> = HashSet::new();
    let mut pause = FIRST_LOOK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        // The second comparison follows after the same delay as the first.
        if !missed.is_empty() {
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let standing = match shared.history.last_of_each(now_ms(), MAX_ANSWER).await {
            Ok(standing) => standing,
            Err(error) => {
                tracing::warn!(%error, "cannot compare the history with the current alerts, will retry");
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        let with = Arc::clone(shared);
        let before = missed;
        let looked = tokio::task::spawn_blocking(move || with.look(standing, &before, started_ms)).await;
        let Ok((ended, still_missed)) = looked else { return };
        shared.history.remember(ended);
        missed = still_missed;
        if missed.is_empty() {
            return;
        }
    }
}

impl Shared {
    /// Returns the ends of alerts that are missing for the second time, and those that are missing now.
    fn look(
        &self,
        mut standing: Vec<AlertTransition>,
        before: &HashSet<Key>,
        started_ms: i64,
    ) -> (Vec<AlertTransition>, HashSet<Key>) {
        let (list, now_ms) = (self.current(), now_ms());
        let current: HashSet<&str> = list.fingerprints().collect();
        standing.retain(|change| !current.contains(change.alert.fingerprint.as_str()));
        let key = |change: &AlertTransition| (change.alert.fingerprint.clone(), change.at);
        let (ended, missed): (Vec<_>, Vec<_>) = standing
            .into_iter()
            .partition(|change| before.contains(&key(change)) && self.is_over(&change.alert, started_ms, now_ms));
        let missed = missed.iter().map(key).collect();
        (ended.into_iter().map(|change| self.end(change, now_ms)).collect(), missed)
    }

    /// Whether a missing alert has ended. If the notifier still counts it as firing, it may continue.
    fn is_over(&self, alert: &Alert, started_ms: i64, now_ms: i64) -> bool {
        if self.notifier.fires_until(&alert.fingerprint, now_ms).is_some() {
            return false;
        }
        if alert.source != SOURCE {
            return now_ms - started_ms >= OTHERS_MS && self.upstream.list().unavailable.is_none();
        }
        self.groups().iter().all(|group| group.evaluations() >= EVALUATIONS && !group.view().fails(&alert.name))
    }

    /// The end of an alert: the time of its last stored sample, otherwise now.
    fn end(&self, change: AlertTransition, now_ms: i64) -> AlertTransition {
        let at = self.last_written(&change.alert, change.at, now_ms).unwrap_or(now_ms).max(change.at);
        let alert = Alert { state: AlertState::Inactive, resolved_at: Some(at), ..change.alert };
        AlertTransition { at, from: change.to, to: AlertState::Inactive, alert }
    }

    fn last_written(&self, alert: &Alert, from_ms: i64, to_ms: i64) -> Option<i64> {
        if alert.source != SOURCE {
            return None;
        }
        let labels = alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let labels = Labels::new(labels).with("__name__", rules::FOR_STATE);
        let matchers: Vec<Matcher> = labels.iter().map(|(name, value)| Matcher::equal(name, value)).collect();
        let found = self.here.store().select(&matchers, from_ms, to_ms).ok()?;
        let series = found.iter().find(|series| series.labels == labels)?;
        let written =
            series.timestamps.iter().zip(series.values.iter()).rev().find(|(_, value)| !is_stale_marker(**value));
        written.map(|(at_ms, _)| *at_ms)
    }
}
