use super::*;

const SPAN: TimeSpan = TimeSpan { start_ms: 0, end_ms: 100_000, step_ms: 25_000 };

fn options(thresholds: &[Threshold]) -> PlotOptions<'_> {
    PlotOptions {
        span: SPAN,
        stacked: false,
        fixed: (None, None),
        roundness: Roundness::Decimal,
        thresholds,
        threshold_style: ThresholdStyle::Band,
        zone: Zone::UTC,
        value_ticks: 4,
        time_ticks: 4,
    }
}

fn trace<'a>(timestamps: &'a [i64], values: &'a [f64]) -> PlotSeries<'a> {
    PlotSeries { ink: Ink::Series(0), draw: Draw::Panel, timestamps, values }
}

#[test]
fn the_svg_of_a_small_plot() {
    let thresholds = [Threshold { value: 3.0, color: Color::Red, label: String::new() }];
    let plot = TimePlot::new(&[trace(&[0, 25_000, 100_000], &[1.0, 4.0, 2.0])], &options(&thresholds), None);
    let svg = plot.svg();
    assert!(svg.starts_with("<svg class=\"plot\" viewBox=\"0 0 2000 600\" preserveAspectRatio=\"none\""), "{svg}");
    assert!(svg.contains("<g class=\"plot-limits\"><path class=\"fill ink-red\" opacity=\"0.08\""), "{svg}");
    // The line is interrupted where two points are missing, and the point after the gap is visible.
    assert!(svg.contains("<path class=\"ink-series-1\" d=\"M0 450l500-450M2000 300h-4\"/>"), "{svg}");
}

#[test]
fn a_canvas_path_continues_where_it_was() {
    let plot = TimePlot::new(&[trace(&[0, 25_000, 50_000], &[0.0, 4.0, 2.0])], &options(&[]), None);
    let pixels = Pixels { width: 100.0, height: 40.0, offset: 0.0 };
    let layer = plot.layers.first().unwrap();
    let mut path = String::new();
    plot.line_path(layer, pixels, None, &mut path);
    assert_eq!(path, "M0 40L25 0L50 20");
    path.clear();
    plot.line_path(layer, pixels, Some(50_000), &mut path);
    assert_eq!(path, "M25 0L50 20");
    path.clear();
    plot.area_path(layer, Pixels { offset: -0.25, ..pixels }, None, &mut path);
    assert_eq!(path, "M-0.3 40L24.8 0L49.8 20L49.8 40L-0.3 40Z");
}

#[test]
fn stacked_series_lie_on_each_other() {
    let traces = [trace(&[0, 25_000], &[1.0, 2.0]), trace(&[25_000, 50_000], &[3.0, 4.0])];
    let plot = TimePlot::new(&traces, &PlotOptions { stacked: true, ..options(&[]) }, None);
    let second = plot.layers.get(1).unwrap();
    assert_eq!(second.upper.as_ref(), [1.0, 5.0, 4.0]);
    assert_eq!(second.lower.as_deref(), Some([1.0, 2.0, 0.0].as_slice()));
    assert_eq!(plot.scale.high, 6.0);
}

#[test]
fn only_thresholds_that_values_come_near_to_widen_the_axis() {
    let limit = |value| Threshold { value, color: Color::Red, label: String::new() };
    let high = |thresholds: &[Threshold]| {
        TimePlot::new(&[trace(&[0, 25_000], &[1.0, 40.0])], &options(thresholds), None).scale.high
    };
    assert_eq!(high(&[]), 40.0);
    assert_eq!(high(&[limit(50.0), limit(1_000.0)]), 60.0);
    assert_eq!(high(&[limit(1_000.0)]), 40.0);
}

#[test]
fn no_series_still_has_axes() {
    let plot = TimePlot::new(&[], &options(&[]), None);
    assert!(plot.svg().contains("plot-grid"));
}

#[test]
fn lines_lie_over_a_stack_and_marks_behind_it() {
    let (times, values) = ([0, 25_000, 75_000], [1.0, 2.0, 3.0]);
    let drawn = |draw| PlotSeries { draw, ..trace(&times, &values) };
    let traces = [drawn(Draw::Dashed), drawn(Draw::Mark), drawn(Draw::Panel)];
    let plot = TimePlot::new(&traces, &PlotOptions { stacked: true, ..options(&[]) }, None);
    assert_eq!(plot.layers.iter().map(|layer| layer.dashed).collect::<Vec<_>>(), [false, true]);
    let mark = |from, to| Mark { ink: Ink::Series(0), fill: 0.16, from, to, lines: [None, None] };
    assert_eq!(plot.marks, [mark(0.0, 0.375), mark(0.625, 0.875)]);
    let svg = plot.svg();
    assert!(svg.contains("<g class=\"plot-marks\"><path class=\"fill ink-series-1\" opacity=\"0.16\""), "{svg}");
    assert!(svg.contains("<g class=\"plot-series plot-dashed\">"), "{svg}");
}

#[test]
fn what_lies_beyond_the_edge_waits() {
    let traces = [trace(&[75_000, 100_000, 125_000], &[1.0, 2.0, 2.0]), trace(&[75_000], &[1.0])];
    let plot = TimePlot::new(&traces, &options(&[]), None);
    let newest: Vec<_> = plot.layers.iter().map(|layer| plot.newest_ms(layer)).collect();
    assert_eq!(newest, [Some(100_000), Some(75_000)]);
    let mut path = String::new();
    let pixels = Pixels { width: 100.0, height: 40.0, offset: 0.0 };
    plot.line_path(plot.layers.first().unwrap(), pixels, None, &mut path);
    assert_eq!(path, "M75 20L100 0");
    assert!(!plot.ragged);
    assert!(TimePlot::new(&traces, &PlotOptions { stacked: true, ..options(&[]) }, None).ragged);
}

/// A plot whose right edge is at `end_ms`, as drawn repeatedly on a live canvas.
fn ending(end_ms: i64) -> PlotOptions<'static> {
    PlotOptions { span: TimeSpan { start_ms: end_ms - 100_000, end_ms, step_ms: 25_000 }, ..options(&[]) }
}

#[test]
fn a_drawing_goes_on_only_over_the_points_that_it_has() {
    let (times, values) = ([0, 25_000, 50_000, 75_000, 100_000, 125_000], [1.0, 2.0, f64::NAN, 4.0, 5.0, 6.0]);
    let traces = [trace(&times[..5], &values[..5])];
    let before = TimePlot::new(&traces, &ending(100_000), None);
    let trail = trail(&before);
    let goes_on = |times: &[i64], values: &[f64], end_ms| {
        let traces = [trace(times, values)];
        let plot = TimePlot::new(&traces, &ending(end_ms), None);
        plot.goes_on(&plot.layers[0], &trail)
    };
    assert!(goes_on(&times[..5], &values[..5], 100_000), "the same");
    assert!(goes_on(&times, &values, 125_000), "one more point");
    assert!(goes_on(&times[1..], &values[1..], 125_000), "one more, and those left of the edge are gone");
    assert!(!goes_on(&times[3..5], &values[3..5], 100_000), "the same end, less before it: another window");
    assert!(!goes_on(&[0, 50_000, 100_000], &[1.0, 2.0, 5.0], 100_000), "the same ends at another step");
    assert!(!goes_on(&times, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 125_000), "a hole was filled");
    assert!(!goes_on(&times[..4], &values[..4], 100_000), "the newest point is gone");
    assert!(!goes_on(&[], &[], 100_000), "nothing is left");
}

#[test]
fn a_trail_that_follows_is_that_of_a_new_drawing() {
    let times: Vec<i64> = (0..12).map(|index| index * 25_000).collect();
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let traces = [trace(&times, &values)];
    let mut followed = trail(&TimePlot::new(&traces, &ending(100_000), None));
    for end_ms in [125_000, 150_000, 150_000, 250_000] {
        let plot = TimePlot::new(&traces, &ending(end_ms), None);
        plot.follow(&plot.layers[0], &mut followed);
        assert_eq!(followed, trail(&plot), "until {end_ms}");
    }
}

#[test]
fn a_stroke_for_one_point_is_not_part_of_a_line() {
    let (times, values) = ([0, 25_000, 100_000, 125_000, 200_000], [1.0, 2.0, 3.0, 4.0, 5.0]);
    let drawn = |count: usize, end_ms, since_ms| {
        let traces = [trace(&times[..count], &values[..count])];
        let plot = TimePlot::new(&traces, &ending(end_ms), None);
        let mut path = String::new();
        plot.line_path(&plot.layers[0], Pixels { width: 100.0, height: 40.0, offset: 0.0 }, since_ms, &mut path);
        (path, trail(&plot))
    };
    let (alone, trail) = drawn(3, 100_000, None);
    assert!(alone.ends_with("M100 0L96 0"), "{alone}");
    let traces = [trace(&times[..4], &values[..4])];
    let plot = TimePlot::new(&traces, &ending(125_000), None);
    assert!(!plot.goes_on(&plot.layers[0], &trail), "a line from the point would leave the stroke behind");
    // After a gap, the point before it is already on the canvas and is not drawn again.
    let (beyond, _) = drawn(5, 200_000, Some(125_001));
    assert_eq!(beyond, "M25 13.3M100 6.7L96 6.7");
}

/// What is on the canvas after the first layer of `plot` was drawn.
fn trail(plot: &TimePlot<'_>) -> Trail {
    let mut trail = Trail::default();
    plot.follow(&plot.layers[0], &mut trail);
    trail
}
