//! Template errors, with Go's text and positions.

use crate::Source;

/// Why a template could not be parsed or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The template is invalid.
    #[error("template: {name}:{line}: {message}")]
    Parse {
        /// Name of the template.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// It could not be rendered with this data.
    #[error("template: {template}:{line}:{column}: executing {executing:?} at <{at}>: {message}")]
    Execute {
        /// Name of the parsed template.
        template: String,
        /// Name of the executed definition.
        executing: String,
        /// Line, from 1.
        line: usize,
        /// Byte offset in the line.
        column: usize,
        /// The part of the template, shortened.
        at: String,
        /// What went wrong.
        message: String,
    },
    /// There is no definition with this name.
    #[error("template: no template {0:?} associated with template")]
    NotDefined(String),
}

impl Error {
    /// An error at a byte offset of a text, in one of its definitions.
    pub(crate) fn at(
        source: &Source,
        executing: &str,
        position: usize,
        at: &dyn std::fmt::Display,
        message: impl std::fmt::Display,
    ) -> Self {
        let before = source.text.get(..position.min(source.text.len())).unwrap_or_default();
        Error::Execute {
            template: source.name.clone(),
            executing: executing.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rfind('\n').map_or(before.len(), |newline| before.len() - newline - 1),
            at: at.to_string(),
            message: message.to_string(),
        }
    }
}
