//! Parses the URL parameters of an image.

use std::ops::RangeInclusive;

use app::picture::{Theme, natural_height};
use model::{
    dashboard::{Dashboard, Panel},
    range::TimeRange,
    zone::Zone,
};

use crate::{Format, zones};

/// Allowed width and height of an image.
const WIDTHS: RangeInclusive<u32> = 100..=6_000;
const HEIGHTS: RangeInclusive<u32> = 50..=20_000;

/// Default size of a panel's image.
pub const PANEL: (u32, u32) = (1_000, 500);
/// Default width of a dashboard's image.
const DASHBOARD_WIDTH: u32 = 1_280;
/// Why a URL is invalid: what is wrong and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A parameter is invalid.
    #[error("{0}")]
    Invalid(String),
    /// There is no such panel or format.
    #[error("{0}")]
    NotFound(String),
}

/// The parameters of an image. Variables of a dashboard (`var-*`) and unknown ones are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderParams {
    /// The time range.
    pub range: TimeRange,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// Light or dark theme.
    pub theme: Theme,
    /// From `tz`.
    pub zone: Zone,
}

impl RenderParams {
    /// Parses the query string of a URL.
    pub fn parse(query: &str, now_ms: i64) -> Result<Self, ParamsError> {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(candidate, _)| candidate == name).map(|(_, value)| value.into_owned())
        };
        let (from, to) = (value("from"), value("to"));
        let range = TimeRange::parse(from.as_deref(), to.as_deref(), now_ms)
            .map_err(|error| ParamsError::Invalid(error.to_string()))?;
        let theme = match value("theme").as_deref() {
            None => Theme::default(),
            Some(name) => {
                name.parse().map_err(|()| ParamsError::Invalid(format!("theme {name:?}: write light or dark")))?
            }
        };
        let zone = match value("tz") {
            None => Zone::UTC,
            Some(name) => zones::named(&name).ok_or_else(|| {
                ParamsError::Invalid(format!(
                    "tz {name:?}: write a zone of the IANA database, as Europe/Berlin, or minutes east of UTC"
                ))
            })?,
        };
        Ok(RenderParams {
            range,
            width: pixels("width", value("width").as_deref(), &WIDTHS)?,
            height: pixels("height", value("height").as_deref(), &HEIGHTS)?,
            theme,
            zone,
        })
    }

    /// The size of a dashboard's image.
    pub fn dashboard_size(&self, dashboard: &Dashboard) -> (u32, u32) {
        let width = self.width.unwrap_or(DASHBOARD_WIDTH);
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // rows of a dashboard are limited where it is read
        let natural = natural_height(dashboard, width as f32).ceil() as u32;
        (width, self.height.unwrap_or(natural))
    }
}

/// A panel of a dashboard.
pub fn panel_of<'a>(dashboard: &'a Dashboard, id: &str) -> Result<&'a Panel, ParamsError> {
    dashboard.panels.iter().find(|panel| panel.id == id).ok_or_else(|| {
        let ids: Vec<&str> = dashboard.panels.iter().map(|panel| panel.id.as_str()).collect();
        let uid = &dashboard.uid;
        ParamsError::NotFound(format!("the dashboard {uid:?} has no panel {id:?}: use one of {}", ids.join(", ")))
    })
}

fn pixels(name: &str, text: Option<&str>, allowed: &RangeInclusive<u32>) -> Result<Option<u32>, ParamsError> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(pixels) if allowed.contains(&pixels) => Ok(Some(pixels)),
        _ => Err(ParamsError::Invalid(format!(
            "{name} {text:?}: write a whole number of pixels from {} to {}",
            allowed.start(),
            allowed.end()
        ))),
    }
}

/// Splits a file name into its base name and format.
pub fn named(file: &str) -> Result<(&str, Format), ParamsError> {
    let wrong = || ParamsError::NotFound(format!("there is no picture {file:?}: its name ends in .png or .svg"));
    let (name, extension) = file.rsplit_once('.').ok_or_else(wrong)?;
    Ok((name, Format::of_extension(extension).ok_or_else(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_763_631_000_000;

    #[test]
    fn what_is_not_asked_for_has_its_default() {
        let wanted = RenderParams::parse("var-provider=aws&orgId=1", NOW_MS).unwrap();
        assert_eq!(
            wanted,
            RenderParams {
                range: TimeRange::default(),
                width: None,
                height: None,
                theme: Theme::Light,
                zone: Zone::UTC
            }
        );
        let wanted = RenderParams::parse("from=now-6h&to=now-1h&width=640&height=200&theme=dark", NOW_MS).unwrap();
        assert_eq!((wanted.width, wanted.height, wanted.theme), (Some(640), Some(200), Theme::Dark));
        assert_eq!(wanted.range.from.to_string(), "now-6h");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        let complaint = |query: &str| RenderParams::parse(query, NOW_MS).unwrap_err().to_string();
        assert_eq!(complaint("width=wide"), "width \"wide\": write a whole number of pixels from 100 to 6000");
        assert_eq!(complaint("height=1"), "height \"1\": write a whole number of pixels from 50 to 20000");
        assert_eq!(complaint("theme=blue"), "theme \"blue\": write light or dark");
        assert!(complaint("tz=Mars/Olympus").contains("Europe/Berlin"));
        assert_eq!(RenderParams::parse("tz=asia/kolkata", NOW_MS).unwrap().zone.name(), "Asia/Kolkata");
        assert!(complaint("from=yesterday").contains("now-6h"));
        assert!(named("x.gif").unwrap_err().to_string().contains(".png or .svg"));
        assert_eq!(named("a.b.svg").unwrap(), ("a.b", Format::Svg));
    }
}
