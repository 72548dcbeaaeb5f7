//! Sparklines: a small chart of one series without axes.

use model::{dashboard::ThresholdStyle, unit::Roundness, zone::Zone};

use crate::{
    plot::{PlotOptions, PlotSeries, TimePlot, TimeSpan},
    svg::{self, Paint},
};

/// A small area without axes, stretched to its box.
#[must_use]
pub fn sparkline(trace: PlotSeries<'_>, span: TimeSpan) -> String {
    const SPARK: (u32, u32) = (600, 100);
    let plot = spark(trace, span);
    svg::document("spark", SPARK, false, |out| {
        svg::group(out, "plot-series", SPARK, |area| plot.draw_series(area));
    })
}

/// A sparkline of `width` times `height` units at the origin.
#[must_use]
pub fn spark_drawing(trace: PlotSeries<'_>, span: TimeSpan, (width, height): (f32, f32), paint: Paint<'_>) -> String {
    let (size, plot) = ((svg::fine(width), svg::fine(height)), spark(trace, span));
    svg::finely(|out| svg::painted(out, "stroke-width=\"16\"", size, paint, |area| plot.draw_series(area)))
}

fn spark(trace: PlotSeries<'_>, span: TimeSpan) -> TimePlot<'_> {
    let options = PlotOptions {
        span,
        stacked: false,
        fixed: (None, None),
        roundness: Roundness::Decimal,
        thresholds: &[],
        threshold_style: ThresholdStyle::None,
        zone: Zone::UTC,
        value_ticks: 20,
        time_ticks: 0,
    };
    TimePlot::new(&[trace], &options, None)
}
