//! Estimates how fast a number grows, smoothed.

/// Observations closer together than this are merged, in seconds.
const SHORTEST_GAP: f64 = 0.4;

/// An exponentially weighted mean of the growth per second.
#[derive(Debug, Clone)]
pub(super) struct RateEstimator {
    /// Time after which the mean has followed 63 % of a sudden change, in seconds.
    time_constant: f64,
    last: Option<(f64, i64)>,
    rate: Option<f64>,
}

impl RateEstimator {
    pub(super) fn new(time_constant: f64) -> Self {
        RateEstimator { time_constant, last: None, rate: None }
    }

    /// Adds an observation. A decreasing value restarts the measurement without changing the rate.
    pub(super) fn observe(&mut self, value: f64, at_ms: i64) {
        let Some((last_value, last_ms)) = self.last else {
            self.last = Some((value, at_ms));
            return;
        };
        #[allow(clippy::cast_precision_loss, reason = "differences of times are small")]
        let gap = at_ms.saturating_sub(last_ms) as f64 / 1000.0;
        if value < last_value || gap < -SHORTEST_GAP {
            self.last = Some((value, at_ms));
            return;
        }
        if gap < SHORTEST_GAP {
            return;
        }
        let pace = (value - last_value) / gap;
        self.rate = Some(match self.rate {
            None => pace,
            Some(rate) => rate + (pace - rate) * (1.0 - (-gap / self.time_constant).exp()),
        });
        self.last = Some((value, at_ms));
    }

    /// Growth per second, after at least two observations.
    pub(super) fn rate(&self) -> Option<f64> {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_pace_is_its_rate_and_a_change_comes_in_smoothly() {
        let mut estimator = RateEstimator::new(10.0);
        assert_eq!(estimator.rate(), None);
        for second in 0..5 {
            estimator.observe(f64::from(second) * 100.0, i64::from(second) * 1000);
        }
        assert_eq!(estimator.rate(), Some(100.0));
        estimator.observe(400.0, 5000);
        let slowed = estimator.rate().unwrap();
        assert!(slowed > 80.0 && slowed < 100.0, "{slowed}");
    }

    #[test]
    fn falling_values_and_clocks_do_not_make_rates() {
        let mut estimator = RateEstimator::new(10.0);
        estimator.observe(100.0, 1000);
        estimator.observe(50.0, 2000);
        assert_eq!(estimator.rate(), None);
        estimator.observe(60.0, 500);
        estimator.observe(70.0, 1500);
        assert_eq!(estimator.rate(), Some(10.0));
    }
}
