//! Go's `text/template`, over dynamic values and a table of functions: the language of texts in Prometheus' rules and
//! Alertmanager's receivers. No clock, and no I/O except for the machine's time zones.
//!
//! ```
//! use gotemplate::{Functions, Options, Templates, Value};
//!
//! let functions = Functions::new().with("upper", 1..=1, |arguments| Ok(arguments[0].as_str()?.to_uppercase().into()));
//! let mut templates = Templates::new();
//! templates.parse("greeting", r#"{{ define "who" }}{{ .name | upper }}{{ end }}Hello {{ template "who" . }}!"#, &functions)?;
//! let data = Value::strings([("name", "world")]);
//! assert_eq!(templates.render("greeting", &data, &functions, &Options::default())?, "Hello WORLD!");
//! # Ok::<(), gotemplate::Error>(())
//! ```
//!
//! Data is a [`Value`]. Go's structs with methods are [`value::Object`]s, structs with only fields are [`Record`]s. A
//! name that is missing in a map gives the map's `missing` value, as with Go's option `missingkey=zero`.
//! [`Options::html`] escapes the output of actions, as `html/template` does in the text of an element.

mod builtin;
mod check;
mod error;
mod exec;
mod functions;
pub mod humanize;
mod lex;
mod node;
mod parse;
pub mod printf;
pub mod time;
pub mod types;
pub mod value;
mod value_error;

use std::{collections::HashMap, sync::Arc};

pub use error::Error;
pub use functions::Functions;
pub use lex::unquote;
pub use value::{Map, Object, Record, Value};
pub use value_error::ValueError;

use node::Node;

/// Named definitions that may use one another. Cheap to clone, so that texts can be added to a shared base.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    definitions: HashMap<String, Arc<Definition>>,
}

/// One definition and its source.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) source: Arc<Source>,
    pub(crate) nodes: Vec<Node>,
}

/// A parsed text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// How a template is executed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether to escape the output of actions for HTML, except [`Value::Html`].
    pub html: bool,
    /// Maximum size of the result in bytes.
    pub max_bytes: usize,
    /// Maximum number of visited nodes, so that every template ends.
    pub max_steps: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { html: false, max_bytes: 4 << 20, max_steps: 5_000_000 }
    }
}

impl Templates {
    /// No definitions.
    #[must_use]
    pub fn new() -> Self {
        Templates::default()
    }

    /// Adds the definition `name`, and those that the text makes with `define` and `block`. Later ones replace earlier
    /// ones.
    ///
    /// # Errors If the text is not a valid template, or uses an unknown function or variable.
    pub fn parse(&mut self, name: &str, text: &str, functions: &Functions) -> Result<(), Error> {
        let parsed = parse::parse(name, text, functions)?;
        let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
        for (name, nodes) in parsed {
            let is_blank = |node: &Node| matches!(node, Node::Text(text) if text.trim().is_empty());
            // As in Go, an empty definition does not replace one with content.
            if nodes.iter().all(is_blank) && self.definitions.contains_key(&name) {
                continue;
            }
            self.definitions.insert(name, Arc::new(Definition { source: Arc::clone(&source), nodes }));
        }
        Ok(())
    }

    /// True if there is a definition with this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// Executes the definition `name` with `data`.
    ///
    /// # Errors If there is no such definition, the data does not fit, a function fails, or a limit is exceeded.
    pub fn render(&self, name: &str, data: &Value, functions: &Functions, options: &Options) -> Result<String, Error> {
        exec::render(self, name, data, functions, options)
    }

    /// Checks the definition `name` against the type of its data: unknown fields and methods, and calls with the wrong
    /// number or types of arguments. Reports only what fails with any data.
    #[must_use]
    pub fn check(&self, name: &str, dot: types::Type, functions: &Functions) -> Vec<Error> {
        check::check(self, name, dot, functions)
    }

    /// The names of the definitions in the text `source`.
    pub fn defined_in<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        let stands_there = move |definition: &Definition| definition.source.name == source;
        self.definitions.iter().filter(move |(_, definition)| stands_there(definition)).map(|(name, _)| name.as_str())
    }

    pub(crate) fn definition(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
    }
}
