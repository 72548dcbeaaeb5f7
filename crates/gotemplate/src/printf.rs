//! Go's `fmt.Sprintf`, for the verbs that apply to our values.

use std::fmt::Write;

use crate::value::Value;

/// Maximum width and precision, so that a template cannot create a gigabyte of spaces.
const MAX_WIDTH: usize = 10_000;

/// A number as `%v` prints it: the fewest digits, with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn float_v(value: f64) -> String {
    general(value, None, false)
}

#[derive(Default)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Formats like Go: an argument of a wrong type is printed as `%!verb(type=value)`, a missing one as `%!verb(MISSING)`.
#[must_use]
pub fn sprintf(format: &str, arguments: &[Value]) -> String {
    let mut output = String::with_capacity(format.len());
    let mut given = arguments.iter();
    let mut characters = format.chars().peekable();
    while let Some(next) = characters.next() {
        if next != '%' {
            output.push(next);
            continue;
        }
        let mut flags = Flags::default();
        loop {
            match characters.peek() {
                Some('-') => flags.minus = true,
                Some('+') => flags.plus = true,
                Some('#') => flags.sharp = true,
                Some(' ') => flags.space = true,
                Some('0') => flags.zero = true,
                _ => break,
            }
            characters.next();
        }
        let mut count = |characters: &mut std::iter::Peekable<std::str::Chars>| {
            if characters.next_if_eq(&'*').is_some() {
                return match given.next() {
                    Some(Value::Int(width)) => usize::try_from(*width).ok(),
                    _ => None,
                };
            }
            let mut number = None;
            while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10)) {
                characters.next();
                let digit = usize::try_from(digit).unwrap_or(0);
                number = Some((number.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit)).min(MAX_WIDTH));
            }
            number
        };
        flags.width = count(&mut characters).unwrap_or(0).min(MAX_WIDTH);
        if characters.next_if_eq(&'.').is_some() {
            flags.precision = Some(count(&mut characters).unwrap_or(0).min(MAX_WIDTH));
        }
        match characters.next() {
            None => output.push_str("%!(NOVERB)"),
            Some('%') => output.push('%'),
            Some(verb) => match given.next() {
                Some(value) => verb_of(&mut output, verb, &flags, value),
                None => {
                    let _ = write!(output, "%!{verb}(MISSING)");
                }
            },
        }
    }
    let extra: Vec<String> = given.map(|value| format!("{}={value}", value.type_name())).collect();
    if !extra.is_empty() {
        let _ = write!(output, "%!(EXTRA {})", extra.join(", "));
    }
    output
}

fn verb_of(output: &mut String, verb: char, flags: &Flags, value: &Value) {
    let plain = if matches!(verb, 'T') { value.clone() } else { printable(value, verb) };
    let text = match (verb, &plain) {
        ('T', value) => value.type_name().to_owned(),
        ('t', Value::Bool(value)) => value.to_string(),
        ('d', Value::Int(value)) => signed(value.to_string(), flags),
        ('x', Value::Int(value)) => format!("{value:x}"),
        ('X', Value::Int(value)) => format!("{value:X}"),
        ('o', Value::Int(value)) => format!("{value:o}"),
        ('b', Value::Int(value)) => format!("{value:b}"),
        ('c', Value::Int(value)) => {
            u32::try_from(*value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
        }
        ('f' | 'F', Value::Float(value)) => signed(fixed(*value, flags.precision.unwrap_or(6)), flags),
        ('e' | 'E', Value::Float(value)) => {
            let text = exponential(*value, flags.precision.or(Some(6)));
            signed(if verb == 'E' { text.to_uppercase() } else { text }, flags)
        }
        ('g' | 'v', Value::Float(value)) => signed(general(*value, flags.precision, flags.sharp), flags),
        ('G', Value::Float(value)) => signed(general(*value, flags.precision, false).to_uppercase(), flags),
        ('q', Value::Str(text) | Value::Html(text)) => format!("{text:?}"),
        ('x', Value::Str(text) | Value::Html(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('X', Value::Str(text) | Value::Html(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ('v', Value::Str(text)) if flags.sharp => format!("{text:?}"),
        ('s' | 'v', Value::Str(text) | Value::Html(text)) => match flags.precision {
            Some(length) => text.chars().take(length).collect(),
            None => text.to_string(),
        },
        ('d' | 's' | 'q' | 'f' | 'g' | 'e' | 'x' | 't', Value::List(values)) => {
            let mut inner = String::from("[");
            for (index, value) in values.iter().enumerate() {
                inner.push_str(if index == 0 { "" } else { " " });
                verb_of(&mut inner, verb, &Flags { precision: flags.precision, ..Flags::default() }, value);
            }
            inner + "]"
        }
        ('v', Value::Int(value)) => signed(value.to_string(), flags),
        ('v', value) | ('s', value @ Value::Map(_)) => value.to_string(),
        ('s', Value::Nil) => "%!s(<nil>)".to_owned(),
        (verb, Value::Nil) => format!("%!{verb}(<nil>)"),
        (verb, value) => format!("%!{verb}({}={value})", value.type_name()),
    };
    pad(output, &text, verb, flags, &plain);
}

/// For verbs that print text: the value's own text if it has one, otherwise its underlying value.
fn printable(value: &Value, verb: char) -> Value {
    match value {
        Value::Object(object) => match (object.text(), object.underlying()) {
            (Some(_), number @ Value::Int(_)) if !matches!(verb, 's' | 'q' | 'v' | 'x' | 'X') => number,
            (Some(text), _) => Value::from(text),
            (None, _) => value.plain(),
        },
        other => other.clone(),
    }
}

fn signed(text: String, flags: &Flags) -> String {
    if text.starts_with(['-', '+']) {
        text
    } else if flags.plus {
        format!("+{text}")
    } else if flags.space {
        format!(" {text}")
    } else {
        text
    }
}

fn pad(output: &mut String, text: &str, verb: char, flags: &Flags, value: &Value) {
    let missing = flags.width.saturating_sub(text.chars().count());
    let is_number = matches!(value, Value::Int(_)) || matches!(value, Value::Float(value) if value.is_finite());
    if flags.minus {
        output.push_str(text);
        output.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && (is_number || verb == 's') {
        let (sign, digits) = text.split_at(usize::from(is_number && text.starts_with(['-', '+'])));
        output.push_str(sign);
        output.extend(std::iter::repeat_n('0', missing));
        output.push_str(digits);
    } else {
        output.extend(std::iter::repeat_n(' ', missing));
        output.push_str(text);
    }
}

/// NaN and infinities in Go's notation.
fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

fn fixed(value: f64, precision: usize) -> String {
    special(value).unwrap_or_else(|| format!("{value:.precision$}"))
}

/// With an exponent of at least two digits.
fn exponential(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// `%g`: with an exponent below -4 or from the precision on, which is 6 by default.
fn general(value: f64, precision: Option<usize>, keep_zeros: bool) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let digits = precision.map(|precision| precision.max(1));
    let scientific = match digits {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let significant = mantissa.chars().filter(char::is_ascii_digit).count();
    let threshold = match digits {
        Some(digits) => i64::try_from(digits).unwrap_or(i64::MAX),
        None => 6,
    };
    let trimmed = |text: &str| match text.contains('.') && !keep_zeros {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= threshold {
        let (sign, magnitude) = if exponent < 0 { ('-', -exponent) } else { ('+', exponent) };
        return format!("{}e{sign}{magnitude:0>2}", trimmed(mantissa));
    }
    match digits {
        None => format!("{value}"),
        Some(_) => {
            let places = usize::try_from(i64::try_from(significant).unwrap_or(1) - 1 - exponent).unwrap_or(0);
            trimmed(&format!("{value:.places$}"))
        }
    }
}
