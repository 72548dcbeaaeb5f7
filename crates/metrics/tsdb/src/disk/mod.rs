//! Files of a data directory.
//!
//! ```text
//! LOCK            held by the process that has the directory open
//! FORMAT          version of the format
//! log/N.log       what was appended, in order, since the last checkpoint
//! chunks/N.chunks sealed chunks, each file with the labels of its series
//! damaged/        what was set aside
//! ```
//! Everything but the two small files is a sequence of frames ([`frame`]). A log begins again with a checkpoint: the unsealed
//! samples of all series, after which the older logs are removed. Each file can be read without the others.

pub(crate) mod chunks;
pub(crate) mod device;
pub(crate) mod directory;
pub(crate) mod frame;
pub(crate) mod journal;
pub(crate) mod log;
mod positioned;
pub(crate) mod record;

pub(crate) use chunks::{ChunkFile, ChunkPlace, ChunkWriter, FileNumber};
pub(crate) use device::Device;
pub(crate) use directory::Directory;
pub(crate) use journal::Journal;
pub(crate) use log::Log;
