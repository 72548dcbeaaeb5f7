//! Decides whom to tell of what, and when: routing, grouping, waits, inhibition, silences, mute times, de-duplication.
//!
//! A state machine without clock or I/O. [`Dispatcher::ingest`] takes alerts in, [`Dispatcher::tick`] says what is to be sent now,
//! [`Dispatcher::next_wake`] when to ask again. The rules are Alertmanager's. What is handed out counts as told: whoever
//! calls keeps it until it is delivered, or says by [`Dispatcher::take_back`] that it never will be.

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

/// Most alerts that are known at a time.
pub const MAX_ALERTS: usize = 200_000;
/// Most bytes that they take.
const MAX_BYTES: usize = 64 << 20;
/// For how long an alert that was foreseen counts, if it is not taken in.
const FORESEEN_MS: i64 = 30_000;

/// Where a group must be told of.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The receiver's name.
    pub receiver: String,
    /// Which of its means, by place.
    pub integration: usize,
    /// Of which kind.
    pub kind: Kind,
    /// The group, as Alertmanager names it.
    pub group_key: String,
    /// What the alerts of the group have in common by construction.
    pub group_labels: Labels,
    /// Labels of the route, each with its template.
    pub route_labels: Labels,
    /// All alerts of the group, also those that are muted: the labels of the route are made of them. Empty where it has none.
    pub group_alerts: Arc<[(Arc<Alert>, bool)]>,
    /// Why it is sent.
    pub reason: Reason,
    /// What it changed in the log; `None` for one that is made up.
    pub log: Option<LogChange>,
    /// In order of their labels, each with whether it is over.
    pub alerts: Vec<(Arc<Alert>, bool)>,
}

impl Notification {
    /// The first one of a route's group, which has these alerts, to the first means of its receiver.
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

/// What is to be kept at once, so that after a crash nothing is lost and nothing told twice.
#[derive(Debug, Default)]
pub struct Tick {
    /// What is to be sent.
    pub notifications: Vec<Notification>,
    /// What counts as told from now on.
    pub logged: Vec<(LogKey, LogEntry)>,
    /// Alerts that are over, and of which nobody has to be told any more.
    pub forgotten: Vec<Arc<Alert>>,
}

/// What became of alerts that were taken in.
#[derive(Debug, Default)]
pub struct Ingested {
    /// New, or other than before in more than their end: to be kept.
    pub changed: Vec<Arc<Alert>>,
    /// Those of them that fire and did not.
    pub fired: Vec<Arc<Alert>>,
    /// Those of them that are over and were not.
    pub resolved: Vec<Arc<Alert>>,
    /// Those that could not be taken, and why.
    pub refused: Vec<(PostableAlert, WrongAlert)>,
    /// Those that there was no room for.
    pub dropped: Vec<PostableAlert>,
    /// Whether other alerts inhibit than before.
    pub is_inhibition_other: bool,
}

/// Why an alert is quiet, if it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `active`, or `suppressed` if it is silenced or inhibited.
    pub state: &'static str,
    /// Silences that take it.
    #[serde(rename = "silencedBy")]
    pub silenced_by: Vec<String>,
    /// Alerts that keep it quiet.
    #[serde(rename = "inhibitedBy")]
    pub inhibited_by: Vec<Fingerprint>,
    /// Receivers that are told of it, leaving aside those muted for the time of the day.
    #[serde(skip)]
    pub receivers: Vec<String>,
    /// Named times that keep it quiet at one of them.
    #[serde(rename = "mutedBy")]
    pub muted_by: Vec<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Dispatcher {
    config: Arc<Config>,
    alerts: HashMap<Fingerprint, Arc<Alert>>,
    /// Alerts of before a restart whose end as it was kept is past, and of which nobody has spoken since.
    unconfirmed: HashSet<Fingerprint>,
    /// What the alerts take.
    bytes: usize,
    groups: BTreeMap<GroupId, Group>,
    log: NotificationLog,
    inhibitor: Inhibitor,
    /// Alerts that were about to be taken in, in order, and until when they count if they never are.
    foreseen: VecDeque<(i64, Alert)>,
    /// The silences that hold.
    pub silences: Silences,
}

impl Dispatcher {
    /// One that knows nothing yet.
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

    /// The configuration that holds.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Remembers what was told before a restart.
    pub fn restore_log(&mut self, entries: impl IntoIterator<Item = (LogKey, LogEntry)>) {
        for (key, entry) in entries {
            self.log.put(key, entry);
        }
    }

    /// Notes that a notification was given up, which changed the log so: its group is told of again at its next interval, as far as it
    /// fires then. Alerts that were over are forgotten, and nobody is told of them again.
    pub fn take_back(&mut self, change: &LogChange) {
        self.log.take_back(change);
    }

    /// Takes in what was known before a restart. Those that fired when they were kept have until `grace_until_ms` to be told of again:
    /// an alert is not kept again when nothing but its end is put off, so that its end may be long past. Until then nobody is told that such
    /// a one fires, who was not told already or was told long ago: it may be over.
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

    /// Goes over to another configuration. What was told stays told.
    pub fn reload(&mut self, config: Arc<Config>, now_ms: i64) {
        self.inhibitor = Inhibitor::new(config.inhibit_rules.clone());
        self.config = config;
        let before = std::mem::take(&mut self.groups);
        let alerts: Vec<_> = self.alerts.values().cloned().collect();
        for alert in alerts {
            self.insert(alert, now_ms);
        }
        // A group that was told of waits for its interval, not for a new one.
        for group in self.groups.values_mut() {
            if before.values().any(|old| old.key == group.key && old.was_flushed) {
                group.was_flushed = true;
            }
        }
    }

    /// Takes alerts in.
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
                // Nobody was told that it began.
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

    /// Learns of alerts that are about to be taken in, so that what they inhibit is known when somebody is told of them. One that is
    /// not taken in after all inhibits nothing for longer than [`FORESEEN_MS`]. Whether other alerts inhibit than before.
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
                // One that is over and was never known is not taken in.
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

    /// Forgets the alerts that were foreseen long ago and not taken in.
    fn forget_foreseen(&mut self, now_ms: i64) {
        while self.foreseen.front().is_some_and(|(until_ms, _)| *until_ms <= now_ms) {
            let Some((_, alert)) = self.foreseen.pop_front() else { return };
            if !self.alerts.contains_key(&alert.fingerprint) {
                self.inhibitor.forget(&alert);
            }
        }
    }

    /// Whether other alerts inhibit than before.
    fn insert(&mut self, alert: Arc<Alert>, now_ms: i64) -> bool {
        let is_inhibition_other = self.inhibitor.note(&alert, now_ms);
        for id in self.config.routes_of(&alert.labels) {
            let Some(route) = self.config.routes.get(id) else { continue };
            let labels = route.group_by.of(&alert.labels);
            let group =
                self.groups.entry((id, labels)).or_insert_with_key(|(_, labels)| Group::new(route, labels, now_ms));
            group.alerts.insert(alert.fingerprint);
            // An alert that began long ago, as after a restart, has waited enough.
            if !group.was_flushed && alert.starts_at_ms.saturating_add(route.group_wait_ms) < now_ms {
                group.next_flush_ms = now_ms;
            }
        }
        self.bytes = self.bytes.saturating_add(alert.size());
        let before = self.alerts.insert(alert.fingerprint, alert);
        self.bytes = self.bytes.saturating_sub(before.map_or(0, |before| before.size()));
        is_inhibition_other
    }

    /// When to call [`Dispatcher::tick`] next, if alerts do not come before; `None` for not before.
    #[must_use]
    pub fn next_wake(&self) -> Option<i64> {
        self.groups.values().map(|group| group.next_flush_ms).min()
    }

    /// What is to be sent now.
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

    /// Tells of one group.
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
            self.tell(route, &first, now_ms, tick);
        }
        self.forget(id, &resolved, tick);
    }

    /// Adds a notification like `first` for each means of the route's receiver that has not been told yet.
    fn tell(&mut self, route: &Route, first: &Notification, now_ms: i64, tick: &mut Tick) {
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
            let told = alerts
                .iter()
                .filter(|(_, is_resolved)| integration.sends_resolved() || !is_resolved)
                .cloned()
                .collect();
            tick.notifications.push(Notification {
                integration: place,
                kind: integration.kind(),
                reason,
                log: Some(log),
                alerts: told,
                ..first.clone()
            });
        }
    }

    /// Drops alerts that are over from a group that was told so, and those that no group has any more.
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

    /// The alert of that fingerprint.
    #[must_use]
    pub fn alert(&self, fingerprint: Fingerprint) -> Option<&Arc<Alert>> {
        self.alerts.get(&fingerprint)
    }

    /// The alerts that fire, in order of their labels.
    #[must_use]
    pub fn firing(&self, now_ms: i64) -> Vec<Arc<Alert>> {
        let mut alerts: Vec<_> = self.alerts.values().filter(|alert| !alert.is_resolved(now_ms)).cloned().collect();
        alerts.sort_by(|one, other| one.labels.cmp(&other.labels));
        alerts
    }

    /// When time alone mutes other alerts than at `now_ms`: a silence begins or ends, or an alert that inhibits others ends.
    #[must_use]
    pub fn next_muting_change(&self, now_ms: i64) -> Option<i64> {
        let ends = [self.silences.next_change(now_ms), self.inhibitor.next_end(now_ms)];
        ends.into_iter().flatten().min()
    }

    /// The alerts that inhibit one with these labels now, in order.
    #[must_use]
    pub fn inhibitors(&self, labels: &Labels, now_ms: i64) -> Vec<Fingerprint> {
        let mut inhibitors: Vec<_> = self.inhibitor.inhibitors(labels, now_ms).into_iter().collect();
        inhibitors.sort_unstable();
        inhibitors
    }

    /// Who is told of an alert with these labels, and what keeps it quiet.
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
