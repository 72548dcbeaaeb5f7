//! Limits of connections: their number, and how long each may be idle, send nothing or read nothing. So a client that
//! holds connections open cannot lock out others, which would not even need a token.
//!
//! [`acceptor`] admits connections, [`waiting`] ends those that are idle for too long, [`stalled`] those whose peer
//! reads nothing. The [`Connection`] knows from [`service`] whether a request is in progress. A WebSocket has its own
//! pings, so only [`stalled`] applies to it.

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

/// Minimum interval between log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Limits of connections.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    /// Maximum number of connections.
    total: usize,
    /// Maximum number of connections per address; for IPv6 per /64 network.
    per_address: usize,
    /// Maximum time from accept to the first request.
    first_request: Duration,
    /// Maximum time without a request.
    idle: Duration,
    /// Maximum time in which the peer reads nothing of what is written.
    stalled_write: Duration,
    /// Trusted proxies, behind which many clients share an address.
    trusted: Vec<Network>,
}

impl ConnectionLimits {
    /// The limits for these settings and this number of file descriptors.
    pub(crate) fn of(config: &Config, descriptors: usize) -> Self {
        let limits = &config.limits;
        let total = limits.connections.min(descriptors::for_connections(descriptors));
        ConnectionLimits {
            total,
            // No single address can take all connections.
            per_address: limits.address_connections.min(total / 2).max(1),
            first_request: limits.first_request_time,
            idle: limits.idle_time,
            stalled_write: limits.stalled_write_time,
            trusted: config.trusted_proxies.clone(),
        }
    }

    /// The key under which a peer's connections are counted; `None` on loopback and behind a trusted proxy, which many
    /// clients share.
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

/// Counts and logs refused connections.
struct Refused {
    telemetry: Telemetry,
    logged_at: Mutex<Option<Instant>>,
}

impl Refused {
    /// Counts a refused connection, and logs at most once a minute.
    fn note(&self, peer: Option<IpAddr>) {
        let count = self.telemetry.connection_refused();
        let mut logged_at = self.logged_at.lock();
        if logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOG_INTERVAL) {
            *logged_at = Some(Instant::now());
            let peer = peer.map(|peer| peer.to_string());
            tracing::warn!(
                peer,
                count,
                "refusing connections: too many in total (limits.connections) or from one address (limits.address_connections, trusted_proxies)"
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
        let refused = Refused { telemetry, logged_at: Mutex::default() };
        Connections { shared: Arc::new(Shared { limits, table: Mutex::default(), refused }) }
    }

    /// Admits a connection within the limits. If the total is reached, the connection that has been idle for longest is
    /// closed.
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

/// Tells a connection that it must close, and wakes it.
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

/// One connection, from accept to its end.
pub(crate) struct Connection {
    id: u64,
    address: Option<IpAddr>,
    opened: Instant,
    shared: Arc<Shared>,
    ticket: Arc<Ticket>,
    /// Whether it was upgraded to another protocol.
    upgraded: AtomicBool,
}

impl Connection {
    /// Until when it may continue, given the time of the last write; `None` while a request is in progress, and after
    /// an upgrade.
    fn deadline(&self, written: Instant) -> Option<Instant> {
        let limits = &self.shared.limits;
        match self.shared.table().waiting(self.id) {
            Waiting::FirstRequest => Some(self.opened + limits.first_request),
            // The end of a response may still be in a buffer.
            Waiting::Since(since) => Some(since.max(written) + limits.idle),
            Waiting::Readers { oldest, newest, count } => {
                let since = match (count, self.address) {
                    // If there is only one response, what the peer reads belongs to it.
                    (1, _) => oldest.max(written),
                    // If many share the connection, one that reads nothing must not end it for the others.
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

    /// Wakes a task once the connection must close.
    fn wake_when_evicted(&self, waker: &Waker) {
        self.ticket.waker.register(waker);
    }

    /// Completes once the connection must close.
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
