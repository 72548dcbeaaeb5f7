//! Layers as SVG paths in canvas pixels.

use super::{Layer, TimePlot};
use crate::reduce;

/// Length of the line that represents a single point between gaps, in pixels.
const LONE_POINT: f64 = 4.0;

/// Size of a canvas' plot area in device pixels, and an offset for a shifted canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixels {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Added to every x.
    pub offset: f64,
}

impl TimePlot<'_> {
    /// Appends a layer's line to an SVG path, in device pixels. With `since_ms`, only starts from the last point before
    /// that time, to continue a line that is already on the canvas.
    pub fn line_path(&self, layer: &Layer<'_>, pixels: Pixels, since_ms: Option<i64>, out: &mut String) {
        let mut pen_up = true;
        // The point from which the line continues is already on the canvas.
        let mut drawn =
            since_ms.is_some_and(|since_ms| layer.timestamps.first().is_some_and(|first| *first < since_ms));
        let mut lone = None;
        let close = |lone: &mut Option<reduce::Point>, out: &mut String| {
            if let Some((x, y)) = lone.take() {
                out.push('L');
                push_point(out, beside(x), y);
            }
        };
        self.emit(layer, pixels.width, since_ms, |point| match point {
            Some((x, value)) => {
                out.push(if pen_up { 'M' } else { 'L' });
                let (x, y) = (x + pixels.offset, self.pixel_y(value, pixels.height));
                lone = (pen_up && !std::mem::take(&mut drawn)).then_some((x, y));
                pen_up = false;
                push_point(out, x, y);
            }
            None => {
                close(&mut lone, out);
                pen_up = true;
            }
        });
        close(&mut lone, out);
    }

    /// Appends a layer's area to an SVG path, in device pixels; see [`TimePlot::line_path`].
    pub fn area_path(&self, layer: &Layer<'_>, pixels: Pixels, since_ms: Option<i64>, out: &mut String) {
        for run in self.areas(layer, pixels.width, since_ms) {
            for (index, (x, value)) in run.into_iter().enumerate() {
                out.push(if index == 0 { 'M' } else { 'L' });
                push_point(out, x + pixels.offset, self.pixel_y(value, pixels.height));
            }
            out.push('Z');
        }
    }

    /// Y coordinate of a value on a canvas, from its top.
    #[must_use]
    pub fn pixel_y(&self, value: f64, height: f64) -> f64 {
        (1.0 - self.scale.position(value)) * height
    }
}

/// The other end of the line that represents a single point at `x`: to the left, unless that is outside.
pub(super) fn beside(x: f64) -> f64 {
    if x >= LONE_POINT { x - LONE_POINT } else { x + LONE_POINT }
}

fn push_point(out: &mut String, x: f64, y: f64) {
    push_tenths(out, x);
    out.push(' ');
    push_tenths(out, y);
}

/// Appends a number with one decimal, several times faster than the standard formatting.
fn push_tenths(out: &mut String, value: f64) {
    #[allow(clippy::cast_possible_truncation)] // clamped to far beyond any screen
    let tenths = (value.clamp(-1e7, 1e7) * 10.0).round() as i64;
    if tenths < 0 {
        out.push('-');
    }
    let size = tenths.unsigned_abs();
    let mut digits = [b'0'; 20];
    let mut rest = size / 10;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - length).map(|digit| char::from(*digit)));
    if !size.is_multiple_of(10) {
        out.push('.');
        out.push(char::from(b'0' + u8::try_from(size % 10).unwrap_or(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_written_short() {
        let mut out = String::new();
        for value in [0.0, -0.04, 12.34, -7.06, 100.0] {
            push_tenths(&mut out, value);
            out.push(' ');
        }
        assert_eq!(out, "0 0 12.3 -7.1 100 ");
    }
}
