//! Types of values for the check of templates: Go's types, as far as templates use them.

use std::fmt;

use crate::{value::Value, value_error::ValueError};

/// The type of a value.
#[derive(Clone, Copy)]
pub enum Type {
    /// Only known at run time.
    Any,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// A number.
    Float,
    /// A text.
    Str,
    /// A list of values of a type.
    List(&'static Type),
    /// Values of a type by name.
    Map(&'static Type),
    /// A type with fields or methods.
    Named(&'static Named),
}

/// A type with fields or methods.
pub struct Named {
    /// Its name in Go, for messages.
    pub name: &'static str,
    /// The fields of a struct.
    pub fields: &'static [(&'static str, Type)],
    /// Its methods.
    pub methods: &'static [Method],
    /// The underlying type: a list, a map, an integer; `None` for a struct.
    pub underlying: Option<Type>,
}

/// Signature of a method or function.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Types of the parameters.
    pub parameters: &'static [Type],
    /// Type of variadic arguments after those.
    pub more: Option<Type>,
    /// Type of the result.
    pub result: Type,
}

impl Method {
    /// A method with these parameters.
    #[must_use]
    pub const fn new(name: &'static str, parameters: &'static [Type], result: Type) -> Self {
        Method { name, parameters, more: None, result }
    }

    /// A method with variadic arguments after these parameters.
    #[must_use]
    pub const fn with_more(name: &'static str, parameters: &'static [Type], more: Type, result: Type) -> Self {
        Method { name, parameters, more: Some(more), result }
    }

    /// The type of the argument at an index.
    pub(crate) fn parameter(&self, at: usize) -> Option<Type> {
        self.parameters.get(at).copied().or(self.more)
    }

    /// Fails with Go's text if it does not accept this number of arguments.
    pub(crate) fn check_count(&self, count: usize) -> Result<(), ValueError> {
        let least = self.parameters.len();
        if count == least || (count > least && self.more.is_some()) {
            return Ok(());
        }
        let want = if self.more.is_some() { format!("at least {least}") } else { least.to_string() };
        Err(ValueError::ArgumentCount { name: self.name.to_owned(), want, got: count })
    }
}

impl Named {
    pub(crate) fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    pub(crate) fn field(&self, name: &str) -> Option<Type> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, kind)| *kind)
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// In Go's notation.
impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Type::Any => formatter.write_str("interface {}"),
            Type::Bool => formatter.write_str("bool"),
            Type::Int => formatter.write_str("int"),
            Type::Float => formatter.write_str("float64"),
            Type::Str => formatter.write_str("string"),
            Type::List(of) => write!(formatter, "[]{of}"),
            Type::Map(of) => write!(formatter, "map[string]{of}"),
            Type::Named(named) => formatter.write_str(named.name),
        }
    }
}

impl Type {
    /// The underlying type of a named one; otherwise the type itself. A struct stays as it is.
    pub(crate) fn plain(self) -> Type {
        match self {
            Type::Named(Named { underlying: Some(below), .. }) => below.plain(),
            other => other,
        }
    }

    /// The type of a constant of the template.
    pub(crate) fn of_constant(value: &Value) -> Type {
        match value {
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Str(_) | Value::Html(_) => Type::Str,
            _ => Type::Any,
        }
    }

    /// Whether a value of this type is accepted as `wanted`.
    pub(crate) fn fits(self, wanted: Type) -> bool {
        match (self, wanted) {
            (Type::Any, _) | (_, Type::Any) => true,
            // An integer is accepted as a number.
            (Type::Int, Type::Float) => true,
            (Type::List(own), Type::List(wanted)) | (Type::Map(own), Type::Map(wanted)) => own.fits(*wanted),
            (Type::Named(own), Type::Named(wanted)) => own.name == wanted.name,
            (own @ Type::Named(_), wanted @ (Type::List(_) | Type::Map(_))) => own.plain().fits(wanted),
            (own, wanted) => own == wanted,
        }
    }
}

/// The integer of a constant for an integer parameter: any notation with an integer value, such as `28800e9`. An
/// integer is also accepted as a duration in nanoseconds.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // just checked
        Value::Float(number) if number.fract() == 0.0 && number.abs() < i64::MAX as f64 => Some(*number as i64),
        _ => None,
    }
}

/// Converts an argument to the type of its parameter.
///
/// # Errors
///
/// The parameter does not accept it; with Go's text.
pub(crate) fn argument(value: Value, is_constant: bool, wanted: Type) -> Result<Value, ValueError> {
    if is_constant && let Some(number) = whole(&value) {
        match wanted {
            Type::Int => return Ok(Value::Int(number)),
            Type::Named(named) if named.name == crate::time::DURATION.name => {
                return Ok(crate::time::Duration::of_nanos(number));
            }
            _ => {}
        }
    }
    let fits = match (&value, wanted) {
        (_, Type::Any) => true,
        (Value::Bool(_), Type::Bool) | (Value::Int(_), Type::Int | Type::Float) | (Value::Float(_), Type::Float) => {
            true
        }
        (Value::Str(_) | Value::Html(_), Type::Str) => true,
        (Value::Object(object), Type::Named(named)) => object.type_name() == named.name,
        (value, Type::List(_)) => matches!(value.plain(), Value::List(_)),
        (value, Type::Map(_)) => matches!(value.plain(), Value::Map(_)),
        _ => false,
    };
    match (fits, is_constant) {
        (true, _) => Ok(value),
        (false, true) => Err(ValueError::WrongConstant { expected: wanted.to_string(), found: value.to_string() }),
        (false, false) => Err(ValueError::wrong_type(wanted, value.type_name())),
    }
}
