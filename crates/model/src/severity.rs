//! The severity of an alert by its label `severity`. It determines order, colour, shape, sound, and the overlay on a
//! wall display.

use serde::{Deserialize, Serialize};

use crate::{dashboard::Color, from_word};

/// The severity of an alert. The highest severity is the least value, so that it sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Act on it now.
    Critical,
    /// Act on it soon.
    Warning,
    /// Good to know.
    Info,
    /// The label is missing, or has another value.
    #[default]
    Unknown,
}

from_word!(Severity {
    "unknown" => Unknown,
    "info" => Info,
    "warning" => Warning,
    "critical" => Critical,
});

impl Severity {
    /// The severity for the value of a label `severity`, ignoring case.
    #[must_use]
    pub fn of(label: &str) -> Self {
        let is_any = |words: &[&str]| words.iter().any(|word| label.eq_ignore_ascii_case(word));
        if is_any(&["critical", "page", "error"]) {
            Severity::Critical
        } else if is_any(&["warning", "warn", "minor"]) {
            Severity::Warning
        } else if is_any(&["info", "information", "notice", "none"]) {
            Severity::Info
        } else {
            Severity::Unknown
        }
    }

    /// The text on pages for the value of a label `severity`: the rule's own word.
    #[must_use]
    pub fn word(label: &str) -> &str {
        if label.is_empty() { "no severity" } else { label }
    }

    /// Its colour.
    #[must_use]
    pub fn color(self) -> Color {
        match self {
            Severity::Critical => Color::Red,
            Severity::Warning => Color::Yellow,
            Severity::Info | Severity::Unknown => Color::Blue,
        }
    }

    /// A shape besides the colour, for viewers who cannot distinguish the colours.
    #[must_use]
    pub fn shape(self) -> &'static str {
        match self {
            Severity::Critical => "\u{25c6}",
            Severity::Warning => "\u{25b2}",
            Severity::Info | Severity::Unknown => "\u{25cf}",
        }
    }

    /// Whether a wall display covers everything else with it.
    #[must_use]
    pub fn covers_wall(self) -> bool {
        self == Severity::Critical
    }

    /// Whether it is at least as severe as `least`.
    #[must_use]
    pub fn reaches(self, least: Severity) -> bool {
        self <= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_field_are_known_and_what_is_unknown_is_least() {
        let of = |labels: [&str; 4]| labels.map(Severity::of);
        assert_eq!(of(["critical", "page", "error", "Critical"]), [Severity::Critical; 4]);
        assert_eq!(of(["warning", "warn", "minor", "WARNING"]), [Severity::Warning; 4]);
        assert_eq!(of(["info", "information", "notice", "none"]), [Severity::Info; 4]);
        assert_eq!(of(["", "ticket", "criticality", " "]), [Severity::Unknown; 4]);
        assert!(Severity::Critical < Severity::Warning && Severity::Info < Severity::Unknown);
        assert!(Severity::Critical.reaches(Severity::Warning) && !Severity::Info.reaches(Severity::Warning));
        assert!(Severity::of("page").covers_wall() && !Severity::of("warning").covers_wall());
    }
}
