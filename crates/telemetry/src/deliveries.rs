//! What is counted of notifications.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Kind, Metric};

/// Counters of deliveries since the start.
#[derive(Debug, Default)]
pub struct DeliveryCounters {
    /// That the receiver has.
    pub delivered: AtomicU64,
    /// Tries that failed and are made again.
    pub failed: AtomicU64,
    /// That were given up.
    pub dead: AtomicU64,
    /// Alerts that were refused.
    pub refused: AtomicU64,
}

impl DeliveryCounters {
    #[allow(clippy::cast_precision_loss)] // counts, far below 2^53
    /// Appends the metrics as they are now.
    pub fn gather(&self, metrics: &mut Vec<Metric>) {
        let counters = [
            ("hyperscope_notifications_delivered_total", "Notifications that their receiver has.", &self.delivered),
            (
                "hyperscope_notifications_retried_total",
                "Tries of notifications that failed and are made again.",
                &self.failed,
            ),
            ("hyperscope_notifications_dead_total", "Notifications that were given up.", &self.dead),
            (
                "hyperscope_alerts_refused_total",
                "Alerts that were refused, so that nobody is notified of them: labels or times are invalid, there are too many, or an Alertmanager refused them. An alert counts once an hour.",
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
