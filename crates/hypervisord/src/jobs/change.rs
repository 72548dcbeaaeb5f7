//! What a message changed in a daemon's jobs: what the browsers are told, and what is counted.

use model::{job::JobStatus, live::Event};

/// When something was said, in milliseconds since the Unix epoch, by the server's clock.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// When it came here.
    pub now_ms: i64,
    /// When the daemon made it.
    pub daemon_ms: i64,
}

/// How whole a list of jobs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// All jobs with what the daemon knows of them.
    Full,
    /// All jobs, but not when they started and ended: the first message of a constant feed.
    Sketch,
}

/// What a message changed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To tell the browsers.
    pub events: Vec<Event>,
    /// To count.
    pub changes: Vec<Change>,
    /// The daemon restarted and has none of the jobs that it had: `changes` are of a new life.
    pub is_new_life: bool,
}

/// Something to count, and when it happened: milliseconds since the Unix epoch, by the server's clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When.
    pub at_ms: i64,
    /// Provider of the job.
    pub provider: String,
    /// What happened.
    pub what: What,
}

/// What there is to count.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A job is there that was not.
    Submitted,
    /// A job ended, or was cancelled for good. Told once for each job.
    Ended {
        /// What kind of job it was.
        job_type: Option<String>,
        /// How it ended.
        status: JobStatus,
        /// How long it ran.
        seconds: Option<f64>,
    },
    /// Bytes were moved.
    Moved {
        /// How many.
        bytes: u64,
    },
}

/// Jobs of a provider now. One whose cancel was asked for is active until it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels {
    /// Running.
    pub active: u32,
    /// Waiting to start.
    pub pending: u32,
}
