//! Gauges and donuts. They keep their aspect ratio in any box.

use plotters::{coord::Shift, drawing::DrawingArea, element::Polygon};
use plotters_backend::{BackendCoord, DrawingBackend};

use crate::{
    palette::Ink,
    svg::{self, Paint, SvgBackend},
};

const RADIUS: f64 = 1_000.0;
/// Angle at which a gauge starts and ends, in degrees from the top.
const GAUGE_END: f64 = 110.0;
/// Width and height of a gauge, in units of its drawing.
pub const GAUGE_SIZE: (u32, u32) = (2_000, 1_345);
/// Width and height of a donut, in units of its drawing.
pub const DONUT_SIZE: (u32, u32) = (2_000, 2_000);

/// A coloured part of a gauge's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zone {
    /// Start: 0 at the left end of the scale, 1 at the right end.
    pub from: f64,
    /// End.
    pub to: f64,
    /// Its colour.
    pub ink: Ink,
}

/// An arc filled up to `fraction` (0 to 1), with the zones of its scale as a thin arc around it.
#[must_use]
pub fn gauge(fraction: f64, ink: Ink, zones: &[Zone]) -> String {
    svg::document("gauge-arc", GAUGE_SIZE, true, |out| {
        svg::group(out, "gauge-track", GAUGE_SIZE, track);
        svg::group(out, "gauge-zones", GAUGE_SIZE, |area| draw_zones(area, zones));
        svg::group(out, "gauge-value", GAUGE_SIZE, |area| draw_value(area, fraction, ink));
    })
}

/// A gauge of [`GAUGE_SIZE`] at the origin.
#[must_use]
pub fn gauge_drawing(fraction: f64, ink: Ink, zones: &[Zone], paint: Paint<'_>) -> String {
    let mut out = String::with_capacity(4_096);
    svg::painted(&mut out, "stroke=\"none\"", GAUGE_SIZE, paint, |area| {
        track(area)?;
        draw_zones(area, zones)?;
        draw_value(area, fraction, ink)
    });
    out
}

fn angle(fraction: f64) -> f64 {
    (fraction.clamp(0.0, 1.0) * 2.0 - 1.0) * GAUGE_END
}

fn track(area: &DrawingArea<SvgBackend<'_>, Shift>) -> Option<()> {
    ring(area, (0.70, 0.90), (-GAUGE_END, GAUGE_END), Ink::Grid)
}

fn draw_zones<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, zones: &[Zone]) -> Option<()> {
    zones.iter().try_for_each(|zone| ring(area, (0.935, 0.975), (angle(zone.from), angle(zone.to)), zone.ink))
}

fn draw_value<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, fraction: f64, ink: Ink) -> Option<()> {
    ring(area, (0.70, 0.90), (-GAUGE_END, angle(fraction)), ink)
}

/// A ring divided by the values' shares, clockwise from the top. Values of zero or less have no share.
#[must_use]
pub fn donut(shares: &[(f64, Ink)]) -> String {
    let class = if total(shares) > 0.0 { "donut-shares" } else { "donut-empty" };
    svg::document("donut", DONUT_SIZE, true, |out| {
        svg::group(out, class, DONUT_SIZE, |area| draw_shares(area, shares));
    })
}

/// A donut of [`DONUT_SIZE`] at the origin. Shares are separated by lines in the colour `between`.
#[must_use]
pub fn donut_drawing(shares: &[(f64, Ink)], between: &str, paint: Paint<'_>) -> String {
    let mut out = String::with_capacity(4_096);
    let lines = format!("stroke=\"{between}\" stroke-width=\"16\"");
    svg::painted(&mut out, &lines, DONUT_SIZE, paint, |area| draw_shares(area, shares));
    out
}

fn share(value: f64) -> f64 {
    if value.is_finite() && value > 0.0 { value } else { 0.0 }
}

fn total(shares: &[(f64, Ink)]) -> f64 {
    shares.iter().map(|(value, _)| share(*value)).sum()
}

fn draw_shares<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, shares: &[(f64, Ink)]) -> Option<()> {
    let total = total(shares);
    if total <= 0.0 {
        return ring(area, (0.64, 0.97), (0.0, 360.0), Ink::Grid);
    }
    let mut from = 0.0;
    shares.iter().filter(|(value, _)| share(*value) > 0.0).try_for_each(|(value, ink)| {
        let to = from + share(*value) / total * 360.0;
        let part = (from, to);
        from = to;
        ring(area, (0.64, 0.97), part, *ink)
    })
}

/// Draws the part of a ring between two radii (of 1) and two angles (in degrees from the top, clockwise) as a polygon of small steps.
fn ring<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    (inner, outer): (f64, f64),
    (from, to): (f64, f64),
    ink: Ink,
) -> Option<()> {
    const STEP: f64 = 3.0;
    if to.is_nan() || to <= from {
        return Some(());
    }
    let steps = ((to - from) / STEP).ceil().max(1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a circle has at most 120 steps
    let count = steps as u32;
    let at = |index: u32, radius: f64| point(radius, from + (to - from) * f64::from(index) / steps);
    let outline: Vec<BackendCoord> =
        (0..=count).map(|index| at(index, outer)).chain((0..=count).rev().map(|index| at(index, inner))).collect();
    area.draw(&Polygon::new(outline, ink.packed())).ok()
}

fn point(radius: f64, degrees: f64) -> BackendCoord {
    let (sine, cosine) = sine_and_cosine(degrees);
    #[allow(clippy::cast_possible_truncation)] // within the picture
    let whole = |value: f64| value.round() as i32;
    (whole(RADIUS + RADIUS * radius * sine), whole(RADIUS - RADIUS * radius * cosine))
}

/// Sine and cosine, exact to a millionth for angles within a few turns. The standard library's functions for any angle
/// would be a hundredth of the browser's download.
fn sine_and_cosine(degrees: f64) -> (f64, f64) {
    let quarter = (degrees / 90.0).round();
    let angle = (degrees - quarter * 90.0).to_radians();
    let square = angle * angle;
    // Taylor series up to 45 degrees.
    let sine = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)));
    let cosine = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0 * (1.0 - square / 56.0)));
    match quarter.rem_euclid(4.0) {
        turned if turned < 0.5 => (sine, cosine),
        turned if turned < 1.5 => (cosine, -sine),
        turned if turned < 2.5 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

#[cfg(test)]
mod tests {
    use model::dashboard::Color;

    use super::*;

    #[test]
    fn angles_are_exact_enough_for_a_picture() {
        for degrees in (-1_440..1_440).map(|half| f64::from(half) / 2.0) {
            let (sine, cosine) = sine_and_cosine(degrees);
            let radians = degrees.to_radians();
            assert!((sine - radians.sin()).abs() < 1e-6 && (cosine - radians.cos()).abs() < 1e-6, "{degrees}");
        }
    }

    #[test]
    fn a_gauge_has_track_zones_and_value() {
        let zones = [Zone { from: 0.0, to: 0.75, ink: Ink::Meaning(Color::Red) }];
        let svg = gauge(0.5, Ink::Meaning(Color::Green), &zones);
        assert!(svg.starts_with("<svg class=\"gauge-arc\" viewBox=\"0 0 2000 1345\" aria-hidden"), "{svg}");
        assert!(svg.contains("gauge-zones\"><path class=\"fill ink-red\""), "{svg}");
        // Half of the scale ends at the top.
        assert!(svg.contains("l47-1v200"), "{svg}");
        assert!(!gauge(0.0, Ink::Grid, &[]).contains("gauge-value"));
        assert!(!gauge(f64::NAN, Ink::Grid, &[]).contains("gauge-value"));
    }

    #[test]
    fn a_donut_has_a_share_a_value() {
        let svg =
            donut(&[(3.0, Ink::Series(0)), (0.0, Ink::Series(1)), (1.0, Ink::Series(2)), (f64::NAN, Ink::Series(3))]);
        assert_eq!(svg.matches("<path").count(), 2, "{svg}");
        assert!(donut(&[]).contains("donut-empty"));
    }
}
