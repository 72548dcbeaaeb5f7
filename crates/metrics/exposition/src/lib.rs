//! The text formats of metrics: parses and writes Prometheus text 0.0.4 and OpenMetrics 1.0.
//!
//! [`parse::parse`] turns a text into [`page::Family`]s of [`page::Sample`]s that borrow from it; [`write::Writer`]
//! creates a text. No I/O, and no knowledge of where text comes from or samples go. Input is untrusted: nothing here
//! panics on it, and [`parse::Limits`] limit its cost.

mod cursor;
pub mod error;
mod metadata;
pub mod page;
pub mod parse;
pub mod write;

pub use metadata::Metadata;
