//! State shared by the tasks of one simulator.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Dialect, SimOptions,
    auth::Sessions,
    documented,
    fault::{Fault, FaultBoard, FaultKind},
};
use crate::{
    go_format::GoTime,
    world::{Event, World},
};

/// Messages that wait for a slow socket; above this, the oldest are lost. Large enough for one progress message of many
/// jobs.
const FEED_QUEUE: usize = 8_192;

/// A message for every socket.
#[derive(Debug, Clone)]
pub(super) struct FeedMessage {
    pub(super) text: Utf8Bytes,
    /// Sent in one frame, whatever its size and the dialect.
    pub(super) in_one_frame: bool,
}

/// The state behind every request. The world is locked only for a computation, never while waiting.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: SimOptions,
    pub(super) time: GoTime,
    world: Mutex<World>,
    clock: Clock,
    feed: broadcast::Sender<FeedMessage>,
    /// Incremented to close all sockets.
    cut: watch::Sender<u64>,
    /// Incremented to close all connections, each after the answer that is under way.
    restart: watch::Sender<u64>,
    sockets: AtomicUsize,
    pub(super) faults: FaultBoard,
    pub(super) sessions: Sessions,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(
        options: SimOptions,
        world: World,
        live_ms: i64,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Shared {
            time: GoTime::east(options.utc_offset_minutes),
            world: Mutex::new(world),
            clock: Clock { live_ms, since: Instant::now() },
            feed: broadcast::Sender::new(FEED_QUEUE),
            cut: watch::Sender::new(0),
            restart: watch::Sender::new(0),
            sockets: AtomicUsize::new(0),
            faults: FaultBoard::new(&options.faults),
            sessions: Sessions::default(),
            options,
            stop,
            tasks,
        }
    }

    /// Advances the world to the present, then reads or changes it.
    pub(super) fn change<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance_to(self.clock.now_ms());
        let result = act(&mut world);
        let events = world.take_events();
        // Sent under the lock, so that messages have the order of the changes; sending does not block.
        self.publish(&events, world.now_ms());
        result
    }

    fn publish(&self, events: &[Event], now_ms: i64) {
        if self.options.dialect == Dialect::Documented && self.feed.receiver_count() > 0 {
            for event in events {
                self.send(documented::event_message(event, now_ms));
            }
        }
    }

    /// Sends a message to all sockets.
    pub(super) fn send(&self, text: String) {
        // No receiver is no error: no client is connected.
        let _ = self.feed.send(FeedMessage { text: text.into(), in_one_frame: false });
    }

    /// Subscribes to the messages of [`Shared::send`].
    pub(super) fn listen(&self) -> broadcast::Receiver<FeedMessage> {
        self.feed.subscribe()
    }

    /// Changes when sockets must be closed.
    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cut.subscribe()
    }

    /// Changes when connections must be closed.
    pub(super) fn restarts(&self) -> watch::Receiver<u64> {
        self.restart.subscribe()
    }

    pub(super) fn inject(&self, fault: Fault) {
        tracing::debug!(kind = fault.kind.name(), "fault injected");
        self.faults.set(fault);
        match fault.kind {
            FaultKind::DropSocket => self.cut.send_modify(|cuts| *cuts += 1),
            FaultKind::Restart => {
                self.change(World::restart);
                self.sessions.clear();
                self.cut.send_modify(|cuts| *cuts += 1);
                self.restart.send_modify(|restarts| *restarts += 1);
            }
            FaultKind::Garbage => self.send(GARBAGE.to_owned()),
            FaultKind::HugeFrame => {
                let text = self.huge_message(fault.bytes());
                let _ = self.feed.send(FeedMessage { text: text.into(), in_one_frame: true });
            }
            FaultKind::Silence
            | FaultKind::Http500
            | FaultKind::Html
            | FaultKind::HalfJson
            | FaultKind::Slow
            | FaultKind::RefuseUpgrade => {}
        }
    }

    /// A valid message of an unknown type, padded to this size.
    fn huge_message(&self, bytes: usize) -> String {
        let head = r#"{"type":"padding","timestamp":"1970-01-01T00:00:00Z","data":{"padding":""#;
        let tail = "\"}}\n";
        format!("{head}{}{tail}", "x".repeat(bytes.saturating_sub(head.len() + tail.len())))
    }

    pub(super) fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    /// Counts a socket as long as the guard lives.
    pub(super) fn count_socket(&self) -> SocketCount<'_> {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        SocketCount(&self.sockets)
    }
}

/// The message of a `garbage` fault.
pub(super) const GARBAGE: &str = "{\"type\":\"metrics\",\"data\":{\"raw\":{\"jobs_active\":NaN,,]\u{0}";

/// One open socket.
pub(super) struct SocketCount<'a>(&'a AtomicUsize);

impl Drop for SocketCount<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The clock of the simulated daemon: starts at the configured time and runs steadily, whatever the machine's clock
/// does.
#[derive(Debug)]
struct Clock {
    live_ms: i64,
    since: Instant,
}

impl Clock {
    fn now_ms(&self) -> i64 {
        self.live_ms + i64::try_from(self.since.elapsed().as_millis()).unwrap_or(0)
    }
}

/// The machine's time in milliseconds since the Unix epoch.
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(0)
}
