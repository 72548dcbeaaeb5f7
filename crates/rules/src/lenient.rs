//! Values of a rule file that may be left empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Parses an empty value (`groups:`) as if it were absent.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Parses texts by name; an empty value is the empty text.
pub(crate) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let given: Option<BTreeMap<String, Option<String>>> = Option::deserialize(from)?;
    Ok(given.into_iter().flatten().map(|(name, text)| (name, text.unwrap_or_default())).collect())
}
