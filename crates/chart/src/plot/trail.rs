//! Tracks which points of a layer are on a canvas, and whether it can be continued.

use super::{GAP_STEPS, Layer, TimePlot};

/// The points of a layer on a canvas, ordered by time.
///
/// A canvas can only be shifted and continued if each point on it is still a point of the series. New times are not
/// enough to know that: a frame of another window may end at the same time, and so may one that was corrected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trail {
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl Trail {
    /// Time of the last point on the canvas, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn newest_ms(&self) -> Option<i64> {
        self.timestamps.last().copied()
    }

    /// Whether the last point is a single stroke from which no line can continue.
    fn ends_alone(&self, step_ms: i64) -> bool {
        match (self.timestamps.as_slice(), self.values.as_slice()) {
            ([.., before, newest], [.., value, _]) => !value.is_finite() || is_gap(newest - before, step_ms),
            _ => true,
        }
    }
}

impl TimePlot<'_> {
    /// The drawn points of `layer`.
    #[must_use]
    pub fn trail(&self, layer: &Layer<'_>) -> Trail {
        let shown = layer.first_shown(self.span.start_ms)..self.end_shown(layer);
        Trail {
            timestamps: layer.timestamps.get(shown.clone()).unwrap_or_default().to_vec(),
            values: layer.upper.get(shown).unwrap_or_default().to_vec(),
        }
    }

    /// Whether a canvas with `trail` of `layer` is correct once later points are added.
    #[must_use]
    pub fn goes_on(&self, layer: &Layer<'_>, trail: &Trail) -> bool {
        let Some(newest_ms) = trail.newest_ms() else {
            return self.newest_ms(layer).is_none();
        };
        let start_ms = self.span.start_ms;
        let now = layer.timestamps.iter().zip(layer.upper.iter());
        let now = now.skip_while(|(at_ms, _)| **at_ms < start_ms).take_while(|(at_ms, _)| **at_ms <= newest_ms);
        let then = trail.timestamps.iter().zip(&trail.values).skip_while(|(at_ms, _)| **at_ms < start_ms);
        let unchanged = now.map(bits).eq(then.map(bits));
        unchanged && (self.newest_ms(layer) == Some(newest_ms) || !trail.ends_alone(self.span.step_ms))
    }
}

fn is_gap(length_ms: i64, step_ms: i64) -> bool {
    #[allow(clippy::cast_precision_loss)] // lengths of time within a plot
    let steps = length_ms as f64 / step_ms.max(1) as f64;
    steps > GAP_STEPS
}

/// A point for comparison: NaN equals itself.
fn bits((at_ms, value): (&i64, &f64)) -> (i64, u64) {
    (*at_ms, value.to_bits())
}
