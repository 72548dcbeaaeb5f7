//! The panels of a dashboard: one component for all kinds, which renders the same data on the server and in the browser.
//!
//! A page provides a [`PanelsContext`] and then shows a [`PanelView`] for each panel, inside an element of class `panels`
//! (a grid of 24 columns). The style of everything below `.panels` is in `style/panels.css`. It needs nothing from the page's own style but a
//! background.
//!
//! **The server's HTML.** The server renders the body of a panel into `.panel-picture`, and does not send the data as well. The browser leaves that
//! HTML as it is until every query of the panel has a result: data, an error, or nothing. Then it shows the live body instead. The same
//! components render both in the same layout, so nothing moves.
//!
//! **Plot area.** Text around a chart is HTML, positioned by percentages of the plot box. Inside the box is a stretched SVG, or canvases of the
//! same size.

pub(crate) mod alerts;
#[cfg(feature = "browser")]
mod canvas;
pub(crate) mod cells;
pub(crate) mod colors;
mod context;
#[cfg(any(feature = "browser", test))]
mod csv;
pub(crate) mod gauge;
pub(crate) mod heatmap;
pub(crate) mod jobs;
pub(crate) mod keyed;
pub(crate) mod legend;
pub(crate) mod look;
mod menu;
mod narrow;
pub(crate) mod plot_series;
pub(crate) mod shares;
pub(crate) mod sources;
pub(crate) mod stat;
pub(crate) mod table;
pub(crate) mod timeseries;
mod view;

#[cfg(feature = "ssr")]
#[cfg(test)]
pub(crate) mod tests;

use model::{dashboard::PanelKind, live::ALERT_HISTORY_MS, range::TimeRange};

pub use alerts::MOST_ALERTS;
pub(crate) use alerts::identifying_labels;
#[cfg(feature = "ssr")]
pub(crate) use alerts::look_of as alert_look;
pub use context::{PanelsContext, Viewport};
pub use jobs::FirstRows;
pub use look::{has_come, loading};
pub(crate) use narrow::narrow_widths;
#[cfg(feature = "ssr")]
pub(crate) use view::still;
pub use view::{PanelView, PanelViewProps};

/// Whether panels of this kind show the time range of the page. The others show the current state.
pub(crate) fn has_time(kind: PanelKind) -> bool {
    !matches!(kind, PanelKind::Jobs | PanelKind::Sources)
}

/// The time at which the alerts fired that a page with `range` shows, in milliseconds since the Unix epoch. `None` for the current alerts: if the range
/// ends at `now_ms`, or before the history of alerts.
#[must_use]
pub fn alerts_of_ms(range: TimeRange, now_ms: i64) -> Option<i64> {
    range.as_of_ms(now_ms).filter(|at_ms| now_ms - at_ms < ALERT_HISTORY_MS)
}

/// A fraction as a percentage with two decimals, for a CSS value.
fn percent(fraction: f64) -> String {
    model::unit::short(fraction * 100.0, 2)
}
