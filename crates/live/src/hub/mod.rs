//! The topics, by name and by query.

mod queries;

use std::{collections::HashMap, sync::Arc, time::Duration};

use access::Scope;
use budget::{MemoryBudget, Requester};
use datasource::{Engines, QueryError};
use model::{
    clock::now_ms,
    live::{Event, SnapshotData, Topic},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::queries::Queries;
use crate::{
    live_query::QueryTopic,
    message::{Content, Payer},
    queue::{QueueReceiver, QueueSender, queue},
    scoped::{ScopedTopics, Topics},
    starts::StartLimit,
    topic::{Channel, Sequence, SnapshotSource},
};

/// Events in the log of each topic, for sockets that reconnect: some minutes of a busy daemon.
const EVENT_LOG_LENGTH: usize = 4_096;

/// Functions that return the current state of each topic except queries.
pub struct Sources {
    /// Jobs of all daemons.
    pub jobs: SnapshotSource,
    /// Process state of all daemons.
    pub system: SnapshotSource,
    /// Alerts of all sources.
    pub alerts: SnapshotSource,
    /// Status of all sources.
    pub upstreams: SnapshotSource,
}

/// Limits of live queries.
pub struct HubLimits {
    /// Memory for results and updates.
    pub memory: MemoryBudget,
    /// Number of queries that a token may start per time.
    pub starts: StartLimit,
}

/// Why data is stale, for viewers who may not see the source.
const SOME_SOURCE: &str = "a source of this data is not current";

/// All topics. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    boot_id: String,
    sequence: Sequence,
    topics: Topics,
    /// The topics for tokens with matchers.
    scoped: Mutex<HashMap<Scope, Arc<ScopedTopics>>>,
    engines: Engines,
    queries: Mutex<Queries>,
    /// Memory for results and updates.
    memory: MemoryBudget,
    starts: StartLimit,
    /// Since when and why the daemons' data is stale, if it is.
    trouble: Mutex<Option<(i64, String)>>,
    tasks: Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

/// A subscription.
pub enum Subscription {
    /// To a topic other than a query.
    Topic(Arc<Channel>),
    /// To a query.
    Query(Arc<QueryTopic>),
}

impl Subscription {
    /// The channel of its updates.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        match self {
            Subscription::Topic(channel) => channel,
            Subscription::Query(topic) => &topic.channel,
        }
    }
}

impl Hub {
    /// A hub over these sources, whose queries are evaluated until `stop` is cancelled.
    #[must_use]
    pub fn new(
        boot_id: String,
        engines: Engines,
        sources: Sources,
        limits: HubLimits,
        stop: CancellationToken,
    ) -> Self {
        let sequence = Sequence::default();
        let channel = |snapshot| Arc::new(Channel::new(sequence.clone(), EVENT_LOG_LENGTH, snapshot));
        Hub(Arc::new(Shared {
            topics: Topics {
                jobs: channel(sources.jobs),
                system: channel(sources.system),
                alerts: channel(sources.alerts),
                upstreams: channel(sources.upstreams),
            },
            scoped: Mutex::default(),
            boot_id,
            sequence: sequence.clone(),
            engines,
            queries: Mutex::default(),
            memory: limits.memory,
            starts: limits.starts,
            trouble: Mutex::default(),
            tasks: Mutex::default(),
            stop,
        }))
    }

    /// Identifies this run of the server: sequence numbers are only valid within it.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.0.boot_id
    }

    /// The sequence number of the last update.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.0.sequence.current()
    }

    /// A queue for a socket; its memory is charged to the requester of the current task.
    #[must_use]
    pub fn queue(&self) -> (QueueSender, QueueReceiver) {
        queue(Payer { budget: self.0.memory.clone(), token: Requester::current().account() })
    }

    /// Starts a subscription for a viewer with `scope`.
    ///
    /// # Errors
    ///
    /// The query is invalid, or the limit of distinct queries is reached.
    pub fn subscribe(
        &self,
        scope: &Scope,
        topic: &Topic,
        queue: QueueSender,
        id: u64,
        resume_seq: Option<u64>,
    ) -> Result<Subscription, QueryError> {
        if let Topic::Query(query) = topic {
            let topic = self.query(scope, query)?;
            topic.channel.subscribe(queue, id, resume_seq);
            return Ok(Subscription::Query(topic));
        }
        if scope.is_all() {
            return Ok(subscribe_to(&self.0.topics, topic, queue, id, resume_seq));
        }
        let mut all = self.0.scoped.lock();
        if !all.contains_key(scope) {
            all.retain(|_, scoped| !scoped.is_idle());
        }
        let scoped = all.entry(scope.clone()).or_insert_with(|| {
            Arc::new(ScopedTopics::new(scope.clone(), &self.0.topics, &self.0.sequence, EVENT_LOG_LENGTH))
        });
        // Under the lock, so that the topics are not dropped as idle before.
        Ok(subscribe_to(&scoped.topics, topic, queue, id, resume_seq))
    }

    /// Sequence number of the last change of jobs, for viewers who see all jobs.
    #[must_use]
    pub fn jobs_version(&self) -> u64 {
        self.0.topics.jobs.newest()
    }

    /// The state of a topic other than a query, as `scope` sees it.
    #[must_use]
    pub fn snapshot(&self, scope: &Scope, topic: &Topic) -> Option<SnapshotData> {
        let data = match topic {
            Topic::Jobs => self.0.topics.jobs.snapshot_data(),
            Topic::System => self.0.topics.system.snapshot_data(),
            Topic::Alerts => self.0.topics.alerts.snapshot_data(),
            Topic::Upstreams => self.0.topics.upstreams.snapshot_data(),
            Topic::Query(_) => None,
        };
        data.map(|data| access::visible_snapshot(scope, data))
    }

    fn queries(&self) -> MutexGuard<'_, Queries> {
        self.0.queries.lock()
    }

    /// Publishes an event of a source to its subscribers.
    pub fn publish(&self, event: Event) {
        for scoped in self.scoped() {
            scoped.publish(&event);
        }
        self.0.topics.of(&event).publish(|| Some(Content::Event { ts: now_ms(), event }));
    }

    fn scoped(&self) -> Vec<Arc<ScopedTopics>> {
        self.0.scoped.lock().values().map(Arc::clone).collect()
    }

    /// Publishes whether the daemons' data is stale; `None` means fresh. This includes queries over our own store,
    /// because the daemons' samples are there.
    pub fn publish_freshness(&self, trouble: Option<(i64, String)>) {
        let queries: Vec<_> = {
            let queries = self.queries();
            self.0.trouble.lock().clone_from(&trouble);
            let embedded = queries.iter().filter(|(_, topic)| topic.is_embedded());
            embedded.map(|((scope, _), topic)| (scope.clone(), Arc::clone(topic))).collect()
        };
        let vague = trouble.as_ref().map(|(since_ms, _)| (*since_ms, SOME_SOURCE.to_owned()));
        for (scope, topic) in &queries {
            topic.channel.publish_status(trouble_for(scope, &trouble));
        }
        for scoped in self.scoped() {
            scoped.topics.jobs.publish_status(vague.clone());
            scoped.topics.system.publish_status(vague.clone());
        }
        self.0.topics.jobs.publish_status(trouble.clone());
        self.0.topics.system.publish_status(trouble);
    }

    /// Forwards events until the source or the server ends. After lost events, publishes fresh snapshots.
    pub async fn forward(&self, mut events: broadcast::Receiver<Event>) {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.0.stop.cancelled() => return,
            };
            match event {
                // The alerting crate publishes alerts itself, once they are stored.
                Ok(Event::AlertFired(_) | Event::AlertResolved(_)) => {}
                Ok(Event::JobStatus(transition)) => self.publish(Event::JobStatus(Box::new(transition.as_shown()))),
                Ok(event) => self.publish(event),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "lagged behind events: sending snapshots");
                    self.0.topics.all().into_iter().for_each(Channel::publish_snapshot);
                    for scoped in self.scoped() {
                        scoped.topics.all().into_iter().for_each(Channel::publish_snapshot);
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Publishes the whole list of alerts again.
    pub fn publish_alerts(&self) {
        self.0.topics.alerts.publish_snapshot();
        for scoped in self.scoped() {
            scoped.topics.alerts.publish_snapshot();
        }
    }

    /// Waits for the tasks of the live queries, after `stop` was cancelled; at most for `patience`.
    pub async fn ended(&self, patience: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock());
        if tokio::time::timeout(patience, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("live queries did not end in time");
        }
    }
}

/// Why data is stale, with the details that `scope` may see.
fn trouble_for(scope: &Scope, trouble: &Option<(i64, String)>) -> Option<(i64, String)> {
    let (since_ms, reason) = trouble.as_ref()?;
    Some((*since_ms, if scope.is_all() { reason.clone() } else { SOME_SOURCE.to_owned() }))
}

/// Subscribes to a topic other than a query.
fn subscribe_to(topics: &Topics, topic: &Topic, queue: QueueSender, id: u64, resume_seq: Option<u64>) -> Subscription {
    let channel = match topic {
        Topic::System => &topics.system,
        Topic::Alerts => &topics.alerts,
        Topic::Upstreams => &topics.upstreams,
        Topic::Jobs | Topic::Query(_) => &topics.jobs,
    };
    channel.subscribe(queue, id, resume_seq);
    Subscription::Topic(Arc::clone(channel))
}
