//! Connections end. How many there may be, and how long each may ask nothing, say nothing or read nothing: whoever holds connections
//! open cannot keep others out, and needs no token to try.
//!
//! [`acceptor`] admits connections, [`waiting`] ends those that wait for too long, [`stalled`] those whose peer reads nothing. The
//! [`Connection`] knows from [`service`] whether a request is under way. What is upgraded to a WebSocket has pings of its own, and can only stall here.

pub(crate) mod acceptor;
mod answer_body;
mod descriptors;
mod service;
pub(crate) mod stalled;
mod table;
mod waiting;

use std::{
    future::poll_fn,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use table::{Table, Waiting};
use telemetry::Telemetry;
use tokio::time::Instant;

use crate::config::{Config, Network};

pub(crate) use descriptors::raise_limit;

/// How often a line says that connections are refused.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// What connections may take.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    /// Most connections in all.
    total: usize,
    /// Most connections of one address; of IPv6, of one network of 64 bits.
    per_address: usize,
    /// Longest time from accept to the first request.
    first_request: Duration,
    /// Longest time without a request.
    idle: Duration,
    /// Longest time in which the peer takes nothing of what is written.
    stalled_write: Duration,
    /// Proxies, behind which many clients share an address.
    trusted: Vec<Network>,
}

impl ConnectionLimits {
    /// The limits of a server with these settings, where the process may have `descriptors` files and sockets open.
    pub(crate) fn of(config: &Config, descriptors: usize) -> Self {
        let limits = &config.limits;
        let total = limits.connections.min(descriptors::for_connections(descriptors));
        ConnectionLimits {
            total,
            // Nobody takes all of them.
            per_address: limits.address_connections.min(total / 2).max(1),
            first_request: limits.first_request_time,
            idle: limits.idle_time,
            stalled_write: limits.stalled_write_time,
            trusted: config.trusted_proxies.clone(),
        }
    }

    /// Under which name a peer's connections are counted; `None` if they are not: on loopback and behind a trusted proxy many share one.
    fn counted(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.trusted.iter().any(|network| network.contains(peer)) {
            return None;
        }
        Some(match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// All connections of the server.
#[derive(Clone)]
pub(crate) struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    limits: ConnectionLimits,
    table: Mutex<Table>,
    refused: Refused,
}

/// Connections that were not let in.
struct Refused {
    telemetry: Telemetry,
    told: Mutex<Option<Instant>>,
}

impl Refused {
    /// Counts one, and writes a line at most once a minute: many may come.
    fn note(&self, peer: Option<IpAddr>) {
        let count = self.telemetry.connection_refused();
        let mut told = self.told.lock();
        if told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
            *told = Some(Instant::now());
            let peer = peer.map(|peer| peer.to_string());
            tracing::warn!(
                peer,
                count,
                "connections are refused: there are too many in all (limits.connections) or of one address (limits.address_connections, trusted_proxies)"
            );
        }
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits, telemetry: Telemetry) -> Self {
        let refused = Refused { telemetry, told: Mutex::default() };
        Connections { shared: Arc::new(Shared { limits, table: Mutex::default(), refused }) }
    }

    /// Lets a connection in, unless there are too many. Where there are too many in all, the one that has had nothing to do for the
    /// longest time makes room.
    fn admit(&self, peer: Option<IpAddr>) -> Option<Arc<Connection>> {
        let limits = &self.shared.limits;
        let address = peer.and_then(|peer| limits.counted(peer));
        let now = Instant::now();
        let ticket = Arc::new(Ticket::default());
        let Some(id) = self.shared.table().admit(address, &ticket, limits, now) else {
            self.shared.refused.note(peer);
            return None;
        };
        let shared = Arc::clone(&self.shared);
        Some(Arc::new(Connection { id, address, opened: now, shared, ticket, upgraded: AtomicBool::new(false) }))
    }
}

/// What lets a connection stay, and wakes it once it may not.
#[derive(Debug, Default)]
struct Ticket {
    evicted: AtomicBool,
    waker: AtomicWaker,
}

impl Ticket {
    fn evict(&self) {
        self.evicted.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// One connection, from its accept to its end.
pub(crate) struct Connection {
    id: u64,
    address: Option<IpAddr>,
    opened: Instant,
    shared: Arc<Shared>,
    ticket: Arc<Ticket>,
    /// It speaks another protocol by now.
    upgraded: AtomicBool,
}

impl Connection {
    /// Until when it may go on as it is, if something was written to it at `written`; `None` while a request is under way, and once it is
    /// upgraded.
    fn deadline(&self, written: Instant) -> Option<Instant> {
        let limits = &self.shared.limits;
        match self.shared.table().waiting(self.id) {
            Waiting::FirstRequest => Some(self.opened + limits.first_request),
            // The end of an answer may still be on its way.
            Waiting::Since(since) => Some(since.max(written) + limits.idle),
            Waiting::Readers { oldest, newest, count } => {
                let since = match (count, self.address) {
                    // What is taken of the only one is what is written.
                    (1, _) => oldest.max(written),
                    // Of many who share the connection, one who takes nothing does not end it for the others.
                    (_, None) => newest,
                    (_, Some(_)) => oldest,
                };
                Some(since + limits.stalled_write)
            }
            Waiting::Busy => None,
            Waiting::Evicted => Some(self.opened),
        }
    }

    fn is_evicted(&self) -> bool {
        self.ticket.evicted.load(Ordering::Acquire)
    }

    /// Wakes a task once the connection has to make room.
    fn wake_when_evicted(&self, waker: &Waker) {
        self.ticket.waker.register(waker);
    }

    /// Ready once the connection has to make room.
    async fn evicted(&self) {
        poll_fn(|context| {
            self.wake_when_evicted(context.waker());
            if self.is_evicted() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    fn set_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
        self.shared.table().upgrade(self.id);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.table().remove(self.id, self.address);
    }
}
