//! What goes wrong with a template, in the words and with the places that Go gives.

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
