//! Resource budgets for viewers: memory by purpose, token and server, and concurrent evaluations.
//!
//! [`memory`] counts bytes, [`machine`] finds the available memory, [`pressure`] checks the process's real memory, and
//! [`requester`] identifies for whom a task works. The scheduler of reads, live queries and responses use them. Rules
//! are not limited by them.

pub mod json;
pub mod machine;
pub mod memory;
pub mod pairs;
mod pressure;
mod requester;

pub use self::pressure::Level;

use std::sync::Arc;

pub use crate::{
    memory::{Charge, MemoryBudget, OverBudget},
    pressure::Pressure,
    requester::Requester,
};

/// Minimum memory for remote write bodies, in bytes: two bodies of the default limit.
const LEAST_WRITES: u64 = 32 << 20;

/// The memory budgets of a server, derived from its limit. Cheap to clone.
#[derive(Clone)]
pub struct Budgets {
    /// Results of live queries, and queued updates.
    pub live: MemoryBudget,
    /// Running evaluations and other reads.
    pub reads: MemoryBudget,
    /// Encoded responses, pages and images until the client has received them; bodies of viewers' requests until the
    /// response.
    pub answers: MemoryBudget,
    /// Bodies of remote writes while they arrive and wait.
    pub writes: MemoryBudget,
    /// The memory of the whole process.
    pub pressure: Arc<Pressure>,
}

impl Budgets {
    /// The budgets for a memory limit of `limit` bytes. Together they leave four tenths of it to the store, rules and
    /// connections, which viewers cannot enlarge.
    #[must_use]
    pub fn of(limit: u64) -> Self {
        let (live, reads, answers) = (limit / 6, limit / 4, limit / 8);
        let writes = (limit / 16).max(LEAST_WRITES);
        Budgets {
            live: MemoryBudget::new("live", live, live / 2),
            reads: MemoryBudget::new("reads", reads, reads / 4 * 3),
            answers: MemoryBudget::new("answers", answers, answers / 4 * 3),
            // Usually there is only one token that writes.
            writes: MemoryBudget::new("writes", writes, writes),
            pressure: Arc::new(Pressure::new(limit)),
        }
    }

    /// All budgets.
    pub fn all(&self) -> [&MemoryBudget; 4] {
        [&self.live, &self.reads, &self.answers, &self.writes]
    }
}
