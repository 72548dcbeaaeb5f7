//! One browser on `/ws`, from `hello` to close.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    time::Duration,
};

use access::Scope;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use budget::{Charge, MemoryBudget, Requester};
use dashboards::DashboardRegistry;
use futures_util::{SinkExt, StreamExt};
use live::{Format, Hub, Next, QueueReceiver};
use model::{
    clock::now_ms,
    live::{BINARY_PROTOCOL, CLOSE_SESSION_ENDED, ClientMessage, ServerMessage, Topic},
    role::Role,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::session::{Read, Session};

const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A browser without a pong for this long, or to which a message could not be written for this long, is gone.
const DEAD_AFTER: Duration = Duration::from_secs(40);
/// Maximum size of a message from a browser.
pub(super) const MAX_CLIENT_MESSAGE_BYTES: usize = 64 << 10;
/// Read buffer of a socket: browsers send little, and there may be thousands of sockets.
pub(super) const READ_BUFFER_BYTES: usize = 1 << 10;
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
    /// The dashboards, as they change.
    pub dashboards: watch::Receiver<DashboardRegistry>,
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
    let mut dashboards = options.dashboards;
    let greeting = hello(&session.hub, options.role, &mut dashboards);
    if session.begin(&mut sink, &greeting, options.topics).await.is_err() {
        return;
    }

    let mut ping = interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_heard = Instant::now();
    tokio::pin!(session_ended);
    loop {
        let outcome = tokio::select! {
            next = receiver.next() => {
                let Some(next) = next else { break };
                session.send_batch(&mut sink, &mut receiver, next).await
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
                session.check(&mut sink).await
            }
            Ok(()) = dashboards.changed() => {
                let greeting = hello(&session.hub, options.role, &mut dashboards);
                write(&mut sink, encode(&greeting, session.format)).await
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

fn hello(hub: &Hub, role: Role, dashboards: &mut watch::Receiver<DashboardRegistry>) -> ServerMessage {
    ServerMessage::Hello {
        protocol: 1,
        boot_id: hub.boot_id().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        role,
        now_ms: now_ms(),
        dashboards: dashboards.borrow_and_update().version().to_owned(),
    }
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

impl Session {
    /// Greets the browser, and subscribes to the topics of its URL with IDs from 1.
    async fn begin(&mut self, sink: &mut Sink, greeting: &ServerMessage, topics: Vec<Topic>) -> Result<(), Gone> {
        write(sink, encode(greeting, self.format)).await?;
        for (id, topic) in (1..).zip(topics) {
            if let Some(refusal) = self.handle(ClientMessage::Subscribe { id, topic }) {
                write(sink, encode(&refusal, self.format)).await?;
            }
        }
        Ok(())
    }

    /// Checks that the browser is there, and tries refused subscriptions again.
    async fn check(&mut self, sink: &mut Sink) -> Result<(), Gone> {
        for refusal in self.try_refused_again() {
            write(sink, encode(&refusal, self.format)).await?;
        }
        write(sink, Message::Ping(bytes::Bytes::new())).await
    }

    /// Sends `next` and what is queued behind it, then flushes the socket.
    async fn send_batch(&self, sink: &mut Sink, receiver: &mut QueueReceiver, next: Next) -> Result<(), Gone> {
        let mut charge = self.send(sink, next).await?;
        for _ in 1..BATCH {
            // A large message is written before anything else.
            if charge.is_some() {
                break;
            }
            let Some(next) = receiver.try_next() else { break };
            charge = self.send(sink, next).await?;
        }
        flush(sink).await
    }

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
}
