//! The live plot of a chart: one canvas for what stands still, the lines of values, thresholds and annotations, and one for what moves with time, the
//! lines of the time axis and the series.
//!
//! If only new points arrived, the front canvas is moved to the left by whole pixels, and only what is new is drawn. If anything else changed, including
//! an old point, it is drawn again as a whole. So it is after [`MOST_PIECES`] moves, because the seams between the pieces add up. The back canvas is
//! only drawn when it differs.

use crate::view::view;
use chart::{
    mark::Mark,
    palette::Ink,
    plot::{BAND_FILL, Limit, Pixels, TimePlot, TimeSpan, Trail},
    scale::ValueScale,
};
use leptos::{html::Canvas, prelude::*};
use model::{dashboard::ThresholdStyle, zone::Zone};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, Path2d};

use super::{Chart, colors::color};
use crate::panels::{
    canvas::{Size, on_frame, prepare, size_of},
    context::PanelsContext,
};

/// Moves of the series canvas before it is drawn again as a whole.
const MOST_PIECES: u32 = 40;
/// Width of a line in CSS pixels.
const LINE_WIDTH: f64 = 1.5;

/// The content of the back canvas.
#[derive(Debug, Clone, PartialEq)]
struct Back {
    size: Size,
    scale: ValueScale,
    theme: u32,
    marks: Vec<Mark>,
    limits: Vec<Limit>,
}

/// The content of the front canvas.
#[derive(Debug, Clone, PartialEq)]
struct Front {
    frame: Frame,
    /// The time at the right edge, in milliseconds since the Unix epoch: the lines of the time axis until then are drawn.
    end_ms: i64,
    /// The time at the left edge, in milliseconds since the Unix epoch. It differs from that of the span, because the canvas moves by whole pixels.
    origin_ms: f64,
    /// The drawn points of each series. The points of a step may arrive one series after the other.
    trails: Vec<Trail>,
    pieces: u32,
}

/// Everything that requires drawing the whole front canvas again when it changes.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    size: Size,
    scale: ValueScale,
    length_ms: i64,
    step_ms: i64,
    theme: u32,
    zone: Zone,
    inks: Vec<(Ink, bool)>,
    /// Whether it is a stack whose newest points are incomplete.
    ragged: bool,
}

/// The canvases of a chart's plot box.
pub(super) fn layers(chart: Chart, scale: Memo<ValueScale>) -> AnyView {
    let theme = PanelsContext::of_page().theme;
    let (back, front) = (NodeRef::<Canvas>::new(), NodeRef::<Canvas>::new());
    let size = size_of(back);
    let drawn_back = StoredValue::new(None::<Back>);
    let drawn_front = StoredValue::new(None::<Front>);
    let watch = move || {
        chart.data.track();
        chart.viewport.track();
        chart.isolated.track();
        chart.marks.track();
        scale.track();
        size.track();
        theme.track();
    };
    let draw = move || {
        let (Some(back), Some(front)) = (back.get(), front.get()) else { return };
        let size = size.get();
        let (Some(behind), Some(before)) = (prepare(&back, size), prepare(&front, size)) else { return };
        let theme = theme.get();
        chart.with_plot(Some(scale.get()), |plot| {
            let (marks, limits) = (plot.marks.clone(), plot.limits.clone());
            let now = Some(Back { size, scale: plot.scale, theme, marks, limits });
            if drawn_back.with_value(|drawn| *drawn != now) {
                draw_back(&behind, plot, size);
                drawn_back.set_value(now);
            }
            let look = (size, theme, chart.viewport.get().zone);
            drawn_front.update_value(|drawn| draw_front(&front, &before, plot, look, drawn));
        });
    };
    on_frame(watch, draw);
    view! {
        <div class="plot-layers">
            <canvas node_ref=back></canvas>
            <canvas node_ref=front></canvas>
        </div>
    }
}

/// Draws annotations, the lines of values and thresholds.
fn draw_back(context: &CanvasRenderingContext2d, plot: &TimePlot<'_>, size: Size) {
    context.clear_rect(0.0, 0.0, size.width, size.height);
    let line_width = fine_line(size);
    for mark in &plot.marks {
        context.set_fill_style_str(&color(mark.ink));
        context.set_global_alpha(mark.fill);
        context.fill_rect(mark.from * size.width, 0.0, (mark.to - mark.from) * size.width, size.height);
        context.set_global_alpha(1.0);
        for at in mark.lines.into_iter().flatten() {
            context.fill_rect((at * size.width).round().min(size.width - line_width), 0.0, line_width, size.height);
        }
    }
    context.set_line_width(line_width);
    let crisp = |position: f64| crisp(position, line_width);
    context.set_stroke_style_str(&color(Ink::Grid));
    context.begin_path();
    for value in plot.scale.ticks() {
        let y = crisp(plot.pixel_y(value, size.height)).min(size.height - 0.5);
        context.move_to(0.0, y);
        context.line_to(size.width, y);
    }
    context.stroke();
    for limit in &plot.limits {
        let ink = color(Ink::Meaning(limit.color));
        let y = plot.pixel_y(limit.value, size.height);
        match plot.limit_style {
            ThresholdStyle::None => {}
            ThresholdStyle::Line => {
                dash(context, size, true);
                context.set_stroke_style_str(&ink);
                context.begin_path();
                context.move_to(0.0, crisp(y));
                context.line_to(size.width, crisp(y));
                context.stroke();
                dash(context, size, false);
            }
            ThresholdStyle::Band => {
                let top = plot.pixel_y(limit.end.min(plot.scale.high), size.height);
                context.set_global_alpha(BAND_FILL);
                context.set_fill_style_str(&ink);
                context.fill_rect(0.0, top, size.width, y.min(size.height) - top);
                context.set_global_alpha(1.0);
            }
        }
    }
}

/// Width of the lines of the axes, in device pixels.
fn fine_line(size: Size) -> f64 {
    size.ratio.round().max(1.0)
}

/// Where a line of this width is sharp: one with an odd width between two whole coordinates.
fn crisp(position: f64, line_width: f64) -> f64 {
    position.round() + (line_width % 2.0) / 2.0
}

/// Draws the lines of the time axis after `since_ms`. `offset` is that of the series.
fn draw_times(context: &CanvasRenderingContext2d, plot: &TimePlot<'_>, size: Size, offset: f64, since_ms: i64) {
    let line_width = fine_line(size);
    context.set_fill_style_str(&color(Ink::Grid));
    for tick in plot.time_ticks.iter().filter(|tick| tick.at_ms > since_ms) {
        let x = (tick.position * size.width + offset).round().min(size.width - line_width);
        context.fill_rect(x, 0.0, line_width, size.height);
    }
}

/// Switches dashes on or off for the following lines.
fn dash(context: &CanvasRenderingContext2d, size: Size, on: bool) {
    let pattern = if on {
        js_sys::Array::of2(&(6.0 * size.ratio).into(), &(4.0 * size.ratio).into())
    } else {
        js_sys::Array::new()
    };
    let _ = context.set_line_dash(&pattern);
}

/// Draws the lines of the time axis and the series: moves the canvas and appends what is new if that suffices, else draws all again.
fn draw_front(
    canvas: &HtmlCanvasElement,
    context: &CanvasRenderingContext2d,
    plot: &TimePlot<'_>,
    (size, theme, zone): (Size, u32, Zone),
    drawn: &mut Option<Front>,
) {
    let frame = Frame {
        size,
        scale: plot.scale,
        length_ms: plot.span.end_ms - plot.span.start_ms,
        step_ms: plot.span.step_ms,
        theme,
        zone,
        inks: plot.layers.iter().map(|layer| (layer.ink, layer.fill > 0.0)).collect(),
        ragged: plot.ragged,
    };
    context.set_line_width(LINE_WIDTH * size.ratio);
    context.set_line_join("round");
    // The dashes of a new piece would not continue those of the previous piece.
    let continues = !plot.ragged && !plot.layers.iter().any(|layer| layer.dashed);
    let unchanged = |before: &&mut Front| before.frame == frame && before.pieces < MOST_PIECES;
    if let Some(before) = drawn.as_mut().filter(unchanged)
        && continues
        && let Some(shift) = whole_pixels(before, &plot.span, size.width)
        && plot.layers.iter().zip(&before.trails).all(|(layer, trail)| plot.goes_on(layer, trail))
    {
        let is_drawn = |(layer, trail): (_, &Trail)| plot.newest_ms(layer) == trail.newest_ms();
        if shift == 0.0 && plot.layers.iter().zip(&before.trails).all(is_drawn) {
            return;
        }
        if shift > 0.0 {
            let _ = context.set_global_composite_operation("copy");
            let _ = context.draw_image_with_html_canvas_element(canvas, -shift, 0.0);
            let _ = context.set_global_composite_operation("source-over");
        }
        let pixel_ms = milliseconds_a_pixel(&plot.span, size.width);
        before.origin_ms += shift * pixel_ms;
        let offset = left_edge(&plot.span, before.origin_ms) / pixel_ms;
        draw_times(context, plot, size, offset, before.end_ms);
        draw_layers(context, plot, size, offset, &before.trails);
        before.end_ms = plot.span.end_ms;
        follow(plot, &mut before.trails);
        before.pieces += 1;
        return;
    }
    context.clear_rect(0.0, 0.0, size.width, size.height);
    draw_times(context, plot, size, 0.0, i64::MIN);
    draw_layers(context, plot, size, 0.0, &[]);
    let (origin_ms, end_ms) = (milliseconds(plot.span.start_ms), plot.span.end_ms);
    let mut trails = vec![Trail::default(); plot.layers.len()];
    follow(plot, &mut trails);
    *drawn = Some(Front { frame, end_ms, origin_ms, trails, pieces: 0 });
}

fn follow(plot: &TimePlot<'_>, trails: &mut [Trail]) {
    plot.layers.iter().zip(trails).for_each(|(layer, trail)| plot.follow(layer, trail));
}

fn draw_layers(context: &CanvasRenderingContext2d, plot: &TimePlot<'_>, size: Size, offset: f64, trails: &[Trail]) {
    let pixels = Pixels { width: size.width, height: size.height, offset };
    let since_ms = |index: usize| trails.get(index).and_then(Trail::newest_ms).map(|newest_ms| newest_ms + 1);
    let mut path = String::new();
    for (index, layer) in plot.layers.iter().enumerate().filter(|(_, layer)| layer.fill > 0.0) {
        path.clear();
        plot.area_path(layer, pixels, since_ms(index), &mut path);
        if let Ok(area) = Path2d::new_with_path_string(&path) {
            context.set_global_alpha(layer.fill);
            context.set_fill_style_str(&color(layer.ink));
            context.fill_with_path_2d(&area);
        }
    }
    context.set_global_alpha(1.0);
    for (index, layer) in plot.layers.iter().enumerate() {
        path.clear();
        plot.line_path(layer, pixels, since_ms(index), &mut path);
        if let Ok(line) = Path2d::new_with_path_string(&path) {
            context.set_stroke_style_str(&color(layer.ink));
            if layer.dashed {
                dash(context, size, true);
            }
            context.stroke_with_path(&line);
            if layer.dashed {
                dash(context, size, false);
            }
        }
    }
}

/// Whole pixels by which the canvas has to move to the left for `span`; `None` if moving does not suffice.
fn whole_pixels(drawn: &Front, span: &TimeSpan, width: f64) -> Option<f64> {
    let shift = (left_edge(span, drawn.origin_ms) / milliseconds_a_pixel(span, width)).round();
    (0.0..width).contains(&shift).then_some(shift)
}

/// Milliseconds from the left edge of the canvas to that of the span.
fn left_edge(span: &TimeSpan, origin_ms: f64) -> f64 {
    milliseconds(span.start_ms) - origin_ms
}

fn milliseconds_a_pixel(span: &TimeSpan, width: f64) -> f64 {
    (milliseconds(span.end_ms - span.start_ms) / width).max(f64::MIN_POSITIVE)
}

#[allow(clippy::cast_precision_loss)] // times of this era are far below 2^53 milliseconds
fn milliseconds(time_ms: i64) -> f64 {
    time_ms as f64
}
