//! Reads a YAML file into a type, with errors that say where, what, and what was probably meant.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_saphyr::Location;

/// Names closer than this are offered as what was meant: 1 is equal, 0 has nothing in common.
const NEAR_ENOUGH: f64 = 0.65;

/// Something wrong in a text, and where.
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

impl Problem {
    /// A problem at a place in a text.
    pub fn at(location: Location, message: impl Into<String>) -> Self {
        Problem { line: location.line(), column: location.column(), message: message.into() }
    }

    /// The same with the file that it is in. What has no place is said to be at its begin.
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
        /// What the system says.
        reason: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong and how to mend it.
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

/// The library's message without the position, which we say ourselves.
fn plain(error: &serde_saphyr::Error) -> String {
    let message = error.to_string();
    match message.find(" at line ") {
        Some(at) => message.get(..at).unwrap_or(&message).to_owned(),
        None => message,
    }
}

/// Says that `key` is none, and which of `known` was probably meant.
fn unknown_key(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("unknown key `{key}`: did you mean `{near}`?"),
        None => format!("unknown key `{key}`: use one of {}", known.join(", ")),
    }
}

/// The name of `known` that is nearest to `name`, if one is near.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase().replace('-', "_");
    known
        .map(|candidate| (likeness(&name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// How alike two names are: the better of a measure for long names and one for letters that changed places in short ones.
fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(one, other).max(strsim::normalized_damerau_levenshtein(one, other))
}
