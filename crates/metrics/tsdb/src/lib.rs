//! Embedded time series: append, select by matchers, crash-safe files.
//!
//! Samples of a series are compressed as they come, in chunks of about 120. Every append is first written to a log, so that a
//! process killed at any moment loses nothing that was acknowledged; full chunks go to files of their own, from where they are read
//! once they are no longer young. An index of labels is held in memory. Everything on disk carries checksums; what is damaged is
//! reported and set aside, and costs no more than itself.
//!
//! Readers wait for no disk that is written, and appends only where they ask for it: two threads of the store do what is due there.
//!
//! The store knows no PromQL, no network and no clock but the one that decides when to force the log to the disk.

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
