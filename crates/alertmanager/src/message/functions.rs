//! Template functions that Alertmanager adds to Go's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use gotemplate::{
    Functions, Value, ValueError, humanize,
    time::{DURATION, Duration, TIME, Time},
    types::{Method, Type},
};
use regex::Regex;

const ANY: std::ops::RangeInclusive<usize> = 0..=usize::MAX;

/// Signatures of the functions.
static SIGNATURES: [Method; 25] = [
    Method::new("toUpper", &[Type::Str], Type::Str),
    Method::new("toLower", &[Type::Str], Type::Str),
    Method::new("trimSpace", &[Type::Str], Type::Str),
    Method::new("title", &[Type::Str], Type::Str),
    Method::new("safeHtml", &[Type::Str], Type::Str),
    Method::new("safeUrl", &[Type::Str], Type::Str),
    Method::new("urlUnescape", &[Type::Str], Type::Str),
    Method::new("base64encode", &[Type::Str], Type::Str),
    Method::new("base64decode", &[Type::Str], Type::Str),
    Method::new("toJson", &[Type::Any], Type::Str),
    Method::new("match", &[Type::Str, Type::Str], Type::Bool),
    Method::new("reReplaceAll", &[Type::Str, Type::Str, Type::Str], Type::Str),
    Method::with_more("stringSlice", &[], Type::Str, Type::List(&Type::Str)),
    Method::with_more("list", &[], Type::Any, Type::List(&Type::Any)),
    Method::with_more("append", &[Type::List(&Type::Any)], Type::Any, Type::List(&Type::Any)),
    Method::with_more("dict", &[], Type::Any, Type::Map(&Type::Any)),
    Method::new("join", &[Type::Str, Type::List(&Type::Any)], Type::Str),
    Method::new("date", &[Type::Str, Type::Named(&TIME)], Type::Str),
    Method::new("tz", &[Type::Str, Type::Named(&TIME)], Type::Named(&TIME)),
    Method::new("toDate", &[Type::Str, Type::Str], Type::Named(&TIME)),
    Method::new("mustToDate", &[Type::Str, Type::Str], Type::Named(&TIME)),
    Method::new("now", &[], Type::Named(&TIME)),
    Method::new("since", &[Type::Named(&TIME)], Type::Named(&DURATION)),
    // Accepts durations, numbers and text that parses as one.
    Method::new("humanizeDuration", &[Type::Any], Type::Str),
    Method::new("routeLabels", &[Type::Str], Type::Str),
];

/// All functions. Here `now` is 1970 and routes have no labels; [`at`] replaces those functions.
pub(super) fn functions() -> Functions<'static> {
    let table = of_texts(Functions::new().signed(&SIGNATURES));
    let table = of_lists(table);
    of_times(table).with("now", 0..=0, |_| Ok(Time::value(0))).with("since", 1..=1, |_| Ok(Duration::value(0.0))).with(
        "routeLabels",
        1..=1,
        |_| Ok("".into()),
    )
}

/// The functions that depend on the time and on the labels of the route.
pub(super) fn at<'a>(
    at_ms: i64,
    route_label: impl Fn(&str) -> Result<String, String> + Send + Sync + 'a,
    below: &'a Functions<'a>,
) -> Functions<'a> {
    Functions::over(below)
        .with("routeLabels", 1..=1, move |arguments| Ok(route_label(text(arguments, 0)?)?.into()))
        .with("now", 0..=0, move |_| Ok(Time::value(at_ms)))
        .with("since", 1..=1, move |arguments| Ok(Duration::between(Time::unix_ms_of(argument(arguments, 0))?, at_ms)))
}

fn of_texts(table: Functions<'static>) -> Functions<'static> {
    table
        .with("toUpper", 1..=1, |arguments| Ok(text(arguments, 0)?.to_uppercase().into()))
        .with("toLower", 1..=1, |arguments| Ok(text(arguments, 0)?.to_lowercase().into()))
        .with("trimSpace", 1..=1, |arguments| Ok(text(arguments, 0)?.trim().into()))
        .with("title", 1..=1, |arguments| Ok(title(text(arguments, 0)?).into()))
        .with("safeHtml", 1..=1, |arguments| Ok(Value::Html(text(arguments, 0)?.into())))
        .with("safeUrl", 1..=1, |arguments| Ok(Value::Html(text(arguments, 0)?.into())))
        .with("urlUnescape", 1..=1, |arguments| {
            let plus = text(arguments, 0)?.replace('+', " ");
            let plain = percent_encoding::percent_decode_str(&plus).decode_utf8();
            Ok(plain.map_err(|_| "invalid URL escape: it is no UTF-8")?.into_owned().into())
        })
        .with("base64encode", 1..=1, |arguments| Ok(URL_SAFE.encode(text(arguments, 0)?).into()))
        .with("base64decode", 1..=1, |arguments| {
            let bytes =
                URL_SAFE.decode(text(arguments, 0)?).map_err(|error| format!("illegal base64 data: {error}"))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned().into())
        })
        .with("toJson", 1..=1, |arguments| Ok(json(argument(arguments, 0)).to_string().into()))
        .with("match", 2..=2, |arguments| Ok(regex(text(arguments, 0)?)?.is_match(text(arguments, 1)?).into()))
        .with("reReplaceAll", 3..=3, |arguments| {
            let replaced =
                regex(text(arguments, 0)?)?.replace_all(text(arguments, 2)?, text(arguments, 1)?).into_owned();
            Ok(replaced.into())
        })
}

fn of_lists(table: Functions<'static>) -> Functions<'static> {
    table
        .with("stringSlice", ANY, |arguments| Ok(Value::list(arguments.iter().cloned())))
        .with("list", ANY, |arguments| Ok(Value::list(arguments.iter().cloned())))
        .with("append", 1..=usize::MAX, |arguments| match arguments {
            [list, more @ ..] => match list.plain() {
                Value::List(items) => Ok(Value::list(items.iter().chain(more).cloned())),
                _ => Err(ValueError::wrong_type("[]interface {}", list.type_name())),
            },
            [] => Ok(Value::Nil),
        })
        .with("dict", ANY, |arguments| {
            if arguments.len() % 2 != 0 {
                return Err("dict requires an even number of arguments".into());
            }
            let mut entries = Vec::with_capacity(arguments.len() / 2);
            for pair in arguments.chunks_exact(2) {
                let [name, value] = pair else { continue };
                let name = name.as_str().map_err(|_| "dict keys must be strings")?;
                entries.push((name.to_owned(), value.clone()));
            }
            Ok(Value::map(entries))
        })
        .with("join", 2..=2, |arguments| {
            let separator = text(arguments, 0)?;
            let list = argument(arguments, 1);
            let Value::List(parts) = list.plain() else {
                return Err(ValueError::wrong_type("[]string", list.type_name()));
            };
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            Ok(parts.join(separator).into())
        })
}

fn of_times(table: Functions<'static>) -> Functions<'static> {
    table
        .with("date", 2..=2, |arguments| {
            let (layout, time) = (text(arguments, 0)?, argument(arguments, 1));
            match time {
                Value::Object(object) if object.type_name() == "time.Time" => {
                    object.member("Format", &[layout.into()]).unwrap_or(Ok(Value::Nil))
                }
                other => Err(ValueError::wrong_type("time.Time", other.type_name())),
            }
        })
        .with("tz", 2..=2, |arguments| Time::moved(argument(arguments, 1), text(arguments, 0)?))
        .with("toDate", 2..=2, |arguments| {
            // As in Alertmanager: an invalid time is Go's zero time.
            Ok(Time::parse(text(arguments, 0)?, text(arguments, 1)?).unwrap_or_else(|_| Time::zero()))
        })
        .with("mustToDate", 2..=2, |arguments| Time::parse(text(arguments, 0)?, text(arguments, 1)?))
        .with("humanizeDuration", 1..=1, |arguments| {
            let value = argument(arguments, 0);
            let secs = match (Duration::secs_of(value), value) {
                (Some(secs), _) => secs,
                (None, Value::Str(text)) => {
                    text.trim().parse().map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))?
                }
                (None, value) => value.as_float()?,
            };
            Ok(humanize::duration(secs).into())
        })
}

/// Go's format of times in JSON.
const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// A value as JSON; types without a JSON form become text.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Str(text) | Value::Html(text) => (**text).into(),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Map(map) => map.entries.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
        Value::Object(object) => match (object.fields(), object.underlying()) {
            (Some(fields), _) => fields.iter().map(|(name, value)| (field_name(name), json(value))).collect(),
            (None, Value::Nil) => match object.member("Format", &[RFC3339_NANO.into()]) {
                Some(Ok(text)) => json(&text),
                _ => object.text().unwrap_or_default().into(),
            },
            (None, plain) => json(&plain),
        },
    }
}

/// The JSON name of a field, as Alertmanager writes it.
fn field_name(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

fn argument(arguments: &[Value], at: usize) -> &Value {
    arguments.get(at).unwrap_or(&Value::Nil)
}

fn text(arguments: &[Value], at: usize) -> Result<&str, ValueError> {
    argument(arguments, at).as_str()
}

fn regex(text: &str) -> Result<Regex, ValueError> {
    labels::go_regex::compile(text).map_err(|_| ValueError::Failed(format!("{text:?} is not a regular expression")))
}

/// Capitalizes the first letter of each word and lowers the rest. An underscore, and a point, colon or apostrophe
/// between letters, does not end a word (Unicode's word boundaries, as in Go's `cases.Title`).
fn title(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let mut has_begun = false;
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_within = |character, next: Option<&char>| {
            matches!(character, '.' | ':' | '\'' | '\u{2019}' | '\u{b7}')
                && before.is_alphabetic()
                && next.is_some_and(|next| next.is_alphabetic())
        };
        if character.is_alphabetic() {
            match has_begun {
                true => output.extend(character.to_lowercase()),
                false => output.extend(character.to_uppercase()),
            }
            has_begun = true;
        } else {
            output.push(character);
            has_begun &= character.is_numeric() || character == '_' || is_within(character, characters.peek());
        }
        before = character;
    }
    output
}
