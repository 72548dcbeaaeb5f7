//! Files of a data directory.
//!
//! ```text
//! LOCK            locked by the process that has the directory open
//! FORMAT          version of the format
//! log/N.log       appends since the last checkpoint, in order
//! chunks/N.chunks sealed chunks, each file with the labels of its series
//! damaged/        damaged files that were moved aside
//! ```
//! All files except the two small ones are sequences of frames ([`frame`]). A checkpoint starts a new log: it contains the
//! unsealed samples of all series, so that the older logs can be removed. Each file can be read without the others.

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
