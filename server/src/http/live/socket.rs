//! One browser on `/ws`, from `hello` to close.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    time::Duration,
};

use access::Scope;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use budget::{Charge, MemoryBudget, Requester};
use datasource::{ErrorKind, QueryError};
use futures_util::{SinkExt, StreamExt};
use live::{Format, Hub, Next, QueueSender, Subscription};
use model::{
    clock::now_ms,
    live::{BINARY_PROTOCOL, CLOSE_SESSION_ENDED, ClientMessage, ServerMessage, Topic},
    role::Role,
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A browser without a pong for this long, or to which a message could not be written for this long, is gone.
const DEAD_AFTER: Duration = Duration::from_secs(40);
/// Maximum size of a message from a browser.
pub(super) const MAX_CLIENT_MESSAGE_BYTES: usize = 64 << 10;
/// Read buffer of a socket: browsers send little, and there may be thousands of sockets.
pub(super) const READ_BUFFER_BYTES: usize = 1 << 10;
/// Subscriptions within this time after a `resume` continue those of the lost connection; later ones are new and start
/// with a snapshot.
const RESUME_TIME: Duration = Duration::from_secs(5);
/// Messages to send before the socket is flushed.
const BATCH: usize = 32;
/// Longer messages are charged until they are written, because each socket has its own copy.
const LIGHT_BYTES: usize = 64 << 10;
/// Encoding of longer messages takes so long that it runs outside the async threads.
const HEAVY_BYTES: u64 = 1 << 20;
/// Interval of checks for whether a message fits into the memory limit.
const ROOM_INTERVAL: Duration = Duration::from_millis(100);
/// Close codes of RFC 6455, 7.4.1.
const CLOSE_GOING_AWAY: u16 = 1001;

/// Parameters of a socket.
pub(super) struct SocketOptions {
    /// Format of the messages.
    pub format: Format,
    /// Role of the session.
    pub role: Role,
    /// Topics of `?topics=`, subscribed at once with IDs from 1.
    pub topics: Vec<Topic>,
    /// Maximum number of subscriptions.
    pub max_subscriptions: usize,
    /// Memory for messages that are being sent.
    pub memory: MemoryBudget,
    /// Scope of the session.
    pub scope: Scope,
    /// Whether the session may subscribe to a topic.
    pub may_follow: Box<dyn Fn(&Topic) -> bool + Send + Sync>,
}

/// The format of the negotiated subprotocol; JSON for clients without one.
#[must_use]
pub(super) fn format_of(protocol: Option<&str>) -> Format {
    if protocol == Some(BINARY_PROTOCOL) { Format::Cbor } else { Format::Json }
}

/// Serves a socket until the browser leaves, `session_ended` completes, or the server stops.
pub(super) async fn serve(
    socket: WebSocket,
    hub: Hub,
    options: SocketOptions,
    session_ended: impl Future<Output = ()> + Send,
    stop: CancellationToken,
) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mut receiver) = hub.queue();
    let mut session = Session {
        hub,
        format: options.format,
        queue: sender,
        subscriptions: HashMap::new(),
        resume: None,
        refused: BTreeMap::new(),
        max: options.max_subscriptions,
        memory: options.memory,
        scope: options.scope,
        may_follow: options.may_follow,
    };
    let hello = ServerMessage::Hello {
        protocol: 1,
        boot_id: session.hub.boot_id().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        role: options.role,
        now_ms: now_ms(),
    };
    if sink.send(encode(&hello, session.format)).await.is_err() {
        return;
    }
    for (id, topic) in (1..).zip(options.topics) {
        if let Some(refusal) = session.handle(ClientMessage::Subscribe { id, topic })
            && sink.send(encode(&refusal, session.format)).await.is_err()
        {
            return;
        }
    }

    let mut ping = interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_heard = Instant::now();
    tokio::pin!(session_ended);
    loop {
        let outcome = tokio::select! {
            next = receiver.next() => {
                let Some(next) = next else { break };
                let mut sent = session.send(&mut sink, next).await;
                for _ in 1..BATCH {
                    // A large message is written before anything else.
                    if !matches!(sent, Ok(None)) {
                        break;
                    }
                    let Some(next) = receiver.try_next() else { break };
                    sent = session.send(&mut sink, next).await;
                }
                match sent {
                    Ok(_charge) => flush(&mut sink).await,
                    Err(gone) => Err(gone),
                }
            }
            message = stream.next() => {
                let Some(Ok(message)) = message else { break };
                last_heard = Instant::now();
                match session.read(&message) {
                    Read::Nothing => Ok(()),
                    Read::Closed => break,
                    Read::Answer(answer) => write(&mut sink, encode(&answer, session.format)).await,
                }
            }
            _ = ping.tick() => {
                if last_heard.elapsed() > DEAD_AFTER {
                    break;
                }
                let mut written = Ok(());
                for refusal in session.try_refused_again() {
                    written = write(&mut sink, encode(&refusal, session.format)).await;
                    if written.is_err() {
                        break;
                    }
                }
                match written {
                    Ok(()) => write(&mut sink, Message::Ping(bytes::Bytes::new())).await,
                    Err(gone) => Err(gone),
                }
            }
            () = &mut session_ended => {
                let _ = write(&mut sink, close(CLOSE_SESSION_ENDED, "the session ended: log in again")).await;
                break;
            }
            () = stop.cancelled() => {
                let _ = write(&mut sink, close(CLOSE_GOING_AWAY, "the server is stopping")).await;
                break;
            }
        };
        if outcome.is_err() {
            break;
        }
    }
    session.end();
}

/// The browser is gone.
struct Gone;

type Sink = futures_util::stream::SplitSink<WebSocket, Message>;

async fn within_patience<E>(sending: impl Future<Output = Result<(), E>>) -> Result<(), Gone> {
    match timeout(DEAD_AFTER, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

async fn write(sink: &mut Sink, message: Message) -> Result<(), Gone> {
    within_patience(sink.send(message)).await
}

async fn flush(sink: &mut Sink) -> Result<(), Gone> {
    within_patience(sink.flush()).await
}

fn close(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}

/// A message as a frame of its format.
fn frame(document: Vec<u8>, format: Format) -> Message {
    match format {
        Format::Json => Message::Text(String::from_utf8(document).unwrap_or_default().into()),
        Format::Cbor => Message::Binary(document.into()),
    }
}

fn encode(message: &ServerMessage, format: Format) -> Message {
    let mut document = Vec::new();
    let outcome = match format {
        Format::Json => serde_json::to_writer(&mut document, message).map_err(|error| error.to_string()),
        Format::Cbor => ciborium::into_writer(message, &mut document).map_err(|error| error.to_string()),
    };
    if let Err(error) = outcome {
        tracing::error!(error, "cannot encode a live message");
    }
    frame(document, format)
}

/// Result of a browser's message.
enum Read {
    Nothing,
    Closed,
    Answer(ServerMessage),
}

/// State of one socket.
struct Session {
    hub: Hub,
    format: Format,
    queue: QueueSender,
    subscriptions: HashMap<u64, Subscription>,
    /// The last sequence number that an earlier connection to this run of the server received, and when `resume`
    /// arrived.
    resume: Option<(u64, Instant)>,
    /// Subscriptions that exceeded a memory limit, to be retried.
    refused: BTreeMap<u64, Topic>,
    max: usize,
    memory: MemoryBudget,
    scope: Scope,
    may_follow: Box<dyn Fn(&Topic) -> bool + Send + Sync>,
}

impl Session {
    /// Sends a message; returns its charge if it is large.
    async fn send(&self, sink: &mut Sink, next: Next) -> Result<Option<Charge>, Gone> {
        match next {
            Next::Update(id, update) if self.subscriptions.contains_key(&id) => {
                let length = if update.weight() > HEAVY_BYTES {
                    tokio::task::block_in_place(|| update.length(self.format))
                } else {
                    update.length(self.format)
                };
                let charge = if length > LIGHT_BYTES { Some(self.room(length).await?) } else { None };
                within_patience(sink.feed(frame(update.message(id, self.format), self.format))).await?;
                Ok(charge)
            }
            Next::Update(..) => Ok(None),
            Next::Resync(id) => {
                if let Some(subscription) = self.subscriptions.get(&id) {
                    subscription.channel().resync(&self.queue, id);
                }
                Ok(None)
            }
        }
    }

    /// Waits until a message of `bytes` bytes fits into the memory limit: stalled sockets of the token free theirs when
    /// they die.
    async fn room(&self, bytes: usize) -> Result<Charge, Gone> {
        let (token, bytes) = (Requester::current().account(), u64::try_from(bytes).unwrap_or(u64::MAX));
        // A message larger than the limit is sent alone.
        let bytes = bytes.min(self.memory.token_limit());
        let waiting = async {
            loop {
                match self.memory.try_charge(&token, bytes) {
                    Ok(charge) => return charge,
                    Err(_) => tokio::time::sleep(ROOM_INTERVAL).await,
                }
            }
        };
        timeout(DEAD_AFTER, waiting).await.map_err(|_| {
            self.memory.refuse();
            Gone
        })
    }

    fn read(&mut self, message: &Message) -> Read {
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
    fn handle(&mut self, message: ClientMessage) -> Option<ServerMessage> {
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
    fn try_refused_again(&mut self) -> Vec<ServerMessage> {
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

    fn end(&mut self) {
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

    use budget::Budgets;
    use datasource::{Embedded, Engines, QueryLimits, ReadScheduler};
    use live::{HubLimits, Sources, StartLimit};
    use model::live::LiveQuery;
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
