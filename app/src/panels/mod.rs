//! The panels of a dashboard: one component for all kinds, from the same data on the server and in the browser.
//!
//! A page provides a [`PanelsContext`] and then shows a [`PanelView`] for each panel, inside an element of class `panels`
//! (the grid of 24 columns; each panel knows its place in it). The style of everything below `.panels` is `style/panels.css`;
//! it needs nothing from the page's own style but a background.
//!
//! **First picture.** The server draws the body of a panel into `.panel-picture`. Its data is not sent a second time: the
//! browser takes the picture over as it is, and shows the live body in its place as soon as every query of the panel has
//! data, an error, or is known to be empty. Both are made by the same components in the same layout, so nothing moves.
//!
//! **Plot area.** Text around a chart is text of the page, placed by percentages of the plot box. Inside the box is an SVG
//! picture, stretched, or canvases of the same size.

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

/// Whether panels of this kind show the time of the page. The others show what is known now.
pub(crate) fn has_time(kind: PanelKind) -> bool {
    !matches!(kind, PanelKind::Jobs | PanelKind::Sources)
}

/// Of a page that shows `range` when it is `now_ms`: the time whose alerts it shows, in milliseconds since the Unix epoch. `None` for
/// those of now: where the page ends now, and where nobody remembers so far back.
#[must_use]
pub fn alerts_of_ms(range: TimeRange, now_ms: i64) -> Option<i64> {
    range.as_of_ms(now_ms).filter(|at_ms| now_ms - at_ms < ALERT_HISTORY_MS)
}

/// A fraction as percent with two decimals, as text for a style.
fn percent(fraction: f64) -> String {
    model::unit::short(fraction * 100.0, 2)
}
