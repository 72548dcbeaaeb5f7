//! Where what a target says of its metric families goes.

use exposition::Metadata;

/// Where metadata goes: what `/api/v1/metadata` answers from.
pub trait MetadataSink: Send + Sync {
    /// These families were seen at a target. Told once, and again when something changes.
    fn describe(&self, metadata: &[Metadata]);
}

/// Nobody wants it.
impl MetadataSink for () {
    fn describe(&self, _: &[Metadata]) {}
}
