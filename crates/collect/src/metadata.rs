//! The sink for metadata of scraped metric families.

use exposition::Metadata;

/// A sink for metadata, from which `/api/v1/metadata` is served.
pub trait MetadataSink: Send + Sync {
    /// Metadata of families at a target. Called once, and again when it changes.
    fn describe(&self, metadata: &[Metadata]);
}

/// Ignores metadata.
impl MetadataSink for () {
    fn describe(&self, _: &[Metadata]) {}
}
