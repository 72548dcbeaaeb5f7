//! Restores the state of alerts after a restart (Prometheus' `Group.RestoreForState`).

use labels::{Labels, Matcher};
use timeseries::{SeriesSamples, SeriesSource, SourceError, is_stale_marker};

use crate::{alert::FOR_STATE, group::Group, rule::Kind};

/// Maximum downtime after which state is restored.
pub const OUTAGE_TOLERANCE_MS: i64 = 60 * 60 * 1000;
/// Minimum time between restoring an alert and its firing, so that data that ends it can arrive. Alerts with a shorter
/// `for` are not restored: they start again.
pub const FOR_GRACE_MS: i64 = 10 * 60 * 1000;

impl Group {
    /// Restores how long alerts were pending before a restart. Call it once, after the second evaluation, which has
    /// data.
    ///
    /// # Errors
    ///
    /// The samples could not be read; the alerts of that rule start again.
    pub fn restore(&mut self, at_ms: i64, source: &dyn SeriesSource) -> Result<(), SourceError> {
        let mut failed = None;
        for rule in self.rules_mut() {
            let name = rule.name.clone();
            let Kind::Alerting(alerting) = &mut rule.kind else { continue };
            alerting.is_restored = true;
            let hold_ms = alerting.hold_ms();
            if hold_ms < FOR_GRACE_MS || alerting.active_mut().next().is_none() {
                continue;
            }
            let matchers = [Matcher::equal("__name__", FOR_STATE), Matcher::equal("alertname", name)];
            let found = match source.select(&matchers, at_ms - OUTAGE_TOLERANCE_MS, at_ms) {
                Ok(found) => found,
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            for alert in alerting.active_mut() {
                let wanted = alert.labels.with("__name__", FOR_STATE);
                if let Some(since_ms) = taken_up(&wanted, &found, at_ms, hold_ms) {
                    alert.active_at_ms = since_ms;
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Since when a restored alert is active, if it was active.
fn taken_up(wanted: &Labels, found: &[SeriesSamples], at_ms: i64, hold_ms: i64) -> Option<i64> {
    let series = found.iter().find(|series| series.labels == *wanted)?;
    let (down_ms, since) = (*series.timestamps.last()?, *series.values.last()?);
    if is_stale_marker(since) || !since.is_finite() {
        return None;
    }
    // Both are truncated to whole seconds, as in Prometheus.
    let down_ms = down_ms.div_euclid(1000) * 1000;
    #[allow(clippy::cast_possible_truncation)] // a time in seconds; `as` saturates
    let since_ms = (since as i64).saturating_mul(1000);
    let remaining_ms = hold_ms - (down_ms - since_ms);
    Some(if remaining_ms <= 0 {
        since_ms
    } else if remaining_ms < FOR_GRACE_MS {
        at_ms + FOR_GRACE_MS - hold_ms
    } else {
        since_ms + (at_ms - down_ms)
    })
}
