//! Types that cross a boundary: between daemon link, server and browser, or between a file and the program.
//!
//! No I/O and nothing that does not build for WebAssembly: the server and the browser bundle share these types, so that
//! what one writes the other reads. Behaviour lives elsewhere; here are shapes, their invariants and their parsing.

pub mod civil;
pub mod clock;
pub mod dashboard;
pub mod frame;
pub mod job;
pub mod label;
pub mod labelled;
pub mod live;
pub mod page;
pub mod panel;
pub mod range;
pub mod role;
pub mod route;
pub mod severity;
pub mod sort;
pub mod system;
pub mod tree;
pub mod unit;
pub mod upstream;
pub mod words;
pub mod zone;

pub use labelled::Labelled;
pub use severity::Severity;
