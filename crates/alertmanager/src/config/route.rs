//! Routes: which alerts go to which receiver, and how they are grouped.

use std::collections::{BTreeMap, BTreeSet};

use crate::{alert::Labels, matcher::Matchers};

/// A node of the tree, with what it inherits filled in. Durations are milliseconds.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its place in [`super::Config::routes`].
    pub id: usize,
    /// Those below it, in order.
    pub children: Vec<usize>,
    /// The matchers from the root to here, as Alertmanager writes them in keys of groups.
    pub key: String,
    /// What it takes.
    pub matchers: Matchers,
    /// Whether the routes after it are asked as well.
    pub goes_on: bool,
    /// Whom it tells.
    pub receiver: String,
    /// How it groups.
    pub group_by: GroupBy,
    /// Wait before a new group is told of.
    pub group_wait_ms: i64,
    /// Wait before news of a group that was told of.
    pub group_interval_ms: i64,
    /// Wait before a group without news is told of again.
    pub repeat_interval_ms: i64,
    /// Named times in which it is quiet.
    pub mute_time_intervals: Vec<String>,
    /// Named times in which alone it is not quiet; empty for always.
    pub active_time_intervals: Vec<String>,
    /// What its messages and groups are labelled with beside the labels of alerts: by name, each a template.
    pub labels: BTreeMap<String, RouteLabel>,
}

impl Route {
    /// Its labels, each with its template.
    #[must_use]
    pub fn label_templates(&self) -> Labels {
        self.labels.iter().map(|(name, label)| (name.clone(), label.template.clone())).collect()
    }
}

/// A label of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteLabel {
    /// What its value is made of.
    pub template: String,
    /// Where it stands in the file, by line and column.
    pub place: (u64, u64),
}

/// How alerts are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// By the values of these labels.
    Labels(BTreeSet<String>),
    /// By all labels: every alert by itself.
    All,
}

impl GroupBy {
    /// The labels that name the group of an alert.
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
