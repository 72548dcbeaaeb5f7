//! Time ranges that are tinted behind a plot: where a query has a value, and where an alert fired.

use crate::{
    palette::Ink,
    plot::{PlotSeries, TimeSpan},
    scale::fraction,
};

/// Opacity where a query has a value.
const VALUE_FILL: f64 = 0.16;
/// Opacity where an alert fired. It is low because there are lines at start and end, and so that series stay visible
/// below several of them.
const FIRED_FILL: f64 = 0.07;

/// A tinted time range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Its colour.
    pub ink: Ink,
    /// Opacity of its area.
    pub fill: f64,
    /// Start: 0 at the left edge, 1 at the right edge.
    pub from: f64,
    /// End.
    pub to: f64,
    /// Positions of vertical lines: at its start and its end.
    pub lines: [Option<f64>; 2],
}

/// A time range in which an alert fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fired {
    /// Colour of its severity.
    pub ink: Ink,
    /// Start, in milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// End; `None` while it fires.
    pub to_ms: Option<i64>,
}

impl Fired {
    /// The tinted range on a plot of `span`, if it is visible there.
    #[must_use]
    pub fn mark(&self, span: &TimeSpan) -> Option<Mark> {
        let from = span.position(self.from_ms);
        let to = self.to_ms.map_or(f64::INFINITY, |to_ms| span.position(to_ms));
        let shown = |at: &f64| (0.0..=1.0).contains(at);
        let is_shown = from <= 1.0 && to >= 0.0;
        is_shown.then(|| Mark {
            ink: self.ink,
            fill: FIRED_FILL,
            from: from.max(0.0),
            to: to.min(1.0),
            lines: [Some(from).filter(shown), Some(to).filter(shown)],
        })
    }
}

/// The ranges in which a series has a value: one step per value, neighbours joined.
pub(crate) fn of_values(trace: &PlotSeries<'_>, span: &TimeSpan) -> Vec<Mark> {
    let half_step = fraction(span.step_ms, span.end_ms - span.start_ms) / 2.0;
    let mut marks: Vec<Mark> = Vec::new();
    let times = trace.timestamps.iter().zip(trace.values).filter(|(_, value)| value.is_finite());
    for at in times.map(|(at_ms, _)| span.position(*at_ms)).filter(|at| (-half_step..=1.0 + half_step).contains(at)) {
        let (from, to) = ((at - half_step).max(0.0), (at + half_step).min(1.0));
        match marks.last_mut() {
            Some(last) if from <= last.to + half_step * 0.1 => last.to = to,
            _ => marks.push(Mark { ink: trace.ink, fill: VALUE_FILL, from, to, lines: [None, None] }),
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use model::dashboard::Color;

    use super::*;

    const SPAN: TimeSpan = TimeSpan { start_ms: 1_000, end_ms: 2_000, step_ms: 100 };

    fn mark(from_ms: i64, to_ms: Option<i64>) -> Option<Mark> {
        Fired { ink: Ink::Meaning(Color::Red), from_ms, to_ms }.mark(&SPAN)
    }

    #[test]
    fn a_line_stands_where_an_alert_began_and_ended() {
        let inside = mark(1_250, Some(1_500)).unwrap();
        assert_eq!((inside.from, inside.to, inside.lines), (0.25, 0.5, [Some(0.25), Some(0.5)]));
        let whole = mark(0, None).unwrap();
        assert_eq!((whole.from, whole.to, whole.lines), (0.0, 1.0, [None, None]));
        let ended = mark(0, Some(1_250)).unwrap();
        assert_eq!((ended.from, ended.to, ended.lines), (0.0, 0.25, [None, Some(0.25)]));
    }

    #[test]
    fn what_is_before_or_after_the_plot_has_no_mark() {
        assert_eq!(mark(0, Some(999)), None);
        assert_eq!(mark(2_001, None), None);
    }
}
