//! Metadata of metric families.

use crate::varint::{Cursor, put_bytes};

/// Type, help and unit of a metric family, as in the exposition formats; empty if unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary`, `gaugehistogram`, `info`, `stateset` or `unknown`.
    pub kind: String,
    /// Help text.
    pub help: String,
    /// Unit, such as `seconds`.
    pub unit: String,
}

/// Maximum number of metric families with metadata; metadata of further ones is dropped.
pub(crate) const MAX_FAMILIES: usize = 50_000;

/// Appends a family's name and metadata.
pub(crate) fn encode(out: &mut Vec<u8>, family: &str, metadata: &Metadata) {
    for text in [family, &metadata.kind, &metadata.help, &metadata.unit] {
        put_bytes(out, text.as_bytes());
    }
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Option<(String, Metadata)> {
    let mut cursor = Cursor::new(bytes);
    let mut text = || cursor.text().map(str::to_owned);
    let family = text()?;
    Some((family, Metadata { kind: text()?, help: text()?, unit: text()? }))
}
