//! What mutes the alerts of a list: silences, inhibition and acknowledgements, ours or those of the Alertmanagers.
//!
//! Pages and live clients are told with each alert. [`Notifier::muting_changed`] wakes whoever tells them when that may be
//! another one: a silence begins or ends, somebody acknowledges, an alert that inhibits others fires or is over.
//! [`Notifier::muting_version`] says whether a list that was marked before still holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alertmanager::{
    alert::{Labels, PostableAlert},
    dispatch::Dispatcher,
    silence::Silence,
};
use labels::Fingerprint;
use model::{
    clock::now_ms,
    live::{Alert, AlertState},
};
use tokio::sync::Notify;

use crate::{Notifier, Shared, silences::Acknowledgement};

/// Longest wait before it is looked again: the machine's clock may be set.
pub const LONGEST_WAIT_MS: i64 = 60_000;
/// Alerts that are marked without a break. Between two such chunks the dispatch loop may have its lock.
const CHUNK: usize = 64;

/// That something else mutes alerts than before: wakes whoever waits for that, and counts it for those who look later.
#[derive(Debug, Default)]
pub(crate) struct MutingChanges {
    version: AtomicU64,
    noted: Notify,
    /// As `noted`, for the dispatch loop.
    dispatch: Notify,
}

impl MutingChanges {
    /// Something else may mute alerts from now on. To be called after the change is made.
    pub(crate) fn note(&self) {
        self.version.fetch_add(1, Ordering::Release);
        self.noted.notify_one();
        self.dispatch.notify_one();
    }

    /// How often something was noted.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Waits until something is noted. Called by the dispatch loop alone.
    pub(crate) async fn noted_for_dispatch(&self) {
        self.dispatch.notified().await;
    }
}

/// What mutes an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Muting {
    /// Ids of silences.
    pub silenced_by: Vec<String>,
    /// When the last of them ends.
    pub silenced_until_ms: Option<i64>,
    /// Alerts that inhibit it.
    pub inhibited_by: Vec<Fingerprint>,
}

impl Muting {
    /// What of `silences` mutes an alert with these labels, and that these alerts inhibit it.
    pub(crate) fn of<'a>(
        silences: impl Iterator<Item = &'a Silence>,
        inhibited_by: Vec<Fingerprint>,
        labels: &Labels,
        now_ms: i64,
    ) -> Self {
        let mut muting = Muting { inhibited_by, ..Muting::default() };
        for silence in silences.filter(|silence| silence.mutes(labels, now_ms)) {
            muting.silenced_by.push(silence.id.clone());
            muting.silenced_until_ms = muting.silenced_until_ms.max(Some(silence.ends_at_ms));
        }
        muting
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.silenced_by.is_empty() && self.inhibited_by.is_empty()
    }
}

impl Notifier {
    /// Writes into alerts of the past which of our silences muted them at `at_ms`.
    pub fn mark_silenced_at(&self, alerts: &mut [Alert], at_ms: i64) {
        let dispatcher = self.0.dispatcher();
        for alert in alerts {
            let Muting { silenced_by, silenced_until_ms, .. } =
                Muting::of(dispatcher.silences.all(), Vec::new(), &alert.labels, at_ms);
            alert.silenced_by = silenced_by;
            alert.silenced_until = silenced_until_ms;
        }
    }

    /// Until when an alert fires as far as receivers have been or will be notified, in milliseconds since the Unix epoch; `None` if it does
    /// not. One that nobody spoke of again does for some minutes.
    #[must_use]
    pub fn fires_until(&self, fingerprint: &str, now_ms: i64) -> Option<i64> {
        let fingerprint = fingerprint.parse::<Fingerprint>().ok()?;
        let dispatcher = self.0.dispatcher();
        dispatcher.alert(fingerprint).filter(|known| !known.is_resolved(now_ms)).map(|known| known.ends_at_ms)
    }

    /// Rises whenever something else may mute alerts than before, for another reason than that time goes on.
    #[must_use]
    pub fn muting_version(&self) -> u64 {
        self.0.muting.version()
    }

    /// When time alone mutes other alerts than at `now_ms`, if it does; in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_muting_change(&self, now_ms: i64) -> Option<i64> {
        self.0.next_muting_change(now_ms)
    }

    /// Writes into each of `alerts` what mutes it now. An alert that nothing mutes stays the shared one that it was.
    pub fn mark(&self, alerts: &mut [Arc<Alert>]) {
        let now_ms = now_ms();
        for chunk in alerts.chunks_mut(CHUNK) {
            let dispatcher = self.0.dispatcher();
            for alert in chunk {
                self.0.mark(&dispatcher, alert, now_ms);
            }
        }
    }

    /// Learns of alerts that are about to come in: what they inhibit is known at once.
    pub fn foresee(&self, posted: &[PostableAlert]) {
        if self.0.dispatcher().foresee(posted, now_ms()) {
            self.0.muting.note();
        }
    }

    /// Waits until something else may mute alerts than before.
    pub async fn muting_changed(&self) {
        let now_ms = now_ms();
        let wait_ms = self.next_muting_change(now_ms).map_or(LONGEST_WAIT_MS, |at_ms| at_ms.saturating_sub(now_ms));
        let wait = Duration::from_millis(u64::try_from(wait_ms.min(LONGEST_WAIT_MS)).unwrap_or_default());
        tokio::select! {
            () = self.0.muting.noted.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Shared {
    /// What mutes an alert: as the Alertmanagers say where there are some, else our own silences and inhibition.
    pub(crate) fn muting_of(
        &self,
        dispatcher: &Dispatcher,
        fingerprint: Fingerprint,
        labels: &Labels,
        now_ms: i64,
    ) -> Muting {
        match &self.link {
            Some(link) => link.muting(fingerprint, labels, now_ms),
            None => {
                let inhibitors = dispatcher.inhibitors(labels, now_ms);
                Muting::of(dispatcher.silences.all(), inhibitors, labels, now_ms)
            }
        }
    }

    /// When time alone mutes other alerts than at `now_ms`, if it does; in milliseconds since the Unix epoch.
    pub(crate) fn next_muting_change(&self, now_ms: i64) -> Option<i64> {
        match &self.link {
            Some(link) => link.next_change(now_ms),
            None => self.dispatcher().next_muting_change(now_ms),
        }
    }

    /// Writes into an alert what mutes it.
    fn mark(&self, dispatcher: &Dispatcher, alert: &mut Arc<Alert>, now_ms: i64) {
        let Ok(fingerprint) = alert.fingerprint.parse::<Fingerprint>() else { return };
        let known = dispatcher.alert(fingerprint).filter(|known| !known.is_resolved(now_ms));
        // A restart of this server is no new firing: what was told of goes on, also while its rule waits again for long enough.
        let begun_ms = known.map(|known| known.starts_at_ms).filter(|begun_ms| match alert.state {
            AlertState::Firing => alert.fired_at.is_some_and(|fired_ms| *begun_ms < fired_ms),
            AlertState::Pending => true,
            AlertState::Inactive => false,
        });
        let muting = self.muting_of(dispatcher, fingerprint, &alert.labels, now_ms);
        let is_of_this_firing = |given: &&Acknowledgement| known.is_some() || Some(given.at) >= alert.began_at();
        let acknowledged = self.acknowledged();
        let given = acknowledged.get(&fingerprint).filter(is_of_this_firing);
        if begun_ms.is_none() && muting.is_empty() && given.is_none() && alert.muted().is_none() {
            return;
        }
        let alert = Arc::make_mut(alert);
        if let Some(begun_ms) = begun_ms {
            alert.state = AlertState::Firing;
            alert.fired_at = Some(begun_ms);
            alert.active_at = alert.active_at.map(|active_ms| active_ms.min(begun_ms));
        }
        alert.silenced_by = muting.silenced_by;
        alert.silenced_until = muting.silenced_until_ms;
        alert.inhibited_by = muting.inhibited_by.iter().map(ToString::to_string).collect();
        alert.acknowledged_by = given.map(|given| given.who.clone());
    }

    /// Ends the acknowledgements of alerts, each given before a time (milliseconds since the Unix epoch): whose, and when they were
    /// given. One that is younger is of the firing that began then: it was given while the news of that were on their way.
    pub(crate) fn end_acknowledgements(&self, of: impl Iterator<Item = (Fingerprint, i64)>) -> Vec<(Fingerprint, i64)> {
        let mut acknowledged = self.acknowledged();
        of.filter_map(|(fingerprint, before_ms)| {
            let given = acknowledged.remove(&fingerprint)?;
            if given.at < before_ms {
                return Some((fingerprint, given.at));
            }
            acknowledged.insert(fingerprint, given);
            None
        })
        .collect()
    }
}
