//! Colours by meaning. The page's style sheet defines them for the light and the dark theme.

use model::dashboard::{Color, Threshold};
use plotters::style::RGBColor;

/// Number of distinct series colours; then they repeat.
pub const SERIES_COLORS: usize = 8;

/// A colour of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ink {
    /// The n-th series colour, from 0.
    Series(u8),
    /// A colour with a meaning.
    Meaning(Color),
    /// Grid lines, and the track of a gauge.
    Grid,
    /// A heatmap cell, 0 (lowest) to 7 (highest).
    Heat(u8),
}

/// Number of shades of [`Ink::Heat`].
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
    /// Colour of the n-th series of a panel: its own, or the next one of the palette.
    #[must_use]
    pub fn series(index: usize, own: Option<Color>) -> Self {
        own.map_or_else(|| Ink::Series(u8::try_from(index % SERIES_COLORS).unwrap_or(0)), Ink::Meaning)
    }

    /// The series colour that is similar to a colour with a meaning.
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

    /// Name of its CSS variable, without the leading dashes.
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

    /// The colour's identity packed into RGB, because plotters only passes RGB colours and the theme is unknown; the
    /// SVG backend decodes it.
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

/// Name of a colour, also of its CSS variable.
#[must_use]
pub fn name(color: Color) -> &'static str {
    MEANINGS.iter().find(|(other, _)| *other == color).map_or("gray", |(_, name)| name)
}

/// The colour of a value by thresholds: that of the highest threshold it reaches.
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
