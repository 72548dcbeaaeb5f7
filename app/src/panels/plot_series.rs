//! The series of a panel in one list, with their names and colours.

use chart::{
    palette::{Ink, SERIES_COLORS, threshold_color},
    plot::PlotSeries,
};
use model::{
    dashboard::{Color, Draw, Panel, Query, Threshold},
    frame::Series,
    panel::{PanelData, QueryState},
    unit::Unit,
};

use super::{colors::Colors, legend};

/// Most series that a panel shows. The panel says how many it leaves out.
pub(crate) const MOST_SERIES: usize = 100;

/// Text in place of a missing value.
pub(crate) const ABSENT: &str = "\u{2013}";

/// A series and how it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown<'a> {
    /// Index of its query in the panel.
    pub(crate) index: usize,
    pub(crate) query: &'a Query,
    pub(crate) series: &'a Series,
    /// Name for people, unique in the panel. It may change; [`Shown::identity`] does not.
    pub(crate) name: String,
    pub(crate) ink: Ink,
}

impl<'a> Shown<'a> {
    pub(crate) fn trace(&self) -> PlotSeries<'a> {
        PlotSeries {
            ink: self.ink,
            draw: self.query.draw,
            timestamps: &self.series.timestamps,
            values: &self.series.values,
        }
    }

    /// Stable key of the series: its query and its labels. The name changes when another series with the same name appears.
    pub(crate) fn identity(&self) -> String {
        format!("{} {:?}", self.index, self.series.labels)
    }

    /// The value as text. Empty for a mark, whose value has no meaning.
    pub(crate) fn written(&self, panel: &Panel, value: f64) -> Written {
        if self.query.draw == Draw::Mark { Written::default() } else { write(panel, self.query, value) }
    }

    /// The value nearest to `at_ms`, if one is within `reach_ms`.
    pub(crate) fn value_at(&self, at_ms: i64, reach_ms: i64) -> Option<f64> {
        let after = self.series.timestamps.partition_point(|timestamp| *timestamp < at_ms);
        let candidates = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let points =
            candidates.filter_map(|index| Some((*self.series.timestamps.get(index)?, *self.series.values.get(index)?)));
        let nearest = points.min_by_key(|(timestamp, _)| timestamp.abs_diff(at_ms))?;
        (nearest.0.abs_diff(at_ms) <= reach_ms.unsigned_abs()).then_some(nearest.1)
    }
}

/// The series of a panel in the order of its queries, at most [`MOST_SERIES`].
pub(crate) fn shown<'a>(panel: &'a Panel, data: &'a PanelData) -> Vec<Shown<'a>> {
    shown_in(panel, data, &mut Colors::default(), MOST_SERIES)
}

/// All series of a panel in the order of its queries.
pub(crate) fn every<'a>(panel: &'a Panel, data: &'a PanelData) -> Vec<Shown<'a>> {
    shown_in(panel, data, &mut Colors::default(), usize::MAX)
}

/// The series of a panel in the order of its queries, at most `most`. Known series keep the colours in `colors`.
pub(crate) fn shown_in<'a>(panel: &'a Panel, data: &'a PanelData, colors: &mut Colors, most: usize) -> Vec<Shown<'a>> {
    let PanelData::Queries(states) = data else { return Vec::new() };
    let mut shown = Vec::new();
    for (index, (query, state)) in panel.queries.iter().zip(states).enumerate() {
        let QueryState::Ready { frame, .. } = state else { continue };
        // The colour of a query is for one series. Several series get colours of the palette, so that they differ.
        let own = query.color.filter(|_| frame.series.len() == 1);
        let room = most - shown.len();
        let series = frame.series.iter().filter(|series| !series.timestamps.is_empty()).take(room);
        shown.extend(series.map(|series| Shown {
            index,
            query,
            series,
            name: legend::series_name(panel, query, &series.labels),
            ink: Ink::series(0, own),
        }));
    }
    let taken: Vec<usize> = panel.queries.iter().filter_map(|query| query.color).filter_map(Ink::lookalike).collect();
    let free: Vec<usize> = (0..SERIES_COLORS).filter(|index| !taken.contains(index)).collect();
    let mut colored: Vec<_> = shown.iter_mut().filter(|shown| matches!(shown.ink, Ink::Series(_))).collect();
    let known: Vec<_> = colored.iter().map(|shown| (shown.index, &*shown.series.labels)).collect();
    for (shown, place) in colored.iter_mut().zip(colors.of(&known, free.len().max(1))) {
        shown.ink = Ink::series(free.get(place).copied().unwrap_or(place), None);
    }
    legend::tell_apart(&mut shown);
    shown
}

/// Number of series in the data of a panel, including those that are not shown.
pub(crate) fn series_count(data: &PanelData) -> usize {
    data.frames().map(|frame| frame.series.len()).sum()
}

/// Unit of a query's values.
pub(crate) fn unit_of(panel: &Panel, query: &Query) -> Unit {
    Unit::from_id(query.unit.as_deref().unwrap_or(&panel.unit))
}

/// Thresholds of a query's values.
pub(crate) fn thresholds_of<'a>(panel: &'a Panel, query: &'a Query) -> &'a [Threshold] {
    if query.thresholds.is_empty() { &panel.thresholds } else { &query.thresholds }
}

/// A value as text, with the class of the colour from its thresholds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// Class that sets `--ink`, or empty.
    pub(crate) class: String,
    /// Meaning of the colour, for screen readers: empty, `warning` or `critical`.
    pub(crate) meaning: &'static str,
}

/// Formats a value of a query.
pub(crate) fn write(panel: &Panel, query: &Query, value: f64) -> Written {
    if value.is_nan() {
        return Written { text: ABSENT.to_owned(), ..Written::default() };
    }
    let color = threshold_color(thresholds_of(panel, query), value);
    Written {
        text: unit_of(panel, query).format(value, panel.decimals),
        class: color.map(|color| Ink::Meaning(color).class()).unwrap_or_default(),
        meaning: match color {
            Some(Color::Red) => "critical",
            Some(Color::Orange | Color::Yellow) => "warning",
            _ => "",
        },
    }
}

/// Class of the shape that repeats the meaning of a colour: a triangle for a warning, a diamond for critical.
pub(crate) fn mark(meaning: &str) -> &'static str {
    match meaning {
        "critical" => "mark mark-critical",
        "warning" => "mark mark-warning",
        _ => "mark",
    }
}

#[cfg(test)]
mod tests {
    use model::frame::Frame;

    use super::*;

    #[test]
    fn the_palette_leaves_out_colours_similar_to_a_colour_with_a_meaning() {
        let panel = super::super::legend::tests::panel(r#"{"expr":"a","color":"blue"},{"expr":"b"}"#);
        let state = || QueryState::Ready {
            frame: Frame {
                series: vec![Series { timestamps: vec![1], values: vec![1.0], ..Series::default() }],
                ..Frame::default()
            },
            stale: None,
        };
        let data = PanelData::Queries(vec![state(), state()]);
        let inks: Vec<_> = shown(&panel, &data).iter().map(|shown| shown.ink).collect();
        assert_eq!(inks, [Ink::Meaning(Color::Blue), Ink::Series(1)]);
    }

    /// A panel with two queries, and data with one point for each series. `series` has the labels of the series of each query.
    fn twins(queries: &str, series: [&[&[(&str, &str)]]; 2]) -> (Panel, PanelData) {
        let one = |labels: &&[(&str, &str)]| Series {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<model::frame::Labels>()
                .into(),
            timestamps: vec![1],
            values: vec![1.0],
        };
        let states = series.map(|series| QueryState::Ready {
            frame: Frame { series: series.iter().map(one).collect(), ..Frame::default() },
            stale: None,
        });
        (super::super::legend::tests::panel(queries), PanelData::Queries(states.into()))
    }

    #[test]
    fn series_with_equal_names_get_distinct_names() {
        fn names(queries: &str, series: [&[&[(&str, &str)]]; 2]) -> Vec<String> {
            let (panel, data) = twins(queries, series);
            shown(&panel, &data).into_iter().map(|shown| shown.name).collect()
        }
        let both = r#"{"expr":"a","legend":"{{provider}}"},{"expr":"b","legend":"{{provider}}"}"#;
        let (one, other) = (&[("provider", "aws"), ("daemon", "d1")][..], &[("provider", "aws"), ("daemon", "d2")][..]);
        assert_eq!(names(both, [&[one, other], &[]]), [r#"aws {daemon="d1"}"#, r#"aws {daemon="d2"}"#]);
        assert_eq!(names(both, [&[one], &[one]]), ["aws (query 1)", "aws (query 2)"], "the same labels twice");
        assert_eq!(
            names(both, [&[one, other], &[one]]),
            [r#"aws {daemon="d1"} (query 1)"#, r#"aws {daemon="d2"}"#, r#"aws {daemon="d1"} (query 2)"#]
        );
        let total = r#"{"expr":"a","legend":"total"},{"expr":"b","legend":"total"}"#;
        assert_eq!(names(total, [&[&[]], &[one]]), ["total", r#"total {daemon="d1", provider="aws"}"#]);
        let metrics = [&[("__name__", "up"), ("job", "x")][..], &[("__name__", "down"), ("job", "x")][..]];
        assert_eq!(names(total, [&metrics, &[]]), ["total up", "total down"]);
        assert_eq!(names(both, [&[one], &[]]), ["aws"], "alone, a series needs no more");
    }

    #[test]
    fn the_identity_of_a_series_does_not_depend_on_other_series() {
        let queries = r#"{"expr":"a","legend":"x"},{"expr":"b","legend":"x"}"#;
        let (one, other) = (&[("a", "1")][..], &[("a", "2")][..]);
        let (panel, data) = twins(queries, [&[one, other], &[one]]);
        let mut identities: Vec<_> = shown(&panel, &data).iter().map(Shown::identity).collect();
        let (panel, alone) = twins(queries, [&[], &[one]]);
        assert_eq!(shown(&panel, &alone)[0].identity(), identities[2], "whatever else there is");
        identities.dedup();
        assert_eq!(identities.len(), 3);
    }

    #[test]
    fn nan_is_written_as_absent() {
        let panel = super::super::legend::tests::panel(r#"{"expr":"a","unit":"s"}"#);
        assert_eq!(write(&panel, &panel.queries[0], f64::NAN).text, ABSENT);
    }

    #[test]
    fn the_nearest_value_is_read_within_reach() {
        let panel = super::super::legend::tests::panel(r#"{"expr":"up"}"#);
        let series = Series { timestamps: vec![10, 20, 30], values: vec![1.0, 2.0, 3.0], ..Series::default() };
        let data = PanelData::Queries(vec![QueryState::Ready {
            frame: Frame { series: vec![series], ..Frame::default() },
            stale: None,
        }]);
        let shown = shown(&panel, &data);
        let at = |at_ms| shown[0].value_at(at_ms, 5);
        assert_eq!(
            [at(4), at(5), at(14), at(16), at(35), at(36)],
            [None, Some(1.0), Some(1.0), Some(2.0), Some(3.0), None]
        );
    }
}
