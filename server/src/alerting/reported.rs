//! Alerts that daemons raise themselves: they tell of each on their socket, and may tell of its end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{
    frame::Labels,
    live::{Alert, AlertState, AlertTransition, Event},
};
use notify::alert::Fingerprint;
use rules::Notification;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::clock::now_ms;

/// An alert of which nobody said that it is over counts as over after so long, as an Alertmanager's `resolve_timeout` has it.
const LASTING_MS: i64 = 5 * 60 * 1000;
/// Most alerts at a time: beyond them new ones are left out.
const MOST: usize = 10_000;
/// How often it is looked for alerts that are over.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The label by which these alerts differ from those of rules that say the same, and its value.
const SOURCE_LABEL: (&str, &str) = ("source", "daemon");

/// The alerts that fire by what daemons said.
#[derive(Default)]
pub(super) struct Reported(Mutex<HashMap<Labels, Fires>>);

struct Fires {
    alert: Alert,
    /// Until when, in milliseconds since the Unix epoch, if nothing more is heard.
    until_ms: i64,
}

/// A change of a reported alert, and until when the alert may be taken to fire.
type Change = (AlertTransition, i64);

impl Reported {
    /// The alerts that fire.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|fires| fires.alert.clone()).collect()
    }

    /// How many of the alerts fulfil a condition.
    pub(super) fn count(&self, is_wanted: impl Fn(&Alert) -> bool) -> usize {
        let fires = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fires.values().filter(|fires| is_wanted(&fires.alert)).count()
    }

    /// Takes in that an alert fires. One that goes on changes nothing but its texts and until when it lasts.
    fn fired(&self, alert: Alert, at_ms: i64) -> Option<Change> {
        let mut alert = named(alert)?;
        let until_ms = at_ms + LASTING_MS;
        alert.state = AlertState::Firing;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(&alert.labels);
        if before.is_none() && all.len() >= MOST {
            tracing::warn!(alert = alert.name, "daemons raise more than {MOST} alerts: this one is left out");
            return None;
        }
        let since_ms = before.and_then(|before| before.alert.fired_at).or(alert.active_at).unwrap_or(at_ms);
        (alert.active_at, alert.fired_at) = (Some(since_ms), Some(since_ms));
        let from = before.map_or(AlertState::Inactive, |before| before.alert.state);
        all.insert(alert.labels.clone(), Fires { alert: alert.clone(), until_ms });
        Some((AlertTransition { at: at_ms, from, to: AlertState::Firing, alert }, until_ms))
    }

    /// Takes in that an alert is over.
    fn resolved(&self, alert: Alert, at_ms: i64) -> Option<Change> {
        let labels = named(alert)?.labels;
        let fires = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&labels)?;
        Some(over(fires.alert, at_ms))
    }

    /// The alerts of which nothing was heard for too long, which are over by that.
    fn forgotten(&self, at_ms: i64) -> Vec<Change> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extract_if(|_, fires| fires.until_ms <= at_ms).map(|(_, fires)| over(fires.alert, at_ms)).collect()
    }
}

fn over(alert: Alert, at_ms: i64) -> Change {
    let alert = Alert { state: AlertState::Inactive, resolved_at: Some(at_ms), ..alert };
    (AlertTransition { at: at_ms, from: AlertState::Firing, to: AlertState::Inactive, alert }, at_ms)
}

/// The alert with the labels that a rule's would have, and those that tell whose it is; `None` if it has no name.
fn named(mut alert: Alert) -> Option<Alert> {
    if alert.name.is_empty() {
        return None;
    }
    alert.labels.insert("alertname".to_owned(), alert.name.clone());
    if alert.severity.is_empty() {
        alert.severity = alert.labels.get("severity").cloned().unwrap_or_default();
    } else {
        alert.labels.insert("severity".to_owned(), alert.severity.clone());
    }
    let (name, value) = SOURCE_LABEL;
    alert.labels.insert(name.to_owned(), value.to_owned());
    for (name, text) in [("summary", &alert.summary), ("description", &alert.description)] {
        if !text.is_empty() {
            alert.annotations.insert(name.to_owned(), text.clone());
        }
    }
    alert.source = alert.labels.get("daemon").cloned().unwrap_or_else(|| value.to_owned());
    alert.fingerprint = Fingerprint::of(&alert.labels).to_string();
    Some(alert)
}

/// What the notifier is told of a change.
fn notification((change, until_ms): &Change, external_url: &str) -> Notification {
    let alert = &change.alert;
    let annotations = alert.annotations.iter().map(|(name, text)| (name.as_str().into(), text.clone()));
    Notification {
        labels: promql::labels::Labels::new(alert.labels.clone()),
        annotations: annotations.collect(),
        // No number is told as what it is: the notifier leaves it out.
        value: alert.value.unwrap_or(f64::NAN),
        starts_at_ms: alert.fired_at.unwrap_or(change.at),
        ends_at_ms: *until_ms,
        is_resolved: change.to == AlertState::Inactive,
        generator_url: format!("{external_url}/alerts"),
    }
}

/// Takes in what daemons say of alerts, and tells of it, until `stop` is cancelled.
pub(super) async fn follow(shared: Arc<Shared>, mut events: broadcast::Receiver<Event>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        let changes = tokio::select! {
            event = events.recv() => match event {
                Ok(Event::AlertFired(alert)) => shared.reported.fired(*alert, now_ms()).into_iter().collect(),
                Ok(Event::AlertResolved(alert)) => shared.reported.resolved(*alert, now_ms()).into_iter().collect(),
                Ok(_) => Vec::new(),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "events of daemons came too fast: alerts may be among those that were missed");
                    Vec::new()
                }
                Err(broadcast::error::RecvError::Closed) => return,
            },
            _ = looks.tick() => shared.reported.forgotten(now_ms()),
            () = stop.cancelled() => return,
        };
        if changes.is_empty() {
            continue;
        }
        let notifications: Vec<Notification> =
            changes.iter().map(|change| notification(change, &shared.settings.around.external_url)).collect();
        // Nobody may be listening.
        let _ = shared.notifications.send(notifications.into());
        // What goes on is no change of state.
        shared.tell(changes.into_iter().map(|(change, _)| change).filter(|change| change.from != change.to).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(severity: &str) -> Alert {
        Alert {
            name: "LargeJobQueue".to_owned(),
            severity: severity.to_owned(),
            labels: Labels::from([("daemon".to_owned(), "dc1".to_owned())]),
            summary: "120 jobs wait".to_owned(),
            ..Alert::default()
        }
    }

    #[test]
    fn one_fires_once_goes_on_and_is_over_when_that_is_said() {
        let reported = Reported::default();
        let (first, until_ms) = reported.fired(alert("warning"), 1_000).unwrap();
        assert_eq!((first.from, first.to, until_ms), (AlertState::Inactive, AlertState::Firing, 301_000));
        assert_eq!(first.alert.labels.len(), 4, "{:?}", first.alert.labels);
        assert_eq!((first.alert.source.as_str(), first.alert.labels["source"].as_str()), ("dc1", "daemon"));
        let (again, until_ms) = reported.fired(alert("warning"), 2_000).unwrap();
        assert_eq!((again.from, again.alert.fired_at, until_ms), (AlertState::Firing, Some(1_000), 302_000));
        assert!(reported.fired(alert("critical"), 2_000).is_some(), "another severity is another alert");
        assert_eq!(reported.count(|_| true), 2);
        let (end, _) = reported.resolved(alert("warning"), 3_000).unwrap();
        assert_eq!((end.to, end.alert.resolved_at), (AlertState::Inactive, Some(3_000)));
        assert!(reported.resolved(alert("warning"), 3_000).is_none());
        assert!(reported.fired(Alert::default(), 1).is_none(), "it needs a name");
    }

    #[test]
    fn one_of_which_nothing_more_is_heard_is_over_after_a_while() {
        let reported = Reported::default();
        reported.fired(alert("warning"), 1_000).unwrap();
        assert!(reported.forgotten(300_999).is_empty());
        let over = reported.forgotten(301_000);
        assert_eq!(over.len(), 1);
        assert!(notification(&over[0], "http://h").is_resolved);
        assert!(reported.alerts().is_empty());
    }
}
