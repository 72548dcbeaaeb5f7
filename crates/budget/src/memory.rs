//! A number of bytes that is shared by all tokens, of which each has at most its part.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard};

/// Bytes for one use. A cheap handle.
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
    /// That of the token.
    #[error("this token is at its limit of memory for viewers, {}", megabytes(*.0))]
    Token(u64),
    /// That of the server.
    #[error("all viewers together are at their limit of memory, {}", megabytes(*.0))]
    Server(u64),
}

/// A size for a person.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

impl MemoryBudget {
    /// `limit` bytes in all, and `token_limit` of each token.
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

    /// What it is for.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// All bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// Most bytes of one token.
    #[must_use]
    pub fn token_limit(&self) -> u64 {
        self.0.token_limit
    }

    /// Bytes that are charged now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used_by().total
    }

    /// How often a charge was refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Charges bytes to a token, until what is returned is dropped.
    ///
    /// # Errors
    /// Whose limit that would exceed; nothing is charged.
    pub fn charge(&self, token: &Arc<str>, bytes: u64) -> Result<Charge, OverBudget> {
        self.try_charge(token, bytes).inspect_err(|_| self.refuse())
    }

    /// As [`MemoryBudget::charge`], for those who wait when there is no room: it does not count as refused.
    pub fn try_charge(&self, token: &Arc<str>, bytes: u64) -> Result<Charge, OverBudget> {
        let mut charge = Charge { budget: self.clone(), token: Arc::clone(token), bytes: 0 };
        charge.set(bytes)?;
        Ok(charge)
    }

    /// Counts that something was refused for want of room.
    pub fn refuse(&self) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// Bytes that are charged until it is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: MemoryBudget,
    token: Arc<str>,
    bytes: u64,
}

impl Charge {
    /// Makes it as large as `bytes`. Less is always granted.
    ///
    /// # Errors
    /// Whose limit that would exceed; the charge stays as it is.
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

    /// How large it is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        // Nothing is always granted.
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
