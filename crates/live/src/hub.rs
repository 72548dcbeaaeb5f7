//! The topics, by name and by query.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use access::Scope;
use budget::{MemoryBudget, Requester};
use datasource::{Backend, Engines, ErrorKind, QueryError};
use model::{
    clock::now_ms,
    live::{Event, LiveQuery, SnapshotData, Topic},
    panel::QueryState,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    live_query::{QueryTopic, ResultVersion},
    message::{Content, Payer},
    payers::Payers,
    queue::{QueueReceiver, QueueSender, queue},
    scoped::{ScopedTopics, Topics},
    starts::StartLimit,
    topic::{Account, Channel, Sequence, SnapshotSource},
};

/// Events kept of each topic for sockets that come back: minutes of a busy daemon's.
const EVENT_LOG_LENGTH: usize = 4_096;
/// Distinct live queries at a time.
const MAX_QUERIES: usize = 2_000;
/// The same that one token started.
const MAX_QUERIES_OF_TOKEN: usize = 1_000;

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

/// What live queries may take.
pub struct HubLimits {
    /// Memory for results and updates.
    pub memory: MemoryBudget,
    /// Queries that a token may start in a time.
    pub starts: StartLimit,
}

/// What a live query is shared by.
type QueryKey = (Scope, LiveQuery);
/// By scope as well: who sees less never shares an evaluation with who sees more.
type Queries = HashMap<QueryKey, Arc<QueryTopic>>;

/// Why the data of a source is not current, for those who may not know the source.
const SOME_SOURCE: &str = "a source of this data is not current";

/// All topics. A cheap handle.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    boot_id: String,
    sequence: Sequence,
    topics: Topics,
    /// The topics as those see them whose token has matchers.
    scoped: Mutex<HashMap<Scope, Arc<ScopedTopics>>>,
    engines: Engines,
    queries: Mutex<Queries>,
    /// The memory for their results and updates.
    memory: MemoryBudget,
    starts: StartLimit,
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

    /// A queue for a socket of whoever the current task works for.
    #[must_use]
    pub fn queue(&self) -> (QueueSender, QueueReceiver) {
        queue(Payer { budget: self.0.memory.clone(), token: Requester::current().account() })
    }

    /// Starts a subscription of somebody who sees `scope`.
    ///
    /// # Errors
    /// The query is wrong, or there are too many distinct ones.
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
        // Under the lock, so that the topics are not taken for idle before.
        Ok(subscribe_to(&scoped.topics, topic, queue, id, resume_seq))
    }

    /// What a panel shows of a live query now; starts the query if nobody looks at it yet.
    pub async fn query_state(&self, scope: &Scope, query: &LiveQuery) -> QueryState {
        match self.query(scope, query) {
            Ok(topic) => self.charged(topic.state().await),
            Err(error) => QueryState::Failed { message: error.message },
        }
    }

    /// A copy of a result, which is charged to whoever asked until that is done.
    fn charged(&self, state: QueryState) -> QueryState {
        let QueryState::Ready { frame, .. } = &state else { return state };
        let weight = u64::try_from(frame.weight_without_labels()).unwrap_or(u64::MAX);
        match self.0.memory.charge(&Requester::current().account(), weight) {
            Ok(charge) => {
                Requester::hold(charge);
                state
            }
            Err(over) => QueryState::Failed { message: format!("{over}: try again in a moment") },
        }
    }

    /// Which result a live query has now; `None` where there is none yet. Starts the query if nobody looks at it yet.
    #[must_use]
    pub fn result_version(&self, scope: &Scope, query: &LiveQuery) -> Option<ResultVersion> {
        self.query(scope, query).ok()?.result_version()
    }

    /// Number of the newest change of jobs, for whoever sees all of them.
    #[must_use]
    pub fn jobs_version(&self) -> u64 {
        self.0.topics.jobs.newest()
    }

    /// The state of a topic that is not a query, as far as `scope` sees it.
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

    /// The topic of a query, which begins now if it is not there yet.
    fn query(&self, scope: &Scope, query: &LiveQuery) -> Result<Arc<QueryTopic>, QueryError> {
        let key = (scope.clone(), query.clone());
        let requester = Requester::current();
        let token = requester.account();
        if let Some(topic) = running(&self.queries(), &key, &token)? {
            return Ok(topic);
        }
        // One that turns out to be wrong counts too: it was read.
        if requester != Requester::Server {
            self.0.starts.count(&token, Instant::now()).map_err(|most| {
                let message =
                    format!("this token has started {most} live queries within a minute: try again in a moment");
                QueryError::new(ErrorKind::TooMany, message)
            })?;
        }
        let engine = self.0.engines.get(query.engine.as_deref())?;
        let account = Account { budget: self.0.memory.clone(), payers: Payers::new(Arc::clone(&token)) };
        // Without the lock, which all share: it may take long to read.
        let topic = Arc::new(QueryTopic::new(query.clone(), scope, engine.clone(), self.0.sequence.clone(), account)?);
        let mut queries = self.queries();
        if let Some(other) = running(&queries, &key, &token)? {
            return Ok(other);
        }
        let trouble = self.0.trouble.lock().clone();
        if matches!(engine, Backend::Embedded(_)) {
            topic.channel.publish_status(trouble_for(scope, &trouble));
        }
        queries.insert(key.clone(), Arc::clone(&topic));
        let (hub, running) = (Arc::downgrade(&self.0), Arc::clone(&topic));
        let stop = self.0.stop.clone();
        let mut tasks = self.0.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            loop {
                running.run(stop.clone()).await;
                let Some(shared) = hub.upgrade() else { return };
                let mut queries = shared.queries.lock();
                // Under the lock nobody can find it: if it is still idle, it goes.
                if stop.is_cancelled() || running.channel.is_idle() {
                    queries.remove(&key);
                    return;
                }
            }
        });
        Ok(topic)
    }

    fn queries(&self) -> MutexGuard<'_, Queries> {
        self.0.queries.lock()
    }

    /// Hands an event of a source to those who look.
    pub fn publish(&self, event: Event) {
        for scoped in self.scoped() {
            scoped.publish(&event);
        }
        self.0.topics.of(&event).publish(|| Some(Content::Event { ts: now_ms(), event }));
    }

    fn scoped(&self) -> Vec<Arc<ScopedTopics>> {
        self.0.scoped.lock().values().map(Arc::clone).collect()
    }

    /// Tells everybody that looks at data of the daemons whether it is current. `None` for all is well. Queries are
    /// concerned where the daemons' samples are in our own store.
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

    /// Forwards events until the source or the server ends. Lost events are made good by fresh snapshots.
    pub async fn forward(&self, mut events: broadcast::Receiver<Event>) {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.0.stop.cancelled() => return,
            };
            match event {
                // Alerts are published once they are known, by those who keep them.
                Ok(Event::AlertFired(_) | Event::AlertResolved(_)) => {}
                Ok(Event::JobStatus(transition)) => self.publish(Event::JobStatus(Box::new(transition.as_shown()))),
                Ok(event) => self.publish(event),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "events came faster than they could be forwarded: sending snapshots");
                    self.0.topics.all().into_iter().for_each(Channel::publish_snapshot);
                    for scoped in self.scoped() {
                        scoped.topics.all().into_iter().for_each(Channel::publish_snapshot);
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Tells those who follow the alerts the whole list again.
    pub fn publish_alerts(&self) {
        self.0.topics.alerts.publish_snapshot();
        for scoped in self.scoped() {
            scoped.topics.alerts.publish_snapshot();
        }
    }

    /// Waits for the tasks of the live queries, after `stop` was cancelled; gives up after `patience`.
    pub async fn ended(&self, patience: Duration) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock());
        if tokio::time::timeout(patience, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("live queries did not end in time");
        }
    }
}

/// The query of that key if it runs, which `token` asks for from now on.
///
/// # Errors
/// It does not, and there is no room for one more.
#[allow(clippy::mutable_key_type)] // scopes are compared by their text
fn running(queries: &Queries, key: &QueryKey, token: &Arc<str>) -> Result<Option<Arc<QueryTopic>>, QueryError> {
    if let Some(topic) = queries.get(key) {
        topic.touch();
        topic.asked_by(Arc::clone(token));
        return Ok(Some(Arc::clone(topic)));
    }
    let too_many = |whose: String| {
        let message = format!("{whose} different live queries already: close some pages, or use query_range");
        Err(QueryError::new(ErrorKind::TooMany, message))
    };
    if queries.len() >= MAX_QUERIES {
        return too_many(format!("there are {MAX_QUERIES}"));
    }
    if queries.values().filter(|topic| *topic.starter() == *token).count() >= MAX_QUERIES_OF_TOKEN {
        return too_many(format!("this token has {MAX_QUERIES_OF_TOKEN}"));
    }
    Ok(None)
}

/// Why data is not current, in as many words as somebody who sees `scope` may read.
fn trouble_for(scope: &Scope, trouble: &Option<(i64, String)>) -> Option<(i64, String)> {
    let (since_ms, reason) = trouble.as_ref()?;
    Some((*since_ms, if scope.is_all() { reason.clone() } else { SOME_SOURCE.to_owned() }))
}

/// Subscribes to a topic that is not a query.
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
