//! What the server tells of itself and of the machine it runs on.

mod budgets;
mod deliveries;
mod host;
mod labelled;
mod rules;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use budget::Budgets;
use datasource::Admission;
use parking_lot::Mutex;

use crate::{budgets::BudgetMetrics, host::Host, labelled::Labelled};

pub use crate::{deliveries::DeliveryCounters, labelled::AttemptOutcome, rules::RuleCounters};

/// Type of a metric, in the exposition format's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up.
    Counter,
}

/// One metric without labels, at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value.
    pub value: f64,
}

/// Counters of this server and gauges of its machine. A cheap handle.
#[derive(Clone, Default)]
pub struct Telemetry(Arc<Shared>);

#[derive(Default)]
struct Shared {
    sockets: AtomicI64,
    sockets_opened: AtomicU64,
    pages: AtomicU64,
    refused_connections: AtomicU64,
    host: Mutex<Host>,
    rules: RuleCounters,
    deliveries: DeliveryCounters,
    budgets: BudgetMetrics,
    labelled: Labelled,
}

/// An open socket; counted until dropped.
pub struct SocketGuard(Telemetry);

impl Drop for SocketGuard {
    fn drop(&mut self) {
        self.0.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Counts a socket that was opened.
    #[must_use]
    pub fn socket_opened(&self) -> SocketGuard {
        self.0.sockets.fetch_add(1, Ordering::Relaxed);
        self.0.sockets_opened.fetch_add(1, Ordering::Relaxed);
        SocketGuard(self.clone())
    }

    /// Counts a page that was drawn.
    pub fn page_drawn(&self) {
        self.0.pages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that is not let in; how many there have been.
    pub fn connection_refused(&self) -> u64 {
        self.0.refused_connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells of the budgets for viewers, and of the reads that have their turns there.
    pub fn follow_budgets(&self, budgets: Budgets, turns: Vec<Admission>) {
        self.0.budgets.follow(budgets, turns);
    }

    /// Counters of the evaluation of rules.
    #[must_use]
    pub fn rules(&self) -> &RuleCounters {
        &self.0.rules
    }

    /// Counters of notifications.
    #[must_use]
    pub fn deliveries(&self) -> &DeliveryCounters {
        &self.0.deliveries
    }

    /// Counts a request that was answered by the route `handler` (its template, not its path), and how long that took.
    pub fn request_answered(&self, handler: &str, code: u16, took: Duration) {
        self.0.labelled.answered(handler, code, took);
    }

    /// Counts an attempt to notify a receiver of this kind, and how long it took.
    pub fn notification_attempted(&self, integration: &str, outcome: AttemptOutcome, took: Duration) {
        self.0.labelled.attempted(integration, outcome, took);
    }

    /// Notes how long the evaluation of a group of rules took.
    pub fn rule_group_evaluated(&self, took_secs: f64) {
        self.0.labelled.evaluated(took_secs);
    }

    /// The metrics with labels and the histograms, as a page of OpenMetrics.
    #[must_use]
    pub fn labelled_page(&self) -> String {
        self.0.labelled.page()
    }

    /// The metrics without labels now. Reading the machine takes about a millisecond.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    pub fn gather(&self) -> Vec<Metric> {
        let mut metrics = vec![
            Metric {
                name: "hyperscope_sockets",
                help: "Live sockets that are open.",
                kind: Kind::Gauge,
                value: self.0.sockets.load(Ordering::Relaxed) as f64,
            },
            Metric {
                name: "hyperscope_sockets_opened_total",
                help: "Live sockets opened so far.",
                kind: Kind::Counter,
                value: self.0.sockets_opened.load(Ordering::Relaxed) as f64,
            },
            Metric {
                name: "hyperscope_pages_total",
                help: "Pages drawn so far.",
                kind: Kind::Counter,
                value: self.0.pages.load(Ordering::Relaxed) as f64,
            },
            Metric {
                name: "hyperscope_connections_refused_total",
                help: "Connections refused so far because there were too many, in all or of one address.",
                kind: Kind::Counter,
                value: self.0.refused_connections.load(Ordering::Relaxed) as f64,
            },
        ];
        self.0.rules.gather(&mut metrics);
        self.0.deliveries.gather(&mut metrics);
        self.0.budgets.gather(&mut metrics);
        self.0.host.lock().gather(&mut metrics);
        metrics
    }
}
