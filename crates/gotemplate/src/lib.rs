//! Go's `text/template`, over dynamic values and a table of functions: what Prometheus' rules and Alertmanager's receivers are
//! written with. No clock, and no I/O but for the machine's time zones.
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
//! Data is a [`Value`]. Go's structs with methods are [`value::Object`]s, those with fields alone are [`Record`]s; a missing
//! name in a map gives the map's `missing` value, as with Go's option `missingkey=zero`. [`Options::html`] escapes what actions
//! print, as `html/template` does in the text of an element.

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

/// Named definitions that may use one another. Cheap to clone, so that texts can be added to a common base.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    definitions: HashMap<String, Arc<Definition>>,
}

/// One definition and the text that it stands in.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) source: Arc<Source>,
    pub(crate) nodes: Vec<Node>,
}

/// A text that was parsed.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// How a template is filled in.
#[derive(Debug, Clone)]
pub struct Options {
    /// Escape what actions print for HTML, unless it is [`Value::Html`].
    pub html: bool,
    /// Longest result, in bytes.
    pub max_bytes: usize,
    /// Most nodes that may be visited, so that a template ends.
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

    /// Adds the definition `name`, and those that the text makes with `define` and `block`. Later ones replace earlier ones.
    ///
    /// # Errors
    /// The text is no template, or uses a function or a variable that is not there.
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

    /// True if there is a definition of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// Fills in the definition `name` with `data`.
    ///
    /// # Errors
    /// There is no such definition, the data does not fit it, a function failed, or a limit was passed.
    pub fn render(&self, name: &str, data: &Value, functions: &Functions, options: &Options) -> Result<String, Error> {
        exec::render(self, name, data, functions, options)
    }

    /// Checks the definition `name` against the type of what it will get: fields and methods that are not there, calls with too many
    /// or too few arguments, or with others than are asked for. Only what cannot succeed is a fault.
    #[must_use]
    pub fn check(&self, name: &str, dot: types::Type, functions: &Functions) -> Vec<Error> {
        check::check(self, name, dot, functions)
    }

    /// The names of the definitions that stand in the text `source`.
    pub fn defined_in<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a str> {
        let stands_there = move |definition: &Definition| definition.source.name == source;
        self.definitions.iter().filter(move |(_, definition)| stands_there(definition)).map(|(name, _)| name.as_str())
    }

    pub(crate) fn definition(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
    }
}
