//! To whom a shared live query is charged: to one of its latest subscribers whose limit is not reached. So a viewer
//! whose limit is exhausted does not stop a query that others follow too.

use std::{collections::VecDeque, sync::Arc};

use budget::{Charge, MemoryBudget, OverBudget};
use parking_lot::Mutex;

/// Number of tokens to remember.
const MOST: usize = 4;

/// The tokens that subscribed to a live query, latest first. Never empty. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Payers {
    starter: Arc<str>,
    newest: Arc<Mutex<VecDeque<Arc<str>>>>,
}

impl Payers {
    /// Created with the token that starts the query.
    pub fn new(starter: Arc<str>) -> Self {
        Payers { newest: Arc::new(Mutex::new(VecDeque::from([Arc::clone(&starter)]))), starter }
    }

    /// The token that started the query.
    pub fn starter(&self) -> &Arc<str> {
        &self.starter
    }

    /// Records a token that subscribed.
    pub fn add(&self, token: Arc<str>) {
        let mut newest = self.newest.lock();
        newest.retain(|other| *other != token);
        newest.push_front(token);
        newest.truncate(MOST);
    }

    /// The token with the smallest `load`.
    pub fn least(&self, load: impl FnMut(&Arc<str>) -> usize) -> Arc<str> {
        let newest: Vec<_> = self.newest.lock().iter().map(Arc::clone).collect();
        newest.into_iter().min_by_key(load).unwrap_or_else(|| Arc::clone(&self.starter))
    }

    /// Charges the first token whose limit is not exceeded.
    ///
    /// # Errors
    ///
    /// All limits are exceeded: the error of the latest token.
    pub fn charge(&self, budget: &MemoryBudget, bytes: u64) -> Result<Charge, OverBudget> {
        let newest: Vec<_> = self.newest.lock().iter().map(Arc::clone).collect();
        let mut first = None;
        for token in &newest {
            match budget.try_charge(token, bytes) {
                Ok(charge) => return Ok(charge),
                Err(over) => {
                    first.get_or_insert(over);
                }
            }
        }
        Err(first.unwrap_or(OverBudget::Server(budget.limit())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_room_pays() {
        let budget = MemoryBudget::new("live", 100, 40);
        let payers = Payers::new("greedy".into());
        let _own = budget.charge(&"greedy".into(), 40).unwrap();
        assert_eq!(payers.charge(&budget, 10).unwrap_err(), OverBudget::Token(40));
        payers.add("honest".into());
        payers.add("greedy".into());
        let charge = payers.charge(&budget, 10).unwrap();
        assert_eq!((charge.bytes(), budget.used()), (10, 50));
        assert_eq!(&*payers.least(|token| token.len() + usize::from(&**token == "greedy")), "honest");
        (0..10).for_each(|number| payers.add(number.to_string().into()));
        assert_eq!(payers.newest.lock().len(), MOST);
        assert_eq!(&**payers.starter(), "greedy");
    }
}
