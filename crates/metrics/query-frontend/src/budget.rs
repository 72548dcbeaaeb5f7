//! A retry budget: a fraction of the successful requests, so that retries do not overload an engine with problems.

/// The number of available retries. Each success adds a tenth.
#[derive(Debug)]
pub struct RetryBudget {
    /// In tenths of a retry.
    tenths: u32,
}

/// Maximum number of available retries.
const MOST: u32 = 10;

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { tenths: MOST * 10 }
    }
}

impl RetryBudget {
    /// Records a success.
    pub fn earn(&mut self) {
        self.tenths = (self.tenths + 1).min(MOST * 10);
    }

    /// Uses a retry, if one is available.
    pub fn spend(&mut self) -> bool {
        match self.tenths.checked_sub(10) {
            Some(rest) => {
                self.tenths = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_tenth_of_what_goes_well() {
        let mut budget = RetryBudget::default();
        assert_eq!((0..20).filter(|_| budget.spend()).count(), 10);
        for _ in 0..25 {
            budget.earn();
        }
        assert_eq!((0..20).filter(|_| budget.spend()).count(), 2);
    }
}
