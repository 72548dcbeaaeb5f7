//! The only random generator of the simulated world: the same seed gives the same sequence.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// A seeded generator with the distributions that the world needs.
///
/// ChaCha8, because its sequence is specified: a seed printed in a bug report gives the same world after an update.
#[derive(Debug)]
pub(crate) struct Dice {
    rng: ChaCha8Rng,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0..count`; 0 if `count` is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let wide = u128::from(self.bits()) * count as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// One of `items`, all equally likely; `None` if there are none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// One of `items`, with a probability proportional to its weight; `None` if there are none.
    pub(crate) fn pick_weighted<'a, T>(&mut self, items: &'a [T], weight: impl Fn(&T) -> f64) -> Option<&'a T> {
        let mut left = self.unit() * items.iter().map(&weight).sum::<f64>();
        for item in items {
            left -= weight(item);
            if left < 0.0 {
                return Some(item);
            }
        }
        items.last()
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Log-normal around `median`; `sigma` is the deviation of the logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// The number of events in a span with `mean` expected events. For means below a few hundred (Knuth's method).
    pub(crate) fn poisson(&mut self, mean: f64) -> usize {
        let limit = (-mean.min(500.0)).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// Moves `value` one step of a mean-reverting walk: `pull` (0 to 1) towards `mean`, plus noise.
    pub(crate) fn drift(&mut self, value: f64, mean: f64, pull: f64, noise: f64) -> f64 {
        value + pull * (mean - value) + noise * self.normal()
    }

    /// `items` in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_sequence() {
        let (mut a, mut b, mut c) = (Dice::new(7), Dice::new(7), Dice::new(8));
        let first: Vec<u64> = (0..100).map(|_| a.bits()).collect();
        assert_eq!(first, (0..100).map(|_| b.bits()).collect::<Vec<_>>());
        assert_ne!(first, (0..100).map(|_| c.bits()).collect::<Vec<_>>());
    }

    #[test]
    fn distributions_have_their_means() {
        let mut dice = Dice::new(1);
        let mut mean = |draw: fn(&mut Dice) -> f64| (0..20_000).map(|_| draw(&mut dice)).sum::<f64>() / 20_000.0;
        assert!((mean(Dice::unit) - 0.5).abs() < 0.02);
        assert!(mean(Dice::normal).abs() < 0.03);
        assert!((mean(|dice| dice.poisson(3.0) as f64) - 3.0).abs() < 0.1);
        assert_eq!(dice.below(0), 0);
        assert!((0..1000).all(|_| dice.below(3) < 3));
        assert!(dice.pick::<u8>(&[]).is_none());
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Dice::new(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
