//! What a message changed in a daemon's jobs: what the browsers are told, and what is counted.

use model::{job::JobStatus, live::Event};

/// When something was said, in milliseconds since the Unix epoch, by the server's clock.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct Moment {
    /// When it came here.
    pub(in crate::upstream) now_ms: i64,
    /// When the daemon made it.
    pub(in crate::upstream) daemon_ms: i64,
}

/// How whole a list of jobs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) enum Listing {
    /// All jobs with what the daemon knows of them.
    Full,
    /// All jobs, but not when they started and ended: the first message of a constant feed.
    Sketch,
}

/// What a message changed.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Outcome {
    /// To tell the browsers.
    pub(in crate::upstream) events: Vec<Event>,
    /// To count.
    pub(in crate::upstream) changes: Vec<Change>,
    /// The daemon restarted and has none of the jobs that it had: `changes` are of a new life.
    pub(in crate::upstream) is_new_life: bool,
}

/// Something to count, and when it happened: milliseconds since the Unix epoch, by the server's clock.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::upstream) struct Change {
    pub(in crate::upstream) at_ms: i64,
    pub(in crate::upstream) provider: String,
    pub(in crate::upstream) what: What,
}

/// What there is to count.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::upstream) enum What {
    /// A job is there that was not.
    Submitted,
    /// A job ended, or was cancelled for good. Told once for each job.
    Ended { job_type: Option<String>, status: JobStatus, seconds: Option<f64> },
    /// Bytes were moved.
    Moved { bytes: u64 },
}

/// Jobs of a provider now. One whose cancel was asked for is active until it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::upstream) struct Levels {
    pub(in crate::upstream) active: u32,
    pub(in crate::upstream) pending: u32,
}
