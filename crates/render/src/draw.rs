//! Render requests and image formats.

use std::collections::HashMap;

use app::picture::Setting;
use model::{
    dashboard::{Dashboard, Panel},
    panel::PanelData,
};

use crate::PictureFailure;

/// Format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// PNG.
    Png,
    /// SVG.
    Svg,
}

impl Format {
    /// By the extension of a file name.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "png" => Some(Format::Png),
            "svg" => Some(Format::Svg),
            _ => None,
        }
    }

    /// The media type of a response.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Svg => "image/svg+xml",
        }
    }

    /// The extension of a file name.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Svg => "svg",
        }
    }
}

/// An image to draw, with all its data.
pub struct RenderRequest {
    /// The subject.
    pub what: Subject,
    /// Time zone and theme.
    pub setting: Setting,
    /// Width and height.
    pub size: (u32, u32),
    /// Pixels per unit of width and height.
    pub zoom: f32,
}

/// A panel or a dashboard, with its data.
pub enum Subject {
    /// One panel.
    Panel(Box<Panel>, PanelData),
    /// All panels.
    Dashboard(Box<Dashboard>, HashMap<String, PanelData>),
}

/// Memory of an image besides its pixels, in bytes: its SVG and the parsed shapes.
const SHAPES_BYTES: u64 = 4 << 20;
/// Memory per pixel: the pixel and the encoded file.
const PIXEL_BYTES: u64 = 8;

impl RenderRequest {
    /// Approximate memory needed to draw it, in bytes.
    pub fn cost(&self, format: Format) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a zoom is a small positive number
        let zoom = u64::from(self.zoom.ceil().max(1.0) as u32);
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        match format {
            Format::Svg => SHAPES_BYTES,
            Format::Png => pixels.saturating_mul(zoom * zoom * PIXEL_BYTES).saturating_add(SHAPES_BYTES),
        }
    }

    /// Draws it; call it on a blocking thread.
    ///
    /// # Errors
    ///
    /// It would have more than `most_pixels`, or cannot be drawn.
    pub fn draw(self, format: Format, most_pixels: u64) -> Result<Vec<u8>, PictureFailure> {
        #[allow(clippy::cast_precision_loss)] // some thousand
        let size = (self.size.0 as f32, self.size.1 as f32);
        let svg = match &self.what {
            Subject::Panel(panel, data) => app::picture::panel(panel, data, &self.setting, size),
            Subject::Dashboard(dashboard, data) => app::picture::dashboard(dashboard, data, &self.setting, size),
        };
        match format {
            Format::Svg => Ok(svg.into_bytes()),
            Format::Png => Ok(picture::png(&svg, self.zoom, most_pixels)?),
        }
    }
}
