//! Draws the data of a panel: as SVG on the server, as paths for a canvas in the browser.
//!
//! Only the plot area is drawn here. Titles, axis labels, legends and values are text of the page, so that they stay
//! sharp at any size, follow the theme and are available to screen readers. This crate must not know pages, clocks or
//! fonts, and builds for WebAssembly.
//!
//! - [`scale`]: ranges and ticks of the axes.
//! - [`reduce`]: reduces points to the columns of an image.
//! - [`plot`]: lines, stacked areas, thresholds over time.
//! - [`spark`]: the recent values of one number, without axes.
//! - [`heatmap`]: buckets over time.
//! - [`round`]: gauges and donuts.
//! - [`mark`]: time ranges that are tinted behind a plot.
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
