//! Metrics of notifications.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Kind, Metric};

/// Counters of deliveries since the start.
#[derive(Debug, Default)]
pub struct DeliveryCounters {
    /// Accepted by the receiver.
    pub delivered: AtomicU64,
    /// Failed attempts that will be retried.
    pub failed: AtomicU64,
    /// Given up.
    pub dead: AtomicU64,
    /// Rejected alerts.
    pub refused: AtomicU64,
}

impl DeliveryCounters {
    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    /// Appends the current metrics.
    pub fn gather(&self, metrics: &mut Vec<Metric>) {
        let counters = [
            (
                "hyperscope_notifications_delivered_total",
                "Notifications that their receiver accepted.",
                &self.delivered,
            ),
            (
                "hyperscope_notifications_retried_total",
                "Notification attempts that failed and will be retried.",
                &self.failed,
            ),
            ("hyperscope_notifications_dead_total", "Notifications that were given up.", &self.dead),
            (
                "hyperscope_alerts_refused_total",
                "Alerts that were rejected, so that nobody is notified of them: labels or times are invalid, there are too many, or an Alertmanager rejected them. An alert counts once per hour.",
                &self.refused,
            ),
        ];
        metrics.extend(counters.map(|(name, help, counter)| Metric {
            name,
            help,
            kind: Kind::Counter,
            value: counter.load(Ordering::Relaxed) as f64,
        }));
    }
}
