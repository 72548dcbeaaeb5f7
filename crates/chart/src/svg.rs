//! The plotters backend that writes SVG for a page: colours are classes, so that a drawing fits both themes, and
//! coordinates are relative integers, so that a line of 500 points needs 3 KB. It writes no text: see the crate's
//! documentation.

use std::{convert::Infallible, fmt::Write};

use model::unit::short;
use plotters::{
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind};

use crate::palette::Ink;

type Outcome = Result<(), DrawingErrorKind<Infallible>>;

/// How an element's colour is written.
#[derive(Clone, Copy)]
pub enum Paint<'a> {
    /// As a class, for a page with the style sheet.
    Classes,
    /// As a colour, for a standalone image.
    Colors(&'a dyn Fn(Ink) -> &'static str),
}

/// Appends elements to a string. Consecutive elements with the same style are merged.
pub struct SvgBackend<'a> {
    out: &'a mut String,
    size: (u32, u32),
    paint: Paint<'a>,
    look: Option<Look>,
    /// Pen position after the path written so far.
    pen: BackendCoord,
}

/// The style of a `path` element.
#[derive(PartialEq, Clone, Copy)]
struct Look {
    ink: Ink,
    alpha: f64,
    filled: bool,
}

impl<'a> SvgBackend<'a> {
    /// A backend with x coordinates from 0 to `size.0` and y from 0 to `size.1`, both inclusive.
    pub fn new(out: &'a mut String, size: (u32, u32), paint: Paint<'a>) -> Self {
        SvgBackend { out, size: (size.0 + 1, size.1 + 1), paint, look: None, pen: (0, 0) }
    }

    fn begin(&mut self, color: BackendColor, filled: bool) {
        let look = Look { ink: Ink::unpacked(color.rgb), alpha: color.alpha, filled };
        if self.look == Some(look) {
            return;
        }
        self.finish();
        let _ = match self.paint {
            Paint::Classes => {
                let kind = if filled { "fill " } else { "" };
                write!(self.out, "<path class=\"{kind}{}\"", look.ink.class())
            }
            Paint::Colors(color) if filled => write!(self.out, "<path fill=\"{}\"", color(look.ink)),
            Paint::Colors(color) => write!(self.out, "<path fill=\"none\" stroke=\"{}\"", color(look.ink)),
        };
        if look.alpha < 1.0 {
            let _ = write!(self.out, " opacity=\"{}\"", short(look.alpha, 2));
        }
        self.out.push_str(" d=\"");
        self.look = Some(look);
        self.pen = (0, 0);
    }

    fn finish(&mut self) {
        if self.look.take().is_some() {
            self.out.push_str("\"/>");
        }
    }

    fn trace(&mut self, points: impl IntoIterator<Item = BackendCoord>) -> BackendCoord {
        let mut start = None;
        for point in points {
            match start {
                None => {
                    start = Some(point);
                    self.number('M', point.0);
                    self.number(' ', point.1);
                    self.pen = point;
                }
                Some(_) if point == self.pen => {}
                Some(_) => {
                    match (point.0 - self.pen.0, point.1 - self.pen.1) {
                        (dx, 0) => self.number('h', dx),
                        (0, dy) => self.number('v', dy),
                        (dx, dy) => {
                            self.number('l', dx);
                            // A minus is a separator too.
                            if dy >= 0 {
                                self.out.push(' ');
                            }
                            self.digits(dy);
                        }
                    }
                    self.pen = point;
                }
            }
        }
        start.unwrap_or(self.pen)
    }

    fn number(&mut self, before: char, value: i32) {
        self.out.push(before);
        self.digits(value);
    }

    /// Writes a short integer, several times faster than the standard formatting, because an SVG mostly consists of
    /// these.
    fn digits(&mut self, value: i32) {
        if value < 0 {
            self.out.push('-');
        }
        let rest = value.unsigned_abs();
        let mut place = 1;
        while rest / place >= 10 {
            place *= 10;
        }
        while place > 0 {
            self.out.extend(char::from_digit(rest / place % 10, 10));
            place /= 10;
        }
    }

    fn polygon(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        let start = self.trace(points);
        self.out.push('z');
        self.pen = start;
    }
}

impl Drop for SvgBackend<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl DrawingBackend for SvgBackend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Outcome {
        Ok(())
    }

    fn present(&mut self) -> Outcome {
        self.finish();
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Outcome {
        self.begin(color, true);
        self.polygon([point, (point.0 + 1, point.1), (point.0 + 1, point.1 + 1), (point.0, point.1 + 1)]);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Outcome {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Outcome {
        let ((left, top), (right, bottom)) = (upper_left, bottom_right);
        self.begin(style.color(), fill);
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)]);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Outcome {
        self.begin(style.color(), false);
        self.trace(path);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vert: I, style: &S) -> Outcome {
        self.begin(style.color(), true);
        self.polygon(vert);
        Ok(())
    }
}

/// Writes a group with the elements that `draw` draws on an area of `size`. Drawing to a string cannot fail.
pub(crate) fn group(
    out: &mut String,
    class: &str,
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SvgBackend<'_>, Shift>) -> Option<()>,
) {
    painted(out, &format!("class=\"{class}\""), size, Paint::Classes, draw);
}

/// Writes a group like [`group`] with any attributes and colours.
pub(crate) fn painted(
    out: &mut String,
    attributes: &str,
    size: (u32, u32),
    paint: Paint<'_>,
    draw: impl FnOnce(&DrawingArea<SvgBackend<'_>, Shift>) -> Option<()>,
) {
    let start = out.len();
    let _ = write!(out, "<g {attributes}>");
    let before = out.len();
    let _ = draw(&SvgBackend::new(out, size, paint).into_drawing_area());
    if out.len() == before {
        out.truncate(start);
    } else {
        out.push_str("</g>");
    }
}

/// Units of a fine drawing per unit of the image, because coordinates are integers.
const FINENESS: f32 = 10.0;

/// Converts a length of the image to units of a fine drawing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to far beyond any picture
pub(crate) fn fine(length: f32) -> u32 {
    (length * FINENESS).round().clamp(1.0, 1e6) as u32
}

/// The group around a fine drawing, with lines one image unit wide by default.
pub(crate) fn finely(body: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(4_096);
    let _ = write!(
        out,
        "<g transform=\"scale({})\" stroke-width=\"{}\" stroke-linecap=\"round\" stroke-linejoin=\"round\">",
        short(f64::from(FINENESS.recip()), 2),
        short(f64::from(FINENESS), 2)
    );
    body(&mut out);
    out.push_str("</g>");
    out
}

/// The element around a drawing of `size`. Stretched to its box unless it `keeps_shape`.
pub(crate) fn document(class: &str, size: (u32, u32), keeps_shape: bool, body: impl FnOnce(&mut String)) -> String {
    let mut out = String::with_capacity(4_096);
    let stretch = if keeps_shape { "" } else { " preserveAspectRatio=\"none\"" };
    let _ = write!(out, "<svg class=\"{class}\" viewBox=\"0 0 {} {}\"{stretch} aria-hidden=\"true\">", size.0, size.1);
    body(&mut out);
    out.push_str("</svg>");
    out
}

#[cfg(test)]
mod tests {
    use model::dashboard::Color;
    use plotters::{
        element::{PathElement, Rectangle},
        style::Color as _,
    };

    use super::*;

    #[test]
    fn shapes_that_look_alike_become_one_path() {
        let mut out = String::new();
        group(&mut out, "grid", (100, 50), |area| {
            area.draw(&PathElement::new([(0, 10), (100, 10)], Ink::Grid.packed())).ok()?;
            area.draw(&PathElement::new([(0, 20), (80, 20), (90, 15), (100, 18)], Ink::Grid.packed())).ok()?;
            area.draw(&Rectangle::new([(0, 0), (10, 5)], Ink::Meaning(Color::Red).packed().mix(0.1).filled())).ok()
        });
        assert_eq!(
            out,
            "<g class=\"grid\"><path class=\"ink-grid\" d=\"M0 10h100M0 20h80l10-5l10 3\"/>\
             <path class=\"fill ink-red\" opacity=\"0.1\" d=\"M0 0h10v5h-10z\"/></g>"
        );
    }

    #[test]
    fn a_picture_that_stands_alone_names_its_colours() {
        let mut out = String::new();
        let color = |ink: Ink| if ink == Ink::Grid { "#ddd" } else { "#c00" };
        painted(&mut out, "stroke-width=\"10\"", (100, 50), Paint::Colors(&color), |area| {
            area.draw(&PathElement::new([(0, 10), (100, 10)], Ink::Grid.packed())).ok()?;
            area.draw(&Rectangle::new([(0, 0), (10, 5)], Ink::Series(0).packed().filled())).ok()
        });
        assert_eq!(
            out,
            "<g stroke-width=\"10\"><path fill=\"none\" stroke=\"#ddd\" d=\"M0 10h100\"/>\
             <path fill=\"#c00\" d=\"M0 0h10v5h-10z\"/></g>"
        );
    }

    #[test]
    fn numbers_are_written_whole() {
        let mut out = String::new();
        let numbers = [0, 7, -10, 105, 1_000_000, i32::MIN, i32::MAX];
        let mut backend = SvgBackend::new(&mut out, (1, 1), Paint::Classes);
        numbers.into_iter().for_each(|number| backend.number(' ', number));
        drop(backend);
        assert_eq!(out, numbers.map(|number| format!(" {number}")).concat());
    }

    #[test]
    fn an_empty_group_is_nothing() {
        let mut out = String::from("x");
        group(&mut out, "grid", (100, 50), |_| Some(()));
        assert_eq!(out, "x");
    }
}
