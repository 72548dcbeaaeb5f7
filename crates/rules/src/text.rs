//! A YAML text read into types, with errors that say where.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// Something wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Problem {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// Reads the first document of a text; an empty one is an empty map.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---");
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    serde_saphyr::from_str_with_options(if empty { "{}" } else { text }, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        let message = match error.without_snippet() {
            serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
                format!("unknown key `{field}`: use one of {}", expected.join(", "))
            }
            _ => {
                let message = error.to_string();
                message.find(" at line ").and_then(|at| message.get(..at)).unwrap_or(&message).to_owned()
            }
        };
        Problem { line, column, message }
    })
}

/// Takes what is left empty (`groups:`) as what is left out.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Texts by name, of which one that is left empty is the empty text.
pub(crate) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let given: Option<BTreeMap<String, Option<String>>> = Option::deserialize(from)?;
    Ok(given.into_iter().flatten().map(|(name, text)| (name, text.unwrap_or_default())).collect())
}
