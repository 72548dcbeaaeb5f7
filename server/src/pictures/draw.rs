//! What is drawn, and as what.

use std::collections::HashMap;

use app::picture::Setting;
use model::{
    dashboard::{Dashboard, Panel},
    panel::PanelData,
};

use super::PictureFailure;

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Pixels.
    Png,
    /// Shapes.
    Svg,
}

impl Format {
    /// By the end of a file's name.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "png" => Some(Format::Png),
            "svg" => Some(Format::Svg),
            _ => None,
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Svg => "image/svg+xml",
        }
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Svg => "svg",
        }
    }
}

/// What is to be drawn, with everything that it takes.
pub(crate) struct Order {
    /// Of what.
    pub(crate) what: What,
    /// Time and colours.
    pub(crate) setting: Setting,
    /// Width and height.
    pub(crate) size: (u32, u32),
    /// Pixels a unit of width and height.
    pub(crate) zoom: f32,
}

/// A panel or a dashboard, with its data.
pub(crate) enum What {
    /// One panel.
    Panel(Box<Panel>, PanelData),
    /// All panels.
    Dashboard(Box<Dashboard>, HashMap<String, PanelData>),
}

impl Order {
    pub(super) fn draw(self, format: Format, most_pixels: u64) -> Result<Vec<u8>, PictureFailure> {
        #[allow(clippy::cast_precision_loss)] // some thousand
        let size = (self.size.0 as f32, self.size.1 as f32);
        let svg = match &self.what {
            What::Panel(panel, data) => app::picture::panel(panel, data, &self.setting, size),
            What::Dashboard(dashboard, data) => app::picture::dashboard(dashboard, data, &self.setting, size),
        };
        match format {
            Format::Svg => Ok(svg.into_bytes()),
            Format::Png => Ok(picture::png(&svg, self.zoom, most_pixels)?),
        }
    }
}
