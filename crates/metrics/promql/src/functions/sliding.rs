//! Functions over windows that need not read each sample of each window, because they reuse what they know of the
//! previous one.
//!
//! Their results are the same bits as those of the functions for single windows. Only for series without histograms.

use std::collections::VecDeque;

use timeseries::STALE_NAN;

use super::rate::{Ends, Kind, extrapolation};
use crate::{
    eval::window::{Cursor, Frame},
    value::{Column, Steps, Track},
};

/// `rate`.
pub(crate) fn rate(track: &Track, frame: Frame, steps: Steps) -> Column {
    extrapolated(track, frame, steps, Kind::Rate)
}

/// `increase`.
pub(crate) fn increase(track: &Track, frame: Frame, steps: Steps) -> Column {
    extrapolated(track, frame, steps, Kind::Increase)
}

/// Resets are rare: with their positions known, a window's difference only depends on its ends.
fn extrapolated(track: &Track, frame: Frame, steps: Steps, kind: Kind) -> Column {
    let Track { times, values, .. } = track;
    let falls = values.windows(2).enumerate().filter(|(_, pair)| matches!(pair, [before, after] if after < before));
    // Index and value of the last sample before each reset.
    let resets: Vec<(usize, f64)> =
        falls.filter_map(|(index, pair)| pair.first().map(|before| (index, *before))).collect();
    let mut cursor = Cursor::default();
    let mut passed = 0;
    let column = steps.times().map(|time| {
        let (start, end) = frame.window(time);
        let (from, to) = cursor.advance(times, start, end, |time| *time);
        if to - from < 2 {
            return STALE_NAN;
        }
        let ends = (times.get(from), times.get(to - 1), values.get(from), values.get(to - 1));
        let (Some(first_time), Some(last_time), Some(first), Some(last)) = ends else { return STALE_NAN };
        while resets.get(passed).is_some_and(|(index, _)| *index < from) {
            passed += 1;
        }
        let mut difference = last - first;
        for (_, before) in resets.iter().skip(passed).take_while(|(index, _)| index + 1 < to) {
            difference += before;
        }
        let window =
            Ends { start_ms: start, end_ms: end, first_ms: *first_time, last_ms: *last_time, samples: to - from };
        difference * extrapolation(window, *first, difference, kind)
    });
    Column::from_values(column.collect())
}

/// `min_over_time`.
pub(crate) fn min(track: &Track, frame: Frame, steps: Steps) -> Column {
    extreme(track, frame, steps, |value, other| value < other)
}

/// `max_over_time`.
pub(crate) fn max(track: &Track, frame: Frame, steps: Steps) -> Column {
    extreme(track, frame, steps, |value, other| value > other)
}

/// Holds the candidates: values that no later one in the window beats. The first one is the window's extreme; of equal
/// ones it is the first, because zeros have signs.
fn extreme(track: &Track, frame: Frame, steps: Steps, beats: fn(f64, f64) -> bool) -> Column {
    let Track { times, values, .. } = track;
    let mut cursor = Cursor::default();
    let mut candidates: VecDeque<(usize, f64)> = VecDeque::new();
    let mut taken = 0;
    let column = steps.times().map(|time| {
        let (start, end) = frame.window(time);
        let (from, to) = cursor.advance(times, start, end, |time| *time);
        for index in taken.max(from)..to {
            let Some(value) = values.get(index).copied().filter(|value| !value.is_nan()) else { continue };
            while candidates.back().is_some_and(|(_, other)| beats(value, *other)) {
                candidates.pop_back();
            }
            candidates.push_back((index, value));
        }
        taken = taken.max(to);
        while candidates.front().is_some_and(|(index, _)| *index < from) {
            candidates.pop_front();
        }
        match candidates.front() {
            Some((_, value)) => *value,
            None if from < to => f64::NAN,
            None => STALE_NAN,
        }
    });
    Column::from_values(column.collect())
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use crate::{
        annotation::Notes,
        eval::window::slide,
        functions::{over_time, rate as plain},
    };

    /// Values that jump, decrease and are missing, without a regular pattern.
    fn track() -> Track {
        let mut seed = 12_345_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            f64::from(seed >> 16)
        };
        let mut times = Vec::new();
        let mut values = Vec::new();
        let mut time = 0_i64;
        let mut value = 0.0;
        for index in 0..400 {
            time += if index % 37 == 0 { 90_000 } else { 15_000 };
            value = if index % 29 == 11 { next() / 1000.0 } else { value + next() / 3.0 };
            times.push(time);
            let zero = if index % 2 == 0 { 0.0 } else { -0.0 };
            values.push(if index % 53 == 7 {
                f64::NAN
            } else if index % 41 < 9 {
                zero
            } else {
                value
            });
        }
        Track { times, values, ..Track::default() }
    }

    #[test]
    fn sliding_is_the_same_as_looking_at_each_window() {
        let pairs: [(Sliding, WindowCompute); 4] =
            [(rate, plain::rate), (increase, plain::increase), (min, over_time::min), (max, over_time::max)];
        let track = track();
        for (sliding, each) in pairs {
            for (range_ms, step_ms, at) in [
                (300_000, 60_000, None),
                (20_000, 7_000, None),
                (60_000, 300_000, None),
                (900_000, 60_000, Some(3_000_000)),
            ] {
                let frame = Frame { range_ms, offset_ms: 5_000, at };
                let steps = Steps::range(-100_000, 7_000_000, step_ms);
                let mut notes = Notes::default();
                let mut inputs = Inputs {
                    scalars: [0.0; 2],
                    metric: "",
                    position: 0,
                    scalar_position: 0,
                    notes: &mut notes,
                    error: None,
                };
                let expected = slide(&track, frame, steps, |_, window| each(window, &mut inputs));
                let found = sliding(&track, frame, steps);
                let bits = |column: &Column| {
                    column
                        .values()
                        .iter()
                        .map(|v| if v.is_nan() && !timeseries::is_stale_marker(*v) { 1 } else { v.to_bits() })
                        .collect::<Vec<_>>()
                };
                assert_eq!(bits(&found), bits(&expected), "{range_ms} {step_ms}");
            }
        }
    }
}
