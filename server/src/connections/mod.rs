//! Connections end. How many there may be, and how long each may ask nothing, say nothing or read nothing: whoever holds connections
//! open cannot keep others out, and needs no token to try.
//!
//! [`acceptor`] admits connections and [`stream`] ends them; both ask the [`Connection`], which knows from [`service`] whether a request
//! is under way. What is upgraded to a WebSocket has pings of its own, and can only stall here.

pub(crate) mod acceptor;
mod descriptors;
mod service;
mod stream;
mod table;

use std::{
    future::poll_fn,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

pub(crate) use descriptors::raise_limit;
use table::{Table, Waiting};

use crate::config::{Config, Network};

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
        ConnectionLimits {
            total: limits.connections.min(descriptors::for_connections(descriptors)),
            per_address: limits.address_connections,
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
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: ConnectionLimits,
    table: Mutex<Table>,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Connections { shared: Arc::new(Shared { limits, table: Mutex::default() }) }
    }

    /// Lets a connection in, unless there are too many. Where there are too many in all, the one that has had nothing to do for the
    /// longest time makes room.
    fn admit(&self, peer: Option<IpAddr>) -> Option<Arc<Connection>> {
        let limits = &self.shared.limits;
        let address = peer.and_then(|peer| limits.counted(peer));
        let now = Instant::now();
        let ticket = Arc::new(Ticket::default());
        let id = self.shared.table().admit(address, &ticket, limits, now)?;
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
#[derive(Debug)]
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
    /// Until when it may go on without a request; `None` while one is under way, and once it is upgraded.
    fn deadline(&self) -> Option<Instant> {
        let limits = &self.shared.limits;
        match self.shared.table().waiting(self.id) {
            Waiting::FirstRequest => Some(self.opened + limits.first_request),
            Waiting::Since(since) => Some(since + limits.idle),
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
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.table().remove(self.id, self.address);
    }
}
