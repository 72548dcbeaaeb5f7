//! Unit tests of rules in the format of `promtool test rules`: evaluates rules over given series in simulated time, and
//! compares alerts and results with the expected ones.

mod file;
mod memory;
mod run;
mod series;

pub use file::TestFile;
pub use memory::Memory;
pub use run::run;
