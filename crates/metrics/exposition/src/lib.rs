//! The text forms in which programs show their metrics: Prometheus text 0.0.4 and OpenMetrics 1.0, read and written.
//!
//! [`parse::parse`] turns a page into [`page::Family`]s of [`page::Sample`]s that borrow from it; [`write::Writer`] makes a page.
//! No I/O, no knowledge of where a page comes from or where its samples go. Input is hostile until proven otherwise: nothing
//! here panics on it, and [`parse::Limits`] bound what one page can cost.

mod cursor;
pub mod error;
mod metadata;
pub mod page;
pub mod parse;
pub mod write;

pub use metadata::Metadata;
