//! One measured number.

use serde::{Deserialize, Serialize};

/// A row of the table and of `bench/results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Name of the measurement.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: f64,
    /// The unit.
    pub(crate) unit: String,
    /// What it is compared with: a program, or `goal`.
    pub(crate) peer: Option<String>,
    /// The peer's value, in the same unit.
    pub(crate) peer_value: Option<f64>,
    /// `value / peer_value`.
    pub(crate) ratio: Option<f64>,
}

impl Row {
    /// A value without comparison.
    pub(crate) fn new(name: &str, value: f64, unit: &str) -> Self {
        Self { name: name.to_owned(), value, unit: unit.to_owned(), peer: None, peer_value: None, ratio: None }
    }

    /// Adds the value of a peer.
    pub(crate) fn beside(self, peer: &str, peer_value: f64) -> Self {
        let ratio = (peer_value != 0.0).then(|| self.value / peer_value);
        Self { peer: Some(peer.to_owned()), peer_value: Some(peer_value), ratio, ..self }
    }

    /// Adds a limit that the value should not exceed.
    pub(crate) fn goal(self, limit: f64) -> Self {
        self.beside("goal", limit)
    }
}
