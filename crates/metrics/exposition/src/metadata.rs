//! Metadata of metric families.

use crate::page::Kind;

/// Type, help and unit of a metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the family.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Help text; may be empty.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
}
