//! A group of alerts that are notified together.

use std::{collections::BTreeSet, fmt::Write};

use crate::{alert::Labels, config::Route};
use labels::Fingerprint;

/// Index of the route, and the labels that identify a group.
pub(super) type GroupId = (usize, Labels);

#[derive(Debug)]
pub(super) struct Group {
    /// The group key, in Alertmanager's format.
    pub(super) key: String,
    pub(super) alerts: BTreeSet<Fingerprint>,
    pub(super) next_flush_ms: i64,
    pub(super) was_flushed: bool,
}

impl Group {
    pub(super) fn new(route: &Route, labels: &Labels, now_ms: i64) -> Self {
        Group {
            key: key(route, labels),
            alerts: BTreeSet::new(),
            next_flush_ms: now_ms.saturating_add(route.group_wait_ms),
            was_flushed: false,
        }
    }
}

/// The key of a group, in Alertmanager's format.
pub(super) fn key(route: &Route, labels: &Labels) -> String {
    format!("{}:{}", route.key, set(labels))
}

/// Labels in Prometheus' format: `{a="b", c="d"}`.
fn set(labels: &Labels) -> String {
    let mut text = String::from("{");
    for (at, (name, value)) in labels.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{name}={value:?}");
    }
    text.push('}');
    text
}
