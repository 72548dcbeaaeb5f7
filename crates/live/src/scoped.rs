//! The topics other than queries for tokens with matchers: the same events, filtered by scope.

use std::{collections::HashSet, sync::Arc};

use access::Scope;
use model::{
    clock::now_ms,
    live::{Event, JobKey, SnapshotData},
};
use parking_lot::Mutex;

use crate::{
    message::Content,
    topic::{Channel, Sequence},
};

/// The unfiltered topics.
pub(crate) struct Topics {
    pub jobs: Arc<Channel>,
    pub system: Arc<Channel>,
    pub alerts: Arc<Channel>,
    pub upstreams: Arc<Channel>,
}

impl Topics {
    /// The topic of an event.
    pub(crate) fn of(&self, event: &Event) -> &Channel {
        match event {
            Event::JobProgress(_) | Event::JobStatus(_) | Event::JobRemoved(_) => &self.jobs,
            Event::SystemMetrics(_) => &self.system,
            Event::UpstreamStatus(_) => &self.upstreams,
            Event::AlertFired(_) | Event::AlertResolved(_) => &self.alerts,
        }
    }

    pub(crate) fn all(&self) -> [&Channel; 4] {
        [&self.jobs, &self.system, &self.alerts, &self.upstreams]
    }
}

/// The topics as one scope sees them.
pub(crate) struct ScopedTopics {
    scope: Scope,
    pub topics: Topics,
    /// Jobs that were shown, because a progress event has no labels of the job.
    seen: Arc<Mutex<HashSet<JobKey>>>,
}

impl ScopedTopics {
    pub(crate) fn new(scope: Scope, whole: &Topics, sequence: &Sequence, log_length: usize) -> Self {
        let seen = Arc::<Mutex<HashSet<JobKey>>>::default();
        let part = |channel: &Arc<Channel>| {
            let (channel, scope, seen) = (Arc::clone(channel), scope.clone(), Arc::clone(&seen));
            let snapshot = move || {
                let data = access::visible_snapshot(&scope, channel.snapshot_data()?);
                if let SnapshotData::Jobs { jobs } = &data {
                    let keys = jobs.iter().map(|job| JobKey { job_id: job.id.clone(), daemon: job.daemon.clone() });
                    *seen.lock() = keys.collect();
                }
                Some(data)
            };
            Arc::new(Channel::new(sequence.clone(), log_length, Box::new(snapshot)))
        };
        let topics = Topics {
            jobs: part(&whole.jobs),
            system: part(&whole.system),
            alerts: part(&whole.alerts),
            upstreams: part(&whole.upstreams),
        };
        // Existing jobs count as shown.
        let _ = topics.jobs.snapshot_data();
        ScopedTopics { scope, topics, seen }
    }

    /// Publishes an event to its subscribers if the scope may see it.
    pub(crate) fn publish(&self, event: &Event) {
        let channel = self.topics.of(event);
        channel.publish(|| self.sees(event).then(|| Content::Event { ts: now_ms(), event: event.clone() }));
    }

    fn sees(&self, event: &Event) -> bool {
        let mut seen = self.seen.lock();
        match event {
            Event::JobStatus(transition) => {
                let sees = access::is_visible(&self.scope, &transition.job);
                let key = JobKey { job_id: transition.job_id.clone(), daemon: transition.daemon.clone() };
                if sees {
                    seen.insert(key);
                } else {
                    seen.remove(&key);
                }
                sees
            }
            Event::JobProgress(progress) => {
                seen.contains(&JobKey { job_id: progress.job_id.clone(), daemon: progress.daemon.clone() })
            }
            Event::JobRemoved(key) => seen.remove(key),
            Event::SystemMetrics(system) => access::is_visible(&self.scope, system),
            Event::UpstreamStatus(status) => access::is_visible(&self.scope, status),
            Event::AlertFired(alert) | Event::AlertResolved(alert) => access::is_visible(&self.scope, &**alert),
        }
    }

    /// True if there are no subscribers.
    pub(crate) fn is_idle(&self) -> bool {
        self.topics.all().into_iter().all(Channel::is_idle)
    }
}
