//! Converts SVG text to PNG bytes with an embedded font; fonts of the machine are not used.
//!
//! - [`png`]: the rasteriser, limited in pixels. CPU-bound: call it on a blocking thread.
//! - [`text`]: the width of a text, so that the drawing around it fits.
//!
//! Nothing here knows panels, the server or a clock.

mod font;
mod raster;
pub mod text;

pub use self::{
    font::FAMILY,
    raster::{PictureError, png},
};
