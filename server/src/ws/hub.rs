//! The topics, by name and by query.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{
    live::{Event, LiveQuery, SnapshotData, Topic},
    panel::QueryState,
};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    channel::{Channel, Sequence, SnapshotSource},
    query_topic::QueryTopic,
    queue::QueueSender,
    update::Content,
};
use crate::{
    clock::now_ms,
    query::{Backend, ErrorKind, QueryError},
};

/// Events kept of each topic for sockets that come back: minutes of a busy daemon's.
const EVENT_LOG_LENGTH: usize = 4_096;
/// Distinct live queries at a time.
const MAX_QUERIES: usize = 2_000;

/// Gives the current state of each topic that is not a query.
pub struct Sources {
    /// Jobs of all daemons.
    pub jobs: SnapshotSource,
    /// Process metrics of all daemons.
    pub system: SnapshotSource,
    /// Alerts of all sources.
    pub alerts: SnapshotSource,
    /// State of all sources.
    pub upstreams: SnapshotSource,
}

/// All topics. A cheap handle.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    boot_id: String,
    sequence: Sequence,
    jobs: Arc<Channel>,
    system: Arc<Channel>,
    alerts: Arc<Channel>,
    upstreams: Arc<Channel>,
    backend: Backend,
    queries: Mutex<HashMap<LiveQuery, Arc<QueryTopic>>>,
    /// Since when and why the daemons' data is not current, if it is not.
    trouble: Mutex<Option<(i64, String)>>,
    tasks: Mutex<JoinSet<()>>,
    stop: CancellationToken,
}

/// One end of a subscription.
pub enum Subscription {
    /// To a topic that is not a query.
    Topic(Arc<Channel>),
    /// To a query.
    Query(Arc<QueryTopic>),
}

impl Subscription {
    /// Where its updates come from.
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
    pub fn new(boot_id: String, backend: Backend, sources: Sources, stop: CancellationToken) -> Self {
        let sequence = Sequence::default();
        let channel = |snapshot| Arc::new(Channel::new(sequence.clone(), EVENT_LOG_LENGTH, snapshot));
        Hub(Arc::new(Shared {
            jobs: channel(sources.jobs),
            system: channel(sources.system),
            alerts: channel(sources.alerts),
            upstreams: channel(sources.upstreams),
            boot_id,
            sequence: sequence.clone(),
            backend,
            queries: Mutex::default(),
            trouble: Mutex::default(),
            tasks: Mutex::default(),
            stop,
        }))
    }

    /// Names this run of the server: sequence numbers count only within it.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.0.boot_id
    }

    /// The number of the newest update.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.0.sequence.current()
    }

    /// Starts a subscription.
    ///
    /// # Errors
    /// The query is wrong, or there are too many distinct ones.
    pub fn subscribe(
        &self,
        topic: &Topic,
        queue: QueueSender,
        id: u64,
        resume_seq: Option<u64>,
    ) -> Result<Subscription, QueryError> {
        let subscription = match topic {
            Topic::Jobs => Subscription::Topic(Arc::clone(&self.0.jobs)),
            Topic::System => Subscription::Topic(Arc::clone(&self.0.system)),
            Topic::Alerts => Subscription::Topic(Arc::clone(&self.0.alerts)),
            Topic::Upstreams => Subscription::Topic(Arc::clone(&self.0.upstreams)),
            Topic::Query(query) => Subscription::Query(self.query(query)?),
        };
        subscription.channel().subscribe(queue, id, resume_seq);
        Ok(subscription)
    }

    /// What a panel shows of a live query now; starts the query if nobody looks at it yet.
    pub async fn query_state(&self, query: &LiveQuery) -> QueryState {
        match self.query(query) {
            Ok(topic) => topic.state().await,
            Err(error) => QueryState::Failed { message: error.message },
        }
    }

    /// The whole state of a topic that is not a query.
    #[must_use]
    pub fn snapshot(&self, topic: &Topic) -> Option<SnapshotData> {
        match topic {
            Topic::Jobs => self.0.jobs.snapshot_data(),
            Topic::System => self.0.system.snapshot_data(),
            Topic::Alerts => self.0.alerts.snapshot_data(),
            Topic::Upstreams => self.0.upstreams.snapshot_data(),
            Topic::Query(_) => None,
        }
    }

    fn query(&self, query: &LiveQuery) -> Result<Arc<QueryTopic>, QueryError> {
        let mut queries = self.0.queries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = queries.get(query) {
            topic.touch();
            return Ok(Arc::clone(topic));
        }
        if queries.len() >= MAX_QUERIES {
            return Err(QueryError::new(
                ErrorKind::Execution,
                format!("there are {MAX_QUERIES} different live queries already: close some pages, or use query_range"),
            ));
        }
        let topic = Arc::new(QueryTopic::new(query.clone(), self.0.backend.clone(), self.0.sequence.clone())?);
        topic.channel.publish_status(self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone());
        queries.insert(query.clone(), Arc::clone(&topic));
        let (hub, running, key) = (Arc::downgrade(&self.0), Arc::clone(&topic), query.clone());
        let stop = self.0.stop.clone();
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            loop {
                running.run(stop.clone()).await;
                let Some(shared) = hub.upgrade() else { return };
                let mut queries = shared.queries.lock().unwrap_or_else(PoisonError::into_inner);
                // Under the lock nobody can find it: if it is still idle, it goes.
                if stop.is_cancelled() || running.channel.is_idle() {
                    queries.remove(&key);
                    return;
                }
            }
        });
        Ok(topic)
    }

    /// Hands an event of a source to those who look.
    pub fn publish(&self, event: Event) {
        let channel = match &event {
            Event::JobProgress(_) | Event::JobStatus(_) | Event::JobRemoved(_) => &self.0.jobs,
            Event::SystemMetrics(_) => &self.0.system,
            Event::UpstreamStatus(_) => &self.0.upstreams,
            Event::AlertFired(_) | Event::AlertResolved(_) => &self.0.alerts,
        };
        channel.publish(|| Some(Content::Event { ts: now_ms(), event }));
    }

    /// Tells everybody that looks at data of the daemons whether it is current. `None` for all is well. Queries are
    /// concerned where the daemons' samples are in our own store.
    pub fn publish_freshness(&self, trouble: Option<(i64, String)>) {
        let queries: Vec<_> = if matches!(self.0.backend, Backend::Embedded(_)) {
            let queries = self.0.queries.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&trouble);
            queries.values().map(Arc::clone).collect()
        } else {
            Vec::new()
        };
        let channels = queries.iter().map(|topic| &topic.channel).chain([&*self.0.jobs, &*self.0.system]);
        for channel in channels {
            channel.publish_status(trouble.clone());
        }
    }

    /// Forwards events until the source or the server ends. Lost events are made good by fresh snapshots.
    pub async fn forward(&self, mut events: broadcast::Receiver<Event>) {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.0.stop.cancelled() => return,
            };
            match event {
                Ok(event) => self.publish(event),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "events came faster than they could be forwarded: sending snapshots");
                    for channel in [&self.0.jobs, &self.0.system, &self.0.upstreams, &self.0.alerts] {
                        channel.publish_snapshot();
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Waits for the tasks of the live queries, after `stop` was cancelled; gives up after `patience`.
    pub async fn ended(&self, patience: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        if tokio::time::timeout(patience, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("live queries did not end in time");
        }
    }
}
