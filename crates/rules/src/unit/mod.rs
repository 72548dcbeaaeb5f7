//! Unit tests of rules, in the format of `promtool test rules`: series are made up, rules evaluated over simulated time, alerts and
//! results compared with what is expected.

mod file;
mod memory;
mod run;
mod series;

pub use file::TestFile;
pub use memory::Memory;
pub use run::run;
