//! The data of a panel, for rendering on the server and in the browser.

use serde::{Deserialize, Serialize};

use crate::{frame::Frame, job::Job, live::AlertList, system::SystemMetrics, upstream::UpstreamStatus};

/// Data of one panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PanelData {
    /// One state per query, in the order of the panel's queries.
    Queries(Vec<QueryState>),
    /// Jobs, latest first.
    Jobs(Vec<Job>),
    /// Alerts of the sources.
    Alerts(AlertList),
    /// Status of the sources, and of the daemons' processes.
    Sources(Vec<UpstreamStatus>, Vec<SystemMetrics>),
}

impl PanelData {
    /// The available results of its queries, in order; empty for a panel without queries.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        let states: &[QueryState] = if let PanelData::Queries(states) = self { states } else { &[] };
        states.iter().filter_map(|state| match state {
            QueryState::Ready { frame, .. } => Some(frame),
            QueryState::Loading | QueryState::Failed { .. } => None,
        })
    }
}

/// State of one query. It determines the display of a panel: loading, empty or with data, stale, failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum QueryState {
    /// No result yet.
    Loading,
    /// Data is there; an empty frame means that the series is absent.
    Ready {
        /// The whole window, or one point per series for an instant query.
        frame: Frame,
        /// Set if the data is stale.
        stale: Option<Staleness>,
    },
    /// The source rejected the query or is not reachable.
    Failed {
        /// The error message.
        message: String,
    },
}

/// Why and since when data is stale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Staleness {
    /// Time of the last fresh data, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// The reason, for people.
    pub reason: String,
}
