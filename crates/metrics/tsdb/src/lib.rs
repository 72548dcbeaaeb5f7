//! Embedded time series database: append, select by matchers, crash-safe files.
//!
//! Samples of a series are compressed as they arrive, in chunks of about 120. Each append is first written to a log, so
//! that a process killed at any moment loses nothing that was acknowledged. Full chunks go to chunk files, from which
//! old ones are read. The index of labels is in memory. Everything on disk has checksums; damaged parts are reported
//! and moved aside, and everything else stays readable.
//!
//! Readers never wait for disk writes, and appends only on request: two background threads do the disk work.
//!
//! The store knows no PromQL, no network and no clock except the one that decides when to sync the log.

mod bits;
mod cardinality;
mod chunk;
mod compact;
mod damage;
mod disk;
mod error;
mod head;
mod histograms;
mod ingest;
mod keeper;
mod late;
mod metadata;
mod options;
mod pattern;
mod pieces;
mod postings;
mod read;
mod recover;
mod retention;
mod series;
mod snapshot;
mod stats;
mod store;
mod upkeep;
mod varint;
mod verify;
mod writer;

pub use cardinality::{Cardinality, Counted};
pub use damage::{Damage, DamageKind};
pub use error::{FileError, OpenError};
pub use ingest::{Incoming, IngestError, Ingested, Refusal, Refused};
pub use late::{LateAppends, LateMark, TimeBounds};
pub use metadata::Metadata;
pub use options::StoreOptions;
pub use snapshot::Extent;
pub use stats::Stats;
pub use store::{Store, Unawaited, Volume};
pub use verify::{Verification, verify};
