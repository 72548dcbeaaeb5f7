//! What mutes the alerts of a list: silences, inhibition and acknowledgements, our own or those of the Alertmanagers.
//!
//! Pages and live clients show it with each alert. [`Notifier::muting_changed`] wakes the publisher when it may have
//! changed: a silence starts or ends, somebody acknowledges, an inhibiting alert fires or resolves.
//! [`Notifier::muting_version`] says whether a list that was annotated before is still up to date.

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

/// Maximum wait before muting is checked again, because somebody may set the machine's clock.
pub const LONGEST_WAIT_MS: i64 = 60_000;
/// Alerts to annotate per lock. Between two chunks the dispatch loop can get the lock.
const CHUNK: usize = 64;

/// Signals that muting changed: wakes waiting tasks, and counts changes for tasks that check later.
#[derive(Debug, Default)]
pub(crate) struct MutingChanges {
    version: AtomicU64,
    noted: Notify,
    /// The same as `noted`, for the dispatch loop.
    dispatch: Notify,
}

impl MutingChanges {
    /// Signals a change. Call it after the change is made.
    pub(crate) fn note(&self) {
        self.version.fetch_add(1, Ordering::Release);
        self.noted.notify_one();
        self.dispatch.notify_one();
    }

    /// Number of changes.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Waits for a change. Only the dispatch loop calls this.
    pub(crate) async fn noted_for_dispatch(&self) {
        self.dispatch.notified().await;
    }
}

/// What mutes an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Muting {
    /// IDs of silences.
    pub silenced_by: Vec<String>,
    /// When the last of the silences ends.
    pub silenced_until_ms: Option<i64>,
    /// Fingerprints of inhibiting alerts.
    pub inhibited_by: Vec<Fingerprint>,
}

impl Muting {
    /// Those of `silences` that mute an alert with these labels, and the given inhibiting alerts.
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
    /// Annotates past alerts with those of our silences that muted them at `at_ms`.
    pub fn mark_silenced_at(&self, alerts: &mut [Alert], at_ms: i64) {
        let dispatcher = self.0.dispatcher();
        for alert in alerts {
            let Muting { silenced_by, silenced_until_ms, .. } =
                Muting::of(dispatcher.silences.all(), Vec::new(), &alert.labels, at_ms);
            alert.silenced_by = silenced_by;
            alert.silenced_until = silenced_until_ms;
        }
    }

    /// Until when an alert fires from the receivers' point of view, in milliseconds since the Unix epoch; `None` if it
    /// does not fire. An alert that nobody posts again still fires for some minutes.
    #[must_use]
    pub fn fires_until(&self, fingerprint: &str, now_ms: i64) -> Option<i64> {
        let fingerprint = fingerprint.parse::<Fingerprint>().ok()?;
        let dispatcher = self.0.dispatcher();
        dispatcher.alert(fingerprint).filter(|known| !known.is_resolved(now_ms)).map(|known| known.ends_at_ms)
    }

    /// Increases whenever muting may have changed for another reason than the passing of time.
    #[must_use]
    pub fn muting_version(&self) -> u64 {
        self.0.muting.version()
    }

    /// The next time after `now_ms` at which muting changes by itself, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_muting_change(&self, now_ms: i64) -> Option<i64> {
        self.0.next_muting_change(now_ms)
    }

    /// Annotates each of `alerts` with what mutes it now. An alert that is not muted is not cloned.
    pub fn mark(&self, alerts: &mut [Arc<Alert>]) {
        let now_ms = now_ms();
        for chunk in alerts.chunks_mut(CHUNK) {
            let dispatcher = self.0.dispatcher();
            for alert in chunk {
                self.0.mark(&dispatcher, alert, now_ms);
            }
        }
    }

    /// Announces alerts that are about to be posted, so that what they inhibit is known at once.
    pub fn foresee(&self, posted: &[PostableAlert]) {
        if self.0.dispatcher().foresee(posted, now_ms()) {
            self.0.muting.note();
        }
    }

    /// Waits until muting may have changed.
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
    /// What mutes an alert: according to the Alertmanagers if there are any, otherwise by our silences and inhibition.
    pub(crate) fn muting_of(
        &self,
        dispatcher: &Dispatcher,
        fingerprint: Fingerprint,
        labels: &Labels,
        now_ms: i64,
    ) -> Muting {
        match &self.alertmanagers {
            Some(alertmanagers) => alertmanagers.muting(fingerprint, labels, now_ms),
            None => {
                let inhibitors = dispatcher.inhibitors(labels, now_ms);
                Muting::of(dispatcher.silences.all(), inhibitors, labels, now_ms)
            }
        }
    }

    /// The next time after `now_ms` at which muting changes by itself, in milliseconds since the Unix epoch.
    pub(crate) fn next_muting_change(&self, now_ms: i64) -> Option<i64> {
        match &self.alertmanagers {
            Some(alertmanagers) => alertmanagers.next_change(now_ms),
            None => self.dispatcher().next_muting_change(now_ms),
        }
    }

    /// Annotates an alert with what mutes it.
    fn mark(&self, dispatcher: &Dispatcher, alert: &mut Arc<Alert>, now_ms: i64) {
        let Ok(fingerprint) = alert.fingerprint.parse::<Fingerprint>() else { return };
        let known = dispatcher.alert(fingerprint).filter(|known| !known.is_resolved(now_ms));
        // A restart of this server is not a new firing: an alert that was notified still fires while its rule waits for
        // `for` again.
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

    /// Ends the acknowledgements of these alerts that were made before the given time (milliseconds since the Unix
    /// epoch); returns alert and time of each. A later one belongs to the firing that started then: somebody made it
    /// before we ingested that firing.
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
