//! What is said about metric families beside their samples.

use crate::varint::{Cursor, put_bytes};

/// Type, help and unit of a metric family, in the words of the exposition formats; empty where unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `counter`, `gauge`, `histogram`, `summary`, `gaugehistogram`, `info`, `stateset` or `unknown`.
    pub kind: String,
    /// What the metric means.
    pub help: String,
    /// Unit, such as `seconds`.
    pub unit: String,
}

/// Most families described at once; what is said about further ones is dropped.
pub(crate) const MAX_FAMILIES: usize = 50_000;

/// Appends a family's name and what is said about it.
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
