//! The panel kinds `stat`, with a sparkline, and `gauge`.

use ::chart::{
    round::{GAUGE_SIZE, gauge_drawing},
    spark::spark_drawing,
};
use model::{dashboard::Panel, panel::PanelData};

use super::{
    Setting,
    canvas::{Anchor, Area, Canvas, Type, count},
    theme::of_class,
};
use crate::panels::{
    cells::Cells,
    gauge::{self, Reading, ends, readings},
    plot_series::{Written, shown, write},
    stat::{self, Number, course, numbers, split},
};

/// Size of a unit, as a fraction of the size of its number.
const UNIT: f32 = 0.5;
/// Size of the shape beside a number, and its distance, as fractions of the size of the number.
const MARK: (f32, f32) = (0.42, 0.28);

/// Name of the colour of a value.
pub(super) fn color_of(written: &Written) -> &str {
    of_class(&written.class).unwrap_or("text")
}

/// Draws the numbers of a stat. A single number has a sparkline.
pub(super) fn stat(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData, setting: &Setting) {
    let shown = shown(panel, data);
    let course = course(&shown);
    if let Some(course) = course {
        let written = course.series.last().map(|(_, value)| write(panel, course.query, value)).unwrap_or_default();
        let color = canvas.theme().color(of_class(&written.class).unwrap_or(&course.ink.variable()));
        let (top, height) = (area.y + area.height * 0.6, area.height * 0.4 - 2.0);
        canvas.drawing((area.x, top), 1.0, |_| {
            let own = |_| color;
            let paint = ::chart::svg::Paint::Colors(&own);
            spark_drawing(course.trace(), setting.viewport.span(), (area.width, height), paint)
        });
    }
    let numbers = numbers(panel, data);
    let place = Area { height: area.height * if course.is_some() { 0.68 } else { 0.92 }, ..area };
    let is_alone = numbers.len() == 1;
    let most = if is_alone {
        (place.height * 0.62).min(area.width * 0.17).clamp(20.0, 120.0)
    } else {
        (place.height * 0.40).min(area.width * 0.09).clamp(14.0, 72.0)
    };
    each_cell(canvas, place, numbers, stat::LEAST, |canvas, cell, Number { name, written }| {
        let (middle, center) = cell.center();
        let size = if is_alone { most } else { most.min(cell.height * 0.5) };
        let baseline = center + size * 0.36 - if is_alone { 0.0 } else { 9.0 };
        number(canvas, (middle, baseline), &written, size, cell.width - 8.0);
        if !is_alone {
            let look = Type { anchor: Anchor::Middle, ..Type::plain("muted") };
            canvas.fitted((middle, baseline + 18.0), &name, look, cell.width - 8.0);
        }
    });
}

/// Draws as many values as fit, each in a cell, and the number of the others.
fn each_cell<T>(
    canvas: &mut Canvas,
    area: Area,
    values: Vec<T>,
    least: (f64, f64),
    draw: impl Fn(&mut Canvas, Area, T),
) {
    let size = (f64::from(area.width), f64::from(area.height));
    let Cells { columns, rows, shown, left_out } = Cells::new(size, values.len(), least);
    let height = area.height - if left_out > 0 { 20.0 } else { 0.0 };
    let (wide, high) = (area.width / count(columns), height / count(rows));
    for (index, value) in values.into_iter().take(shown).enumerate() {
        // The last row is centred, also if it has fewer cells.
        let row = index / columns;
        let in_row = columns.min(shown - row * columns);
        let indent = count(columns - in_row) * wide / 2.0;
        let (x, y) = (area.x + indent + count(index % columns) * wide, area.y + count(row) * high);
        draw(canvas, Area { x, y, width: wide, height: high }, value);
    }
    if left_out > 0 {
        let look = Type { anchor: Anchor::Middle, ..Type::plain("muted") };
        canvas.text((area.center().0, area.bottom() - 5.0), &format!("and {left_out} more"), look);
    }
}

/// Draws a number with its unit and the shape of its meaning, centred at a point. It is smaller than `size` if it does not fit into `room`.
pub(super) fn number(canvas: &mut Canvas, (middle, baseline): (f32, f32), written: &Written, size: f32, room: f32) {
    let (digits, unit) = split(&written.text);
    let color = color_of(written);
    let has_mark = matches!(written.meaning, "warning" | "critical");
    let widths = |size: f32| {
        let large = Type { size, ..Type::bold(color) };
        let small = Type { size: size * UNIT, ..large };
        let mark = if has_mark { size * (MARK.0 + MARK.1) } else { 0.0 };
        (large, small, large.width(&digits), small.width(&unit), mark)
    };
    let (.., digits_wide, unit_wide, mark_wide) = widths(size);
    let total = digits_wide + unit_wide + mark_wide;
    let size = if total > room { size * room / total } else { size };
    let (large, small, digits_wide, unit_wide, mark_wide) = widths(size);
    let left = middle - (digits_wide + unit_wide + mark_wide) / 2.0;
    canvas.text((left, baseline), &digits, large);
    // SVG ignores a space at the start of a text, so its width is added to the position.
    let gap = unit_wide - small.width(unit.trim_start());
    canvas.text((left + digits_wide + gap, baseline), unit.trim_start(), small);
    canvas.mark(
        (left + digits_wide + unit_wide + size * MARK.1, baseline - size * 0.14),
        size * MARK.0,
        written.meaning,
        color,
    );
}

/// Draws numbers on arcs.
pub(super) fn gauge(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData) {
    let readings = readings(panel, data);
    let is_alone = readings.len() == 1;
    each_cell(canvas, area, readings, gauge::LEAST, |canvas, cell, reading| {
        let arc = if is_alone { cell } else { Area { height: cell.height - 18.0, ..cell } };
        dial(canvas, arc, panel, &reading);
        if !is_alone {
            let look = Type { anchor: Anchor::Middle, ..Type::plain("muted") };
            canvas.fitted((cell.center().0, cell.bottom() - 6.0), &reading.name, look, cell.width - 8.0);
        }
    });
}

fn dial(canvas: &mut Canvas, area: Area, panel: &Panel, reading: &Reading) {
    #[allow(clippy::cast_precision_loss)] // a size of some thousand
    let (wide, high) = (GAUGE_SIZE.0 as f32, GAUGE_SIZE.1 as f32);
    // The ends of the scale do not fit below a small arc.
    let has_ends = area.width >= 150.0;
    let room = area.inset(0.0, 12.0, if has_ends { 20.0 } else { 4.0 }, 12.0);
    let width = room.width.min(room.height * wide / high);
    let height = width * high / wide;
    let (left, top) = (room.x + (room.width - width) / 2.0, room.y + (room.height - height) / 2.0);
    canvas.drawing((left, top), width / wide, |paint| {
        gauge_drawing(reading.fraction, reading.ink, &reading.zones, paint)
    });
    let size = (width * 0.17).clamp(12.0, 96.0);
    number(canvas, (left + width / 2.0, top + height * 0.64 + size * 0.36), &reading.written, size, width * 0.58);
    if !has_ends {
        return;
    }
    let (low, high) = ends(panel);
    let look = Type::small("muted");
    let baseline = (top + height + 12.0).min(area.bottom() - 4.0);
    canvas.text((left + width * 0.04, baseline), &low, look);
    canvas.text((left + width * 0.96, baseline), &high, Type { anchor: Anchor::End, ..look });
}
