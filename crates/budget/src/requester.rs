//! For whom the current task works, so that what it takes is charged to them.
//!
//! It is known where a request is let in, far above what it costs: what lies between passes nothing on. So it goes with the task.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::Charge;

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requester {
    /// The holder of a token, by the token's id.
    Token(Arc<str>),
    /// Rules, which wait for no viewer.
    Rules,
    /// The server itself: probes, its own metrics.
    Server,
    /// Pictures in notifications, which wait for each other and keep nothing else waiting.
    Pictures,
}

tokio::task_local! {
    static CURRENT: (Requester, Mutex<Vec<Charge>>);
}

impl Requester {
    /// For whom the current task works.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(|(requester, _)| requester.clone()).unwrap_or(Requester::Server)
    }

    /// Does something for them. What it [holds](Requester::hold) is charged until it is done.
    pub async fn scope<T>(self, act: impl Future<Output = T>) -> T {
        CURRENT.scope((self, Mutex::default()), act).await
    }

    /// Charges what the current task's work was given, such as the result of a query, until that work is done.
    pub fn hold(charge: Charge) {
        // Outside of any scope it is given up at once: nobody could say until when it is held.
        let _ = CURRENT.try_with(|(_, held)| held.lock().push(charge));
    }

    /// What counts for them in budgets.
    #[must_use]
    pub fn account(&self) -> Arc<str> {
        match self {
            Requester::Token(id) => Arc::clone(id),
            Requester::Rules | Requester::Server | Requester::Pictures => "".into(),
        }
    }
}
