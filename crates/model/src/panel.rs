//! What a panel has to show: the input of its picture, on the server and in the browser.

use serde::{Deserialize, Serialize};

use crate::{frame::Frame, job::Job, live::AlertList, system::SystemMetrics, upstream::UpstreamStatus};

/// Data of one panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PanelData {
    /// One state a query, in the order of the panel's queries.
    Queries(Vec<QueryState>),
    /// Jobs, youngest first.
    Jobs(Vec<Job>),
    /// Alerts of the sources.
    Alerts(AlertList),
    /// State of the sources, and of the daemons' processes.
    Sources(Vec<UpstreamStatus>, Vec<SystemMetrics>),
}

impl PanelData {
    /// The results of its queries that are there, in their order; of a panel without queries there are none.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        let states: &[QueryState] = if let PanelData::Queries(states) = self { states } else { &[] };
        states.iter().filter_map(|state| match state {
            QueryState::Ready { frame, .. } => Some(frame),
            QueryState::Loading | QueryState::Failed { .. } => None,
        })
    }
}

/// Where one query stands. The four looks of a panel follow from it: loading, empty or with data, stale, failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum QueryState {
    /// Nothing has come yet.
    Loading,
    /// Data is there; an empty frame means that the series is absent.
    Ready {
        /// The whole window, or one point a series for an instant query.
        frame: Frame,
        /// Set when the data is no longer current.
        stale: Option<Staleness>,
    },
    /// The source refused or could not be asked.
    Failed {
        /// The source's message.
        message: String,
    },
}

/// Why and since when data is old.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Staleness {
    /// Time of the last current data, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// In words for a person.
    pub reason: String,
}
