//! Prometheus' remote-write protocol 1.0: Snappy blocks of protocol buffers, read and written.
//!
//! [`decompress`] unpacks a body, [`decode`] reads what is in it. The messages are read in place, so that a label is copied once, and
//! unknown fields are passed over, as protocol buffers ask for. Input is hostile until proven otherwise: nothing here panics on it, and
//! [`Limits`] bound what one body can cost. No I/O: what becomes of the samples is the caller's.

mod decode;
mod encode;
mod error;
mod histogram;
mod labels;
mod request;
mod wire;

pub use decode::{Limits, decode, decompress};
pub use encode::{compress, encode};
pub use error::{DecodeError, Rejected};
pub use request::{Exemplar, Family, FamilyKind, Request, TimeSeries};
