//! The colours of an image. They are parsed from the style sheet, so that there is only one list of colours.

use std::{collections::HashMap, str::FromStr, sync::LazyLock};

use chart::palette::Ink;

/// The style sheet of the panels.
const STYLE: &str = include_str!("../../../style/panels.css");

/// Variables of the light and of the dark theme.
static COLORS: LazyLock<[HashMap<&'static str, &'static str>; 2]> =
    LazyLock::new(|| [variables(":root {"), variables(":root[data-theme=\"dark\"]:not([data-print]) {")]);

/// The colour for names that the style sheet does not have.
const MISSING: &str = "#808080";

/// The theme of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on black.
    Dark,
}

impl FromStr for Theme {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "light" => Ok(Theme::Light),
            "dark" => Ok(Theme::Dark),
            _ => Err(()),
        }
    }
}

impl Theme {
    /// The colour of a CSS variable, named without its dashes.
    pub(super) fn color(self, name: &str) -> &'static str {
        let [light, dark] = &*COLORS;
        let colors = if self == Theme::Light { light } else { dark };
        colors.get(name).copied().unwrap_or(MISSING)
    }

    /// The colour of an ink.
    pub(super) fn ink(self, ink: Ink) -> &'static str {
        self.color(&ink.variable())
    }
}

/// The variables with hexadecimal colours in a rule of the style sheet.
fn variables(selector: &str) -> HashMap<&'static str, &'static str> {
    let rule = STYLE.split_once(selector).and_then(|(_, rest)| rest.split_once('}')).map_or("", |(rule, _)| rule);
    let declarations =
        rule.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "));
    declarations.filter(|(_, value)| value.starts_with('#')).collect()
}

/// The name of the variable of a colour's class.
pub(super) fn of_class(class: &str) -> Option<&str> {
    class.strip_prefix("ink-")
}

#[cfg(test)]
mod tests {
    use model::dashboard::Color;

    use super::*;

    #[test]
    fn both_themes_have_every_colour() {
        let inks = (0..8).map(Ink::Series).chain((0..8).map(Ink::Heat)).chain([
            Ink::Grid,
            Ink::Meaning(Color::Red),
            Ink::Meaning(Color::Gray),
        ]);
        let names = ["bg", "panel-bg", "line", "text", "muted"].map(str::to_owned);
        for name in inks.map(Ink::variable).chain(names) {
            let (light, dark) = (Theme::Light.color(&name), Theme::Dark.color(&name));
            assert!(light != MISSING && dark != MISSING && light != dark, "{name}: {light} {dark}");
        }
        assert_eq!(Theme::Light.color("panel-bg"), "#ffffff");
    }
}
