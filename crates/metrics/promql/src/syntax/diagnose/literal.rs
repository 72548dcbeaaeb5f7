//! Numbers, lengths of time, texts and matchers of a query, with what Go says of those that are none.

use regex_syntax::{Error, ast};

use super::{
    lexer::{Item, Kind},
    quote,
};
use crate::syntax::{length, token};
use labels::Pattern;

/// A number by the rules of Go's `ParseInt` (base 0) and, failing that, `ParseFloat`.
///
/// # Errors
/// It is none, or too large.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let wrong =
        |why: &str| Err(format!("error parsing number: strconv.ParseFloat: parsing {}: {why}", quote::text(text)));
    let plain = text.replace('_', "");
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        #[allow(clippy::cast_precision_loss, reason = "as Go converts it")]
        return i64::from_str_radix(digits, 16).map_or_else(|_| wrong("invalid syntax"), |value| Ok(value as f64));
    }
    match plain.parse::<f64>() {
        Ok(value) if value.is_infinite() && plain.starts_with(|c: char| c.is_ascii_digit()) => {
            wrong("value out of range")
        }
        Ok(value) if plain.len() == text.len() || plain.bytes().all(|byte| byte.is_ascii_digit()) => Ok(value),
        _ => wrong("invalid syntax"),
    }
}

/// The seconds of a number or a duration.
///
/// # Errors
/// It is none.
pub(super) fn seconds(item: &Item) -> Result<f64, String> {
    if item.kind == Kind::Number {
        return number(item.text);
    }
    length::parse_seconds(item.text).ok_or_else(|| format!("not a valid duration string: {}", quote::text(item.text)))
}

/// What a text stands for; bytes that are no text are replaced.
pub(super) fn text(quoted: &str) -> String {
    token::unquote(quoted).map_or_else(String::new, |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a matcher of this operator and value matches a label that is not there.
///
/// # Errors
/// The value is to be a regular expression, and is none.
pub(super) fn matches_nothing(operator: &str, value: &str) -> Result<bool, String> {
    match operator {
        "=" => Ok(value.is_empty()),
        "!=" => Ok(!value.is_empty()),
        _ => match Pattern::compile(value) {
            Some(pattern) => Ok(pattern.is_match("") == (operator == "=~")),
            None => Err(format!("error parsing regexp: {}", expression_error(value))),
        },
    }
}

/// What Go's `regexp/syntax` says of an expression that cannot be compiled.
fn expression_error(expression: &str) -> String {
    use ast::ErrorKind as Wrong;
    let Err(error) = regex_syntax::parse(expression) else {
        return format!("expression too large: `{expression}`");
    };
    let span = match &error {
        Error::Parse(error) => error.span(),
        Error::Translate(error) => error.span(),
        _ => return format!("expression too large: `{expression}`"),
    };
    let (from, to) = (span.start.offset, span.end.offset);
    let here = expression.get(from..to).unwrap_or_default();
    let onwards = expression.get(from..).unwrap_or_default();
    let group = expression.get(..from).and_then(|before| before.rfind("(?")).unwrap_or(from);
    let Error::Parse(error) = &error else { return format!("invalid character class range: `{here}`") };
    let (what, part) = match error.kind() {
        Wrong::GroupUnclosed => ("missing closing )", expression),
        Wrong::GroupUnopened => ("unexpected )", expression),
        Wrong::ClassUnclosed => ("missing closing ]", onwards),
        Wrong::ClassRangeInvalid | Wrong::ClassEscapeInvalid | Wrong::UnicodeClassInvalid => {
            ("invalid character class range", here)
        }
        Wrong::RepetitionMissing => ("missing argument to repetition operator", onwards.get(..1).unwrap_or(onwards)),
        Wrong::RepetitionCountInvalid | Wrong::DecimalInvalid => ("invalid repeat count", here),
        Wrong::EscapeUnexpectedEof => return "trailing backslash at end of expression: ``".to_owned(),
        Wrong::EscapeUnrecognized | Wrong::UnsupportedBackreference | Wrong::EscapeHexInvalid => {
            ("invalid escape sequence", here)
        }
        Wrong::GroupNameDuplicate { .. } => ("duplicate capture group name", here),
        Wrong::GroupNameInvalid | Wrong::GroupNameEmpty | Wrong::GroupNameUnexpectedEof => {
            ("invalid named capture", expression.get(group..).unwrap_or(here))
        }
        Wrong::UnsupportedLookAround | Wrong::FlagUnrecognized => {
            ("invalid or unsupported Perl syntax", expression.get(group..to).unwrap_or(here))
        }
        _ => ("invalid or unsupported Perl syntax", expression),
    };
    format!("{what}: `{part}`")
}
