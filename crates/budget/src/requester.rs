//! For whom the current task works, so that its memory is charged to them.
//!
//! The requester is known where a request arrives, and charges happen many layers below. To avoid a parameter in every
//! layer, it is a task-local value.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::Charge;

/// Whose request it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requester {
    /// The holder of a token, by the token's ID.
    Token(Arc<str>),
    /// Rules, which do not wait for viewers.
    Rules,
    /// The server itself: health checks, its own metrics.
    Server,
    /// Images of notifications, which only wait for each other.
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

    /// Runs a future for this requester. Charges that it [holds](Requester::hold) are released when it is done.
    pub async fn scope<T>(self, act: impl Future<Output = T>) -> T {
        CURRENT.scope((self, Mutex::default()), act).await
    }

    /// Holds a charge, for example of a query's result, until the current task's work is done.
    pub fn hold(charge: Charge) {
        // Outside of a scope it is released at once, because its end would be unknown.
        let _ = CURRENT.try_with(|(_, held)| held.lock().push(charge));
    }

    /// The account in budgets.
    #[must_use]
    pub fn account(&self) -> Arc<str> {
        match self {
            Requester::Token(id) => Arc::clone(id),
            Requester::Rules | Requester::Server | Requester::Pictures => "".into(),
        }
    }
}
