//! Routes: which alerts go to which receiver, and how they are grouped.

use std::collections::{BTreeMap, BTreeSet};

use crate::{alert::Labels, matcher::Matchers};

/// A node of the routing tree with inherited settings filled in. Durations are in milliseconds.
#[derive(Debug, Clone)]
pub struct Route {
    /// Index in [`super::Config::routes`].
    pub id: usize,
    /// Indices of the child routes, in order.
    pub children: Vec<usize>,
    /// The matchers from the root to this route, as Alertmanager writes them in group keys.
    pub key: String,
    /// Which alerts it matches.
    pub matchers: Matchers,
    /// Whether matching continues with the following siblings (`continue`).
    pub goes_on: bool,
    /// Name of the receiver.
    pub receiver: String,
    /// How alerts are grouped.
    pub group_by: GroupBy,
    /// Delay before the first notification of a new group.
    pub group_wait_ms: i64,
    /// Delay before a notification about changes of a group.
    pub group_interval_ms: i64,
    /// Delay before the last notification of an unchanged group is repeated.
    pub repeat_interval_ms: i64,
    /// Time intervals during which notifications are muted.
    pub mute_time_intervals: Vec<String>,
    /// Time intervals outside which notifications are muted; empty means always active.
    pub active_time_intervals: Vec<String>,
    /// Labels of the route, as templates by name. They are added to its messages and groups.
    pub labels: BTreeMap<String, RouteLabel>,
}

impl Route {
    /// Template of each label by name.
    #[must_use]
    pub fn label_templates(&self) -> Labels {
        self.labels.iter().map(|(name, label)| (name.clone(), label.template.clone())).collect()
    }
}

/// A label of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLabel {
    /// Template of the value.
    pub template: String,
    /// Line and column in the file.
    pub place: (u64, u64),
}

/// How alerts are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// By the values of these labels.
    Labels(BTreeSet<String>),
    /// By all labels: each alert is its own group.
    All,
}

impl GroupBy {
    /// The labels that identify the group of an alert.
    #[must_use]
    pub fn of(&self, labels: &Labels) -> Labels {
        match self {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => labels
                .iter()
                .filter(|(name, _)| names.contains(*name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}
