//! A memory budget that all tokens share, with a limit per token.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard};

/// A budget for one purpose. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    limit: u64,
    token_limit: u64,
    used: Mutex<Used>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Used {
    total: u64,
    by_token: HashMap<Arc<str>, u64>,
}

/// Whose limit a charge would exceed, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// The token's limit.
    #[error("this token is at its limit of memory for viewers, {}", megabytes(*.0))]
    Token(u64),
    /// The server's limit.
    #[error("all viewers together are at their limit of memory, {}", megabytes(*.0))]
    Server(u64),
}

/// Formats a size for people.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

impl MemoryBudget {
    /// A budget of `limit` bytes, with at most `token_limit` per token.
    #[must_use]
    pub fn new(name: &'static str, limit: u64, token_limit: u64) -> Self {
        MemoryBudget(Arc::new(Inner {
            name,
            limit,
            token_limit: token_limit.min(limit),
            used: Mutex::default(),
            refused: AtomicU64::default(),
        }))
    }

    fn used_by(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock()
    }

    /// Its purpose.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Its limit in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// Limit per token in bytes.
    #[must_use]
    pub fn token_limit(&self) -> u64 {
        self.0.token_limit
    }

    /// Charged bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used_by().total
    }

    /// Number of rejected charges.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Charges bytes to a token until the returned charge is dropped.
    ///
    /// # Errors
    ///
    /// Whose limit would be exceeded; nothing is charged.
    pub fn charge(&self, token: &Arc<str>, bytes: u64) -> Result<Charge, OverBudget> {
        self.try_charge(token, bytes).inspect_err(|_| self.refuse())
    }

    /// Like [`MemoryBudget::charge`], for callers that wait and retry: a failure does not count as rejected.
    pub fn try_charge(&self, token: &Arc<str>, bytes: u64) -> Result<Charge, OverBudget> {
        let mut charge = Charge { budget: self.clone(), token: Arc::clone(token), bytes: 0 };
        charge.set(bytes)?;
        Ok(charge)
    }

    /// Counts a rejection.
    pub fn refuse(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Charged bytes, released on drop.
#[derive(Debug)]
pub struct Charge {
    budget: MemoryBudget,
    token: Arc<str>,
    bytes: u64,
}

impl Charge {
    /// Resizes the charge to `bytes`. Reduction always succeeds.
    ///
    /// # Errors
    ///
    /// Whose limit would be exceeded; the charge does not change.
    pub fn resize(&mut self, bytes: u64) -> Result<(), OverBudget> {
        self.set(bytes).inspect_err(|_| self.budget.refuse())
    }

    fn set(&mut self, bytes: u64) -> Result<(), OverBudget> {
        let Inner { limit, token_limit, .. } = &*self.budget.0;
        let mut used = self.budget.used_by();
        let others = used.total.saturating_sub(self.bytes);
        let of_token = used.by_token.get(&self.token).copied().unwrap_or_default().saturating_sub(self.bytes);
        if bytes > self.bytes {
            let over = if of_token.saturating_add(bytes) > *token_limit {
                Some(OverBudget::Token(*token_limit))
            } else {
                (others.saturating_add(bytes) > *limit).then_some(OverBudget::Server(*limit))
            };
            if let Some(over) = over {
                return Err(over);
            }
        }
        used.total = others.saturating_add(bytes);
        match of_token.saturating_add(bytes) {
            0 => drop(used.by_token.remove(&self.token)),
            sum => drop(used.by_token.insert(Arc::clone(&self.token), sum)),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        // Zero bytes never exceed a limit.
        let _ = self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_part_and_all_have_no_more_than_there_is() {
        let budget = MemoryBudget::new("test", 100, 60);
        let [one, other]: [Arc<str>; 2] = ["one".into(), "other".into()];
        let mut held = budget.charge(&one, 50).unwrap();
        assert_eq!(budget.charge(&one, 11).unwrap_err(), OverBudget::Token(60));
        let beside = budget.charge(&other, 45).unwrap();
        assert_eq!(held.resize(56), Err(OverBudget::Server(100)));
        assert_eq!((held.bytes(), budget.used(), budget.refused()), (50, 95, 2));
        drop(beside);
        held.resize(60).unwrap();
        drop(held);
        assert_eq!(budget.used(), 0);
        assert!(budget.used_by().by_token.is_empty());
    }
}
