//! Linear regression and smoothing.

use timeseries::{CompensatedSum, Sample};

use super::{Inputs, numeric::count};
use crate::{eval::window::Window, syntax::length::to_seconds};

/// Slope, and value at the time `at`, of the least-squares line through the samples.
fn line(times: &[i64], values: &[f64], at: i64) -> (f64, f64) {
    let first = values.first().copied().unwrap_or(f64::NAN);
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut xs, mut ys, mut products, mut squares) =
        (CompensatedSum::default(), CompensatedSum::default(), CompensatedSum::default(), CompensatedSum::default());
    for (time, value) in times.iter().zip(values) {
        let x = to_seconds(time - at);
        xs.add(x);
        ys.add(*value);
        products.add(x * value);
        squares.add(x * x);
    }
    let number = count(values.len());
    let (xs, ys) = (xs.total(), ys.total());
    let covariance = products.total() - xs * ys / number;
    let variance = squares.total() - xs * xs / number;
    let slope = covariance / variance;
    (slope, ys / number - slope * xs / number)
}

/// True if there are enough floats for a line. Adds an info if there are histograms too.
fn enough(window: &Window, inputs: &mut Inputs) -> bool {
    if !window.values.is_empty() && !window.histograms.is_empty() {
        inputs.note_ignored_histograms();
    }
    window.values.len() >= 2
}

pub(crate) fn deriv(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    if !enough(window, inputs) {
        return None;
    }
    let (slope, _) = line(window.times, window.values, *window.times.first()?);
    Some(Sample::Float(slope))
}

pub(crate) fn predict_linear(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    if !enough(window, inputs) {
        return None;
    }
    let [ahead, _] = inputs.scalars;
    let (slope, now) = line(window.times, window.values, window.step_ms);
    Some(Sample::Float(slope * ahead + now))
}

pub(crate) fn double_exponential_smoothing(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    let [smoothing, trend] = inputs.scalars;
    for (name, factor) in [("smoothing", smoothing), ("trend", trend)] {
        if factor <= 0.0 || factor >= 1.0 {
            let short = if name == "trend" { "tf" } else { "sf" };
            inputs.error = Some(format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}"));
            return None;
        }
    }
    if !enough(window, inputs) {
        return None;
    }
    let mut values = window.values.iter();
    let mut before = 0.0;
    let mut level = *values.next()?;
    let mut slope = window.values.get(1)? - level;
    for (index, value) in values.enumerate() {
        if index > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        before = level;
        level = next;
    }
    Some(Sample::Float(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_is_found_exactly() {
        let (slope, value) = line(&[0, 1000, 2000, 3000], &[1.0, 3.0, 5.0, 7.0], 3000);
        assert_eq!((slope, value), (2.0, 7.0));
    }

    #[test]
    fn a_level_line_has_no_slope() {
        assert_eq!(line(&[0, 1000], &[5.0, 5.0], 0), (0.0, 5.0));
        assert!(line(&[0, 1000], &[f64::INFINITY, f64::INFINITY], 0).0.is_nan());
    }
}
