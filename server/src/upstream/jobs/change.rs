//! What a message changed in a daemon's jobs: what the browsers are told, and what is counted.

use model::{job::JobStatus, live::Event};

/// When something was said, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Moment {
    /// By the server's clock.
    pub(in crate::upstream) now_ms: i64,
    /// By the daemon's clock.
    pub(in crate::upstream) daemon_ms: i64,
}

/// What a message changed.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Outcome {
    /// To tell the browsers.
    pub(in crate::upstream) events: Vec<Event>,
    /// To count.
    pub(in crate::upstream) changes: Vec<Change>,
}

/// Something to count.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::upstream) enum Change {
    /// A job is there that was not.
    Submitted { provider: String },
    /// A job ended, or was cancelled. Told once for each job and status.
    Ended { provider: String, job_type: Option<String>, status: JobStatus, seconds: Option<f64> },
    /// Bytes were moved.
    Moved { provider: String, bytes: u64 },
}

/// Jobs of a provider now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::upstream) struct Levels {
    pub(in crate::upstream) active: u32,
    pub(in crate::upstream) pending: u32,
}
