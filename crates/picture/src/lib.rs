//! SVG text in, PNG bytes out, with a font that comes along: no machine is asked for one.
//!
//! - [`png`]: the rasteriser, bounded in pixels. CPU-bound: callers keep it off threads that others wait for.
//! - [`text`]: how wide a text will be, so that what is drawn around it fits.
//!
//! Nothing here knows about panels, the server or a clock.

mod font;
mod raster;
pub mod text;

pub use self::{
    font::FAMILY,
    raster::{PictureError, png},
};
