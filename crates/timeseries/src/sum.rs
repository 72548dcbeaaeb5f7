//! Sums without loss of small numbers beside large ones.

/// A sum with a separate rounding error (Kahan-Neumaier).
#[derive(Debug, Clone, Copy, Default)]
pub struct CompensatedSum {
    sum: f64,
    lost: f64,
}

impl CompensatedSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            // The rounding error has no meaning any more, and would make the sum NaN.
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// Applies a function to the sum and the rounding error.
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        CompensatedSum { sum: change(self.sum), lost: change(self.lost) }
    }

    /// True if the sum is infinite.
    #[must_use]
    pub fn is_infinite(self) -> bool {
        self.sum.is_infinite()
    }

    /// The sum.
    #[inline]
    #[must_use]
    pub fn total(self) -> f64 {
        self.sum + self.lost
    }
}
