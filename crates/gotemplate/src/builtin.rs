//! Go's predefined template functions.

use std::{cmp::Ordering, ops::RangeInclusive};

use crate::{functions::check_count, printf, value::Value, value_error::ValueError};

/// True for predefined functions.
pub(crate) fn is_builtin(name: &str) -> bool {
    matches!(
        name,
        "and"
            | "or"
            | "not"
            | "len"
            | "index"
            | "slice"
            | "print"
            | "printf"
            | "println"
            | "html"
            | "js"
            | "urlquery"
            | "eq"
            | "ne"
            | "lt"
            | "le"
            | "gt"
            | "ge"
    )
}

/// The number of arguments of one of them.
pub(crate) fn arity(name: &str) -> RangeInclusive<usize> {
    match name {
        "not" | "len" => 1..=1,
        "index" | "slice" | "printf" | "eq" | "and" | "or" => 1..=usize::MAX,
        "ne" | "lt" | "le" | "gt" | "ge" => 2..=2,
        _ => 0..=usize::MAX,
    }
}

/// Calls one of them.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Result<Value, ValueError> {
    check_count(name, &arity(name), arguments.len())?;
    let first = arguments.first().cloned().unwrap_or_default();
    let rest = arguments.get(1..).unwrap_or_default();
    let result = match name {
        "not" => Ok(Value::Bool(!first.truth())),
        "len" => length(&first),
        "index" => rest.iter().try_fold(first, |value, at| index(&value, at)),
        "slice" => slice(&first, rest),
        "print" => Ok(print(arguments).into()),
        "println" => Ok(spaced(arguments).into()),
        "printf" => first.as_str().map(|format| printf::sprintf(format, rest).into()),
        "html" => Ok(escape_html(&print(arguments)).into()),
        "js" => Ok(escape_js(&print(arguments)).into()),
        "urlquery" => Ok(escape_query(&print(arguments)).into()),
        "eq" => equal_any(&first, rest).map(Value::Bool),
        "ne" => equal_any(&first, rest).map(|equal| Value::Bool(!equal)),
        _ => compare(&first, rest.first().unwrap_or(&Value::Nil)).map(|ordering| {
            Value::Bool(match name {
                "lt" => ordering == Some(Ordering::Less),
                "le" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
                "gt" => ordering == Some(Ordering::Greater),
                _ => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            })
        }),
    };
    result.map_err(|error| error.calling(name))
}

/// Go's `Sprint`: a space between operands if neither is a string.
fn print(values: &[Value]) -> String {
    let mut output = String::new();
    let mut last_was_text = true;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::Str(_) | Value::Html(_));
        if index > 0 && !is_text && !last_was_text {
            output.push(' ');
        }
        output.push_str(&value.to_string());
        last_was_text = is_text;
    }
    output
}

fn spaced(values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().map(Value::to_string).collect();
    shown.join(" ") + "\n"
}

fn length(value: &Value) -> Result<Value, ValueError> {
    let length = match value.plain() {
        Value::Str(text) | Value::Html(text) => text.len(),
        Value::List(values) => values.len(),
        Value::Map(map) => map.entries.len(),
        Value::Nil => return Err(ValueError::LengthOfNil),
        other => return Err(ValueError::NoLength(other.type_name().to_owned())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(value: &Value, at: &Value) -> Result<Value, ValueError> {
    match (value.plain(), at) {
        (Value::Map(map), Value::Str(name)) => {
            Ok(map.entries.get(&**name).cloned().unwrap_or_else(|| map.missing.clone()))
        }
        (Value::Map(_), other) => Err(ValueError::KeyType(other.type_name().to_owned())),
        (Value::List(values), Value::Int(at)) => {
            usize::try_from(*at).ok().and_then(|at| values.get(at).cloned()).ok_or(ValueError::OutOfRange(*at))
        }
        (Value::Str(text) | Value::Html(text), Value::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|at| text.as_bytes().get(at).copied())
            .map(|byte| Value::Int(i64::from(byte)))
            .ok_or(ValueError::OutOfRange(*at)),
        (Value::List(_) | Value::Str(_) | Value::Html(_), other) => {
            Err(ValueError::IndexType(other.type_name().to_owned()))
        }
        (Value::Nil, _) => Err(ValueError::IndexOfNil),
        (other, _) => Err(ValueError::NotIndexed(other.type_name().to_owned())),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, ValueError> {
    let bound = |position: usize, default: usize| match bounds.get(position) {
        None => Ok(default),
        Some(bound) => {
            let bound = bound.as_int()?;
            usize::try_from(bound).map_err(|_| ValueError::OutOfRange(bound))
        }
    };
    let range = |length: usize| {
        let (start, end) = (bound(0, 0)?, bound(1, length)?);
        match [start, end].into_iter().find(|bound| *bound > length) {
            Some(outside) => Err(ValueError::OutOfRange(i64::try_from(outside).unwrap_or(i64::MAX))),
            None if start > end => Err(ValueError::SliceBounds { start, end }),
            None => Ok(start..end),
        }
    };
    match value.plain() {
        Value::List(values) => Ok(values.get(range(values.len())?).map_or(Value::Nil, |part| Value::List(part.into()))),
        // Go cuts between bytes, which could cut a character in two.
        Value::Str(text) => {
            let part = text.as_bytes().get(range(text.len())?).unwrap_or_default();
            Ok(String::from_utf8_lossy(part).into_owned().into())
        }
        other => Err(ValueError::NotSliced(other.type_name().to_owned())),
    }
}

fn equal_any(first: &Value, rest: &[Value]) -> Result<bool, ValueError> {
    if rest.is_empty() {
        return Err(ValueError::NothingToCompare);
    }
    for other in rest {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(left: &Value, right: &Value) -> Result<bool, ValueError> {
    match (left.plain(), right.plain()) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Int(left), Value::Int(right)) => Ok(left == right),
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        (Value::Str(left) | Value::Html(left), Value::Str(right) | Value::Html(right)) => Ok(left == right),
        (Value::List(_) | Value::Map(_), _) | (_, Value::List(_) | Value::Map(_)) => Err(ValueError::NotComparable),
        _ => Err(ValueError::Incompatible),
    }
}

fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, ValueError> {
    match (left.plain(), right.plain()) {
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(&right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(&right)),
        (Value::Str(left) | Value::Html(left), Value::Str(right) | Value::Html(right)) => Ok(Some(left.cmp(&right))),
        (Value::Int(_) | Value::Float(_) | Value::Str(_), Value::Int(_) | Value::Float(_) | Value::Str(_)) => {
            Err(ValueError::Incompatible)
        }
        _ => Err(ValueError::NoOrder),
    }
}

/// Go's `HTMLEscapeString`.
pub(crate) fn escape_html(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => output.push_str("&#34;"),
            '\'' => output.push_str("&#39;"),
            '&' => output.push_str("&amp;"),
            '<' => output.push_str("&lt;"),
            '>' => output.push_str("&gt;"),
            '\0' => output.push('\u{fffd}'),
            other => output.push(other),
        }
    }
    output
}

/// Go's `JSEscapeString`.
fn escape_js(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => output.push_str("\\\\"),
            '\'' => output.push_str("\\'"),
            '"' => output.push_str("\\\""),
            '<' | '>' | '&' | '=' => output.push_str(&format!("\\u{:04X}", u32::from(character))),
            control if u32::from(control) < 0x20 => output.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => output.push(other),
        }
    }
    output
}

/// Go's `url.QueryEscape`.
fn escape_query(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string().replace(' ', "+")
}
