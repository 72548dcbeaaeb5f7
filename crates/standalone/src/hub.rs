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
}

impl Hub {
    /// A page connected: what was subscribed before is gone, and the first message greets it.
    pub(crate) fn connect(&mut self, version: &str, boot_id: &str, now_ms: i64) {
        *self = Hub { seq: self.seq, ..Hub::default() };
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

    /// Says to who subscribed to a topic, or to all queries if it is `None`, that it became stale or fresh again.
    pub(crate) fn mark(&mut self, topics: &[Topic], stale: Option<(i64, String)>, now_ms: i64) {
        let (fresh, since, reason) = match stale {
            Some((since_ms, reason)) => (false, since_ms, reason),
            None => (true, now_ms, "the daemon is connected again".to_owned()),
        };
        let ids: Vec<u64> = self
            .topics
            .iter()
            .filter(|(_, topic)| topics.contains(topic) || matches!(topic, Topic::Query(_)))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.messages.push(ServerMessage::Status { id, fresh, since, reason: reason.clone() });
        }
    }

    /// Evaluates the queries that are due.
    pub(crate) fn advance(&mut self, evaluator: &Evaluator, now_ms: i64) {
        for index in 0..self.results.len() {
            let Some(result) = self.results.get_mut(index) else { return };
            let news = result.advance(evaluator, now_ms);
            let ids: Vec<u64> = result.subscribers.iter().copied().collect();
            for one in news {
                let seq = self.next_seq();
                self.messages.extend(ids.iter().map(|id| message(*id, seq, &one, now_ms)));
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
                let data = SnapshotData::Query(frame.clone());
                self.messages.push(ServerMessage::Snapshot { id, seq, data });
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

fn message(id: u64, seq: u64, news: &QueryNews, now_ms: i64) -> ServerMessage {
    match news {
        QueryNews::Update(Update::Snapshot(frame)) => {
            ServerMessage::Snapshot { id, seq, data: SnapshotData::Query(frame.clone()) }
        }
        QueryNews::Update(Update::Delta(frame)) => ServerMessage::Delta { id, seq, data: frame.clone() },
        QueryNews::Failed { message, known_end_ms: Some(since) } => {
            ServerMessage::Status { id, fresh: false, since: *since, reason: message.clone() }
        }
        QueryNews::Failed { message, known_end_ms: None } => {
            ServerMessage::Error { id: Some(id), code: "bad_query".to_owned(), message: message.clone() }
        }
        QueryNews::Recovered => {
            ServerMessage::Status { id, fresh: true, since: now_ms, reason: "the query works again".to_owned() }
        }
    }
}
