//! The panel kinds `timeseries` and `heatmap`, with axes and legend.

use chart::{palette::HEAT_STEPS, plot::TimePlot, scale::TimeTick};
use model::{
    dashboard::{Panel, ThresholdStyle},
    panel::PanelData,
};

use super::{
    Setting,
    canvas::{Anchor, Area, Canvas, Type, count, length},
    numbers::{color_of, number},
    theme::of_class,
};
use crate::panels::{
    heatmap::{self as heat, MOST_LABELS},
    plot_series::{MOST_SERIES, Shown, Written, series_count, shown},
    timeseries::{axis_unit, beside, options},
};

/// Height of a row of the legend, in units of the SVG.
const LEGEND_ROW: f32 = 20.0;
/// Height of the time axis, in units of the SVG.
const TIME_AXIS: f32 = 20.0;
/// Width of the numbers beside a chart, in units of the SVG.
const BESIDE: f32 = 112.0;

/// Draws lines or areas over time.
pub(super) fn timeseries(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData, setting: &Setting) {
    let shown = shown(panel, data);
    let drawn: Vec<&Shown<'_>> = shown.iter().filter(|shown| !shown.query.hidden).collect();
    let left_out = series_count(data).saturating_sub(MOST_SERIES);
    let rows_that_fit = ((area.height * 0.4 / LEGEND_ROW).floor()).clamp(0.0, 12.0);
    let entries: Vec<Entry> = drawn.iter().map(|shown| Entry::of(shown, panel)).collect();
    let legend = Legend::new(&entries, area.width - 24.0, rows_that_fit, left_out);
    let beside = if area.width >= 360.0 { beside(panel, data) } else { Vec::new() };
    let beside_wide = if beside.is_empty() { 0.0 } else { BESIDE };
    let inner = area.inset(6.0, 17.0 + beside_wide, TIME_AXIS + legend.height(), 0.0);

    let mut options = options(panel, &setting.viewport);
    options.value_ticks = ticks(inner.height, 40.0, 8);
    options.time_ticks = i64::try_from(ticks(inner.width, 90.0, 12)).unwrap_or(2);
    let traces: Vec<_> = drawn.iter().map(|shown| shown.trace()).collect();
    let plot = TimePlot::new(&traces, &options, None);

    let format = axis_unit(panel).axis(plot.scale.greatest(), plot.scale.step);
    let labels: Vec<(f32, String)> =
        plot.scale.ticks().into_iter().map(|value| (length(plot.scale.position(value)), format.label(value))).collect();
    let place = with_value_axis(canvas, inner, &labels);
    time_axis(canvas, place, &plot.time_ticks);
    canvas.within(place, false, |canvas| {
        canvas.drawing((place.x, place.y), 1.0, |paint| plot.drawing((place.width, place.height), paint));
    });
    limit_labels(canvas, place, panel, &plot);
    legend.draw(canvas, area.x + 12.0, area.bottom() - legend.height() + 2.0);
    numbers_beside(canvas, Area { x: area.right() - beside_wide - 6.0, width: beside_wide, ..inner }, &beside);
}

/// Draws buckets over time.
pub(super) fn heatmap(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData, setting: &Setting) {
    let heatmap = heat::heatmap(panel, data, setting.viewport.span());
    let unit = heat::unit(panel);
    let inner = area.inset(6.0, 17.0, TIME_AXIS + 22.0, 0.0);
    let rows = heatmap.bounds.len().max(1);
    let fitting = ticks(inner.height, 18.0, MOST_LABELS);
    let every = rows.div_ceil(fitting);
    let bounds = heatmap.bounds.iter().enumerate();
    let labels: Vec<(f32, String)> = bounds
        .filter(|(row, bound)| bound.is_finite() && (row + 1) % every == 0)
        .map(|(row, bound)| (count(row + 1) / count(rows), unit.brief(*bound)))
        .collect();
    let place = with_value_axis(canvas, inner, &labels);
    let span = setting.viewport.span();
    let most = i64::try_from(ticks(place.width, 90.0, 12)).unwrap_or(2);
    let ticks = chart::scale::time_ticks(span.start_ms, span.end_ms, setting.viewport.zone, most);
    time_axis(canvas, place, &ticks);
    canvas.rect(place, 0.0, "panel-bg", Some("grid"));
    canvas.within(place, false, |canvas| {
        canvas.drawing((place.x, place.y), 1.0, |paint| heatmap.drawing((place.width, place.height), paint));
    });
    let look = Type::small("muted");
    let (mut x, y) = (place.x, area.bottom() - 8.0);
    canvas.text((x, y), "few", look);
    x += look.width("few") + 6.0;
    for shade in 0..HEAT_STEPS {
        let swatch = Area { x, y: y - 8.0, width: 18.0, height: 8.0 };
        canvas.rect(swatch, 0.0, &chart::palette::Ink::Heat(shade).variable(), None);
        x += 20.0;
    }
    canvas.text((x + 4.0, y), "many", look);
}

/// Number of ticks that fit into `room`: at least 2, at most `most`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn ticks(room: f32, each: f32, most: usize) -> usize {
    ((room / each).clamp(2.0, 64.0) as usize).min(most)
}

/// Writes the labels of a value axis, each at a height from 0 to 1, and returns the area that is left for the plot.
fn with_value_axis(canvas: &mut Canvas, area: Area, labels: &[(f32, String)]) -> Area {
    let look = Type { anchor: Anchor::End, ..Type::small("muted") };
    let widest = labels.iter().map(|(_, label)| look.width(label)).fold(20.0, f32::max);
    let place = area.inset(0.0, 0.0, 0.0, widest + 20.0);
    for (position, label) in labels {
        canvas.text((place.x - 8.0, place.bottom() - position * place.height + 4.0), label, look);
    }
    place
}

/// Writes the labels of the time axis, without those that would overlap the previous one.
fn time_axis(canvas: &mut Canvas, place: Area, ticks: &[TimeTick]) {
    let look = Type { anchor: Anchor::Middle, ..Type::small("muted") };
    let mut free_from = f32::MIN;
    for tick in ticks {
        let (middle, half) = (place.x + length(tick.position) * place.width, look.width(&tick.label) / 2.0);
        if middle - half >= free_from && middle + half <= place.right() + 17.0 {
            canvas.text((middle, place.bottom() + 15.0), &tick.label, look);
            free_from = middle + half + 8.0;
        }
    }
}

/// Writes the labels of the thresholds at their lines.
fn limit_labels(canvas: &mut Canvas, place: Area, panel: &Panel, plot: &TimePlot<'_>) {
    let named = panel.thresholds.iter().filter(|threshold| !threshold.label.is_empty());
    for threshold in named.filter(|_| panel.threshold_style != ThresholdStyle::None) {
        let position = length(plot.scale.position(threshold.value));
        if !(0.0..=1.0).contains(&position) {
            continue;
        }
        let look = Type { anchor: Anchor::End, ..Type::small(chart::palette::name(threshold.color)) };
        let width = look.width(&threshold.label) + 8.0;
        // Above the line, or below it if the line is at the top of the plot.
        let y = (place.bottom() - position * place.height).max(place.y + 15.0);
        let ground = Area { x: place.right() - 4.0 - width, y: y - 14.0, width, height: 13.0 };
        canvas.tinted(ground, 3.0, "panel-bg", 0.78, None);
        canvas.text((place.right() - 8.0, y - 4.0), &threshold.label, look);
    }
}

fn numbers_beside(canvas: &mut Canvas, area: Area, numbers: &[(String, Written)]) {
    const EACH: f32 = 56.0;
    let (middle, center) = area.center();
    let mut baseline = center - count(numbers.len()) * EACH / 2.0 + 32.0;
    for (name, written) in numbers {
        number(canvas, (middle, baseline), written, 24.0, area.width - 8.0);
        let look = Type { anchor: Anchor::Middle, ..Type::plain("muted") };
        canvas.fitted((middle, baseline + 17.0), name, look, area.width - 4.0);
        baseline += EACH;
    }
}

/// A series in the legend.
struct Entry {
    color: String,
    name: String,
    newest: Written,
}

impl Entry {
    fn of(shown: &Shown<'_>, panel: &Panel) -> Self {
        let newest = shown.series.last().map(|(_, value)| shown.written(panel, value)).unwrap_or_default();
        Entry { color: shown.ink.variable(), name: shown.name.clone(), newest }
    }

    /// Width of the name, and of the whole entry with the space after it. The name is shortened so that the entry fits into `room`.
    fn widths(&self, room: f32) -> (f32, f32) {
        let value = Type::plain("muted").width(&self.newest.text);
        let name = Type::plain("text").width(&self.name).min((room - value - 46.0).max(30.0));
        (name, name + value + 18.0 + 6.0 + 16.0)
    }
}

/// The legend, in as many rows as fit.
struct Legend<'a> {
    rows: Vec<Vec<&'a Entry>>,
    left_out: usize,
    room: f32,
}

impl<'a> Legend<'a> {
    fn new(entries: &'a [Entry], room: f32, most_rows: f32, left_out: usize) -> Self {
        let mut rows: Vec<Vec<&Entry>> = Vec::new();
        let mut left = 0.0;
        let mut kept = 0;
        for entry in entries {
            let (_, width) = entry.widths(room);
            if width <= left
                && let Some(row) = rows.last_mut()
            {
                row.push(entry);
            } else {
                if count(rows.len() + 1) > most_rows {
                    break;
                }
                rows.push(vec![entry]);
                left = room;
            }
            left -= width;
            kept += 1;
        }
        let mut left_out = left_out + entries.len() - kept;
        // The number of entries that are left out takes the place of one entry.
        if left_out > 0
            && let Some(row) = rows.last_mut().filter(|row| row.len() > 1)
        {
            row.pop();
            left_out += 1;
        }
        Legend { rows, left_out, room }
    }

    fn height(&self) -> f32 {
        if self.rows.is_empty() { 4.0 } else { count(self.rows.len()) * LEGEND_ROW + 6.0 }
    }

    fn draw(&self, canvas: &mut Canvas, left: f32, top: f32) {
        for (index, row) in self.rows.iter().enumerate() {
            let baseline = top + count(index) * LEGEND_ROW + 14.0;
            let mut x = left;
            for entry in row {
                let (name_wide, width) = entry.widths(self.room);
                canvas.rect(Area { x, y: baseline - 6.0, width: 12.0, height: 4.0 }, 2.0, &entry.color, None);
                canvas.fitted((x + 18.0, baseline), &entry.name, Type::plain("text"), name_wide + 0.5);
                let colored = of_class(&entry.newest.class).is_some();
                let look =
                    Type { color: if colored { color_of(&entry.newest) } else { "muted" }, ..Type::plain("muted") };
                canvas.text((x + 24.0 + name_wide, baseline), &entry.newest.text, look);
                x += width;
            }
            if index + 1 == self.rows.len() && self.left_out > 0 {
                let more = format!("and {} more", self.left_out);
                canvas.fitted((x, baseline), &more, Type::plain("muted"), left + self.room - x);
            }
        }
    }
}
