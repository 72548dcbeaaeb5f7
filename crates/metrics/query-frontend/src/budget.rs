//! A budget of retries: a share of the requests that went well, so that an engine in trouble is not asked ever more.

/// How many retries may be made. Each success adds a tenth of one.
#[derive(Debug)]
pub struct RetryBudget {
    /// In tenths of a retry.
    tenths: u32,
}

/// Most retries that are saved up.
const MOST: u32 = 10;

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { tenths: MOST * 10 }
    }
}

impl RetryBudget {
    /// A request went well.
    pub fn earn(&mut self) {
        self.tenths = (self.tenths + 1).min(MOST * 10);
    }

    /// Takes a retry out, if there is one.
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
