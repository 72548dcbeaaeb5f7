//! What mutes the alerts of a list: silences, inhibition and acknowledgements, ours or those of the Alertmanagers.
//!
//! Pages and live clients are told with each alert. [`Notifier::muting_changed`] wakes whoever tells them when that may be
//! another one: a silence begins or ends, somebody acknowledges, an alert that inhibits others fires or is over.

use std::time::Duration;

use model::live::{Alert, AlertState};
use notify::{
    alert::{Fingerprint, Labels, Posted},
    silence::Silence,
};

use super::{Notifier, Shared, silences::Acknowledgement};
use crate::clock::now_ms;

/// Longest wait before it is looked again: the machine's clock may be set.
const LONGEST_WAIT_MS: i64 = 60_000;

/// What mutes an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Muting {
    /// Ids of silences.
    pub(super) silenced_by: Vec<String>,
    /// When the last of them ends.
    pub(super) silenced_until_ms: Option<i64>,
    /// Alerts that inhibit it.
    pub(super) inhibited_by: Vec<Fingerprint>,
}

impl Muting {
    /// What of `silences` mutes an alert with these labels, and that these alerts inhibit it.
    pub(super) fn of<'a>(
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

    pub(super) fn is_empty(&self) -> bool {
        self.silenced_by.is_empty() && self.inhibited_by.is_empty()
    }
}

impl Notifier {
    /// Whether any alert may be muted now.
    #[must_use]
    pub fn may_mute(&self) -> bool {
        if self.0.link.is_some() || !self.0.acknowledged().is_empty() {
            return true;
        }
        let dispatcher = self.0.dispatcher();
        dispatcher.inhibits() || dispatcher.silences.next_change(now_ms()).is_some()
    }

    /// Writes into each of `alerts` what mutes it now.
    pub fn mark(&self, alerts: &mut [Alert]) {
        if alerts.is_empty() {
            return;
        }
        let now_ms = now_ms();
        let dispatcher = self.0.dispatcher();
        let acknowledged = self.0.acknowledged();
        for alert in alerts {
            let Ok(fingerprint) = alert.fingerprint.parse::<Fingerprint>() else { continue };
            let known = dispatcher.alert(fingerprint).filter(|known| !known.is_resolved(now_ms));
            // A restart of this server is no new firing: what was told of goes on.
            let begun_ms = known.map(|known| known.starts_at_ms).filter(|_| alert.state == AlertState::Firing);
            if let (Some(begun_ms), Some(fired_ms)) = (begun_ms, alert.fired_at)
                && begun_ms < fired_ms
            {
                alert.fired_at = Some(begun_ms);
                alert.active_at = alert.active_at.map(|active_ms| active_ms.min(begun_ms));
            }
            let muting = match &self.0.link {
                Some(link) => link.muting(fingerprint, &alert.labels, now_ms),
                None => {
                    let inhibitors = dispatcher.inhibitors(&alert.labels, now_ms);
                    Muting::of(dispatcher.silences.all(), inhibitors, &alert.labels, now_ms)
                }
            };
            alert.silenced_by = muting.silenced_by;
            alert.silenced_until = muting.silenced_until_ms;
            alert.inhibited_by = muting.inhibited_by.iter().map(ToString::to_string).collect();
            let is_of_this_firing = |given: &&Acknowledgement| known.is_some() || Some(given.at) >= alert.began_at();
            let given = acknowledged.get(&fingerprint).filter(is_of_this_firing);
            alert.acknowledged_by = given.map(|given| given.who.clone());
        }
    }

    /// Learns of alerts that are about to come in: what they inhibit is known at once.
    pub fn foresee(&self, posted: &[Posted]) {
        self.0.dispatcher().foresee(posted, now_ms());
    }

    /// Waits until something else may mute alerts than before.
    pub async fn muting_changed(&self) {
        let now_ms = now_ms();
        let silences = match &self.0.link {
            Some(link) => link.next_change(now_ms),
            None => self.0.dispatcher().silences.next_change(now_ms),
        };
        let wait_ms = silences.map_or(LONGEST_WAIT_MS, |at_ms| at_ms.saturating_sub(now_ms).clamp(0, LONGEST_WAIT_MS));
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default());
        tokio::select! {
            () = self.0.muting_changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Shared {
    /// Takes back what was acknowledged of alerts that were over since; their fingerprints.
    pub(super) fn drop_acknowledgements(&self, of: impl Iterator<Item = Fingerprint>) -> Vec<Fingerprint> {
        let mut acknowledged = self.acknowledged();
        of.filter(|fingerprint| acknowledged.remove(fingerprint).is_some()).collect()
    }
}
