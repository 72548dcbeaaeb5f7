//! What is new in the result of a query that is evaluated again and again: the steps to evaluate, and the difference to
//! the known result.

use std::collections::{HashMap, HashSet};

use model::frame::{Frame, Labels, Series, StepRange};

/// What readers get of a new result.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// The whole result.
    Snapshot(Frame),
    /// What is new, or replaces known steps.
    Delta(Frame),
}

/// How a query's result moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Length of the window, in milliseconds; 0 for a query that is evaluated at one time.
    pub window_ms: i64,
    /// Interval between steps, in milliseconds; more than 0.
    pub step_ms: i64,
    /// Whether each new step changes all others, because the query's values depend on the window.
    pub whole: bool,
}

impl Course {
    fn is_instant(self) -> bool {
        self.window_ms == 0
    }

    /// The spans of `window` (first and last step) to evaluate: the new steps after `newest`, and the known steps in
    /// `again`.
    #[must_use]
    pub fn spans(self, window: StepRange, newest: Option<i64>, again: Option<StepRange>) -> Vec<StepRange> {
        match newest {
            Some(newest) if !(self.whole || self.is_instant()) => spans(window, self.step_ms, newest, again),
            Some(newest) if newest >= window.1 && again.is_none() => Vec::new(),
            _ => vec![window],
        }
    }

    /// Merges the result of a span (`is_part` if other steps are known) into the known one. `None` if nothing is new.
    pub fn merge(self, known: &mut Option<Frame>, mut frame: Frame, span: StepRange, is_part: bool) -> Option<Update> {
        frame.end_ms = span.1;
        let Some(whole) = known.as_mut() else {
            *known = Some(frame.clone());
            return Some(Update::Snapshot(frame));
        };
        frame.share_labels(whole);
        // All its steps depend on the window, which has moved.
        let has_moved = self.whole && !self.is_instant() && whole.end_ms != span.1;
        if has_moved || !(is_part || self.is_instant()) {
            whole.clone_from(&frame);
            return Some(Update::Snapshot(frame));
        }
        if !only_what_differs(whole, &mut frame, span) {
            return None;
        }
        if whole.end_ms > span.1 {
            frame.end_ms = whole.end_ms;
            // Notices about older steps are not those of the whole window.
            frame.notices.clone_from(&whole.notices);
            frame.remarks.clone_from(&whole.remarks);
        }
        frame.removed = whole.apply(&frame, self.window_ms);
        Some(Update::Delta(frame))
    }
}

/// The spans of `window` (first and last step) to evaluate: the new steps after `newest`, and the known steps in
/// `again`.
fn spans(window: StepRange, step_ms: i64, newest: i64, again: Option<StepRange>) -> Vec<StepRange> {
    let newer = (newest < window.1).then_some((newest + step_ms, window.1));
    let aligned = |(first, last): StepRange| {
        ((first.saturating_add(step_ms - 1)).div_euclid(step_ms) * step_ms, last.div_euclid(step_ms) * step_ms)
    };
    match again.map(aligned).filter(|(first, last)| first <= last) {
        // Contiguous with the new steps.
        Some((first, last)) if last >= newest => vec![(first, window.1)],
        Some(again) => [Some(again), newer].into_iter().flatten().collect(),
        None => newer.into_iter().collect(),
    }
}

/// Reduces a result whose steps are partly `known` to what differs, and sets the range that it replaces. False if
/// nothing differs.
fn only_what_differs(known: &Frame, again: &mut Frame, (first, last): StepRange) -> bool {
    let is_longer = last > known.end_ms;
    let differing = if first > known.end_ms { None } else { difference(known, again, (first, last.min(known.end_ms))) };
    let from = match differing {
        Some((from, to)) => {
            let to = if is_longer { last } else { to };
            cut(again, (from, to));
            again.replaces = Some((from, to));
            return true;
        }
        None => known.end_ms.saturating_add(1),
    };
    if is_longer && first <= known.end_ms {
        cut(again, (from, last));
    }
    is_longer
}

fn cut(frame: &mut Frame, (first, last): StepRange) {
    for series in &mut frame.series {
        series.drop_before(first);
        let stays = series.timestamps.partition_point(|timestamp| *timestamp <= last);
        series.timestamps.truncate(stays);
        series.values.truncate(stays);
    }
    frame.series.retain(|series| !series.timestamps.is_empty());
}

/// The first and last time in `span` at which two results differ.
fn difference(one: &Frame, other: &Frame, span: StepRange) -> Option<StepRange> {
    let by_labels: HashMap<&Labels, &Series> = other.series.iter().map(|series| (&*series.labels, series)).collect();
    let known: HashSet<&Labels> = one.series.iter().map(|series| &*series.labels).collect();
    let of_both = one.series.iter().map(|series| (Some(series), by_labels.get(&*series.labels).copied()));
    let of_other = other.series.iter().filter(|series| !known.contains(&*series.labels));
    let pairs = of_both.chain(of_other.map(|series| (None, Some(series))));
    let points = |series: Option<&Series>| -> Vec<(i64, u64)> {
        let all = series.into_iter().flat_map(Series::points);
        let inside = all.filter(|(time, _)| (span.0..=span.1).contains(time));
        inside.map(|(time, value)| (time, value.to_bits())).collect()
    };
    let differing = pairs.filter_map(|(one, other)| {
        let (one, other) = (points(one), points(other));
        let from = first_difference(one.iter(), other.iter(), i64::min)?;
        let to = first_difference(one.iter().rev(), other.iter().rev(), i64::max)?;
        Some((from, to))
    });
    differing.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

/// The time of the first difference of two columns.
fn first_difference<'a>(
    mut one: impl Iterator<Item = &'a (i64, u64)>,
    mut other: impl Iterator<Item = &'a (i64, u64)>,
    nearer: fn(i64, i64) -> i64,
) -> Option<i64> {
    loop {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => return Some(nearer(one.0, other.0)),
            (Some((time, _)), None) | (None, Some((time, _))) => return Some(*time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(all: &[(&str, &[(i64, f64)])], end_ms: i64) -> Frame {
        let series = all.iter().map(|(name, points)| Series {
            labels: Labels::from([("a".to_owned(), (*name).to_owned())]).into(),
            timestamps: points.iter().map(|point| point.0).collect(),
            values: points.iter().map(|point| point.1).collect(),
        });
        Frame { series: series.collect(), end_ms, ..Frame::default() }
    }

    #[test]
    fn only_steps_that_differ_are_sent_again() {
        let known = frame(&[("x", &[(0, 1.0), (10, f64::NAN), (40, 4.0)]), ("y", &[(0, 1.0), (40, 1.0)])], 40);
        let mut same = known.clone();
        assert!(!only_what_differs(&known, &mut same, (0, 40)));

        let mut filled = frame(
            &[("x", &[(0, 1.0), (10, f64::NAN), (20, 2.0), (30, 3.0), (40, 4.0)]), ("y", &[(0, 1.0), (40, 1.0)])],
            40,
        );
        assert!(only_what_differs(&known, &mut filled, (0, 40)));
        assert_eq!(filled.replaces, Some((20, 30)));
        assert_eq!(filled.series, frame(&[("x", &[(20, 2.0), (30, 3.0)])], 0).series);

        // New steps at the end, with the last known one changed and unchanged.
        let mut longer = frame(&[("x", &[(40, 5.0), (50, 5.0)]), ("y", &[(50, 1.0)])], 50);
        assert!(only_what_differs(&known, &mut longer, (40, 50)));
        assert_eq!(longer.replaces, Some((40, 50)));
        let mut whole = known.clone();
        whole.apply(&longer, 1_000);
        assert_eq!(whole.series[1], frame(&[("y", &[(0, 1.0), (50, 1.0)])], 0).series[0], "a point that is gone");
        let mut longer = frame(&[("x", &[(40, 4.0), (50, 5.0)]), ("y", &[(40, 1.0)])], 50);
        assert!(only_what_differs(&known, &mut longer, (40, 50)));
        assert_eq!((longer.replaces, longer.series.len()), (None, 1), "only what is new");
        let mut nothing = frame(&[], 50);
        assert!(only_what_differs(&known, &mut nothing, (50, 50)), "the window moves on");
    }

    #[test]
    fn series_that_come_and_go_differ() {
        let known = frame(&[("x", &[(0, 1.0), (10, 1.0)])], 10);
        let mut other = frame(&[("y", &[(10, 1.0)])], 10);
        assert!(only_what_differs(&known, &mut other, (0, 10)));
        assert_eq!(other.replaces, Some((0, 10)));
    }
}
