//! Prometheus' remote-write protocol 1.0: decodes and encodes Snappy blocks of protocol buffers.
//!
//! [`decompress`] decompresses a body, [`decode`] decodes its content. Messages are decoded in place, so that a label
//! is only copied once, and unknown fields are skipped, as protocol buffers require. Input is untrusted: nothing here
//! panics on it, and [`Limits`] limit its cost. No I/O: the caller stores the samples.

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
