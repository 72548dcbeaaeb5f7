//! The data of templates.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{types::Named, value_error::ValueError};

/// A dynamic value. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Go's `nil`; printed as `<no value>`.
    #[default]
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Str(Arc<str>),
    /// Text that is already HTML and is not escaped again.
    Html(Arc<str>),
    /// A list.
    List(Arc<[Value]>),
    /// Values by name, ordered by name.
    Map(Arc<Map>),
    /// A value with named members: a Go struct or a type with methods.
    Object(Arc<dyn Object>),
}

/// Values by name.
#[derive(Debug, Clone, Default)]
pub struct Map {
    /// The entries.
    pub entries: BTreeMap<String, Value>,
    /// The value of a missing name: `""` in a map of strings, `nil` in other maps.
    pub missing: Value,
}

/// A value with named members, such as the fields of a struct and the methods of a type.
pub trait Object: fmt::Debug + Send + Sync {
    /// Its Go type, for error messages.
    fn type_name(&self) -> &'static str;

    /// The field with this name, or the method's result for these arguments; `None` if there is neither.
    fn member(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, ValueError>>;

    /// The underlying value for `range`, `index`, `len`, conditions and printing; [`Value::Nil`] for a struct that only
    /// has members.
    fn underlying(&self) -> Value {
        Value::Nil
    }

    /// Its declared type, if any, by which arguments of methods are checked.
    fn named(&self) -> Option<&'static Named> {
        None
    }

    /// The fields of a struct, for code that writes all of them.
    fn fields(&self) -> Option<&[(&'static str, Value)]> {
        None
    }

    /// Its printed text, if it differs from the underlying value: Go's method `String`, or the fields of a struct in
    /// braces.
    fn text(&self) -> Option<String> {
        None
    }
}

/// An [`Object`] with fields and without methods.
#[derive(Debug, Clone)]
pub struct Record {
    type_name: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Record {
    /// A struct with this Go type and these fields.
    pub fn value(type_name: &'static str, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        Value::Object(Arc::new(Record { type_name, fields: fields.into_iter().collect() }))
    }
}

impl Object for Record {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn member(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        let (_, value) = self.fields.iter().find(|(field, _)| *field == name)?;
        Some(if arguments.is_empty() { Ok(value.clone()) } else { Err(ValueError::CalledField(name.to_owned())) })
    }

    fn fields(&self) -> Option<&[(&'static str, Value)]> {
        Some(&self.fields)
    }

    fn text(&self) -> Option<String> {
        let fields: Vec<String> = self.fields.iter().map(|(_, value)| value.to_string()).collect();
        Some(format!("{{{}}}", fields.join(" ")))
    }
}

impl Value {
    /// A text.
    pub fn str(text: impl Into<Arc<str>>) -> Self {
        Value::Str(text.into())
    }

    /// A list.
    pub fn list(values: impl IntoIterator<Item = Value>) -> Self {
        Value::List(values.into_iter().collect())
    }

    /// A map of texts, in which a missing name is the empty text, like Go's `map[string]string`.
    pub fn strings<N: Into<String>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let entries = pairs.into_iter().map(|(name, value)| (name.into(), Value::Str(value.into()))).collect();
        Value::Map(Arc::new(Map { entries, missing: Value::str("") }))
    }

    /// A map of any values, in which a missing name is `nil`.
    pub fn map<N: Into<String>>(pairs: impl IntoIterator<Item = (N, Value)>) -> Self {
        let entries = pairs.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Value::Map(Arc::new(Map { entries, missing: Value::Nil }))
    }

    /// The Go type, for error messages and `%T`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Str(_) => "string",
            Value::Html(_) => "template.HTML",
            Value::List(_) => "[]interface {}",
            Value::Map(map) if matches!(map.missing, Value::Str(_)) => "map[string]string",
            Value::Map(_) => "map[string]interface {}",
            Value::Object(object) => object.type_name(),
        }
    }

    /// Whether it is true in conditions: everything except `nil`, false, zero and empty values.
    #[must_use]
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) | Value::Html(text) => !text.is_empty(),
            Value::List(values) => !values.is_empty(),
            Value::Map(map) => !map.entries.is_empty(),
            Value::Object(object) => match object.underlying() {
                Value::Nil => true,
                value => value.truth(),
            },
        }
    }

    /// The underlying value of an [`Object`]; otherwise the value itself.
    #[must_use]
    pub fn plain(&self) -> Value {
        match self {
            Value::Object(object) => match object.underlying() {
                Value::Nil => self.clone(),
                value => value.plain(),
            },
            value => value.clone(),
        }
    }

    /// The text, for a function with a text parameter.
    ///
    /// # Errors
    ///
    /// It is not a text; with Go's text.
    pub fn as_str(&self) -> Result<&str, ValueError> {
        match self {
            Value::Str(text) | Value::Html(text) => Ok(text),
            other => Err(ValueError::wrong_type("string", other.type_name())),
        }
    }

    /// The number, for a function with a number parameter; an integer is accepted too.
    ///
    /// # Errors
    ///
    /// It is not a number; with Go's text.
    pub fn as_float(&self) -> Result<f64, ValueError> {
        match self {
            Value::Float(value) => Ok(*value),
            // Numbers in templates are far below 2^53.
            #[allow(clippy::cast_precision_loss)]
            Value::Int(value) => Ok(*value as f64),
            other => Err(ValueError::wrong_type("float64", other.type_name())),
        }
    }

    /// The integer, for a function with an integer parameter.
    ///
    /// # Errors
    ///
    /// It is not an integer; with Go's text.
    pub fn as_int(&self) -> Result<i64, ValueError> {
        match self {
            Value::Int(value) => Ok(*value),
            other => Err(ValueError::wrong_type("int", other.type_name())),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::str(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::str(text)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

/// As Go's `%v`.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Nil => formatter.write_str("<nil>"),
            Value::Bool(value) => write!(formatter, "{value}"),
            Value::Int(value) => write!(formatter, "{value}"),
            Value::Float(value) => formatter.write_str(&crate::printf::float_v(*value)),
            Value::Str(text) | Value::Html(text) => formatter.write_str(text),
            Value::List(values) => {
                formatter.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(formatter, "{space}{value}")?;
                }
                formatter.write_str("]")
            }
            Value::Map(map) => {
                formatter.write_str("map[")?;
                for (index, (name, value)) in map.entries.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(formatter, "{space}{name}:{value}")?;
                }
                formatter.write_str("]")
            }
            Value::Object(object) => match object.text() {
                Some(text) => formatter.write_str(&text),
                None => write!(formatter, "{}", object.underlying()),
            },
        }
    }
}
