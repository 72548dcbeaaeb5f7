//! Annotations of a chart: when related alerts fired. They are drawn on the plot, listed under the pointer, and described for screen readers.

use chart::{mark::Fired, palette::Ink};
use leptos::prelude::*;
use model::{
    frame::{Labels, Series},
    panel::{PanelData, QueryState},
};

use super::{Chart, hover::Line};
use crate::panels::plot_series::Written;

/// An annotation: a period in which an alert fired.
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

/// The current annotations of a chart.
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

/// Adds the alerts that fired at a time to the lines under the pointer.
pub(super) fn read(chart: Chart, at_ms: i64, step_ms: i64, lines: &mut Vec<Line>) {
    for Mark { name, fired, .. } in marks(chart) {
        // The pointer may be off by a step.
        if fired.from_ms - step_ms <= at_ms && fired.to_ms.is_none_or(|to_ms| at_ms <= to_ms + step_ms) {
            lines.push(Line { class: fired.ink.class(), name: name + " fires", written: Written::default() });
        }
    }
}

/// The annotations for screen readers: `HighMemoryUsage, critical, fired from 12:03 to 12:10. `
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
