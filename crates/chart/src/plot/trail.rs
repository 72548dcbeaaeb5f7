//! What a canvas shows of a layer already, and whether its drawing can go on from there.

use super::{GAP_STEPS, Layer, TimePlot};

/// The points of a layer that are on a canvas, in order of time.
///
/// A canvas that is moved and continued is right only as long as every point on it is still a point of the series. New times say
/// nothing about that: a frame of another window ends at the same time, and so does one that a source has corrected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trail {
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

impl Trail {
    /// Time of the youngest point on the canvas, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn newest_ms(&self) -> Option<i64> {
        self.timestamps.last().copied()
    }

    /// Whether the youngest point stands alone, as a stroke that no line may go on from.
    fn ends_alone(&self, step_ms: i64) -> bool {
        match (self.timestamps.as_slice(), self.values.as_slice()) {
            ([.., before, newest], [.., value, _]) => !value.is_finite() || is_gap(newest - before, step_ms),
            _ => true,
        }
    }
}

impl TimePlot<'_> {
    /// The points of `layer` that are drawn.
    #[must_use]
    pub fn trail(&self, layer: &Layer<'_>) -> Trail {
        let shown = layer.first_shown(self.span.start_ms)..self.end_shown(layer);
        Trail {
            timestamps: layer.timestamps.get(shown.clone()).unwrap_or_default().to_vec(),
            values: layer.upper.get(shown).unwrap_or_default().to_vec(),
        }
    }

    /// Whether a canvas that shows `trail` of `layer` is right once the points after it are added.
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

/// A point by which it is the same as another: a value that is no number is equal to itself.
fn bits((at_ms, value): (&i64, &f64)) -> (i64, u64) {
    (*at_ms, value.to_bits())
}
