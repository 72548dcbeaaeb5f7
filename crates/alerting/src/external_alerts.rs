//! Alerts that others raise: daemons, which tell of each on their socket and may tell of its end, and whoever posts alerts as to an
//! Alertmanager.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use alertmanager::alert::PostableAlert;
use labels::Fingerprint;
use model::{
    clock::now_ms,
    frame::Labels,
    live::{Alert, AlertState, AlertTransition, Event},
};
use parking_lot::Mutex;
use rules::Notification;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{Shared, history::MAX_ANSWER};

/// An alert of which nobody said that it is over counts as over after so long, as an Alertmanager's `resolve_timeout` has it.
const LASTING_MS: i64 = 5 * 60 * 1000;
/// Most alerts at a time: beyond them new ones are left out.
const MOST: usize = 10_000;
/// Most bytes that they take.
const MOST_BYTES: usize = 32 << 20;
/// How often it is written that alerts are left out, in milliseconds.
const TOLD_AGAIN_MS: i64 = 60_000;
/// How often it is looked for alerts that are over.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The label by which the alerts of daemons differ from those of rules that say the same, and its value.
const SOURCE_LABEL: (&str, &str) = ("source", "daemon");
/// Who evaluates the rules of alerts that were posted: somebody.
const POSTED: &str = "posted";

/// The alerts that fire by what others said.
#[derive(Default)]
pub(crate) struct ExternalAlerts(Mutex<All>);

#[derive(Default)]
struct All {
    fires: HashMap<Labels, Fires>,
    /// What they take.
    bytes: usize,
    /// How many were left out since that was last written, the name of the last one, and when it was written, in milliseconds since the
    /// Unix epoch.
    left_out: u64,
    last_left_out: String,
    told_ms: i64,
}

impl All {
    /// Notes that there was no room for an alert.
    fn leave_out(&mut self, alert: &Alert, at_ms: i64) {
        self.left_out += 1;
        self.last_left_out.clone_from(&alert.name);
        self.tell(at_ms);
    }

    /// Writes how many were left out, at most once a minute: many may come.
    fn tell(&mut self, at_ms: i64) {
        if self.left_out > 0 && at_ms.saturating_sub(self.told_ms) >= TOLD_AGAIN_MS {
            self.told_ms = at_ms;
            let count = std::mem::take(&mut self.left_out);
            tracing::warn!(
                last = self.last_left_out,
                count,
                "others raise more alerts than are kept: some are not shown"
            );
        }
    }

    fn has_room(&self, alert: &Alert) -> bool {
        let before = self.fires.get(&alert.labels);
        let grown = size(alert).saturating_sub(before.map_or(0, |before| size(&before.alert)));
        (before.is_some() || self.fires.len() < MOST) && (grown == 0 || self.bytes.saturating_add(grown) <= MOST_BYTES)
    }

    fn insert(&mut self, fires: Fires) {
        self.bytes = self.bytes.saturating_add(size(&fires.alert));
        if let Some(before) = self.fires.insert(fires.alert.labels.clone(), fires) {
            self.bytes = self.bytes.saturating_sub(size(&before.alert));
        }
    }

    fn remove(&mut self, labels: &Labels) -> Option<Fires> {
        let gone = self.fires.remove(labels)?;
        self.bytes = self.bytes.saturating_sub(size(&gone.alert));
        Some(gone)
    }
}

/// About how many bytes an alert takes: its labels name it as well, and two of its texts are annotations too.
fn size(alert: &Alert) -> usize {
    2 * alertmanager::alert::size_of(&alert.labels, &alert.annotations)
}

struct Fires {
    alert: Alert,
    /// Until when, in milliseconds since the Unix epoch, if nothing more is heard.
    until_ms: i64,
}

/// A change of a reported alert, and until when the alert may be taken to fire.
type Change = (AlertTransition, i64);

impl ExternalAlerts {
    /// The alerts that fire, without those that are posted by one of whom `known` are.
    pub(crate) fn alerts(&self, known: &[Alert]) -> Vec<Alert> {
        let fires = self.0.lock();
        news(&fires.fires, known).cloned().collect()
    }

    /// Takes in that an alert fires. One that goes on changes nothing but its texts and until when it lasts.
    fn fired(&self, mut alert: Alert, until_ms: i64, at_ms: i64) -> Option<Change> {
        alert.state = AlertState::Firing;
        let mut all = self.0.lock();
        if !all.has_room(&alert) {
            all.leave_out(&alert, at_ms);
            // One that is known goes on with the texts that it had.
            let known = all.fires.get_mut(&alert.labels)?;
            known.until_ms = until_ms;
            return None;
        }
        let before = all.fires.get(&alert.labels);
        let since_ms = before.and_then(|before| before.alert.fired_at).or(alert.active_at).unwrap_or(at_ms);
        (alert.active_at, alert.fired_at) = (Some(since_ms), Some(since_ms));
        let from = before.map_or(AlertState::Inactive, |before| before.alert.state);
        all.insert(Fires { alert: alert.clone(), until_ms });
        Some((AlertTransition { at: at_ms, from, to: AlertState::Firing, alert }, until_ms))
    }

    /// Takes in an alert that fired before a restart and goes on.
    fn restore(&self, alert: Alert, until_ms: i64, at_ms: i64) {
        let mut all = self.0.lock();
        if all.fires.contains_key(&alert.labels) {
            return;
        }
        if all.has_room(&alert) {
            all.insert(Fires { alert, until_ms });
        } else {
            all.leave_out(&alert, at_ms);
        }
    }

    /// Takes in that an alert is over.
    fn resolved(&self, labels: &Labels, at_ms: i64) -> Option<Change> {
        let fires = self.0.lock().remove(labels)?;
        Some(over(fires.alert, at_ms))
    }

    /// Takes in what was posted; the changes of states.
    pub(crate) fn post(&self, posted: &[PostableAlert], at_ms: i64) -> Vec<AlertTransition> {
        let one = |posted: &PostableAlert| {
            let alert = of_posted(posted);
            match posted.ends_at_ms {
                Some(end_ms) if end_ms <= at_ms => self.resolved(&alert.labels, at_ms),
                end_ms => self.fired(alert, end_ms.unwrap_or(at_ms + LASTING_MS), at_ms),
            }
        };
        posted.iter().filter_map(one).map(|(change, _)| change).filter(|change| change.from != change.to).collect()
    }

    /// The alerts of which nothing was heard for too long, which are over by that.
    fn forgotten(&self, at_ms: i64) -> Vec<Change> {
        let mut all = self.0.lock();
        all.tell(at_ms);
        let due = all.fires.iter().filter(|(_, fires)| fires.until_ms <= at_ms).map(|(labels, _)| labels.clone());
        let due: Vec<Labels> = due.collect();
        due.iter().filter_map(|labels| all.remove(labels)).map(|fires| over(fires.alert, at_ms)).collect()
    }
}

/// The alerts that are not told of already by an engine that both posts them and is asked for them.
fn news<'a>(fires: &'a HashMap<Labels, Fires>, known: &'a [Alert]) -> impl Iterator<Item = &'a Alert> {
    let known: HashSet<&Labels> = known.iter().map(|alert| &alert.labels).collect();
    let alerts = fires.values().map(|fires| &fires.alert);
    alerts.filter(move |alert| alert.source != POSTED || !known.contains(&alert.labels))
}

fn over(alert: Alert, at_ms: i64) -> Change {
    let alert = Alert { state: AlertState::Inactive, resolved_at: Some(at_ms), ..alert };
    (AlertTransition { at: at_ms, from: AlertState::Firing, to: AlertState::Inactive, alert }, at_ms)
}

/// A daemon's alert with the labels that a rule's would have, and those that tell whose it is; `None` if it has no name.
fn of_daemon(mut alert: Alert) -> Option<Alert> {
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

/// An alert as it was posted.
fn of_posted(posted: &PostableAlert) -> Alert {
    let mut labels = posted.labels.clone();
    labels.retain(|_, value| !value.is_empty());
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let annotation = |name: &str| posted.annotations.get(name).cloned();
    Alert {
        name: label("alertname"),
        severity: label("severity"),
        summary: annotation("summary").unwrap_or_default(),
        description: annotation("description").unwrap_or_default(),
        value: posted.value,
        active_at: posted.starts_at_ms,
        runbook: annotation("runbook_url").or_else(|| annotation("runbook")),
        annotations: posted.annotations.clone(),
        source: POSTED.to_owned(),
        fingerprint: Fingerprint::of(&labels).to_string(),
        labels,
        ..Alert::default()
    }
}

/// What the notifier is told of a change.
fn notification((change, until_ms): &Change, external_url: &str) -> Notification {
    let alert = &change.alert;
    let annotations = alert.annotations.iter().map(|(name, text)| (name.as_str().into(), text.clone()));
    Notification {
        labels: labels::Labels::new(alert.labels.clone()),
        annotations: annotations.collect(),
        // No number is told as what it is: the notifier leaves it out.
        value: alert.value.unwrap_or(f64::NAN),
        starts_at_ms: alert.fired_at.unwrap_or(change.at),
        ends_at_ms: *until_ms,
        is_resolved: change.to == AlertState::Inactive,
        generator_url: format!("{external_url}/alerts"),
    }
}

impl Shared {
    /// Takes in what a daemon says of an alert.
    fn hear(&self, alert: Alert, fires: bool) -> Option<Change> {
        let (alert, at_ms) = (of_daemon(alert)?, now_ms());
        match fires {
            true => self.reported.fired(alert, at_ms + LASTING_MS, at_ms),
            false => self.reported.resolved(&alert.labels, at_ms),
        }
    }
}

/// Whether an alert was raised by others, here and not by an engine.
fn is_reported(alert: &Alert) -> bool {
    let (name, value) = SOURCE_LABEL;
    let is_of_daemon = || alert.source == alert.labels.get("daemon").map_or(value, String::as_str);
    alert.source == POSTED || (alert.labels.get(name).is_some_and(|source| source == value) && is_of_daemon())
}

/// Takes in again what others raised before a restart, as far as the notifier goes on with it: what receivers count as firing is shown so.
async fn restore(shared: &Shared) {
    let now_ms = now_ms();
    let standing = match shared.history.last_of_each(now_ms, MAX_ANSWER).await {
        Ok(standing) => standing,
        Err(error) => {
            tracing::warn!(%error, "alerts that others raised before the start could not be looked for: they show when they are posted again");
            return;
        }
    };
    let fired = standing.into_iter().filter(|change| change.to == AlertState::Firing && is_reported(&change.alert));
    for AlertTransition { alert, .. } in fired {
        if let Some(until_ms) = shared.notifier.fires_until(&alert.fingerprint, now_ms) {
            shared.reported.restore(Alert { state: AlertState::Firing, ..alert }, until_ms, now_ms);
        }
    }
    shared.latest.is_outdated();
    shared.publish_list();
}

/// Takes in what daemons say of alerts, and tells of it and of what is over, until `stop` is cancelled.
pub(crate) async fn follow(shared: Arc<Shared>, mut events: broadcast::Receiver<Event>, stop: CancellationToken) {
    restore(&shared).await;
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    let mut has_daemons = true;
    loop {
        let changes: Vec<Change> = tokio::select! {
            event = events.recv(), if has_daemons => match event {
                Ok(Event::AlertFired(alert)) => shared.hear(*alert, true).into_iter().collect(),
                Ok(Event::AlertResolved(alert)) => shared.hear(*alert, false).into_iter().collect(),
                Ok(_) => Vec::new(),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "events of daemons came too fast: alerts may be among those that were missed");
                    Vec::new()
                }
                // What is posted ends all the same.
                Err(broadcast::error::RecvError::Closed) => {
                    has_daemons = false;
                    Vec::new()
                }
            },
            _ = looks.tick() => shared.reported.forgotten(now_ms()),
            () = stop.cancelled() => return,
        };
        if changes.is_empty() {
            continue;
        }
        shared.latest.is_outdated();
        // Who posts alerts posts them to the notifier too.
        let ours = changes.iter().filter(|(change, _)| change.alert.source != POSTED);
        let notifications: Vec<Notification> =
            ours.map(|change| notification(change, &shared.settings.around.external_url)).collect();
        shared.foresee(&notifications);
        shared.raise(notifications);
        // What goes on is no change of state.
        shared.tell(changes.into_iter().map(|(change, _)| change).filter(|change| change.from != change.to).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(severity: &str) -> Alert {
        let alert = Alert {
            name: "LargeJobQueue".to_owned(),
            severity: severity.to_owned(),
            labels: Labels::from([("daemon".to_owned(), "dc1".to_owned())]),
            summary: "120 jobs wait".to_owned(),
            ..Alert::default()
        };
        of_daemon(alert).unwrap()
    }

    #[test]
    fn one_fires_once_goes_on_and_is_over_when_that_is_said() {
        let reported = ExternalAlerts::default();
        let (first, until_ms) = reported.fired(alert("warning"), 301_000, 1_000).unwrap();
        assert_eq!((first.from, first.to, until_ms), (AlertState::Inactive, AlertState::Firing, 301_000));
        assert_eq!(first.alert.labels.len(), 4, "{:?}", first.alert.labels);
        assert_eq!((first.alert.source.as_str(), first.alert.labels["source"].as_str()), ("dc1", "daemon"));
        let (again, _) = reported.fired(alert("warning"), 302_000, 2_000).unwrap();
        assert_eq!((again.from, again.alert.fired_at), (AlertState::Firing, Some(1_000)));
        assert!(reported.fired(alert("critical"), 302_000, 2_000).is_some(), "another severity is another alert");
        assert_eq!(reported.alerts(&[]).len(), 2);
        let (end, _) = reported.resolved(&alert("warning").labels, 3_000).unwrap();
        assert_eq!((end.to, end.alert.resolved_at), (AlertState::Inactive, Some(3_000)));
        assert!(reported.resolved(&alert("warning").labels, 3_000).is_none());
        assert!(of_daemon(Alert::default()).is_none(), "it needs a name");
    }

    #[test]
    fn one_of_which_nothing_more_is_heard_is_over_after_a_while() {
        let reported = ExternalAlerts::default();
        reported.fired(alert("warning"), 301_000, 1_000).unwrap();
        assert!(reported.forgotten(300_999).is_empty());
        let over = reported.forgotten(301_000);
        assert_eq!(over.len(), 1);
        assert!(notification(&over[0], "http://h").is_resolved);
        assert!(reported.alerts(&[]).is_empty());
    }

    #[test]
    fn what_is_posted_fires_until_it_is_posted_as_over() {
        let reported = ExternalAlerts::default();
        let labels = Labels::from([("alertname".to_owned(), "A".to_owned()), ("b".to_owned(), String::new())]);
        let posted = PostableAlert { labels, starts_at_ms: Some(500), ..PostableAlert::default() };
        let begun = reported.post(std::slice::from_ref(&posted), 1_000);
        assert_eq!((begun.len(), begun[0].alert.fired_at, begun[0].alert.labels.len()), (1, Some(500), 1));
        assert!(reported.post(std::slice::from_ref(&posted), 2_000).is_empty(), "it goes on");
        assert_eq!(reported.alerts(&[]).len(), 1);
        assert!(reported.alerts(&[begun[0].alert.clone()]).is_empty(), "an engine tells of it itself");
        let over = reported.post(&[PostableAlert { ends_at_ms: Some(3_000), ..posted }], 3_000);
        assert_eq!(over[0].to, AlertState::Inactive);
    }

    #[test]
    fn alerts_have_room_by_number_and_by_bytes_and_give_it_back() {
        let posted = |number: usize, bytes: usize| {
            of_posted(&PostableAlert {
                labels: Labels::from([("alertname".to_owned(), format!("a{number}"))]),
                annotations: Labels::from([("summary".to_owned(), "x".repeat(bytes))]),
                starts_at_ms: None,
                ends_at_ms: None,
                generator_url: String::new(),
                value: None,
            })
        };
        let reported = ExternalAlerts::default();
        let taken = (0..2_000).filter(|number| reported.fired(posted(*number, 30_000), 9, 0).is_some()).count();
        assert!((400..600).contains(&taken), "{taken}");
        assert!(reported.fired(posted(0, 30_000), 9, 1).is_some(), "one that goes on");
        assert_eq!(reported.forgotten(9).len(), taken);
        assert_eq!(reported.0.lock().bytes, 0);
        assert_eq!((0..=MOST).filter(|number| reported.fired(posted(*number, 1), 9, 0).is_some()).count(), MOST);
        assert!(reported.0.lock().left_out > 0);
        reported.forgotten(TOLD_AGAIN_MS);
        assert_eq!(reported.0.lock().left_out, 0, "the last ones are told too");
    }
}
