//! Types that cross a boundary: between daemon, server and browser, or between a file and the program.
//!
//! No I/O, and everything builds for WebAssembly: server and browser share these types, so that each can read what the
//! other wrote. They are data with invariants and parsers; behaviour is in other crates.

pub mod backoff;
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
pub mod playlist;
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
pub mod worker;
pub mod zone;

pub use labelled::Labelled;
pub use severity::Severity;
