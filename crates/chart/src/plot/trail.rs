//! Tracks which points of a layer are on a canvas, and whether it can be continued.

use std::collections::VecDeque;

use super::{GAP_STEPS, Layer, TimePlot};

/// The points of a layer on a canvas, ordered by time.
///
/// A canvas can only be shifted and continued if each point on it is still a point of the series. New times are not
/// enough to know that: a frame of another window may end at the same time, and so may one that was corrected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trail {
    /// Milliseconds since the Unix epoch, and values.
    points: VecDeque<(i64, f64)>,
}

impl Trail {
    /// Time of the last point on the canvas, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn newest_ms(&self) -> Option<i64> {
        self.points.back().map(|(at_ms, _)| *at_ms)
    }

    /// Whether the last point is a single stroke from which no line can continue.
    fn ends_alone(&self, step_ms: i64) -> bool {
        let mut latest = self.points.iter().rev();
        match (latest.next(), latest.next()) {
            (Some((newest_ms, _)), Some((before_ms, value))) => {
                !value.is_finite() || is_gap(newest_ms - before_ms, step_ms)
            }
            _ => true,
        }
    }
}

impl TimePlot<'_> {
    /// Adds the points of `layer` to `trail` that are drawn after those it has, and drops those that are no longer shown.
    pub fn follow(&self, layer: &Layer<'_>, trail: &mut Trail) {
        let first = layer.first_shown(self.span.start_ms);
        let first_ms = layer.timestamps.get(first).copied().unwrap_or(i64::MAX);
        while trail.points.front().is_some_and(|(at_ms, _)| *at_ms < first_ms) {
            trail.points.pop_front();
        }
        let newest_ms = trail.newest_ms().unwrap_or(i64::MIN);
        let from = layer.timestamps.partition_point(|at_ms| *at_ms <= newest_ms).max(first);
        let new = layer.timestamps.iter().zip(layer.upper.iter()).take(self.end_shown(layer)).skip(from);
        trail.points.extend(new.map(|(at_ms, value)| (*at_ms, *value)));
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
        let then = trail.points.iter().map(|(at_ms, value)| (at_ms, value)).skip_while(|(at_ms, _)| **at_ms < start_ms);
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
