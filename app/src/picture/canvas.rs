//! Writes the elements of an SVG: text, rectangles, and drawings of the crate `chart`.

use std::fmt::{Display, Write};

use chart::{palette::Ink, svg::Paint};
use picture::text;

use super::theme::Theme;

/// A rectangle, in units of the SVG.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Area {
    /// The area inside of margins.
    pub(super) fn inset(self, top: f32, right: f32, bottom: f32, left: f32) -> Self {
        Area {
            x: self.x + left,
            y: self.y + top,
            width: (self.width - left - right).max(1.0),
            height: (self.height - top - bottom).max(1.0),
        }
    }

    pub(super) fn right(self) -> f32 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f32 {
        self.y + self.height
    }

    pub(super) fn center(self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// Alignment of a text to its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Anchor {
    #[default]
    Start,
    Middle,
    End,
}

/// Size, weight, colour and alignment of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type<'a> {
    pub(super) size: f32,
    pub(super) is_bold: bool,
    /// Name of a CSS variable, without its dashes.
    pub(super) color: &'a str,
    pub(super) anchor: Anchor,
}

impl<'a> Type<'a> {
    pub(super) fn plain(color: &'a str) -> Self {
        Type { size: 12.0, is_bold: false, color, anchor: Anchor::Start }
    }

    pub(super) fn bold(color: &'a str) -> Self {
        Type { is_bold: true, ..Type::plain(color) }
    }

    pub(super) fn small(color: &'a str) -> Self {
        Type { size: 11.0, ..Type::plain(color) }
    }

    pub(super) fn width(&self, text: &str) -> f32 {
        text::width(text, self.size, self.is_bold)
    }
}

/// An SVG that is being written.
pub(super) struct Canvas {
    out: String,
    theme: Theme,
}

/// A number with at most one decimal.
struct Tenths(f32);

impl Display for Tenths {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rounded = (self.0 * 10.0).round() / 10.0;
        // Never "-0".
        write!(formatter, "{}", if rounded == 0.0 { 0.0 } else { rounded })
    }
}

impl Canvas {
    pub(super) fn new(theme: Theme) -> Self {
        Canvas { out: String::with_capacity(16_384), theme }
    }

    /// The finished SVG document.
    pub(super) fn document(self, width: f32, height: f32, title: &str) -> String {
        let (width, height) = (Tenths(width), Tenths(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"{}, Verdana, sans-serif\" role=\"img\"><title>{}</title>{}</svg>",
            picture::FAMILY,
            escaped(title),
            self.out
        )
    }

    pub(super) fn theme(&self) -> Theme {
        self.theme
    }

    /// Writes text with its baseline at a position.
    pub(super) fn text(&mut self, (x, y): (f32, f32), text: &str, look: Type<'_>) {
        if text.is_empty() {
            return;
        }
        let anchor = match look.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if look.is_bold { " font-weight=\"700\"" } else { "" };
        let _ = write!(
            self.out,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{weight}{anchor}>{}</text>",
            Tenths(x),
            Tenths(y),
            Tenths(look.size),
            self.theme.color(look.color),
            escaped(text)
        );
    }

    /// Writes as much of a text as fits into the width `room`, and returns the width used.
    pub(super) fn fitted(&mut self, at: (f32, f32), text: &str, look: Type<'_>, room: f32) -> f32 {
        let text = text::fit(text, look.size, look.is_bold, room);
        self.text(at, &text, look);
        look.width(&text)
    }

    /// Draws a rectangle with round corners, a fill and an optional outline.
    pub(super) fn rect(&mut self, area: Area, radius: f32, fill: &str, line: Option<&str>) {
        self.tinted(area, radius, fill, 1.0, line);
    }

    /// Draws a rectangle with a translucent fill.
    pub(super) fn tinted(&mut self, area: Area, radius: f32, fill: &str, opacity: f32, line: Option<&str>) {
        let _ = write!(
            self.out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"",
            Tenths(area.x),
            Tenths(area.y),
            Tenths(area.width),
            Tenths(area.height),
            self.theme.color(fill)
        );
        if radius > 0.0 {
            let _ = write!(self.out, " rx=\"{}\"", Tenths(radius));
        }
        if opacity < 1.0 {
            let _ = write!(self.out, " fill-opacity=\"{opacity}\"");
        }
        if let Some(line) = line {
            let _ = write!(self.out, " stroke=\"{}\"", self.theme.color(line));
        }
        self.out.push_str("/>");
    }

    /// Draws a horizontal line.
    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32, color: &str) {
        self.rect(Area { x, y, width, height: 1.0 }, 0.0, color, None);
    }

    /// Draws the shape that repeats the meaning of a colour, on a baseline. Returns its width: `size`, or 0 without a shape.
    pub(super) fn mark(&mut self, (x, y): (f32, f32), size: f32, meaning: &str, color: &str) -> f32 {
        let half = size / 2.0;
        let points = match meaning {
            "warning" => [(x + half, y - size), (x + size, y), (x, y), (x, y)],
            "critical" => [(x + half, y - size), (x + size, y - half), (x + half, y), (x, y - half)],
            _ => return 0.0,
        };
        let points = points.map(|(x, y)| format!("{},{}", Tenths(x), Tenths(y))).join(" ");
        let _ = write!(self.out, "<polygon points=\"{points}\" fill=\"{}\"/>", self.theme.color(color));
        size
    }

    /// Draws a word on a translucent ground of its colour. Returns its width.
    pub(super) fn chip(&mut self, (x, y): (f32, f32), words: &str, color: &str) -> f32 {
        let look = Type::small(color);
        let width = look.width(words) + 16.0;
        self.tinted(Area { x, y, width, height: 20.0 }, 10.0, color, 0.14, None);
        self.text((x + 8.0, y + 14.0), words, look);
        width
    }

    /// Draws the SVG elements that `draw` returns, moved to a position and scaled.
    pub(super) fn drawing(&mut self, (x, y): (f32, f32), scale: f32, draw: impl FnOnce(Paint<'_>) -> String) {
        let theme = self.theme;
        let color = move |ink: Ink| theme.ink(ink);
        let drawn = draw(Paint::Colors(&color));
        let scaled = if (scale - 1.0).abs() < f32::EPSILON { String::new() } else { format!(" scale({scale})") };
        let _ = write!(self.out, "<g transform=\"translate({} {}){scaled}\">{drawn}</g>", Tenths(x), Tenths(y));
    }

    /// Calls `draw` and clips its output to `area`. With `is_pale`, for stale data, the output is translucent.
    pub(super) fn within(&mut self, area: Area, is_pale: bool, draw: impl FnOnce(&mut Self)) {
        // A nested `svg` clips without an id, which could occur twice if a page embeds two images.
        let (x, y, width, height) = (Tenths(area.x), Tenths(area.y), Tenths(area.width), Tenths(area.height));
        let pale = if is_pale { " opacity=\"0.45\"" } else { "" };
        let _ = write!(
            self.out,
            "<g{pale}><svg x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" viewBox=\"{x} {y} {width} {height}\">"
        );
        draw(self);
        self.out.push_str("</svg></g>");
    }
}

/// Escapes text for XML. Removes characters that XML does not allow.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => out.push(letter),
        }
    }
    out
}

/// An integer as a length.
#[allow(clippy::cast_precision_loss)] // rows, series and words of a picture
pub(super) fn count(number: usize) -> f32 {
    number as f32
}

/// An `f64` as a length.
#[allow(clippy::cast_possible_truncation)] // a place on the picture
pub(super) fn length(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut canvas = Canvas::new(Theme::Light);
        canvas.text((0.0, 10.04), "a<b> & \"c\"\u{1b}\u{0}\nd", Type::plain("text"));
        let svg = canvas.document(10.0, 10.0, "<script>");
        assert!(svg.contains("y=\"10\"") && svg.contains(">a&lt;b&gt; &amp; &quot;c&quot; d</text>"), "{svg}");
        assert!(svg.contains("<title>&lt;script&gt;</title>"), "{svg}");
        assert!(picture::png(&svg, 1.0, 100).is_ok());
    }
}
