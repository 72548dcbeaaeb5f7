//! Values of numbers, durations and strings in a query, and Go's errors about invalid ones.

use std::borrow::Cow;

use super::{
    quote,
    token::{Kind, Token},
};
use crate::syntax::length::parse_duration;

/// A number by the rules of Go's `ParseInt` (base 0), otherwise `ParseFloat`.
///
/// # Errors
///
/// It is invalid, or too large.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let wrong =
        |why: &str| Err(format!("error parsing number: strconv.ParseFloat: parsing {}: {why}", quote::text(text)));
    if text.ends_with('_') {
        return wrong("invalid syntax");
    }
    let plain = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).map_or_else(|_| wrong("invalid syntax"), |value| Ok(as_float(value)));
    }
    if let Some(value) = plain.strip_prefix('0').and_then(|digits| i64::from_str_radix(digits, 8).ok()) {
        return Ok(as_float(value));
    }
    match plain.parse::<f64>() {
        Ok(value) if value.is_infinite() && plain.starts_with(|c: char| c.is_ascii_digit()) => {
            wrong("value out of range")
        }
        Ok(value) if plain.len() == text.len() || plain.bytes().all(|byte| byte.is_ascii_digit()) => Ok(value),
        _ => wrong("invalid syntax"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "as Go converts it")]
fn as_float(value: i64) -> f64 {
    value as f64
}

/// The seconds of a number or a duration.
///
/// # Errors
///
/// It is invalid.
pub(crate) fn seconds(token: &Token) -> Result<f64, String> {
    if token.kind == Kind::Number {
        return number(token.text);
    }
    parse_duration(token.text).ok_or_else(|| format!("not a valid duration string: {}", quote::text(token.text)))
}

/// The value of a string. Invalid UTF-8 is spelt out after a marker, so that a name that contains it can be rejected.
pub(super) fn text(quoted: &str) -> String {
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if quoted.starts_with('`') || !inside.contains('\\') {
        return inside.to_owned();
    }
    text_of(&unquote(quoted).unwrap_or_default())
}

fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push(char::REPLACEMENT_CHARACTER);
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The bytes of a quoted string by Go's rules: `\x` and octal escapes are bytes, `\u` is a character. `None` if it is
/// malformed.
fn unquote(text: &str) -> Option<Vec<u8>> {
    let quote = text.chars().next()?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    if quote == '`' {
        return Some(inner.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.chars().next()?;
        let (digits, radix) = match escape {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (3, 8),
            _ => (0, 10),
        };
        if digits == 0 {
            bytes.push(simple_escape(escape)?);
            rest = rest.get(escape.len_utf8()..)?;
            continue;
        }
        let from = usize::from(radix == 16);
        let number = u32::from_str_radix(rest.get(from..from + digits)?, radix).ok()?;
        rest = rest.get(from + digits..)?;
        match escape {
            'u' | 'U' => {
                bytes.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => bytes.push(u8::try_from(number).ok()?),
        }
    }
    Some(bytes)
}

fn simple_escape(escape: char) -> Option<u8> {
    Some(match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '\'' | '"' => u8::try_from(escape).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_name_bytes_and_characters() {
        assert_eq!(unquote(r#""a\x41\102\u00e9\n""#).unwrap(), "aAB\u{e9}\n".as_bytes());
        assert_eq!(unquote(r#""\xc5z""#).unwrap(), [0xc5, b'z']);
        assert_eq!(unquote(r#""\q""#), None);
        assert_eq!(text(r"`\n`"), r"\n");
        assert_eq!(text(r#""\xc3\xa9\xff""#), "\u{e9}\u{fffd}\\xff");
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [("0x1F", 31.0), ("017", 15.0), ("08", 8.0), ("0", 0.0), ("1_000", 1000.0), (".5e1", 5.0)]
        {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        assert!(
            number("1_").is_err() && number("1_000.5").is_err() && number("1e999").is_err() && number("0x").is_err()
        );
    }
}
