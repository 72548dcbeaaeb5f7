//! Live updates by long poll, for browsers without a socket: the same messages as on `/ws`, in JSON.

use std::time::Duration;

use access::Scope;
use budget::{Charge, MemoryBudget, OverBudget, Requester};
use bytes::Bytes;
use datasource::QueryError;
use model::{
    clock::now_ms,
    live::{LiveQuery, Topic},
};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use crate::{
    hub::Hub,
    message::{Content, Format},
    queue::Next,
};

/// Maximum time to wait for a message.
const MAX_WAIT: Duration = Duration::from_secs(55);
/// After the first message, how long to collect further ones.
const GATHER: Duration = Duration::from_millis(50);
/// Maximum number of messages in a response.
const MAX_MESSAGES: usize = 512;

/// Minimum step by which the memory charge of a response grows.
const ROOM_STEP: u64 = 64 << 10;

/// Limits of a response.
pub struct Room {
    /// Memory for responses.
    pub memory: MemoryBudget,
    /// Maximum length of a response, in bytes.
    pub most_bytes: usize,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// A query that cannot be evaluated.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// The messages exceed the maximum length of a response.
    #[error("the answer is longer than {0} bytes: poll for fewer topics and queries at a time, or use /ws")]
    TooLong(usize),
    /// The memory limit is exceeded.
    #[error(transparent)]
    Busy(#[from] OverBudget),
}

/// Parameters of a poll. The IDs of the messages count from 1: first the topics in their order, then the queries, each
/// once.
pub struct Poll {
    /// Topics and queries.
    pub topics: Vec<Topic>,
    /// `BOOT_ID:SEQ` of the previous response; `None` for the first poll.
    pub since: Option<String>,
    /// How long to wait for a message.
    pub wait: Duration,
}

/// A response.
#[derive(serde::Serialize)]
pub struct Answer {
    boot_id: String,
    seq: u64,
    /// `since` of the next poll; empty if that must start with snapshots.
    since: String,
    /// The server's time, in milliseconds since the Unix epoch.
    now_ms: i64,
    messages: Vec<Box<RawValue>>,
    #[serde(skip)]
    _charge: Charge,
}

impl Poll {
    /// Parses the parameters of `/api/live`.
    ///
    /// # Errors
    ///
    /// A topic does not exist, or a query is not JSON: what is wrong.
    pub fn parse<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut poll = Poll { topics: Vec::new(), since: None, wait: Duration::from_secs(25) };
        let mut queries = Vec::new();
        for (name, value) in pairs {
            match name {
                "topics" => {
                    for topic in topics(value)? {
                        // A repeated name is the same subscription.
                        if !poll.topics.contains(&topic) {
                            poll.topics.push(topic);
                        }
                    }
                }
                "query" => {
                    let query =
                        serde_json::from_str::<LiveQuery>(value).map_err(|error| format!("query={value}: {error}"))?;
                    let query = Topic::Query(query);
                    if !queries.contains(&query) {
                        queries.push(query);
                    }
                }
                "since" => poll.since = Some(value.to_owned()),
                "timeout" => {
                    let secs = value.parse().map_err(|_| format!("timeout={value} is not a number of seconds"))?;
                    poll.wait = Duration::from_secs(secs).min(MAX_WAIT);
                }
                _ => {}
            }
        }
        poll.topics.append(&mut queries);
        Ok(poll)
    }

    /// Waits for messages for a viewer with `scope`.
    ///
    /// # Errors
    ///
    /// A query cannot be evaluated, or the messages exceed a limit.
    pub async fn answer(self, hub: &Hub, scope: &Scope, room: &Room) -> Result<Answer, PollError> {
        let mut charge = room.memory.charge(&Requester::current().account(), 0)?;
        let mut length = 0;
        let resume = self.since.as_deref().and_then(|since| {
            let (boot_id, seq) = since.split_once(':').unwrap_or((hub.boot_id(), since));
            (boot_id == hub.boot_id()).then(|| seq.parse().ok()).flatten()
        });
        let (sender, mut receiver) = hub.queue();
        // Read before subscribing, so that an update in between is sent twice rather than never.
        let mut seq = hub.seq();
        let mut subscriptions = Vec::new();
        for (id, topic) in (1..).zip(&self.topics) {
            subscriptions.push((id, hub.subscribe(scope, topic, sender.clone(), id, resume)?));
        }
        let mut messages = Vec::new();
        // One deadline for the whole response: repeated snapshots do not prolong it.
        let mut deadline = Instant::now() + self.wait;
        while messages.len() < MAX_MESSAGES {
            match timeout_at(deadline, receiver.next()).await {
                Ok(Some(Next::Update(id, update))) => {
                    if !matches!(update.content, Content::Status { .. }) {
                        seq = seq.max(update.seq);
                    }
                    length += update.length(Format::Json);
                    if length > room.most_bytes {
                        return Err(PollError::TooLong(room.most_bytes));
                    }
                    // The messages, and the text made of them.
                    let needed = u64::try_from(length).unwrap_or(u64::MAX).saturating_mul(2);
                    if needed > charge.bytes() {
                        charge.resize(needed.next_multiple_of(ROOM_STEP))?;
                    }
                    let json = String::from_utf8(update.message(id, Format::Json)).unwrap_or_default();
                    if messages.is_empty() {
                        deadline = Instant::now() + GATHER;
                    }
                    messages.extend(RawValue::from_string(json));
                }
                Ok(Some(Next::Resync(id))) => {
                    for (_, subscription) in subscriptions.iter().filter(|(other, _)| *other == id) {
                        subscription.channel().resync(&sender, id);
                    }
                }
                Ok(None) | Err(_) => break,
            }
        }
        for (id, subscription) in subscriptions {
            subscription.channel().unsubscribe(&sender, id);
        }
        let boot_id = hub.boot_id().to_owned();
        // A full response may have left out messages, and dropped ones are not in any log: the next one starts with
        // snapshots.
        let is_whole = messages.len() < MAX_MESSAGES && !receiver.is_behind();
        let since = if is_whole { format!("{boot_id}:{seq}") } else { String::new() };
        Ok(Answer { since, now_ms: now_ms(), boot_id, seq, messages, _charge: charge })
    }
}

impl Answer {
    /// The response as JSON.
    #[must_use]
    pub fn into_json(self) -> Bytes {
        serde_json::to_vec(&self).unwrap_or_default().into()
    }
}

/// Parses topic names separated by commas.
///
/// # Errors
///
/// An unknown topic: its name, and the list of topics.
pub fn topics(names: &str) -> Result<Vec<Topic>, String> {
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| match name {
            "jobs" => Ok(Topic::Jobs),
            "system" => Ok(Topic::System),
            "alerts" => Ok(Topic::Alerts),
            "upstreams" => Ok(Topic::Upstreams),
            _ => Err(format!("there is no topic {name:?}: use jobs, system, alerts or upstreams")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use budget::Budgets;
    use datasource::{Embedded, Engines, QueryLimits, ReadScheduler};
    use model::{
        job::Job,
        live::{AlertList, SnapshotData},
    };
    use tokio_util::sync::CancellationToken;
    use tsdb::{Store, StoreOptions};

    use super::*;
    use crate::{
        hub::{HubLimits, Sources},
        starts::StartLimit,
        topic::SnapshotSource,
    };

    /// IDs of the messages of a first poll, while the memory for live updates is exhausted, and its `since`.
    async fn first_poll(topics: &str) -> (Vec<u64>, String) {
        let budgets = Budgets::of(1 << 30);
        let reads = ReadScheduler::new(&budgets, 2, Duration::from_secs(10));
        let store = Store::in_memory(StoreOptions::default());
        let engines = Engines::embedded(Arc::new(Embedded::new(store, QueryLimits::default(), reads)));
        let nothing = || -> SnapshotSource { Box::new(|| None) };
        let job = Job { name: "x".repeat(1 << 20), ..Job::default() };
        let jobs: SnapshotSource = Box::new(move || Some(SnapshotData::Jobs { jobs: vec![job.clone()] }));
        let alerts: SnapshotSource = Box::new(|| Some(SnapshotData::Alerts(AlertList::default())));
        let sources = Sources { jobs, system: nothing(), alerts, upstreams: nothing() };
        let _all = budgets.live.charge(&Requester::current().account(), budgets.live.token_limit()).unwrap();
        let limits = HubLimits { memory: budgets.live, starts: StartLimit::within(Duration::from_secs(60), 1) };
        let hub = Hub::new("boot".to_owned(), engines, sources, limits, CancellationToken::new());

        let poll = Poll::parse([("topics", topics), ("timeout", "1")].into_iter()).unwrap();
        let room = Room { memory: budgets.answers, most_bytes: 64 << 20 };
        let scope = Scope::all();
        let answer = poll.answer(&hub, &scope, &room);
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an answer").unwrap();
        let id = |message: &RawValue| {
            let message: serde_json::Value = serde_json::from_str(message.get()).unwrap();
            message["id"].as_u64().unwrap()
        };
        (answer.messages.iter().map(|message| id(message)).collect(), answer.since)
    }

    #[tokio::test]
    async fn a_long_list_is_told_though_the_memory_is_full() {
        let asked = async {
            assert_eq!(first_poll("jobs").await, (vec![1], "boot:0".to_owned()));
            // Two topics: first the one alone, then the other one after it.
            for topics in ["jobs,alerts", "alerts,jobs"] {
                let (ids, since) = first_poll(topics).await;
                assert!(ids.contains(&1) && ids.contains(&2), "{ids:?}, to go on from {since:?}");
            }
        };
        Requester::Token("a".into()).scope(asked).await;
    }
}
