//! Parses YAML files into types, with errors that contain the position, the problem, and a suggestion.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_saphyr::Location;

/// Minimum similarity of a suggested name: 1 is equal, 0 has nothing in common.
const NEAR_ENOUGH: f64 = 0.65;

/// A problem in a text, and its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Problem {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl Problem {
    /// A problem at a position in a text.
    pub fn at(location: Location, message: impl Into<String>) -> Self {
        Problem { line: location.line(), column: location.column(), message: message.into() }
    }

    /// Adds the file. A problem without a position is reported at the start of the file.
    #[must_use]
    pub fn in_file(self, file: &Path) -> YamlError {
        let Problem { line, column, message } = self;
        YamlError::Content { file: file.to_owned(), line: line.max(1), column: column.max(1), message }
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It could not be opened.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's error.
        reason: std::io::Error,
    },
    /// It is invalid.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong and how to fix it.
        message: String,
    },
}

/// Reads `file` as one `T`.
///
/// # Errors
/// The file cannot be read, is not YAML, or does not hold a `T`.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, YamlError> {
    let text = std::fs::read_to_string(file).map_err(|reason| YamlError::File { file: file.to_owned(), reason })?;
    parse(file, &text)
}

/// Reads `text`, which is what `file` holds, as one `T`. An empty text is an empty map.
///
/// # Errors
/// The text is not YAML, or does not hold a `T`.
pub fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, YamlError> {
    parse_text(text).map_err(|problem| problem.in_file(file))
}

/// Reads the first document of `text` as one `T`. An empty text is an empty map.
///
/// # Errors
/// The text is not YAML, or does not hold a `T`.
pub fn parse_text<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---");
    let text = if empty { "{}" } else { text };
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        let message = match error.without_snippet() {
            serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected),
            _ => plain(&error),
        };
        Problem { line, column, message }
    })
}

/// The library's message without its position: we report the position separately.
fn plain(error: &serde_saphyr::Error) -> String {
    let message = error.to_string();
    match message.find(" at line ") {
        Some(at) => message.get(..at).unwrap_or(&message).to_owned(),
        None => message,
    }
}

/// The message for an unknown key. It suggests the most similar of the `known` keys.
fn unknown_key(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("unknown key `{key}`: did you mean `{near}`?"),
        None => format!("unknown key `{key}`: use one of {}", known.join(", ")),
    }
}

/// The name in `known` that is most similar to `name`, if one is similar enough.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase().replace('-', "_");
    known
        .map(|candidate| (likeness(&name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// Similarity of two names: the higher of two measures. The first suits long names, the second swapped letters in short
/// names.
fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(one, other).max(strsim::normalized_damerau_levenshtein(one, other))
}
