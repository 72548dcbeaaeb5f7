//! Metrics of the server and its machine.

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

/// Type of a metric, as in the exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Increases and decreases.
    Gauge,
    /// Only increases.
    Counter,
}

/// The value of one metric without labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value.
    pub value: f64,
}

/// Counters of this server and gauges of its machine. Cheap to clone.
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

/// An open socket, counted until it is dropped.
pub struct SocketGuard(Telemetry);

impl Drop for SocketGuard {
    fn drop(&mut self) {
        self.0.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Telemetry {
    /// Counts an opened socket.
    #[must_use]
    pub fn socket_opened(&self) -> SocketGuard {
        self.0.sockets.fetch_add(1, Ordering::Relaxed);
        self.0.sockets_opened.fetch_add(1, Ordering::Relaxed);
        SocketGuard(self.clone())
    }

    /// Counts a rendered page.
    pub fn page_drawn(&self) {
        self.0.pages.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refused connection; returns their number so far.
    pub fn connection_refused(&self) -> u64 {
        self.0.refused_connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sets the budgets for viewers and the admission queues to report.
    pub fn follow_budgets(&self, budgets: Budgets, turns: Vec<Admission>) {
        self.0.budgets.follow(budgets, turns);
    }

    /// Counters of rule evaluation.
    #[must_use]
    pub fn rules(&self) -> &RuleCounters {
        &self.0.rules
    }

    /// Counters of notifications.
    #[must_use]
    pub fn deliveries(&self) -> &DeliveryCounters {
        &self.0.deliveries
    }

    /// Counts a request to the route `handler` (its template, not its path), with its duration.
    pub fn request_answered(&self, handler: &str, code: u16, took: Duration) {
        self.0.labelled.answered(handler, code, took);
    }

    /// Counts a notification attempt to a receiver of this kind, with its duration.
    pub fn notification_attempted(&self, integration: &str, outcome: AttemptOutcome, took: Duration) {
        self.0.labelled.attempted(integration, outcome, took);
    }

    /// Records the duration of a rule group's evaluation.
    pub fn rule_group_evaluated(&self, took_secs: f64) {
        self.0.labelled.evaluated(took_secs);
    }

    /// Records how long ago the wall of this name reported what it shows.
    #[allow(clippy::cast_precision_loss)] // far below 2^53 milliseconds
    pub fn wall_reported(&self, wall: &str, age_ms: i64) {
        self.0.labelled.wall_reported(wall, age_ms as f64 / 1_000.0);
    }

    /// The labelled metrics and histograms in OpenMetrics format.
    #[must_use]
    pub fn labelled_page(&self) -> String {
        self.0.labelled.page()
    }

    /// The current metrics without labels. Reading the machine's state takes about a millisecond.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    pub fn gather(&self) -> Vec<Metric> {
        let mut metrics = vec![
            Metric {
                name: "hyperscope_sockets",
                help: "Open live sockets.",
                kind: Kind::Gauge,
                value: self.0.sockets.load(Ordering::Relaxed) as f64,
            },
            Metric {
                name: "hyperscope_sockets_opened_total",
                help: "Opened live sockets.",
                kind: Kind::Counter,
                value: self.0.sockets_opened.load(Ordering::Relaxed) as f64,
            },
            Metric {
                name: "hyperscope_pages_total",
                help: "Rendered pages.",
                kind: Kind::Counter,
                value: self.0.pages.load(Ordering::Relaxed) as f64,
            },
            Metric {
                name: "hyperscope_connections_refused_total",
                help: "Connections refused because of the limits in total or per address.",
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
