//! A simulated daemon on a network socket: one [`Simulator`] serves one world in one dialect.

mod accept;
mod admin;
mod auth;
mod coded;
mod documented;
mod driver;
mod fault;
mod respond;
mod shared;
mod socket;
mod web;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use tokio::net::TcpListener;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::world::{Profile, USUAL_JOBS_PER_MINUTE, World, WorldOptions};

pub use fault::{Fault, FaultKind};
use shared::{Shared, wall_ms};

/// The dialect of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The behaviour of the unmodified binary.
    Stock,
    /// The same code, embedded with metrics and authentication.
    Custom,
    /// The behaviour that the HyperSDK documents describe.
    #[default]
    Documented,
}

impl Dialect {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Stock => "stock",
            Dialect::Custom => "custom",
            Dialect::Documented => "documented",
        }
    }

    /// The kind of world of this dialect.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Dialect::Stock | Dialect::Custom => Profile::Daemon,
            Dialect::Documented => Profile::Fleet,
        }
    }
}

/// An unknown name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {given:?}: use one of {known}")]
pub struct UnknownName {
    what: &'static str,
    given: String,
    known: &'static str,
}

impl FromStr for Dialect {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "stock" => Ok(Dialect::Stock),
            "custom" => Ok(Dialect::Custom),
            "documented" => Ok(Dialect::Documented),
            other => Err(UnknownName { what: "dialect", given: other.to_owned(), known: "stock, custom, documented" }),
        }
    }
}

/// How to start a [`Simulator`].
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The dialect.
    pub dialect: Dialect,
    /// The same seed gives the same world.
    pub seed: u64,
    /// Average number of jobs submitted per minute.
    pub jobs_per_minute: f64,
    /// Key that requests must contain (`custom`, `documented`). `custom` with an empty key accepts only sessions, as
    /// the code does.
    pub api_key: Option<String>,
    /// Origins that may open the socket (`custom`); `*.example.com` matches all subdomains.
    pub allowed_origins: Vec<String>,
    /// Time zone of the daemon, minutes east of UTC (`stock`, `custom`).
    pub utc_offset_minutes: i32,
    /// Time at which the world becomes live, in milliseconds since the Unix epoch; `None` means now.
    pub start_ms: Option<i64>,
    /// How far the daemon's clock is ahead of ours, in seconds, where `start_ms` is `None`.
    pub clock_offset_seconds: i64,
    /// Time simulated before that, so that there are jobs at the start. Not used if the world has its own history.
    pub warm_up: Duration,
    /// Directory served at `/web/dashboard/`; `None` for none.
    pub web: Option<PathBuf>,
    /// Faults that are active at the start.
    pub faults: Vec<Fault>,
}

impl Default for SimOptions {
    fn default() -> Self {
        SimOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dialect: Dialect::default(),
            seed: 1,
            jobs_per_minute: USUAL_JOBS_PER_MINUTE,
            api_key: None,
            allowed_origins: vec!["http://localhost:8080".to_owned(), "https://localhost:8080".to_owned()],
            utc_offset_minutes: 60,
            start_ms: None,
            clock_offset_seconds: 0,
            warm_up: Duration::from_secs(1_800),
            web: None,
            faults: Vec::new(),
        }
    }
}

impl SimOptions {
    /// Time at which the world becomes live, by the daemon's clock.
    fn live_ms(&self) -> i64 {
        let offset_ms = self.clock_offset_seconds.saturating_mul(1_000);
        self.start_ms.unwrap_or_else(|| wall_ms().saturating_add(offset_ms))
    }

    /// A world with these options, whose clock starts at `start_ms`.
    #[must_use]
    pub fn world(&self, start_ms: i64) -> World {
        let profile = self.dialect.profile();
        World::new(WorldOptions {
            seed: self.seed,
            start_ms,
            jobs_per_minute: self.jobs_per_minute,
            profile,
            // The real daemon never forgets a job; the simulator does so late enough that no client notices.
            remember: if profile == Profile::Daemon { 5_000 } else { 400 },
        })
    }
}

/// The messages that a socket gets right after it opened.
fn first_messages(shared: &Shared) -> Vec<String> {
    match shared.options.dialect {
        Dialect::Stock | Dialect::Custom => coded::first_messages(shared),
        Dialect::Documented => vec![documented::system_message(shared)],
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The simulator cannot listen on the address.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The requested address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

/// A running simulated daemon. [`Simulator::shutdown`] ends its tasks; dropping it ends them too, without waiting.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Simulator {
    /// Starts a daemon with a new world.
    ///
    /// # Errors [`StartError::Listen`] if it cannot listen on the address.
    pub async fn start(options: SimOptions) -> Result<Self, StartError> {
        let live_ms = options.live_ms();
        let warm_up_ms = i64::try_from(options.warm_up.as_millis()).unwrap_or(0);
        let mut world = options.world(live_ms - warm_up_ms);
        world.advance_to(live_ms);
        Self::start_with(options, world).await
    }

    /// Starts a daemon that continues this world, whose clock should be at the present (or at `start_ms`).
    ///
    /// # Errors [`StartError::Listen`] if it cannot listen on the address.
    pub async fn start_with(options: SimOptions, mut world: World) -> Result<Self, StartError> {
        let listen_error = |source| StartError::Listen { addr: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen_error)?;
        let addr = listener.local_addr().map_err(listen_error)?;
        world.take_events();
        let live_ms = options.live_ms();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let shared = Arc::new(Shared::new(options, world, live_ms, stop.clone(), tasks.clone()));
        tasks.spawn(driver::run(Arc::clone(&shared)));
        tasks.spawn(accept::run(listener, Arc::clone(&shared)));
        tracing::debug!(%addr, dialect = shared.options.dialect.name(), "simulated daemon listens");
        Ok(Simulator { addr, shared, tasks, stop: stop.drop_guard() })
    }

    /// The listen address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Reads or changes the world; changes are sent on the sockets immediately.
    pub fn with_world<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        self.shared.change(act)
    }

    /// Starts a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.inject(fault);
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.shared.faults.clear();
    }

    /// Number of open sockets of the live feed.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.shared.sockets()
    }

    /// Closes every connection and waits until all tasks have ended.
    pub async fn shutdown(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}
