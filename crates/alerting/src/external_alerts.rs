//! External alerts: daemons raise them on their socket and may report their end, and clients post them as to an
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

/// An alert not reported again within this time is resolved (`resolve_timeout`).
const LASTING_MS: i64 = 5 * 60 * 1000;
/// Maximum number of alerts; further ones are dropped.
const MOST: usize = 10_000;
/// Maximum memory of the alerts, in bytes.
const MOST_BYTES: usize = 32 << 20;
/// Minimum interval between log lines about dropped alerts, in milliseconds.
const LOG_INTERVAL_MS: i64 = 60_000;
/// Interval between checks for timed-out alerts.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Label name and value that distinguish daemons' alerts from those of rules with the same labels.
const SOURCE_LABEL: (&str, &str) = ("source", "daemon");
/// `source` of posted alerts: we do not know which engine evaluates their rules.
const POSTED: &str = "posted";

/// Firing external alerts.
#[derive(Default)]
pub(crate) struct ExternalAlerts(Mutex<All>);

#[derive(Default)]
struct All {
    fires: HashMap<Labels, Fires>,
    /// Memory of the alerts in bytes.
    bytes: usize,
    /// Number of dropped alerts since the last log line, the name of the last one, and the time of that line in
    /// milliseconds since the Unix epoch.
    left_out: u64,
    last_left_out: String,
    logged_ms: i64,
}

impl All {
    /// Counts an alert that was dropped.
    fn leave_out(&mut self, alert: &Alert, at_ms: i64) {
        self.left_out += 1;
        self.last_left_out.clone_from(&alert.name);
        self.log_left_out(at_ms);
    }

    /// Logs the number of dropped alerts, at most once a minute.
    fn log_left_out(&mut self, at_ms: i64) {
        if self.left_out > 0 && at_ms.saturating_sub(self.logged_ms) >= LOG_INTERVAL_MS {
            self.logged_ms = at_ms;
            let count = std::mem::take(&mut self.left_out);
            tracing::warn!(last = self.last_left_out, count, "too many external alerts: dropping some");
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

/// Approximate size of an alert in bytes. Its labels are counted twice because they are also the key; two of its texts
/// are copies of annotations.
fn size(alert: &Alert) -> usize {
    2 * alertmanager::alert::size_of(&alert.labels, &alert.annotations)
}

struct Fires {
    alert: Alert,
    /// Resolves at this time, in milliseconds since the Unix epoch, unless it is reported again.
    until_ms: i64,
}

/// A change of an external alert, and until when the alert fires unless it is reported again.
type Change = (AlertTransition, i64);

impl ExternalAlerts {
    /// Firing alerts, except those that are also in `known`, because an engine both posts them and lists them.
    pub(crate) fn alerts(&self, known: &[Alert]) -> Vec<Alert> {
        let fires = self.0.lock();
        news(&fires.fires, known).cloned().collect()
    }

    /// Records a firing alert. For a known one only texts and expiry change.
    fn fired(&self, mut alert: Alert, until_ms: i64, at_ms: i64) -> Option<Change> {
        alert.state = AlertState::Firing;
        let mut all = self.0.lock();
        if !all.has_room(&alert) {
            all.leave_out(&alert, at_ms);
            // A known alert stays with its old texts.
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

    /// Restores an alert that fired before a restart.
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

    /// Records that an alert is resolved.
    fn resolved(&self, labels: &Labels, at_ms: i64) -> Option<Change> {
        let fires = self.0.lock().remove(labels)?;
        Some(over(fires.alert, at_ms))
    }

    /// Records posted alerts; returns the changes of state.
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

    /// Removes timed-out alerts and returns them as resolved.
    fn forgotten(&self, at_ms: i64) -> Vec<Change> {
        let mut all = self.0.lock();
        all.log_left_out(at_ms);
        let due = all.fires.iter().filter(|(_, fires)| fires.until_ms <= at_ms).map(|(labels, _)| labels.clone());
        let due: Vec<Labels> = due.collect();
        due.iter().filter_map(|labels| all.remove(labels)).map(|fires| over(fires.alert, at_ms)).collect()
    }
}

/// Skips posted alerts that an engine also returns from its API.
fn news<'a>(fires: &'a HashMap<Labels, Fires>, known: &'a [Alert]) -> impl Iterator<Item = &'a Alert> {
    let known: HashSet<&Labels> = known.iter().map(|alert| &alert.labels).collect();
    let alerts = fires.values().map(|fires| &fires.alert);
    alerts.filter(move |alert| alert.source != POSTED || !known.contains(&alert.labels))
}

fn over(alert: Alert, at_ms: i64) -> Change {
    let alert = Alert { state: AlertState::Inactive, resolved_at: Some(at_ms), ..alert };
    (AlertTransition { at: at_ms, from: AlertState::Firing, to: AlertState::Inactive, alert }, at_ms)
}

/// A daemon's alert with labels like those of a rule, and labels that identify the daemon; `None` if it has no name.
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

/// Converts a posted alert.
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

/// The notification for a change.
fn notification((change, until_ms): &Change, external_url: &str) -> Notification {
    let alert = &change.alert;
    let annotations = alert.annotations.iter().map(|(name, text)| (name.as_str().into(), text.clone()));
    Notification {
        labels: labels::Labels::new(alert.labels.clone()),
        annotations: annotations.collect(),
        // NaN means no value: the notifier leaves it out.
        value: alert.value.unwrap_or(f64::NAN),
        starts_at_ms: alert.fired_at.unwrap_or(change.at),
        ends_at_ms: *until_ms,
        is_resolved: change.to == AlertState::Inactive,
        generator_url: format!("{external_url}/alerts"),
    }
}

impl Shared {
    /// Records a daemon's alert.
    fn hear(&self, alert: Alert, fires: bool) -> Option<Change> {
        let (alert, at_ms) = (of_daemon(alert)?, now_ms());
        match fires {
            true => self.reported.fired(alert, at_ms + LASTING_MS, at_ms),
            false => self.reported.resolved(&alert.labels, at_ms),
        }
    }
}

/// Whether an alert is external, rather than of a rule of ours or an engine.
fn is_reported(alert: &Alert) -> bool {
    let (name, value) = SOURCE_LABEL;
    let is_of_daemon = || alert.source == alert.labels.get("daemon").map_or(value, String::as_str);
    alert.source == POSTED || (alert.labels.get(name).is_some_and(|source| source == value) && is_of_daemon())
}

/// Restores external alerts after a restart that the notifier still counts as firing, so that pages show what receivers
/// know.
async fn restore(shared: &Shared) {
    let now_ms = now_ms();
    let standing = match shared.history.last_of_each(now_ms, MAX_ANSWER).await {
        Ok(standing) => standing,
        Err(error) => {
            tracing::warn!(%error, "cannot restore external alerts: they show up when they are posted again");
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

/// Records daemons' alerts, and publishes changes and timeouts until `stop` is cancelled.
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
                    tracing::warn!(lost, "missed events of daemons, maybe alerts");
                    Vec::new()
                }
                // Posted alerts still time out.
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
        // The notifier gets posted alerts from their clients.
        let ours = changes.iter().filter(|(change, _)| change.alert.source != POSTED);
        let notifications: Vec<Notification> =
            ours.map(|change| notification(change, &shared.settings.context.external_url)).collect();
        shared.foresee(&notifications);
        shared.raise(notifications);
        // An alert that still fires is not a change of state.
        shared.publish_changes(
            changes.into_iter().map(|(change, _)| change).filter(|change| change.from != change.to).collect(),
        );
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
        assert!(reported.alerts(&[begun[0].alert.clone()]).is_empty(), "an engine reports it itself");
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
        reported.forgotten(LOG_INTERVAL_MS);
        assert_eq!(reported.0.lock().left_out, 0, "the last ones are logged too");
    }
}
