//! Accepts alerts and decides what to send: the task around [`alertmanager::dispatch::Dispatcher`].

use std::{sync::Arc, time::Duration};

use alertmanager::{
    alert::{Alert, PostableAlert},
    config::Kind,
    dispatch::{Dispatcher, Notification, Tick},
};
use model::clock::now_ms;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Batch, POST_QUEUE, Shared,
    alert_image::{self, StoredMessage},
    outbox::{Entry, NewDelivery, State},
    webhook as hooks,
};

/// Maximum sleep, because time intervals start and end meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Delay after a database error.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// Maximum time between an alert's appearance on the page and its arrival here.
const ON_THE_WAY_MS: i64 = 30_000;
/// Maximum number of alerts to store for one delivery.
const MAX_LISTED: usize = 10_000;

/// Runs until `stop` is cancelled.
pub(crate) async fn run(shared: Arc<Shared>, mut posts: mpsc::Receiver<Batch>, stop: CancellationToken) {
    let mut batches = Vec::new();
    loop {
        let wake = [shared.dispatcher().next_wake(), shared.quiet().next_look()].into_iter().flatten().min();
        let wait = wake.map_or(LONGEST_SLEEP, |wake| {
            Duration::from_millis(u64::try_from(wake.saturating_sub(now_ms())).unwrap_or(0)).min(LONGEST_SLEEP)
        });
        let entry = tokio::select! {
            // Batches that arrived during the last write are written together.
            count = posts.recv_many(&mut batches, POST_QUEUE) => match count {
                0 => return,
                _ => shared.take_in(batches.iter_mut().flat_map(|batch| std::mem::take(&mut batch.alerts)).collect()),
            },
            () = shared.muting.noted_for_dispatch() => shared.decide(),
            () = tokio::time::sleep(wait) => shared.decide(),
            () = stop.cancelled() => return,
        };
        if !shared.save(&entry, &stop).await {
            return;
        }
        for kept in batches.drain(..).filter_map(|batch| batch.kept) {
            // The caller may have timed out.
            let _ = kept.send(());
        }
    }
}

impl Shared {
    /// Ingests alerts; returns what to store.
    pub(crate) fn take_in(&self, posted: Vec<PostableAlert>) -> Entry {
        let now_ms = now_ms();
        if let Some(alertmanagers) = &self.alertmanagers {
            alertmanagers.post(&posted, now_ms);
        }
        let mut dispatcher = self.dispatcher();
        let ingested = dispatcher.ingest(posted, now_ms);
        for (posted, error) in &ingested.refused {
            self.refusals.add(&posted.labels, &error.to_string(), now_ms);
        }
        for posted in &ingested.dropped {
            self.refusals.add(&posted.labels, "too many alerts are active at a time", now_ms);
        }
        // An acknowledgement is valid for one firing of an alert.
        let begun = ingested.fired.iter().map(|alert| (alert.fingerprint, alert.starts_at_ms));
        let ended = ingested.resolved.iter().map(|alert| (alert.fingerprint, alert.ends_at_ms));
        let unacknowledged = self.end_acknowledgements(begun.chain(ended));
        let mut entry = Entry { unacknowledged, ..Entry::default() };
        if ingested.is_inhibition_other || !entry.unacknowledged.is_empty() {
            self.muting.note();
        }
        let (mut notified, mut quiet) = (self.notified(), self.quiet());
        for alert in &ingested.fired {
            // Short-form webhooks skip muted alerts too.
            if !self.knows_muting() || self.is_muted(&dispatcher, alert, now_ms) {
                quiet.add(alert.fingerprint);
            } else if notified.insert(alert.fingerprint) {
                quiet.remove(alert.fingerprint);
                entry.deliveries.extend(hooks::deliveries(self, &hooks::of_alert(alert, true, now_ms)));
            }
        }
        for alert in &ingested.resolved {
            quiet.remove(alert.fingerprint);
            if notified.remove(&alert.fingerprint) {
                entry.deliveries.extend(hooks::deliveries(self, &hooks::of_alert(alert, false, now_ms)));
            }
        }
        entry.alerts =
            ingested.changed.iter().map(|alert| (Alert::clone(alert), notified.contains(&alert.fingerprint))).collect();
        entry
    }

    /// Collects the notifications that are due.
    fn decide(&self) -> Entry {
        let now_ms = now_ms();
        let Tick { notifications, logged, forgotten } = self.dispatcher().tick(now_ms);
        let composer = Arc::clone(&self.loaded().composer);
        let config = self.config();
        let mut entry = Entry { logged, ..Entry::default() };
        for notification in &notifications {
            let integration = config
                .receivers
                .get(&notification.receiver)
                .and_then(|receiver| receiver.integrations.get(notification.integration));
            let body = match integration {
                Some(integration) => {
                    let rendered = composer.compose(integration, notification, now_ms);
                    for problem in &rendered.problems {
                        tracing::warn!(receiver = notification.receiver, problem, "a template failed");
                    }
                    let of = if takes_picture(notification.kind) {
                        alert_image::subject(notification, now_ms)
                    } else {
                        None
                    };
                    crate::body_of(&StoredMessage { outgoing: rendered.outgoing, of }, &notification.receiver)
                }
                None => crate::unbuilt(&notification.receiver, "the configuration has no such integration any more"),
            };
            entry.deliveries.push(delivery(notification, body));
        }
        let (mut notified, mut quiet) = (self.notified(), self.quiet());
        for alert in forgotten {
            quiet.remove(alert.fingerprint);
            // It ended by itself: nobody posted its resolution.
            if notified.remove(&alert.fingerprint) {
                entry.deliveries.extend(hooks::deliveries(self, &hooks::of_alert(&alert, false, now_ms)));
            }
            let before_ms = alert.ends_at_ms.max(now_ms.saturating_sub(ON_THE_WAY_MS));
            entry.unacknowledged.extend(self.end_acknowledgements([(alert.fingerprint, before_ms)].into_iter()));
            entry.forgotten.push(alert.fingerprint);
        }
        drop((notified, quiet));
        self.notify_unmuted(&mut entry, now_ms);
        entry
    }

    /// Notifies webhooks of alerts that are no longer muted and that they were not notified of.
    fn notify_unmuted(&self, entry: &mut Entry, now_ms: i64) {
        let due = self.quiet().due(self.muting.version(), now_ms);
        if due.is_empty() {
            return;
        }
        let knows_muting = self.knows_muting();
        for fingerprint in due {
            // Locks once per alert, so that other tasks get the lock in between.
            let dispatcher = self.dispatcher();
            let Some(alert) = dispatcher.alert(fingerprint) else { continue };
            // An alert from before the restart may have resolved; the evaluating engine will post it again soon.
            let is_on = !alert.is_resolved(now_ms) && alert.updated_at_ms >= self.started_ms;
            if !knows_muting || !is_on || self.is_muted(&dispatcher, alert, now_ms) {
                continue;
            }
            self.quiet().remove(fingerprint);
            if self.notified().insert(fingerprint) {
                entry.deliveries.extend(hooks::deliveries(self, &hooks::of_alert(alert, true, now_ms)));
                entry.alerts.push((Alert::clone(alert), true));
            }
        }
        let next_ms = if knows_muting { self.next_muting_change(now_ms) } else { Some(now_ms) };
        self.quiet().look_again(next_ms, now_ms);
    }

    /// Whether an alert is muted, by us or by an Alertmanager.
    fn is_muted(&self, dispatcher: &Dispatcher, alert: &Alert, now_ms: i64) -> bool {
        !self.muting_of(dispatcher, alert.fingerprint, &alert.labels, now_ms).is_empty()
    }

    /// Whether the muting of alerts is known. If Alertmanagers decide it, they may not have answered yet.
    fn knows_muting(&self) -> bool {
        self.alertmanagers.as_ref().is_none_or(|alertmanagers| alertmanagers.knows_muting())
    }

    /// Stores an entry, with retries, and wakes the delivery worker; false if the server stops first.
    pub(crate) async fn save(&self, entry: &Entry, stop: &CancellationToken) -> bool {
        if entry.is_empty() {
            return true;
        }
        let given_up = loop {
            match self.outbox.save(entry, now_ms()).await {
                Ok(given_up) => break given_up,
                Err(error) => tracing::error!(%error, "cannot store notifications, will retry"),
            }
            tokio::select! {
                () = tokio::time::sleep(DATABASE_PAUSE) => {}
                () = stop.cancelled() => return false,
            }
        };
        for given_up in given_up {
            self.count(&State::Dead);
            self.note_given_up(given_up);
        }
        if !entry.deliveries.is_empty() {
            self.worker_wake.notify_one();
        }
        true
    }
}

/// Whether receivers of this kind can show an image.
fn takes_picture(kind: Kind) -> bool {
    matches!(kind, Kind::Email | Kind::Discord | Kind::Slack)
}

fn delivery(notification: &Notification, body: Result<String, String>) -> NewDelivery {
    let Notification { receiver, integration, kind, group_key, alerts, log, .. } = notification;
    let firing = alerts.iter().filter(|(_, is_resolved)| !is_resolved).count();
    let resolved = alerts.len() - firing;
    let names: std::collections::BTreeSet<&str> = alerts.iter().map(|(alert, _)| alert.name()).collect();
    let names: Vec<&str> = names.into_iter().take(3).collect();
    NewDelivery {
        id: crate::new_id(),
        receiver: receiver.clone(),
        kind: kind.name().to_owned(),
        place: *integration,
        lane: format!("{kind}/{receiver}/{integration}/{group_key}"),
        subject: format!("{firing} firing, {resolved} resolved: {}", names.join(", ")),
        body,
        alerts: alerts.iter().take(MAX_LISTED).map(|(alert, _)| alert.fingerprint).collect(),
        log: log.clone(),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use telemetry::Telemetry;

    use crate::{Notifier, Options};

    #[tokio::test]
    async fn a_restart_ends_no_acknowledgement_of_what_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let pool = database::open(directory.path()).await.unwrap();
        let (notifier, _) =
            Notifier::open(pool.clone(), Options::default(), &[], "http://localhost", Telemetry::default(), None)
                .await
                .unwrap();
        // Stored half an hour ago with an end four minutes later, and posted since without changes.
        let begun_ms = now_ms() - 30 * 60_000;
        let labels = [("alertname".to_owned(), "A".to_owned())].into();
        let fires = PostableAlert { labels, starts_at_ms: Some(begun_ms), ..PostableAlert::default() };
        let alert = Alert::from_posted(fires.clone(), begun_ms, 4 * 60_000).unwrap();
        notifier.0.take_in(vec![fires.clone()]);
        notifier
            .0
            .outbox
            .save(&Entry { alerts: vec![(alert.clone(), true)], ..Entry::default() }, begun_ms)
            .await
            .unwrap();
        notifier.acknowledge(alert.fingerprint, "ops", "").await.unwrap();

        let (restarted, _) =
            Notifier::open(pool, Options::default(), &[], "http://localhost", Telemetry::default(), None)
                .await
                .unwrap();
        let entry = restarted.0.decide();
        assert!(entry.forgotten.is_empty() && entry.unacknowledged.is_empty(), "{entry:?}");
        let entry = restarted.0.take_in(vec![fires]);
        assert!(entry.alerts.is_empty() && entry.unacknowledged.is_empty(), "it goes on: {entry:?}");
        assert!(restarted.acknowledgement(alert.fingerprint).is_some());
    }
}
