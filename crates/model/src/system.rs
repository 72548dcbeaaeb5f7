//! State of a daemon's process.

use serde::{Deserialize, Serialize};

use crate::from_members;

/// Data of the event `system.metrics`. Unknown values are `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SystemMetrics {
    /// Configured name of the daemon.
    pub daemon: String,
    /// CPU usage, 0 to 100.
    pub cpu_percent: Option<f64>,
    /// Memory in use.
    pub memory_bytes: Option<f64>,
    /// Goroutines.
    pub goroutines: Option<f64>,
    /// Open connections.
    pub connections: Option<f64>,
}

from_members!(SystemMetrics { daemon, cpu_percent, memory_bytes, goroutines, connections });
