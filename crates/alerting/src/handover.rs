//! Passes alerts to the notifier: announces them first, then sends them.

use alertmanager::alert::PostableAlert;
use rules::Notification;

use crate::Shared;

impl Shared {
    /// Announces notifications to the notifier, so that it knows what they inhibit before it sends any of them.
    pub(crate) fn foresee(&self, notifications: &[Notification]) {
        if !notifications.is_empty() {
            let posted: Vec<PostableAlert> = notifications.iter().map(posted).collect();
            self.notifier.foresee(&posted);
        }
    }

    /// Sends alerts to the notifier.
    pub(crate) fn raise(&self, notifications: Vec<Notification>) {
        if !notifications.is_empty() {
            // There may be no receiver.
            let _ = self.notifications.send(notifications.into());
        }
    }
}

/// An alert in the notifier's format.
#[must_use]
pub fn posted(raised: &Notification) -> PostableAlert {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    PostableAlert {
        labels: raised.labels.iter().map(owned).collect(),
        annotations: raised.annotations.iter().map(|(name, value)| owned((name, value))).collect(),
        starts_at_ms: Some(raised.starts_at_ms),
        ends_at_ms: Some(raised.ends_at_ms),
        generator_url: raised.generator_url.clone(),
        value: raised.value.is_finite().then_some(raised.value),
    }
}
