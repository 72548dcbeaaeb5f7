//! Colours by what they mean. The page's style sheet says how each looks in the light and in the dark theme.

use model::dashboard::{Color, Threshold};
use plotters::style::RGBColor;

/// Series that are told apart by colour; the next one begins again.
pub const SERIES_COLORS: usize = 8;

/// A colour of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ink {
    /// The n-th of the palette of series, from 0.
    Series(u8),
    /// A colour with a meaning.
    Meaning(Color),
    /// Lines of the grid, the track of a gauge.
    Grid,
    /// A cell of a heatmap, 0 (next to nothing) to 7 (most).
    Heat(u8),
}

/// Steps of [`Ink::Heat`].
pub const HEAT_STEPS: u8 = 8;

const MEANINGS: [(Color, &str); 7] = [
    (Color::Green, "green"),
    (Color::Yellow, "yellow"),
    (Color::Orange, "orange"),
    (Color::Red, "red"),
    (Color::Blue, "blue"),
    (Color::Purple, "purple"),
    (Color::Gray, "gray"),
];

impl Ink {
    /// Colour of the n-th series of a panel: its own, or the next of the palette.
    #[must_use]
    pub fn series(index: usize, own: Option<Color>) -> Self {
        own.map_or_else(|| Ink::Series(u8::try_from(index % SERIES_COLORS).unwrap_or(0)), Ink::Meaning)
    }

    /// The colour of the palette that is hard to tell from a colour with a meaning.
    #[must_use]
    pub fn lookalike(color: Color) -> Option<usize> {
        match color {
            Color::Blue => Some(0),
            Color::Orange => Some(1),
            Color::Green => Some(2),
            Color::Yellow => Some(4),
            Color::Purple => Some(5),
            Color::Red => Some(6),
            Color::Gray => Some(7),
        }
    }

    /// Name of the CSS variable that holds it, without the leading dashes.
    #[must_use]
    pub fn variable(self) -> String {
        match self {
            Ink::Series(index) => format!("series-{}", index + 1),
            Ink::Meaning(color) => name(color).to_owned(),
            Ink::Grid => "grid".to_owned(),
            Ink::Heat(step) => format!("heat-{}", step + 1),
        }
    }

    /// Class that sets the variable `--ink` to this colour. See `style/panels.css`.
    #[must_use]
    pub fn class(self) -> String {
        format!("ink-{}", self.variable())
    }

    /// Plotters carries colours as red, green, blue. A drawing that does not know its theme carries the name of the colour
    /// instead, packed into those bytes; the SVG backend reads it back.
    pub(crate) fn packed(self) -> RGBColor {
        match self {
            Ink::Series(index) => RGBColor(1, index, 0),
            Ink::Meaning(color) => {
                let index = MEANINGS.iter().position(|(other, _)| *other == color).unwrap_or(0);
                RGBColor(2, u8::try_from(index).unwrap_or(0), 0)
            }
            Ink::Grid => RGBColor(3, 0, 0),
            Ink::Heat(step) => RGBColor(4, step, 0),
        }
    }

    pub(crate) fn unpacked((kind, index, _): (u8, u8, u8)) -> Self {
        match kind {
            1 => Ink::Series(index),
            2 => MEANINGS.get(usize::from(index)).map_or(Ink::Grid, |(color, _)| Ink::Meaning(*color)),
            4 => Ink::Heat(index),
            _ => Ink::Grid,
        }
    }
}

/// The word for a colour, which is also the name of its CSS variable.
#[must_use]
pub fn name(color: Color) -> &'static str {
    MEANINGS.iter().find(|(other, _)| *other == color).map_or("gray", |(_, name)| name)
}

/// The colour a value has by its thresholds: that of the highest one it reaches.
#[must_use]
pub fn threshold_color(thresholds: &[Threshold], value: f64) -> Option<Color> {
    thresholds.iter().rev().find(|threshold| value >= threshold.value).map(|threshold| threshold.color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_survive_the_way_through_plotters() {
        for ink in [Ink::Series(7), Ink::Meaning(Color::Green), Ink::Meaning(Color::Gray), Ink::Grid, Ink::Heat(3)] {
            let RGBColor(red, green, blue) = ink.packed();
            assert_eq!(Ink::unpacked((red, green, blue)), ink);
        }
        assert_eq!(Ink::series(9, None).class(), "ink-series-2");
        assert_eq!(Ink::series(9, Some(Color::Red)).class(), "ink-red");
    }

    #[test]
    fn a_value_has_the_colour_of_the_highest_threshold_it_reaches() {
        let threshold = |value, color| Threshold { value, color, label: String::new() };
        let thresholds = [threshold(1.0, Color::Yellow), threshold(10.0, Color::Red)];
        assert_eq!(threshold_color(&thresholds, 0.5), None);
        assert_eq!(threshold_color(&thresholds, 1.0), Some(Color::Yellow));
        assert_eq!(threshold_color(&thresholds, 11.0), Some(Color::Red));
    }
}
