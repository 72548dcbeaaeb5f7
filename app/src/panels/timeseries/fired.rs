//! When alerts fired that concern a chart: marked on its plot, read under the pointer, and told in words.

use chart::{mark::Fired, palette::Ink};
use leptos::prelude::*;
use model::{
    frame::{Labels, Series},
    panel::{PanelData, QueryState},
};

use super::{Chart, hover::Line};
use crate::panels::plot_series::Written;

/// A time in which an alert fired.
pub(super) struct Mark {
    name: String,
    severity: String,
    pub(super) fired: Fired,
}

impl Mark {
    fn of(series: &Series, panel: &str) -> Option<Self> {
        let label = |name: &str| label(&series.labels, name);
        if label("panel") != panel {
            return None;
        }
        let severity = label("severity");
        let fired = Fired {
            ink: Ink::Meaning(model::Severity::of(severity).color()),
            from_ms: *series.timestamps.first()?,
            to_ms: series.timestamps.get(1).copied(),
        };
        Some(Mark { name: label("alertname").to_owned(), severity: severity.to_owned(), fired })
    }
}

fn label<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// The marks of a chart, as they are now.
pub(super) fn marks(chart: Chart) -> Vec<Mark> {
    let mut marks = Vec::new();
    chart.marks.with(|data| {
        if let PanelData::Queries(states) = data
            && let Some(QueryState::Ready { frame, .. }) = states.first()
        {
            chart.panel.with_value(|panel| {
                marks.extend(frame.series.iter().filter_map(|series| Mark::of(series, &panel.id)));
            });
        }
    });
    marks
}

/// The alerts that fire at a time, for the lines under the pointer.
pub(super) fn read(chart: Chart, at_ms: i64, step_ms: i64, lines: &mut Vec<Line>) {
    for Mark { name, fired, .. } in marks(chart) {
        // As far as the pointer may be off.
        if fired.from_ms - step_ms <= at_ms && fired.to_ms.is_none_or(|to_ms| at_ms <= to_ms + step_ms) {
            lines.push(Line { class: fired.ink.class(), name: name + " fires", written: Written::default() });
        }
    }
}

/// The marks for those who do not see them: `HighMemoryUsage, critical, fired from 12:03 to 12:10. `
pub(super) fn in_words(chart: Chart) -> String {
    let zone = chart.viewport.get().zone;
    let mut words = String::new();
    for Mark { name, severity, fired } in marks(chart) {
        let at = |at_ms| zone.civil(at_ms).clock();
        words += &format!("{name}, {severity}, fired from {}", at(fired.from_ms));
        if let Some(to_ms) = fired.to_ms {
            words += " to ";
            words += &at(to_ms);
        }
        words += ". ";
    }
    words
}
