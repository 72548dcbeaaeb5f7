//! What mutes alerts, as sockets and pages are told: silences, inhibition and acknowledgements that the notifier knows.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::Ordering,
};

use model::live::Alert;
use notify::alert::Posted;
use rules::Notification;
use tokio_util::sync::CancellationToken;

use super::{Alerting, Shared};

impl Shared {
    /// Writes into each alert what mutes it now.
    pub(super) fn mark(&self, alerts: &mut [Alert]) {
        if let Some(notifier) = self.notifier.get() {
            notifier.mark(alerts);
        }
    }

    /// Lets the notifier know what it will be handed: whoever is told of an alert has to be told what inhibits it.
    pub(super) fn foresee(&self, notifications: &[Notification]) {
        if let Some(notifier) = self.notifier.get().filter(|_| !notifications.is_empty()) {
            let posted: Vec<Posted> = notifications.iter().map(posted).collect();
            notifier.foresee(&posted);
        }
    }

    /// Tells those who follow the alerts the whole list.
    pub(super) fn publish_list(&self) {
        if let Some(hub) = self.hub.get() {
            hub.publish_alerts();
        }
    }
}

/// An alert as the notifier takes it.
#[must_use]
pub fn posted(raised: &Notification) -> Posted {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Posted {
        labels: raised.labels.iter().map(owned).collect(),
        annotations: raised.annotations.iter().map(|(name, value)| owned((name, value))).collect(),
        starts_at_ms: Some(raised.starts_at_ms),
        ends_at_ms: Some(raised.ends_at_ms),
        generator_url: raised.generator_url.clone(),
        value: raised.value.is_finite().then_some(raised.value),
    }
}

/// Tells whoever follows the alerts when other ones are muted than before, until `stop` is cancelled.
pub(super) async fn follow(alerting: Alerting, stop: CancellationToken) {
    let shared = &alerting.0;
    let Some(notifier) = shared.notifier.get() else { return };
    loop {
        tokio::select! {
            () = notifier.muting_changed() => {}
            () = stop.cancelled() => return,
        }
        let now = digest(&alerting.list().alerts);
        if shared.muted.swap(now, Ordering::Relaxed) != now {
            shared.publish_list();
        }
    }
}

/// A number for what mutes which firings: another one where that is other.
fn digest(alerts: &[Alert]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for alert in alerts {
        let firing = (alert.state.rank(), alert.firing_key());
        let muting = (&alert.silenced_by, alert.silenced_until, &alert.inhibited_by, &alert.acknowledged_by);
        (firing, muting).hash(&mut hasher);
    }
    hasher.finish()
}
