//! Changes of a daemon's jobs by a message: events to publish, and changes to count.

use model::{job::JobStatus, live::Event};

/// When a message was created and received, in milliseconds since the Unix epoch, by the server's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// When we received it.
    pub now_ms: i64,
    /// When the daemon created it.
    pub daemon_ms: i64,
}

/// How complete a list of jobs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// All jobs with all details.
    Full,
    /// All jobs without their start and end times: the first message of a constant feed.
    Sketch,
}

/// Result of a message.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Events to publish.
    pub events: Vec<Event>,
    /// Changes to count.
    pub changes: Vec<Change>,
    /// The daemon restarted and lost its jobs: `changes` belong to the new run.
    pub is_new_life: bool,
}

/// A change to count, and when it happened: milliseconds since the Unix epoch, by the server's clock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// When.
    pub at_ms: i64,
    /// Provider of the job.
    pub provider: String,
    /// The change.
    pub what: What,
}

/// Kinds of changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A new job.
    Submitted,
    /// A job ended or its cancellation became final. At most once per job.
    Ended {
        /// Type of the job.
        job_type: Option<String>,
        /// Final status.
        status: JobStatus,
        /// Run time.
        seconds: Option<f64>,
    },
    /// Bytes were transferred.
    Moved {
        /// Number of bytes.
        bytes: u64,
    },
}

/// Current jobs of a provider. A job whose cancellation was requested is active until it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    /// Number of running jobs.
    pub active: u32,
    /// Number of pending jobs.
    pub pending: u32,
}
