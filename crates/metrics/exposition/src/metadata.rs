//! What a metric family means.

use crate::page::Kind;

/// Type and meaning of a metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the family.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it means; may be empty.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
}
