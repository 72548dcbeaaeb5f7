//! Limits the number of images in progress, from the first query until they are drawn.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// A limited number of places, of which one token gets at most half.
pub(crate) struct Begun {
    places: usize,
    by_token: Arc<Mutex<HashMap<Arc<str>, usize>>>,
}

/// A place, released on drop.
pub struct Admitted {
    token: Arc<str>,
    by_token: Arc<Mutex<HashMap<Arc<str>, usize>>>,
}

impl Begun {
    pub(crate) fn new(places: usize) -> Self {
        Begun { places, by_token: Arc::default() }
    }

    /// A place for one more image of `token`, if there is one.
    pub(crate) fn begin(&self, token: Arc<str>) -> Option<Admitted> {
        let mut by_token = self.by_token.lock();
        let all: usize = by_token.values().sum();
        let own = by_token.get(&token).copied().unwrap_or_default();
        if all >= self.places || own >= self.places.div_ceil(2) {
            return None;
        }
        by_token.insert(Arc::clone(&token), own + 1);
        Some(Admitted { token, by_token: Arc::clone(&self.by_token) })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut by_token = self.by_token.lock();
        match by_token.get_mut(&self.token) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(by_token.remove(&self.token)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_half_of_the_places() {
        let begun = Begun::new(4);
        let held: Vec<_> = (0..3).map(|_| begun.begin("a".into())).collect();
        assert_eq!(held.iter().flatten().count(), 2);
        let others: Vec<_> = ["b", "c", "d"].into_iter().map(|token| begun.begin(token.into())).collect();
        assert_eq!(others.iter().flatten().count(), 2);
        drop((held, others));
        assert!(begun.by_token.lock().is_empty());
    }
}
