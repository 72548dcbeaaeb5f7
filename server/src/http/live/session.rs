//! What one browser is subscribed to, and what its messages change.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use access::Scope;
use axum::extract::ws::Message;
use budget::MemoryBudget;
use datasource::{ErrorKind, QueryError};
use live::{Format, Hub, QueueSender, Subscription};
use model::live::{ClientMessage, ServerMessage, Topic};
use tokio::time::Instant;

/// Subscriptions within this time after a `resume` continue those of the lost connection; later ones are new and start
/// with a snapshot.
const RESUME_TIME: Duration = Duration::from_secs(5);

/// Result of a browser's message.
pub(super) enum Read {
    Nothing,
    Closed,
    Answer(ServerMessage),
}

/// What one browser is subscribed to.
pub(super) struct Session {
    pub(super) hub: Hub,
    pub(super) format: Format,
    pub(super) queue: QueueSender,
    pub(super) subscriptions: HashMap<u64, Subscription>,
    /// The last sequence number that an earlier connection to this run of the server received, and when `resume`
    /// arrived.
    pub(super) resume: Option<(u64, Instant)>,
    /// Subscriptions that exceeded a memory limit, to be retried.
    pub(super) refused: BTreeMap<u64, Topic>,
    pub(super) max: usize,
    pub(super) memory: MemoryBudget,
    pub(super) scope: Scope,
    pub(super) may_follow: Box<dyn Fn(&Topic) -> bool + Send + Sync>,
}

impl Session {
    /// Reads a message of the browser.
    pub(super) fn read(&mut self, message: &Message) -> Read {
        let parsed = match message {
            Message::Text(text) => serde_json::from_str(text).map_err(|error| error.to_string()),
            Message::Binary(bytes) => {
                ciborium::from_reader::<ClientMessage, _>(bytes.as_ref()).map_err(|error| error.to_string())
            }
            Message::Close(_) => return Read::Closed,
            Message::Ping(_) | Message::Pong(_) => return Read::Nothing,
        };
        let answer = match parsed {
            Ok(message) => self.handle(message),
            Err(error) => Some(refusal(None, "bad_request", format!("the message was not understood: {error}"))),
        };
        answer.map_or(Read::Nothing, Read::Answer)
    }

    /// Processes a message; returns the error response, if any.
    pub(super) fn handle(&mut self, message: ClientMessage) -> Option<ServerMessage> {
        match message {
            ClientMessage::Subscribe { id, .. } if self.subscriptions.contains_key(&id) => Some(refusal(
                Some(id),
                "bad_request",
                format!("subscription {id} exists: unsubscribe it, or use another id"),
            )),
            ClientMessage::Subscribe { id, .. } if self.has_as_many_as_may(id) => {
                Some(refusal(Some(id), "limit", format!("a socket has at most {} subscriptions", self.max)))
            }
            ClientMessage::Subscribe { id, topic } if !(self.may_follow)(&topic) => {
                let message = "this session is limited to what is on its dashboards".to_owned();
                Some(refusal(Some(id), "forbidden", message))
            }
            ClientMessage::Subscribe { id, topic } => {
                let resume = self.resume.filter(|(_, at)| at.elapsed() < RESUME_TIME).map(|(seq, _)| seq);
                self.refused.remove(&id);
                let error = self.subscribe(id, topic, resume).err()?;
                Some(refusal(Some(id), error.kind.live_code(), error.message))
            }
            ClientMessage::Unsubscribe { id } => {
                self.refused.remove(&id);
                if let Some(subscription) = self.subscriptions.remove(&id) {
                    subscription.channel().unsubscribe(&self.queue, id);
                }
                None
            }
            ClientMessage::Resume { boot_id, seq } => {
                self.resume = (boot_id == self.hub.boot_id()).then(|| (seq, Instant::now()));
                None
            }
        }
    }

    fn has_as_many_as_may(&self, id: u64) -> bool {
        let waits = self.refused.keys().filter(|other| **other != id).count();
        self.subscriptions.len() + waits >= self.max
    }

    /// Starts a subscription. One that exceeds a memory limit is retried later.
    fn subscribe(&mut self, id: u64, topic: Topic, resume: Option<u64>) -> Result<(), QueryError> {
        match self.hub.subscribe(&self.scope, &topic, self.queue.clone(), id, resume) {
            Ok(subscription) => {
                self.subscriptions.insert(id, subscription);
                Ok(())
            }
            Err(error) => {
                if error.kind == ErrorKind::TooMany {
                    self.refused.insert(id, topic);
                }
                Err(error)
            }
        }
    }

    /// Retries subscriptions that exceeded a memory limit; returns errors for other reasons. Stops at the first one
    /// that still exceeds the limit; that error was already sent.
    pub(super) fn try_refused_again(&mut self) -> Vec<ServerMessage> {
        let mut refusals = Vec::new();
        while let Some((id, topic)) = self.refused.pop_first() {
            match self.subscribe(id, topic, None) {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::TooMany => break,
                Err(error) => refusals.push(refusal(Some(id), error.kind.live_code(), error.message)),
            }
        }
        refusals
    }

    /// Ends all subscriptions.
    pub(super) fn end(&mut self) {
        for (id, subscription) in self.subscriptions.drain() {
            subscription.channel().unsubscribe(&self.queue, id);
        }
    }
}

fn refusal(id: Option<u64>, code: &str, message: String) -> ServerMessage {
    ServerMessage::Error { id, code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use budget::{Budgets, Requester};
    use datasource::{Embedded, Engines, QueryLimits, ReadScheduler};
    use live::{HubLimits, Sources, StartLimit};
    use model::live::LiveQuery;
    use tokio_util::sync::CancellationToken;
    use tsdb::{Store, StoreOptions};

    use super::*;

    const WINDOW: Duration = Duration::from_millis(200);

    /// A hub whose tokens may start one query per [`WINDOW`].
    fn hub() -> Hub {
        let budgets = Budgets::of(1 << 30);
        let reads = ReadScheduler::new(&budgets, 2, Duration::from_secs(10));
        let store = Store::in_memory(StoreOptions::default());
        let engines = Engines::embedded(Arc::new(Embedded::new(store, QueryLimits::default(), reads)));
        let nothing = || -> live::SnapshotSource { Box::new(|| None) };
        let sources = Sources { jobs: nothing(), system: nothing(), alerts: nothing(), upstreams: nothing() };
        let limits = HubLimits { memory: budgets.live, starts: StartLimit::within(WINDOW, 1) };
        Hub::new("boot".to_owned(), engines, sources, limits, CancellationToken::new())
    }

    fn session(hub: Hub) -> Session {
        Session {
            queue: hub.queue().0,
            hub,
            format: Format::Json,
            subscriptions: HashMap::new(),
            resume: None,
            refused: BTreeMap::new(),
            max: 2,
            memory: Budgets::of(1 << 30).answers,
            scope: Scope::all(),
            may_follow: Box::new(|_| true),
        }
    }

    fn subscribe(id: u64, expr: &str) -> ClientMessage {
        let query =
            LiveQuery { expr: expr.to_owned(), window_ms: 10_000, step_ms: 1_000, instant: false, engine: None };
        ClientMessage::Subscribe { id, topic: Topic::Query(query) }
    }

    fn code(answer: Option<ServerMessage>) -> String {
        match answer {
            Some(ServerMessage::Error { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_there_was_no_room_for_begins_later_by_itself() {
        let test = async {
            let mut session = session(hub());
            assert!(session.handle(subscribe(1, "vector(1)")).is_none());
            assert_eq!(code(session.handle(subscribe(2, "vector(2)"))), "limit");
            assert!(!session.subscriptions.contains_key(&2));
            // It counts as a subscription of the socket; an invalid one is not retried.
            assert_eq!(code(session.handle(subscribe(3, "vector(3)"))), "limit");
            assert_eq!(session.refused.len(), 1);
            assert!(session.try_refused_again().is_empty(), "that was said");
            assert_eq!(session.refused.len(), 1, "there is no room yet");
            tokio::time::sleep(WINDOW).await;
            assert!(session.try_refused_again().is_empty());
            assert!(session.subscriptions.contains_key(&2) && session.refused.is_empty());

            session.handle(ClientMessage::Unsubscribe { id: 1 });
            assert_eq!(code(session.handle(subscribe(4, "vector(4)"))), "limit");
            session.handle(ClientMessage::Unsubscribe { id: 4 });
            assert!(session.refused.is_empty(), "nobody wants it any more");
            tokio::time::sleep(WINDOW).await;
            assert_eq!(code(session.handle(subscribe(5, "vector("))), "bad_query");
            assert!(session.refused.is_empty());
            assert_eq!(code(session.handle(subscribe(5, "vector(5"))), "limit", "a wrong one is one of those");
            session.handle(ClientMessage::Unsubscribe { id: 5 });
            tokio::time::sleep(WINDOW).await;

            // If a retry fails for another reason, the error is sent, and there is no further retry.
            let ClientMessage::Subscribe { id, topic } = subscribe(6, "vector(") else { panic!() };
            session.refused.insert(id, topic);
            let mut messages = session.try_refused_again();
            assert!(matches!(messages.first(), Some(ServerMessage::Error { id: Some(6), .. })), "{messages:?}");
            assert_eq!(code(messages.pop()), "bad_query");
            assert!(messages.is_empty() && session.refused.is_empty());
        };
        Requester::Token("a".into()).scope(test).await;
    }
}
