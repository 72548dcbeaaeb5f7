//! Draws a panel's data: as SVG on the server, as paths for a canvas in the browser.
//!
//! Only the plot area is drawn here. Titles, axis labels, legends and values are text of the page, so that they stay crisp
//! at any size, follow the theme and can be read aloud. Nothing here knows about a page, a clock or a font, and all of it
//! builds for WebAssembly.
//!
//! - [`scale`]: ranges and ticks of the axes.
//! - [`reduce`]: as many points as a picture has columns.
//! - [`plot`]: lines, stacked areas, thresholds over time.
//! - [`spark`]: the recent course of one number, without axes.
//! - [`heatmap`]: buckets over time.
//! - [`round`]: gauges and donuts.
//! - [`mark`]: times that are tinted behind a plot.
//! - [`palette`]: colours by meaning.
//! - [`svg`]: the backend that writes SVG for the page.

pub mod heatmap;
pub mod mark;
pub mod palette;
pub mod plot;
pub mod reduce;
pub mod round;
pub mod scale;
pub mod spark;
pub mod svg;
