//! What goes wrong with a template, in the words and with the places that Go gives.

use crate::Source;

/// Why a template could not be read or filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no template.
    #[error("template: {name}:{line}: {message}")]
    Parse {
        /// Name of the template.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// It could not be filled in with this data.
    #[error("template: {template}:{line}:{column}: executing {executing:?} at <{at}>: {message}")]
    Execute {
        /// Name of the template as parsed.
        template: String,
        /// Name of the definition that was being executed.
        executing: String,
        /// Line, from 1.
        line: usize,
        /// Byte within the line.
        column: usize,
        /// The part of the template, shortened.
        at: String,
        /// What went wrong.
        message: String,
    },
    /// A definition of that name does not exist.
    #[error("template: no template {0:?} associated with template")]
    NotDefined(String),
}

impl Error {
    /// A fault at a byte of a text, in a definition of it.
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
