//! The panel kinds `pie` and `bars`: the newest values of series as shares of a donut, or as bars.

use chart::{
    palette::Ink,
    round::{DONUT_SIZE, donut_drawing},
};
use model::{dashboard::Panel, panel::PanelData, unit::Unit};

use super::{
    canvas::{Anchor, Area, Canvas, Type, count, length},
    theme::of_class,
};
use crate::panels::{
    colors::Colors,
    plot_series::{ABSENT, unit_of},
    shares::{Part, parts, shares, total},
};

const ROW: f32 = 20.0;
/// Height of a bar with the space below it, in units of the SVG.
const BAR_ROW: f32 = 26.0;

/// Draws a donut with its total in the middle, and a list of names, values and percentages.
pub(super) fn pie(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData) {
    let parts = shares(panel, data, &mut Colors::default());
    let shares: Vec<(f64, Ink)> = parts.iter().map(|part| (part.value, part.ink)).collect();
    // The ring is smaller if long names need the room, but not smaller than a minimum.
    let widest = |width: &dyn Fn(&Part) -> f32| parts.iter().map(width).fold(0.0, f32::max);
    let names = widest(&|part| Type::plain("text").width(&part.name));
    let values = widest(&|part| Type::bold("text").width(&part.written.text));
    let beside = area.width - names - values - 106.0;
    let side = (area.height * 0.88).min(area.width * 0.46).min(beside.max(area.width * 0.3));
    #[allow(clippy::cast_precision_loss)] // a size of some thousand
    let scale = side / DONUT_SIZE.0 as f32;
    let (left, top) = (area.x + 12.0, area.y + (area.height - side) / 2.0 - 3.0);
    let between = canvas.theme().color("panel-bg");
    canvas.drawing((left, top), scale, |paint| donut_drawing(&shares, between, paint));

    let (middle, center) = (left + side / 2.0, top + side / 2.0);
    let unit = panel.queries.first().map_or(Unit::Plain, |query| unit_of(panel, query));
    let sum = unit.format(total(&parts), panel.decimals);
    let look = Type { size: (side * 0.14).clamp(12.0, 48.0), anchor: Anchor::Middle, ..Type::bold("text") };
    let size = look.size * (side * 0.56 / look.width(&sum)).min(1.0);
    canvas.text((middle, center + size * 0.25), &sum, Type { size, ..look });
    if side >= 90.0 {
        canvas.text(
            (middle, center + size * 0.25 + 15.0),
            "total",
            Type { anchor: Anchor::Middle, ..Type::small("muted") },
        );
    }
    let list = Area { x: left + side + 14.0, width: area.right() - left - side - 26.0, ..area };
    pie_list(canvas, list, &parts);
}

fn pie_list(canvas: &mut Canvas, area: Area, parts: &[Part]) {
    let (total, percent) = (total(parts), Unit::from_id("percent"));
    let fitting = rows_of(area.height - 8.0, ROW);
    let shown = if parts.len() > fitting { fitting.saturating_sub(1) } else { parts.len() };
    let lines = if shown < parts.len() { shown + 1 } else { shown };
    let mut baseline = area.y + (area.height - count(lines) * ROW) / 2.0 + 11.0;
    let value_look = Type { anchor: Anchor::End, ..Type::bold("text") };
    for part in parts.iter().take(shown) {
        let share = if total > 0.0 { part.value.max(0.0) / total * 100.0 } else { 0.0 };
        let share = if part.value.is_finite() { percent.format(share, Some(0)) } else { ABSENT.to_owned() };
        canvas.rect(Area { x: area.x, y: baseline - 9.0, width: 10.0, height: 10.0 }, 2.0, &part.ink.variable(), None);
        canvas.text((area.right(), baseline), &share, Type { anchor: Anchor::End, ..Type::plain("muted") });
        let value_right = area.right() - 40.0;
        canvas.text((value_right, baseline), &part.written.text, value_look);
        let room = value_right - value_look.width(&part.written.text) - area.x - 24.0;
        canvas.fitted((area.x + 16.0, baseline), &part.name, Type::plain("text"), room.max(10.0));
        baseline += ROW;
    }
    if shown < parts.len() {
        canvas.text((area.x + 16.0, baseline), &format!("and {} more", parts.len() - shown), Type::plain("muted"));
    }
}

/// Number of rows of height `row` that fit into `height`, at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
pub(super) fn rows_of(height: f32, row: f32) -> usize {
    (height / row).clamp(1.0, 10_000.0) as usize
}

/// Draws horizontal bars. The longest one has the full width.
pub(super) fn bars(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData) {
    let parts = parts(panel, data, &mut Colors::default());
    let greatest = parts.iter().map(|part| part.value).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let longest = panel.max.unwrap_or(greatest);
    let fitting = rows_of(area.height - 10.0, BAR_ROW);
    let shown = if parts.len() > fitting { fitting.saturating_sub(1) } else { parts.len() };
    let (name_look, value_look) = (Type::plain("text"), Type { anchor: Anchor::End, ..Type::bold("text") });
    let name_wide = parts.iter().map(|part| name_look.width(&part.name)).fold(0.0, f32::max).min(area.width * 0.34);
    let value_wide = parts.iter().map(|part| value_look.width(&part.written.text)).fold(0.0, f32::max);
    let lines = if shown < parts.len() { shown + 1 } else { shown };
    let mut top = area.y + (area.height - 10.0 - count(lines) * BAR_ROW) / 2.0;
    let track_x = area.x + 12.0 + name_wide + 10.0;
    let track_wide = (area.right() - 12.0 - value_wide - 10.0 - track_x).max(1.0);
    for part in parts.iter().take(shown) {
        let baseline = top + 17.0;
        canvas.fitted((area.x + 12.0, baseline), &part.name, name_look, name_wide + 0.5);
        let track = Area { x: track_x, y: top + 6.0, width: track_wide, height: 14.0 };
        canvas.rect(track, 3.0, "grid", None);
        let filled = if longest > 0.0 && !part.value.is_nan() { (part.value / longest).clamp(0.0, 1.0) } else { 0.0 };
        // Each bar has its name beside it, so only colours with a meaning are used.
        let ink = if matches!(part.ink, Ink::Series(_)) { Ink::Series(0) } else { part.ink };
        let meant = of_class(&part.written.class);
        let own = ink.variable();
        if filled > 0.0 {
            canvas.rect(Area { width: track_wide * length(filled), ..track }, 3.0, meant.unwrap_or(&own), None);
        }
        canvas.text((area.right() - 12.0, baseline), &part.written.text, value_look);
        top += BAR_ROW;
    }
    if shown < parts.len() {
        canvas.text((area.x + 12.0, top + 17.0), &format!("and {} more", parts.len() - shown), Type::plain("muted"));
    }
}
