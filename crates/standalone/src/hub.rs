//! The live protocol for one page: its subscriptions, and the messages that they get.

use std::collections::BTreeMap;

use embedded_engine::Evaluator;
use model::{
    live::{ClientMessage, Event, LiveQuery, ServerMessage, SnapshotData, Topic},
    role::Role,
};
use query_frontend::update::Update;

use crate::queries::{LiveResult, QueryNews};

/// Version of the protocol.
const PROTOCOL: u32 = 1;
/// Largest number of subscriptions, as on a server.
const MOST_SUBSCRIPTIONS: usize = 256;

/// The subscriptions of the page.
#[derive(Default)]
pub(crate) struct Hub {
    topics: BTreeMap<u64, Topic>,
    results: Vec<LiveResult>,
    seq: u64,
    messages: Vec<ServerMessage>,
    /// Since when and why the daemon's data is old, if it is.
    trouble: Option<(i64, String)>,
}

impl Hub {
    /// A page connected: what was subscribed before is gone, and the first message greets it.
    pub(crate) fn connect(&mut self, version: &str, boot_id: &str, now_ms: i64) {
        *self = Hub { seq: self.seq, trouble: self.trouble.take(), ..Hub::default() };
        self.messages.push(ServerMessage::Hello {
            protocol: PROTOCOL,
            boot_id: boot_id.to_owned(),
            version: version.to_owned(),
            role: Role::Operator,
            now_ms,
            dashboards: String::new(),
        });
    }

    /// Applies a message of the page. `list` returns the whole state of a topic other than a query.
    pub(crate) fn receive(
        &mut self,
        message: ClientMessage,
        evaluator: &Evaluator,
        list: impl Fn(&Topic) -> Option<SnapshotData>,
        now_ms: i64,
    ) {
        match message {
            ClientMessage::Subscribe { id, topic } => self.subscribe(id, topic, evaluator, list, now_ms),
            ClientMessage::Unsubscribe { id } => self.unsubscribe(id),
            // All messages since are gone: subscriptions get snapshots.
            ClientMessage::Resume { .. } => {}
        }
    }

    /// Sends an event to who subscribed to its topic.
    pub(crate) fn publish(&mut self, event: &Event, now_ms: i64) {
        let topic = match event {
            Event::JobProgress(_) | Event::JobStatus(_) | Event::JobRemoved(_) => Topic::Jobs,
            Event::SystemMetrics(_) => Topic::System,
            Event::UpstreamStatus(_) => Topic::Upstreams,
            Event::AlertFired(_) | Event::AlertResolved(_) => Topic::Alerts,
        };
        let seq = self.next_seq();
        for id in self.subscribed_to(&topic) {
            self.messages.push(ServerMessage::Event { id, seq, ts: now_ms, event: event.clone() });
        }
    }

    /// Sends the whole state of a topic to who subscribed to it.
    pub(crate) fn renew(&mut self, topic: &Topic, data: &SnapshotData) {
        let seq = self.next_seq();
        for id in self.subscribed_to(topic) {
            self.messages.push(ServerMessage::Snapshot { id, seq, data: data.clone() });
        }
    }

    /// Says since when and why the daemon's data is old, to current and future subscribers of what shows it; `None` when
    /// it is fresh again. Does nothing if that is already known.
    pub(crate) fn publish_freshness(&mut self, trouble: Option<(i64, String)>, now_ms: i64) {
        let is_known = match (&self.trouble, &trouble) {
            (Some((_, known)), Some((_, reason))) => known == reason,
            (known, trouble) => known.is_none() && trouble.is_none(),
        };
        if is_known {
            return;
        }
        self.trouble = trouble;
        let fails =
            |id: &u64| self.results.iter().any(|result| result.subscribers.contains(id) && result.error().is_some());
        let daemons = self.topics.iter().filter(|(_, topic)| shows_daemon(topic)).map(|(id, _)| *id);
        // What fails says so, and more than that its data is old.
        let ids: Vec<u64> = daemons.filter(|id| !fails(id)).collect();
        self.messages.extend(ids.into_iter().map(|id| freshness(id, &self.trouble, now_ms)));
    }

    /// Evaluates the queries that are due.
    pub(crate) fn advance(&mut self, evaluator: &Evaluator, now_ms: i64) {
        for index in 0..self.results.len() {
            let Some(result) = self.results.get_mut(index) else { return };
            let news = result.advance(evaluator, now_ms);
            let ids: Vec<u64> = result.subscribers.iter().copied().collect();
            for one in news {
                let seq = self.next_seq();
                for id in &ids {
                    self.tell(*id, seq, &one, now_ms);
                }
            }
        }
    }

    /// Takes the messages for the page, in their order.
    pub(crate) fn take_messages(&mut self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.messages)
    }

    fn subscribe(
        &mut self,
        id: u64,
        topic: Topic,
        evaluator: &Evaluator,
        list: impl Fn(&Topic) -> Option<SnapshotData>,
        now_ms: i64,
    ) {
        if self.topics.contains_key(&id) {
            return self.refuse(id, "bad_request", format!("the id {id} is in use: unsubscribe it first"));
        }
        if self.topics.len() >= MOST_SUBSCRIPTIONS {
            return self.refuse(id, "limit", format!("a page has at most {MOST_SUBSCRIPTIONS} subscriptions"));
        }
        if let Topic::Query(query) = &topic {
            if let Err(reason) = self.start(id, query, evaluator, now_ms) {
                return self.refuse(id, "bad_query", reason);
            }
        } else if let Some(data) = list(&topic) {
            let seq = self.next_seq();
            self.messages.push(ServerMessage::Snapshot { id, seq, data });
            if shows_daemon(&topic) {
                self.tell_trouble(id, now_ms);
            }
        }
        self.topics.insert(id, topic);
    }

    fn start(&mut self, id: u64, query: &LiveQuery, evaluator: &Evaluator, now_ms: i64) -> Result<(), String> {
        let known = self.results.iter().position(|result| result.query() == query);
        let index = match known {
            Some(index) => index,
            None => {
                let mut result = LiveResult::new(query.clone(), now_ms)?;
                result.advance(evaluator, now_ms);
                self.results.push(result);
                self.results.len() - 1
            }
        };
        let seq = self.next_seq();
        let Some(result) = self.results.get_mut(index) else { return Ok(()) };
        result.subscribers.insert(id);
        match (result.frame(), result.error()) {
            (Some(frame), _) => {
                let update = QueryNews::Update(Update::Snapshot(frame.clone()));
                let failure = result
                    .error()
                    .map(|message| QueryNews::Failed { message: message.to_owned(), known_end_ms: Some(frame.end_ms) });
                self.tell(id, seq, &update, now_ms);
                if let Some(failure) = failure {
                    self.tell(id, seq, &failure, now_ms);
                }
            }
            (None, Some(message)) => {
                let message = message.to_owned();
                self.messages.push(ServerMessage::Error { id: Some(id), code: "bad_query".to_owned(), message });
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn unsubscribe(&mut self, id: u64) {
        if let Some(Topic::Query(_)) = self.topics.remove(&id) {
            for result in &mut self.results {
                result.subscribers.remove(&id);
            }
            self.results.retain(|result| !result.subscribers.is_empty());
        }
    }

    /// Sends a subscriber of a query what is new.
    fn tell(&mut self, id: u64, seq: u64, news: &QueryNews, now_ms: i64) {
        match news {
            QueryNews::Update(Update::Snapshot(frame)) => {
                self.messages.push(ServerMessage::Snapshot { id, seq, data: SnapshotData::Query(frame.clone()) });
                // The page takes what comes whole for fresh.
                self.tell_trouble(id, now_ms);
            }
            QueryNews::Update(Update::Delta(frame)) => {
                self.messages.push(ServerMessage::Delta { id, seq, data: frame.clone() });
            }
            QueryNews::Failed { message, known_end_ms: Some(since) } => {
                let reason = message.clone();
                self.messages.push(ServerMessage::Status { id, fresh: false, since: *since, reason });
            }
            QueryNews::Failed { message, known_end_ms: None } => self.refuse(id, "bad_query", message.clone()),
            QueryNews::Recovered => self.messages.push(freshness(id, &self.trouble, now_ms)),
        }
    }

    fn tell_trouble(&mut self, id: u64, now_ms: i64) {
        if self.trouble.is_some() {
            self.messages.push(freshness(id, &self.trouble, now_ms));
        }
    }

    fn refuse(&mut self, id: u64, code: &str, message: String) {
        self.messages.push(ServerMessage::Error { id: Some(id), code: code.to_owned(), message });
    }

    fn subscribed_to(&self, topic: &Topic) -> Vec<u64> {
        self.topics.iter().filter(|(_, other)| *other == topic).map(|(id, _)| *id).collect()
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

/// Whether a topic shows what comes from the daemon.
fn shows_daemon(topic: &Topic) -> bool {
    matches!(topic, Topic::Jobs | Topic::System | Topic::Query(_))
}

/// Whether the daemon's data is old, for one subscription.
fn freshness(id: u64, trouble: &Option<(i64, String)>, now_ms: i64) -> ServerMessage {
    match trouble {
        Some((since, reason)) => ServerMessage::Status { id, fresh: false, since: *since, reason: reason.clone() },
        None => {
            ServerMessage::Status { id, fresh: true, since: now_ms, reason: "the data is current again".to_owned() }
        }
    }
}
