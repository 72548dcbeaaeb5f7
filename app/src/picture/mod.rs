//! Panels and dashboards as standalone SVG documents: for files, notifications and other web pages.
//!
//! Names, values, colours and order come from the same functions as for the panels of a page. Everything that a page leaves to the browser is decided
//! here: fonts, line breaks and the theme's colours. The documents have no style sheet and no script, so every viewer shows them alike.

mod alerts;
mod canvas;
mod chart;
mod frame;
mod layout;
mod numbers;
mod rows;
mod shares;
mod table;
mod theme;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use model::{
    dashboard::{Color, Dashboard, Panel},
    panel::PanelData,
    range::TimeRange,
    unit,
    zone::Zone,
};

use self::{
    canvas::{Anchor, Area, Canvas, Type},
    layout::Place,
};
pub use self::{layout::natural_height, theme::Theme};
use crate::{panels::Viewport, shell::newest_ms};

/// Space around and between the panels of a dashboard, in units of the SVG, as on a page.
const GAP: f32 = 8.0;
/// Height of a dashboard's heading, in units of the SVG.
const HEAD: f32 = 44.0;

/// Settings that all images of a request share.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The time range of charts.
    pub viewport: Viewport,
    /// The time of the image, from which ages are counted, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Theme of the colours.
    pub theme: Theme,
}

impl Setting {
    /// The settings for `range` at `now_ms`, in UTC. A range that ends now ends at the newest evaluation in `data`, as on a page, so that charts have no
    /// empty edge.
    #[must_use]
    pub fn new<'a>(range: TimeRange, now_ms: i64, theme: Theme, data: impl IntoIterator<Item = &'a PanelData>) -> Self {
        let step_ms = range.step_ms(now_ms);
        let (start_ms, end_ms) = match range.live_window_ms() {
            Some(window_ms) => {
                let evaluated = data.into_iter().filter_map(newest_ms).max().unwrap_or(now_ms);
                let end_ms = evaluated.div_euclid(step_ms).saturating_mul(step_ms);
                (end_ms.saturating_sub(window_ms), end_ms)
            }
            None => range.resolve(now_ms),
        };
        Setting { viewport: Viewport { start_ms, end_ms, step_ms, zone: Zone::UTC }, now_ms, theme }
    }

    /// The same settings with times in `zone`.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Setting { viewport: Viewport { zone, ..self.viewport }, ..self }
    }

    /// The time range in words: `Nov 20 14:53 to 15:53 UTC`.
    fn time(&self) -> String {
        let zone = self.viewport.zone;
        let (from, to) = (zone.civil(self.viewport.start_ms), zone.civil(self.viewport.end_ms));
        let same_day = (from.year, from.month, from.day) == (to.year, to.month, to.day);
        let to_date = if same_day { String::new() } else { format!("{} ", to.short_date()) };
        format!("{} {} to {to_date}{} {}", from.short_date(), from.clock(), to.clock(), zone.name())
    }

    /// The time of the image in words, for panels that show the current state.
    fn moment(&self) -> String {
        let now = self.viewport.zone.civil(self.now_ms);
        format!("{} {} {}", now.short_date(), now.clock(), self.viewport.zone.name())
    }
}

/// The colour of a severity.
#[must_use]
pub fn severity_color(severity: &str) -> Color {
    model::Severity::of(severity).color()
}

/// A panel as an SVG of `width` times `height` units.
#[must_use]
pub fn panel(panel: &Panel, data: &PanelData, setting: &Setting, (width, height): (f32, f32)) -> String {
    let mut canvas = Canvas::new(setting.theme);
    let area = Area { x: 0.0, y: 0.0, width, height };
    let time = match data {
        PanelData::Queries(_) => setting.time(),
        PanelData::Jobs(_) | PanelData::Alerts(_) | PanelData::Sources(..) => setting.moment(),
    };
    frame::draw(&mut canvas, area, panel, data, setting, &time);
    canvas.document(width, height, &panel.title)
}

/// A dashboard as an SVG of `width` times `height` units. Its rows are scaled to fill `height`; see [`natural_height`].
#[must_use]
pub fn dashboard(
    dashboard: &Dashboard,
    data: &HashMap<String, PanelData>,
    setting: &Setting,
    (width, height): (f32, f32),
) -> String {
    let mut canvas = Canvas::new(setting.theme);
    let page = Area { x: 0.0, y: 0.0, width, height };
    canvas.rect(page, 0.0, "bg", None);
    heading(&mut canvas, dashboard, data, setting, width);
    let absent = PanelData::Queries(Vec::new());
    for Place { panel, area } in layout::places(dashboard, width, height) {
        let data = data.get(&panel.id).unwrap_or(&absent);
        frame::draw(&mut canvas, area, panel, data, setting, "");
    }
    canvas.document(width, height, &dashboard.title)
}

/// Draws the title, the time range, and the age of the newest data.
fn heading(
    canvas: &mut Canvas,
    dashboard: &Dashboard,
    data: &HashMap<String, PanelData>,
    setting: &Setting,
    width: f32,
) {
    let newest = data.values().filter_map(newest_ms).max();
    let age = match newest {
        Some(newest_ms) => format!(", {}", unit::age(setting.now_ms.saturating_sub(newest_ms))),
        None => String::new(),
    };
    let (small, large) = (Type::small("muted"), Type { size: 18.0, ..Type::bold("text") });
    let time = format!("{}{age}", setting.time());
    let baseline = HEAD / 2.0 + 6.0;
    let room = width - 3.0 * GAP;
    // If there is not enough room, the time is shortened, not the title.
    let beside = (room - large.width(&dashboard.title) - 16.0).max(room * 0.3);
    let time = picture::text::fit(&time, small.size, small.is_bold, beside).into_owned();
    let taken = small.width(&time) + 16.0;
    canvas.text((width - GAP * 1.5, baseline), &time, Type { anchor: Anchor::End, ..small });
    canvas.fitted((GAP * 1.5, baseline), &dashboard.title, large, room - taken);
}
