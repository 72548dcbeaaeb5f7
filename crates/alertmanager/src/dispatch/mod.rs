//! Decides which notifications to send and when: routing, grouping, waits, inhibition, silences, mute times,
//! deduplication.
//!
//! A state machine without clock or I/O, which follows Alertmanager's rules. [`Dispatcher::ingest`] accepts alerts,
//! [`Dispatcher::tick`] returns the notifications that are due, [`Dispatcher::next_wake`] says when to call it again.
//! The log counts a returned notification as sent: the caller retries it until it is delivered, or calls
//! [`Dispatcher::take_back`] when it gives up.

mod group;
mod log;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde::Serialize;

pub use self::log::{LogChange, LogEntry, LogKey, Reason};
use self::{
    group::{Group, GroupId},
    log::NotificationLog,
};
use crate::{
    alert::{Alert, Labels, PostableAlert, WrongAlert},
    config::{Config, Kind, Route},
    inhibit::Inhibitor,
    silence::Silences,
};
use labels::Fingerprint;

/// Maximum number of alerts.
pub const MAX_ALERTS: usize = 200_000;
/// Maximum memory of the alerts, in bytes.
const MAX_BYTES: usize = 64 << 20;
/// How long a foreseen alert counts if it is never ingested.
const FORESEEN_MS: i64 = 30_000;

/// One notification of a group for one integration.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The receiver's name.
    pub receiver: String,
    /// Index in the receiver's integrations.
    pub integration: usize,
    /// Kind of the integration.
    pub kind: Kind,
    /// The group key, in Alertmanager's format.
    pub group_key: String,
    /// The labels that identify the group.
    pub group_labels: Labels,
    /// Labels of the route, as templates by name.
    pub route_labels: Labels,
    /// All alerts of the group, muted ones too: the templates of the route's labels see them. Empty if the route has no
    /// labels.
    pub group_alerts: Arc<[(Arc<Alert>, bool)]>,
    /// Why it is sent.
    pub reason: Reason,
    /// Its change of the log; `None` for a test notification.
    pub log: Option<LogChange>,
    /// The alerts to send, ordered by labels, each with whether it is resolved.
    pub alerts: Vec<(Arc<Alert>, bool)>,
}

impl Notification {
    /// The first notification of a route's group with these alerts, for the receiver's first integration.
    #[must_use]
    pub fn first(route: &Route, group_labels: Labels, alerts: Vec<(Arc<Alert>, bool)>) -> Self {
        let group_alerts = if route.labels.is_empty() { Arc::default() } else { alerts.as_slice().into() };
        Notification {
            receiver: route.receiver.clone(),
            integration: 0,
            kind: Kind::Webhook,
            group_key: group::key(route, &group_labels),
            group_labels,
            route_labels: route.label_templates(),
            group_alerts,
            reason: Reason::First,
            log: None,
            alerts,
        }
    }
}

/// Changes to store in one transaction, so that a crash neither loses nor repeats a notification.
#[derive(Debug, Default)]
pub struct Tick {
    /// Notifications to send.
    pub notifications: Vec<Notification>,
    /// New entries of the log.
    pub logged: Vec<(LogKey, LogEntry)>,
    /// Resolved alerts that need no further notification and are dropped.
    pub forgotten: Vec<Arc<Alert>>,
}

/// Result of [`Dispatcher::ingest`].
#[derive(Debug, Default)]
pub struct Ingested {
    /// New alerts, and alerts that changed in more than their end time: to be stored.
    pub changed: Vec<Arc<Alert>>,
    /// Those of `changed` that started to fire.
    pub fired: Vec<Arc<Alert>>,
    /// Those of `changed` that resolved.
    pub resolved: Vec<Arc<Alert>>,
    /// Rejected alerts, with the reason.
    pub refused: Vec<(PostableAlert, WrongAlert)>,
    /// Alerts beyond the limits.
    pub dropped: Vec<PostableAlert>,
    /// Whether the set of inhibiting alerts changed.
    pub is_inhibition_other: bool,
}

/// The state of an alert in Alertmanager's API, and why it is suppressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `active`, or `suppressed` if it is silenced or inhibited.
    pub state: &'static str,
    /// IDs of the silences that match it.
    #[serde(rename = "silencedBy")]
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibit it.
    #[serde(rename = "inhibitedBy")]
    pub inhibited_by: Vec<Fingerprint>,
    /// Receivers that are notified of it, regardless of time intervals.
    #[serde(skip)]
    pub receivers: Vec<String>,
    /// Time intervals that mute it on one of its routes.
    #[serde(rename = "mutedBy")]
    pub muted_by: Vec<String>,
}

/// The state machine; see the module.
#[derive(Debug)]
pub struct Dispatcher {
    config: Arc<Config>,
    alerts: HashMap<Fingerprint, Arc<Alert>>,
    /// Restored alerts whose stored end time has passed and that nobody has posted since.
    unconfirmed: HashSet<Fingerprint>,
    /// Memory of the alerts, in bytes.
    bytes: usize,
    groups: BTreeMap<GroupId, Group>,
    log: NotificationLog,
    inhibitor: Inhibitor,
    /// Alerts that are about to be ingested, oldest first, each with the time until which it counts.
    foreseen: VecDeque<(i64, Alert)>,
    /// Silences.
    pub silences: Silences,
}

impl Dispatcher {
    /// A dispatcher without alerts.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        let inhibitor = Inhibitor::new(config.inhibit_rules.clone());
        Dispatcher {
            config,
            alerts: HashMap::new(),
            unconfirmed: HashSet::new(),
            bytes: 0,
            groups: BTreeMap::new(),
            log: NotificationLog::default(),
            inhibitor,
            foreseen: VecDeque::new(),
            silences: Silences::default(),
        }
    }

    /// The current configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Restores the notification log after a restart.
    pub fn restore_log(&mut self, entries: impl IntoIterator<Item = (LogKey, LogEntry)>) {
        for (key, entry) in entries {
            self.log.put(key, entry);
        }
    }

    /// Undoes the log entry of a notification that was given up. The next flush of the group sends its firing alerts
    /// again. Its resolved alerts are already dropped, so that nobody is notified of those.
    pub fn take_back(&mut self, change: &LogChange) {
        self.log.take_back(change);
    }

    /// Restores alerts after a restart. Alerts that were firing have until `grace_until_ms` to be posted again: a
    /// stored alert may have an old end time, because an alert is not stored again when only its end moves. Until then
    /// such an alert sends no new notification and no repeat, because it may have resolved.
    pub fn restore_alerts(&mut self, alerts: impl IntoIterator<Item = Alert>, now_ms: i64, grace_until_ms: i64) {
        for mut alert in alerts {
            if !alert.is_resolved(alert.updated_at_ms) {
                if alert.is_resolved(now_ms) {
                    self.unconfirmed.insert(alert.fingerprint);
                }
                alert.ends_at_ms = alert.ends_at_ms.max(grace_until_ms);
            }
            self.insert(Arc::new(alert), now_ms);
        }
    }

    /// Replaces the configuration. The notification log stays.
    pub fn reload(&mut self, config: Arc<Config>, now_ms: i64) {
        self.inhibitor = Inhibitor::new(config.inhibit_rules.clone());
        self.config = config;
        let before = std::mem::take(&mut self.groups);
        let alerts: Vec<_> = self.alerts.values().cloned().collect();
        for alert in alerts {
            self.insert(alert, now_ms);
        }
        // A group that was flushed before waits for its interval, not for `group_wait` again.
        for group in self.groups.values_mut() {
            if before.values().any(|old| old.key == group.key && old.was_flushed) {
                group.was_flushed = true;
            }
        }
    }

    /// Accepts posted alerts.
    pub fn ingest(&mut self, posted: impl IntoIterator<Item = PostableAlert>, now_ms: i64) -> Ingested {
        let mut ingested = Ingested::default();
        for posted in posted {
            let alert = match Alert::from_posted(posted.clone(), now_ms, self.config.resolve_timeout_ms) {
                Ok(alert) => alert,
                Err(error) => {
                    ingested.refused.push((posted, error));
                    continue;
                }
            };
            let known = self.alerts.get(&alert.fingerprint);
            if known.is_none() && alert.is_resolved(now_ms) {
                // Resolved before we knew it: nobody was notified that it fired.
                continue;
            }
            let grown = alert.size().saturating_sub(known.map_or(0, |known| known.size()));
            let has_room = self.bytes.saturating_add(grown) <= MAX_BYTES;
            let is_end = known.is_some() && alert.is_resolved(now_ms);
            if known.is_none() && self.alerts.len() >= MAX_ALERTS || grown > 0 && !has_room && !is_end {
                ingested.dropped.push(posted);
                continue;
            }
            let alert = Arc::new(known.map_or_else(|| alert.clone(), |known| known.merged(alert.clone())));
            let is_news = known.is_none_or(|known| {
                known.annotations != alert.annotations
                    || known.starts_at_ms != alert.starts_at_ms
                    || known.is_resolved(now_ms) != alert.is_resolved(now_ms)
            });
            let fired_before = known.is_some_and(|known| !known.is_resolved(now_ms));
            match (fired_before, !alert.is_resolved(now_ms)) {
                (false, true) => ingested.fired.push(Arc::clone(&alert)),
                (true, false) => ingested.resolved.push(Arc::clone(&alert)),
                _ => {}
            }
            if is_news {
                ingested.changed.push(Arc::clone(&alert));
            }
            self.unconfirmed.remove(&alert.fingerprint);
            ingested.is_inhibition_other |= self.insert(alert, now_ms);
        }
        ingested
    }

    /// Announces alerts that are about to be ingested, so that a flush before that already knows what they inhibit. An
    /// alert that is never ingested inhibits for at most [`FORESEEN_MS`]. Returns whether the set of inhibiting alerts
    /// changed.
    pub fn foresee(&mut self, posted: &[PostableAlert], now_ms: i64) -> bool {
        if self.inhibitor.is_idle() {
            return false;
        }
        self.forget_foreseen(now_ms);
        let mut is_inhibition_other = false;
        for posted in posted {
            let Ok(mut alert) = Alert::from_posted(posted.clone(), now_ms, self.config.resolve_timeout_ms) else {
                continue;
            };
            if !self.alerts.contains_key(&alert.fingerprint) {
                // A resolved alert that is not known will not be ingested.
                if alert.is_resolved(now_ms) || self.foreseen.len() >= MAX_ALERTS {
                    continue;
                }
                let until_ms = now_ms.saturating_add(FORESEEN_MS);
                alert.ends_at_ms = alert.ends_at_ms.min(until_ms);
                self.foreseen.push_back((until_ms, alert.clone()));
            }
            is_inhibition_other |= self.inhibitor.note(&alert, now_ms);
        }
        is_inhibition_other
    }

    /// Drops foreseen alerts that were not ingested in time.
    fn forget_foreseen(&mut self, now_ms: i64) {
        while self.foreseen.front().is_some_and(|(until_ms, _)| *until_ms <= now_ms) {
            let Some((_, alert)) = self.foreseen.pop_front() else { return };
            if !self.alerts.contains_key(&alert.fingerprint) {
                self.inhibitor.forget(&alert);
            }
        }
    }

    /// Inserts an alert into its groups. Returns whether the set of inhibiting alerts changed.
    fn insert(&mut self, alert: Arc<Alert>, now_ms: i64) -> bool {
        let is_inhibition_other = self.inhibitor.note(&alert, now_ms);
        for id in self.config.routes_of(&alert.labels) {
            let Some(route) = self.config.routes.get(id) else { continue };
            let labels = route.group_by.of(&alert.labels);
            let group =
                self.groups.entry((id, labels)).or_insert_with_key(|(_, labels)| Group::new(route, labels, now_ms));
            group.alerts.insert(alert.fingerprint);
            // An alert that started long ago, for example before a restart, has already waited long enough.
            if !group.was_flushed && alert.starts_at_ms.saturating_add(route.group_wait_ms) < now_ms {
                group.next_flush_ms = now_ms;
            }
        }
        self.bytes = self.bytes.saturating_add(alert.size());
        let before = self.alerts.insert(alert.fingerprint, alert);
        self.bytes = self.bytes.saturating_sub(before.map_or(0, |before| before.size()));
        is_inhibition_other
    }

    /// When to call [`Dispatcher::tick`] next if no alerts come before; `None` if nothing is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<i64> {
        self.groups.values().map(|group| group.next_flush_ms).min()
    }

    /// Returns what is due at `now_ms`.
    pub fn tick(&mut self, now_ms: i64) -> Tick {
        let mut tick = Tick::default();
        let due: Vec<GroupId> =
            self.groups.iter().filter(|(_, group)| group.next_flush_ms <= now_ms).map(|(id, _)| id.clone()).collect();
        for id in due {
            self.flush(&id, now_ms, &mut tick);
        }
        self.log.drop_expired(now_ms);
        self.forget_foreseen(now_ms);
        tick
    }

    /// Adds the notifications of one group.
    fn flush(&mut self, id: &GroupId, now_ms: i64, tick: &mut Tick) {
        let config = Arc::clone(&self.config);
        let Some((route, group)) = config.routes.get(id.0).zip(self.groups.get_mut(id)) else { return };
        group.was_flushed = true;
        group.next_flush_ms = now_ms.saturating_add(route.group_interval_ms);
        let mut alerts: Vec<(Arc<Alert>, bool)> = group
            .alerts
            .iter()
            .filter_map(|fingerprint| self.alerts.get(fingerprint))
            .map(|alert| (Arc::clone(alert), alert.is_resolved(now_ms)))
            .collect();
        alerts.sort_by(|(one, _), (other, _)| one.labels.cmp(&other.labels));
        let resolved: Vec<Fingerprint> =
            alerts.iter().filter(|(_, is_resolved)| *is_resolved).map(|(alert, _)| alert.fingerprint).collect();
        if config.muted_by(route, now_ms).is_empty() {
            let mut first = Notification::first(route, id.1.clone(), alerts);
            first.alerts.retain(|(alert, _)| {
                self.inhibitor.inhibitors(&alert.labels, now_ms).is_empty()
                    && self.silences.silencing(&alert.labels, now_ms).is_empty()
            });
            self.notify(route, &first, now_ms, tick);
        }
        self.forget(id, &resolved, tick);
    }

    /// Adds a notification like `first` for each integration of the route's receiver that needs one.
    fn notify(&mut self, route: &Route, first: &Notification, now_ms: i64, tick: &mut Tick) {
        let Notification { group_key, alerts, .. } = first;
        if alerts.is_empty() {
            return;
        }
        let Some(receiver) = self.config.receivers.get(&route.receiver) else { return };
        let mut firing = alerts.iter().filter(|(_, is_resolved)| !is_resolved).peekable();
        let is_unsure =
            firing.peek().is_some() && firing.all(|(alert, _)| self.unconfirmed.contains(&alert.fingerprint));
        for (place, integration) in receiver.integrations.iter().enumerate() {
            let key = LogKey {
                group: format!("{}#{}", group_key, route.id),
                receiver: receiver.name.clone(),
                kind: integration.kind(),
                integration: place,
            };
            let now = LogEntry::of(alerts, now_ms, route.repeat_interval_ms);
            let last = self.log.get(&key);
            let reason = now.reason(last, integration.sends_resolved(), now_ms, route.repeat_interval_ms);
            let Some(reason) = reason else { continue };
            if is_unsure && matches!(reason, Reason::First | Reason::Repeat) {
                continue;
            }
            let has_firing = !now.firing.is_empty();
            let log = LogChange { key: key.clone(), at_ms: now_ms, before: last.cloned() };
            self.log.put(key.clone(), now.clone());
            tick.logged.push((key, now));
            if !integration.sends_resolved() && !has_firing {
                continue;
            }
            let alerts = alerts
                .iter()
                .filter(|(_, is_resolved)| integration.sends_resolved() || !is_resolved)
                .cloned()
                .collect();
            tick.notifications.push(Notification {
                integration: place,
                kind: integration.kind(),
                reason,
                log: Some(log),
                alerts,
                ..first.clone()
            });
        }
    }

    /// Drops alerts from a group once their resolution was notified, and alerts that are in no group.
    fn forget(&mut self, id: &GroupId, resolved: &[Fingerprint], tick: &mut Tick) {
        if let Some(group) = self.groups.get_mut(id) {
            for fingerprint in resolved {
                group.alerts.remove(fingerprint);
            }
            if group.alerts.is_empty() {
                self.groups.remove(id);
            }
        }
        for fingerprint in resolved {
            let Some(alert) = self.alerts.get(fingerprint).map(Arc::clone) else { continue };
            let is_kept = self.config.routes_of(&alert.labels).into_iter().any(|route| {
                let labels = self.config.routes.get(route).map(|route| route.group_by.of(&alert.labels));
                labels
                    .and_then(|labels| self.groups.get(&(route, labels)))
                    .is_some_and(|group| group.alerts.contains(fingerprint))
            });
            if !is_kept {
                self.inhibitor.forget(&alert);
                self.unconfirmed.remove(fingerprint);
                let gone = self.alerts.remove(fingerprint);
                self.bytes = self.bytes.saturating_sub(gone.map_or(0, |gone| gone.size()));
                tick.forgotten.push(alert);
            }
        }
    }

    /// The alert with this fingerprint.
    #[must_use]
    pub fn alert(&self, fingerprint: Fingerprint) -> Option<&Arc<Alert>> {
        self.alerts.get(&fingerprint)
    }

    /// Firing alerts, ordered by labels.
    #[must_use]
    pub fn firing(&self, now_ms: i64) -> Vec<Arc<Alert>> {
        let mut alerts: Vec<_> = self.alerts.values().filter(|alert| !alert.is_resolved(now_ms)).cloned().collect();
        alerts.sort_by(|one, other| one.labels.cmp(&other.labels));
        alerts
    }

    /// The next time at which muting changes by itself: a silence starts or ends, or an inhibiting alert ends.
    #[must_use]
    pub fn next_muting_change(&self, now_ms: i64) -> Option<i64> {
        let ends = [self.silences.next_change(now_ms), self.inhibitor.next_end(now_ms)];
        ends.into_iter().flatten().min()
    }

    /// Fingerprints of the alerts that inhibit one with these labels, sorted.
    #[must_use]
    pub fn inhibitors(&self, labels: &Labels, now_ms: i64) -> Vec<Fingerprint> {
        let mut inhibitors: Vec<_> = self.inhibitor.inhibitors(labels, now_ms).into_iter().collect();
        inhibitors.sort_unstable();
        inhibitors
    }

    /// The receivers of an alert with these labels, and what mutes it.
    #[must_use]
    pub fn status(&self, labels: &Labels, now_ms: i64) -> Status {
        let silenced_by = self.silences.silencing(labels, now_ms);
        let inhibited_by = self.inhibitors(labels, now_ms);
        let routes = || self.config.routes_of(labels).into_iter().filter_map(|id| self.config.routes.get(id));
        let is_quiet = !silenced_by.is_empty() || !inhibited_by.is_empty();
        Status {
            state: if is_quiet { "suppressed" } else { "active" },
            silenced_by,
            inhibited_by,
            receivers: routes().map(|route| route.receiver.clone()).collect(),
            muted_by: routes().flat_map(|route| self.config.muted_by(route, now_ms)).collect(),
        }
    }
}
