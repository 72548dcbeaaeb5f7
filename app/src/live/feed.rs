//! The data of a subscription, as signals that the connection writes and panels read.

use leptos::prelude::*;
use model::{
    frame::Frame,
    job::{Job, JobStatus},
    live::{Alert, AlertList, Event, JobProgress, SnapshotData, Topic},
    panel::{QueryState, Staleness},
    sort::sort_by,
    system::SystemMetrics,
    upstream::UpstreamStatus,
};

/// The state of one topic as signals. Clones share them.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The data, of the type of the topic.
    pub data: FeedData,
    /// Set while the server reports that the source of this topic is stale, or that the subscription failed.
    pub stale: ArcRwSignal<Option<Staleness>>,
}

/// Data of a feed. Lists are `None` until their first snapshot.
#[derive(Debug, Clone)]
pub enum FeedData {
    /// Topic `query`.
    Query(ArcRwSignal<QueryState>),
    /// Topic `jobs`, the newest first.
    Jobs(ArcRwSignal<Option<Vec<Job>>>),
    /// Topic `alerts`.
    Alerts(ArcRwSignal<Option<AlertList>>),
    /// Topic `upstreams`.
    Upstreams(ArcRwSignal<Option<Vec<UpstreamStatus>>>),
    /// Topic `system`.
    System(ArcRwSignal<Option<Vec<SystemMetrics>>>),
}

impl Feed {
    /// A feed without data.
    #[must_use]
    pub fn waiting(topic: &Topic) -> Self {
        let data = match topic {
            Topic::Query(_) => FeedData::Query(ArcRwSignal::new(QueryState::Loading)),
            Topic::Jobs => FeedData::Jobs(ArcRwSignal::new(None)),
            Topic::Alerts => FeedData::Alerts(ArcRwSignal::new(None)),
            Topic::Upstreams => FeedData::Upstreams(ArcRwSignal::new(None)),
            Topic::System => FeedData::System(ArcRwSignal::new(None)),
        };
        Feed { data, stale: ArcRwSignal::new(None) }
    }

    /// True once there is data or an error.
    #[must_use]
    pub fn has_come(&self) -> bool {
        match &self.data {
            FeedData::Query(state) => state.with_untracked(|state| !matches!(state, QueryState::Loading)),
            FeedData::Jobs(jobs) => jobs.with_untracked(Option::is_some),
            FeedData::Alerts(alerts) => alerts.with_untracked(Option::is_some),
            FeedData::Upstreams(upstreams) => upstreams.with_untracked(Option::is_some),
            FeedData::System(system) => system.with_untracked(Option::is_some),
        }
    }

    /// Replaces the whole state. Ignores data of another topic.
    pub fn replace(&self, snapshot: SnapshotData) {
        match (&self.data, snapshot) {
            (FeedData::Query(state), SnapshotData::Query(frame)) => state.set(QueryState::Ready { frame, stale: None }),
            (FeedData::Jobs(jobs), SnapshotData::Jobs { jobs: mut all }) => {
                sort_by(&mut all, |one, other| other.created_at.cmp(&one.created_at));
                jobs.set(Some(all));
            }
            (FeedData::Alerts(alerts), SnapshotData::Alerts(list)) => alerts.set(Some(list)),
            (FeedData::Upstreams(upstreams), SnapshotData::Upstreams { upstreams: all }) => upstreams.set(Some(all)),
            (FeedData::System(system), SnapshotData::System { system: all }) => system.set(Some(all)),
            _ => {}
        }
    }

    /// Appends the new points of a query, and drops those before its window. Ignored before the first snapshot.
    pub fn extend(&self, delta: &Frame, window_ms: i64) {
        if let FeedData::Query(state) = &self.data {
            state.update(|state| {
                if let QueryState::Ready { frame, .. } = state {
                    frame.apply(delta, window_ms);
                }
            });
        }
    }

    /// Applies events in their order, with one notification of the readers. Ignores them before the first snapshot.
    pub fn apply(&self, events: Vec<Event>) {
        if !self.has_come() {
            return;
        }
        match &self.data {
            FeedData::Jobs(jobs) => jobs.update(|jobs| {
                let jobs = jobs.get_or_insert_default();
                events.into_iter().for_each(|event| apply_to_jobs(jobs, event));
            }),
            FeedData::Alerts(alerts) => alerts.update(|alerts| {
                let alerts = alerts.get_or_insert_default();
                events.into_iter().for_each(|event| apply_to_alerts(&mut alerts.alerts, event));
            }),
            FeedData::Upstreams(upstreams) => upstreams.update(|upstreams| {
                let upstreams = upstreams.get_or_insert_default();
                for event in events {
                    if let Event::UpstreamStatus(status) = event {
                        put(upstreams, status, |one, other| one.name == other.name && one.kind == other.kind);
                    }
                }
            }),
            FeedData::System(system) => system.update(|system| {
                let system = system.get_or_insert_default();
                for event in events {
                    if let Event::SystemMetrics(metrics) = event {
                        put(system, metrics, |one, other| one.daemon == other.daemon);
                    }
                }
            }),
            FeedData::Query(_) => {}
        }
    }

    /// Marks the data as stale, or with `None` as current.
    pub fn mark(&self, staleness: Option<Staleness>) {
        if let FeedData::Query(state) = &self.data {
            state.update(|state| {
                if let QueryState::Ready { stale, .. } = state {
                    stale.clone_from(&staleness);
                }
            });
        }
        if self.stale.with_untracked(|stale| *stale != staleness) {
            self.stale.set(staleness);
        }
    }
}

/// Replaces the item for which `same` is true, or appends `item`.
fn put<T>(items: &mut Vec<T>, item: T, same: impl Fn(&T, &T) -> bool) {
    match items.iter_mut().find(|other| same(other, &item)) {
        Some(place) => *place = item,
        None => items.push(item),
    }
}

fn apply_to_jobs(jobs: &mut Vec<Job>, event: Event) {
    match event {
        Event::JobStatus(transition) => {
            let job = transition.job;
            match jobs.iter_mut().find(|other| other.id == job.id && other.daemon == job.daemon) {
                Some(place) => *place = job,
                None => {
                    let older = jobs.partition_point(|other| other.created_at > job.created_at);
                    jobs.insert(older, job);
                }
            }
        }
        Event::JobProgress(progress) => {
            let named = |job: &&mut Job| job.id == progress.job_id && job.daemon == progress.daemon;
            if let Some(job) = jobs.iter_mut().find(named) {
                advance(job, &progress);
            }
        }
        Event::JobRemoved(key) => jobs.retain(|job| job.id != key.job_id || job.daemon != key.daemon),
        _ => {}
    }
}

/// Updates the progress of a job. Ignores a late report for a job that has completed or failed.
fn advance(job: &mut Job, progress: &JobProgress) {
    if job.status == JobStatus::Completed || job.status == JobStatus::Failed {
        return;
    }
    job.percent = progress.percent;
    job.bytes_transferred = progress.bytes_transferred;
    job.bytes_total = progress.bytes_total;
    job.rate_bytes_per_second = progress.rate_bytes_per_second;
    job.eta_seconds = progress.eta_seconds;
}

fn apply_to_alerts(alerts: &mut Vec<Alert>, event: Event) {
    match event {
        Event::AlertFired(alert) => {
            alerts.retain(|other| !is_same(other, &alert));
            let place = alerts.partition_point(|other| other.order(&alert).is_lt());
            alerts.insert(place, *alert);
        }
        Event::AlertResolved(alert) => alerts.retain(|other| !is_same(other, &alert)),
        _ => {}
    }
}

fn is_same(one: &Alert, other: &Alert) -> bool {
    one.fingerprint == other.fingerprint && one.source == other.source
}

#[cfg(test)]
mod tests {
    use model::live::{AlertState, JobKey, JobTransition};

    use super::*;

    fn job(id: &str, created_at: i64, status: JobStatus) -> Job {
        Job {
            id: id.into(),
            daemon: "d".into(),
            name: id.into(),
            provider: "kvm".into(),
            status,
            created_at: Some(created_at),
            ..Job::default()
        }
    }

    fn transition(job: Job) -> Event {
        Event::JobStatus(Box::new(JobTransition {
            job_id: job.id.clone(),
            daemon: job.daemon.clone(),
            name: job.name.clone(),
            from: None,
            status: job.status,
            timestamp: 0,
            job,
        }))
    }

    fn progress(id: &str, percent: f64) -> Event {
        Event::JobProgress(JobProgress {
            job_id: id.into(),
            daemon: "d".into(),
            name: id.into(),
            percent: Some(percent),
            bytes_transferred: None,
            bytes_total: None,
            rate_bytes_per_second: None,
            eta_seconds: None,
        })
    }

    #[test]
    fn jobs_stay_newest_first_and_ended_jobs_ignore_progress() {
        let feed = Feed::waiting(&Topic::Jobs);
        feed.replace(SnapshotData::Jobs {
            jobs: vec![job("old", 1, JobStatus::Running), job("young", 5, JobStatus::Running)],
        });
        feed.apply(vec![
            transition(job("middle", 3, JobStatus::Running)),
            progress("middle", 40.0),
            transition(job("old", 1, JobStatus::Completed)),
            progress("old", 90.0),
        ]);
        let FeedData::Jobs(jobs) = &feed.data else { panic!("a feed of jobs") };
        let seen: Vec<_> = jobs.get_untracked().unwrap().into_iter().map(|job| (job.id, job.percent)).collect();
        assert_eq!(seen, [("young".into(), None), ("middle".into(), Some(40.0)), ("old".into(), None)]);

        feed.apply(vec![Event::JobRemoved(JobKey { job_id: "young".into(), daemon: "d".into() })]);
        assert_eq!(jobs.get_untracked().unwrap().len(), 2);
    }

    fn firing(name: &str, severity: &str) -> Alert {
        Alert {
            name: name.into(),
            severity: severity.into(),
            state: AlertState::Firing,
            fingerprint: name.into(),
            ..Alert::default()
        }
    }

    #[test]
    fn events_keep_alerts_in_the_order_of_the_list() {
        let feed = Feed::waiting(&Topic::Alerts);
        let waits = Alert { state: AlertState::Pending, ..firing("w", "critical") };
        let alerts = vec![firing("b", "critical"), firing("c", "info"), waits.clone()];
        feed.replace(SnapshotData::Alerts(AlertList { alerts, ..AlertList::default() }));
        let fired = |alert: Alert| Event::AlertFired(Box::new(alert));
        feed.apply(vec![
            fired(firing("z", "warning")),
            fired(firing("a", "info")),
            fired(firing("p", "page")),
            Event::AlertResolved(Box::new(Alert { state: AlertState::Inactive, ..firing("c", "info") })),
            fired(Alert { state: AlertState::Firing, ..waits }),
        ]);
        let FeedData::Alerts(list) = &feed.data else { panic!("a feed of alerts") };
        let alerts = list.get_untracked().unwrap().alerts;
        assert_eq!(alerts.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["b", "p", "w", "z", "a"]);
        assert!(alerts.is_sorted_by(|one, other| one.order(other).is_lt()));
    }
}
