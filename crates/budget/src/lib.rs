//! What may be held and computed for viewers: memory by use, token and server, and evaluations at a time.
//!
//! [`memory`] counts bytes, [`machine`] says how many there are, [`pressure`] looks at what the process really takes, and [`requester`] says
//! for whom a task works. The scheduler of reads, live queries and answers are built on them. Rules are evaluated outside of all this.

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

/// Least memory for the bodies of remote writes, in bytes: two of the usual limit.
const LEAST_WRITES: u64 = 32 << 20;

/// The memory budgets of a server, derived from its limit. Cheap handles.
#[derive(Clone)]
pub struct Budgets {
    /// Results of live queries and updates on their way to sockets.
    pub live: MemoryBudget,
    /// Evaluations and other reads while they run.
    pub reads: MemoryBudget,
    /// Encoded answers, pages and pictures until the client has taken them; bodies of viewers' requests until they are answered.
    pub answers: MemoryBudget,
    /// Bodies of remote writes while they arrive and wait.
    pub writes: MemoryBudget,
    /// What the process takes in all.
    pub pressure: Arc<Pressure>,
}

impl Budgets {
    /// The budgets of a server that may take `limit` bytes. Together they leave four tenths of it to the store, to rules and to the
    /// connections, which no viewer makes larger.
    #[must_use]
    pub fn of(limit: u64) -> Self {
        let (live, reads, answers) = (limit / 6, limit / 4, limit / 8);
        let writes = (limit / 16).max(LEAST_WRITES);
        Budgets {
            live: MemoryBudget::new("live", live, live / 2),
            reads: MemoryBudget::new("reads", reads, reads / 4 * 3),
            answers: MemoryBudget::new("answers", answers, answers / 4 * 3),
            // Mostly there is one token that writes.
            writes: MemoryBudget::new("writes", writes, writes),
            pressure: Arc::new(Pressure::new(limit)),
        }
    }

    /// All of them.
    pub fn all(&self) -> [&MemoryBudget; 4] {
        [&self.live, &self.reads, &self.answers, &self.writes]
    }
}
