//! Prometheus' template functions.

use std::{net::IpAddr, sync::OnceLock};

use gotemplate::{
    Functions, Record, Value, ValueError, humanize,
    time::{DURATION, Duration, TIME, Time},
    types::{Method, Named, Type},
};
use promql::InstantSample;
use regex::Regex;
use timeseries::Sample;

use crate::{error::RuleError, file::RuleDuration, link};

/// Type of a sample in the result of `query`, for the check of templates.
static SAMPLE: Named = Named {
    name: "*template.sample",
    fields: &[("Labels", Type::Map(&Type::Str)), ("Value", Type::Float)],
    methods: &[],
    underlying: None,
};

/// Signatures of the functions. Functions of numbers also accept text that parses as a number.
static SIGNATURES: [Method; 29] = [
    Method::new("query", &[Type::Str], Type::List(&Type::Named(&SAMPLE))),
    Method::new("first", &[Type::List(&Type::Named(&SAMPLE))], Type::Named(&SAMPLE)),
    Method::new("label", &[Type::Str, Type::Named(&SAMPLE)], Type::Str),
    Method::new("value", &[Type::Named(&SAMPLE)], Type::Float),
    Method::new("strvalue", &[Type::Named(&SAMPLE)], Type::Str),
    Method::new("sortByLabel", &[Type::Str, Type::List(&Type::Named(&SAMPLE))], Type::List(&Type::Named(&SAMPLE))),
    Method::with_more("args", &[], Type::Any, Type::Map(&Type::Any)),
    Method::new("externalURL", &[], Type::Str),
    Method::new("pathPrefix", &[], Type::Str),
    Method::new("now", &[], Type::Float),
    Method::new("humanize", &[Type::Any], Type::Str),
    Method::new("humanize1024", &[Type::Any], Type::Str),
    Method::new("humanizeDuration", &[Type::Any], Type::Str),
    Method::new("humanizePercentage", &[Type::Any], Type::Str),
    Method::new("humanizeTimestamp", &[Type::Any], Type::Str),
    Method::new("toTime", &[Type::Any], Type::Named(&TIME)),
    Method::new("toDuration", &[Type::Any], Type::Named(&DURATION)),
    Method::new("parseDuration", &[Type::Str], Type::Float),
    Method::new("title", &[Type::Str], Type::Str),
    Method::new("toUpper", &[Type::Str], Type::Str),
    Method::new("toLower", &[Type::Str], Type::Str),
    Method::new("match", &[Type::Str, Type::Str], Type::Bool),
    Method::new("reReplaceAll", &[Type::Str, Type::Str, Type::Str], Type::Str),
    Method::new("safeHtml", &[Type::Str], Type::Str),
    Method::new("graphLink", &[Type::Str], Type::Str),
    Method::new("tableLink", &[Type::Str], Type::Str),
    Method::new("urlQueryEscape", &[Type::Str], Type::Str),
    Method::new("stripPort", &[Type::Str], Type::Str),
    Method::new("stripDomain", &[Type::Str], Type::Str),
];

/// The data of an evaluation that some functions need.
pub(crate) struct Scope<'a> {
    /// Evaluates `query`.
    pub(crate) query: &'a (dyn Fn(&str) -> Result<Vec<InstantSample>, RuleError> + Send + Sync),
    /// External URL; empty if it is unknown.
    pub(crate) external_url: &'a str,
    /// The evaluation time, in milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
}

impl Scope<'_> {
    /// All functions.
    pub(crate) fn functions(&self) -> Functions<'_> {
        Functions::over(fixed())
            .with("query", 1..=1, |arguments| {
                let samples = (self.query)(text(arguments, 0)?).map_err(|error| error.to_string())?;
                Ok(Value::list(samples.iter().map(sample)))
            })
            .with("externalURL", 0..=0, |_| Ok(self.external_url.into()))
            .with("pathPrefix", 0..=0, |_| Ok(link::path(self.external_url).into()))
            // Evaluation times are far below 2^53 milliseconds.
            .with("now", 0..=0, |_| Ok(Value::Float(seconds(self.at_ms))))
    }
}

/// All functions by name, for parsing.
pub(crate) fn all_names() -> &'static Functions<'static> {
    static NAMES: OnceLock<Functions<'static>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let nothing = |_: &[Value]| Ok(Value::Nil);
        Functions::over(fixed())
            .with("query", 1..=1, nothing)
            .with("externalURL", 0..=0, nothing)
            .with("pathPrefix", 0..=0, nothing)
            .with("now", 0..=0, nothing)
    })
}

#[allow(clippy::cast_precision_loss)] // times of this era in milliseconds are exact in a double
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// A sample in the result of `query`.
fn sample(sample: &InstantSample) -> Value {
    let value = match &sample.sample {
        Sample::Float(value) => *value,
        Sample::Histogram(_) => 0.0,
    };
    Record::value(SAMPLE.name, [("Labels", Value::strings(sample.labels.iter())), ("Value", Value::Float(value))])
}

/// The functions that depend on their arguments only.
fn fixed() -> &'static Functions<'static> {
    static FIXED: OnceLock<Functions<'static>> = OnceLock::new();
    FIXED.get_or_init(|| {
        let table = of_samples(Functions::new().signed(&SIGNATURES));
        let table = of_numbers(table);
        of_texts(table)
    })
}

fn of_samples(table: Functions<'static>) -> Functions<'static> {
    table
        .with("first", 1..=1, |arguments| match arguments {
            [Value::List(samples)] => {
                samples.first().cloned().ok_or_else(|| "first() called on vector with no elements".into())
            }
            _ => Err(wrong("template.queryResult", arguments, 0)),
        })
        .with("label", 2..=2, |arguments| {
            let name = text(arguments, 0)?;
            label(argument(arguments, 1), name)
        })
        .with("value", 1..=1, |arguments| member(argument(arguments, 0), "Value"))
        .with("strvalue", 1..=1, |arguments| label(argument(arguments, 0), "__value__"))
        .with("sortByLabel", 2..=2, |arguments| {
            let name = text(arguments, 0)?;
            let Value::List(samples) = argument(arguments, 1) else {
                return Err(wrong("template.queryResult", arguments, 1));
            };
            let mut keyed = Vec::with_capacity(samples.len());
            for sample in samples.iter() {
                keyed.push((label(sample, name)?.to_string(), sample.clone()));
            }
            keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
            Ok(Value::list(keyed.into_iter().map(|(_, sample)| sample)))
        })
        .with("args", 0..=usize::MAX, |arguments| {
            let named = arguments.iter().enumerate().map(|(index, value)| (format!("arg{index}"), value.clone()));
            Ok(Value::map(named))
        })
}

fn of_numbers(table: Functions<'static>) -> Functions<'static> {
    table
        .with("humanize", 1..=1, |arguments| Ok(humanize::metric(number(arguments)?).into()))
        .with("humanize1024", 1..=1, |arguments| Ok(humanize::binary(number(arguments)?).into()))
        .with("humanizeDuration", 1..=1, |arguments| Ok(humanize::duration(number(arguments)?).into()))
        .with("humanizePercentage", 1..=1, |arguments| Ok(humanize::percentage(number(arguments)?).into()))
        .with("humanizeTimestamp", 1..=1, |arguments| {
            let value = number(arguments)?;
            Ok(match time(value) {
                Ok(time) => time.to_string().into(),
                Err(_) if !value.is_finite() => humanize::metric(value).into(),
                Err(error) => return Err(error),
            })
        })
        .with("toTime", 1..=1, |arguments| time(number(arguments)?))
        .with("toDuration", 1..=1, |arguments| Ok(Duration::value(number(arguments)?)))
        .with("parseDuration", 1..=1, |arguments| {
            let given = text(arguments, 0)?;
            let span: RuleDuration = given.parse().map_err(|_| format!("not a valid duration string: {given:?}"))?;
            Ok(Value::Float(seconds(span.ms)))
        })
}

fn of_texts(table: Functions<'static>) -> Functions<'static> {
    table
        .with("title", 1..=1, |arguments| Ok(title(text(arguments, 0)?).into()))
        .with("toUpper", 1..=1, |arguments| Ok(text(arguments, 0)?.to_uppercase().into()))
        .with("toLower", 1..=1, |arguments| Ok(text(arguments, 0)?.to_lowercase().into()))
        .with("match", 2..=2, |arguments| Ok(Value::Bool(pattern(text(arguments, 0)?)?.is_match(text(arguments, 1)?))))
        .with("reReplaceAll", 3..=3, |arguments| {
            let pattern = pattern(text(arguments, 0)?)?;
            Ok(pattern.replace_all(text(arguments, 2)?, text(arguments, 1)?).into_owned().into())
        })
        .with("safeHtml", 1..=1, |arguments| Ok(Value::Html(text(arguments, 0)?.into())))
        .with("graphLink", 1..=1, |arguments| Ok(link::graph(text(arguments, 0)?).into()))
        .with("tableLink", 1..=1, |arguments| Ok(link::table(text(arguments, 0)?).into()))
        .with("urlQueryEscape", 1..=1, |arguments| Ok(link::escape(text(arguments, 0)?).into()))
        .with("stripPort", 1..=1, |arguments| {
            let given = text(arguments, 0)?;
            Ok(split_port(given).map_or(given, |(host, _)| host).into())
        })
        .with("stripDomain", 1..=1, |arguments| Ok(strip_domain(text(arguments, 0)?).into()))
}

fn argument(arguments: &[Value], index: usize) -> &Value {
    arguments.get(index).unwrap_or(&Value::Nil)
}

fn wrong(expected: &str, arguments: &[Value], index: usize) -> ValueError {
    ValueError::wrong_type(expected, argument(arguments, index).type_name())
}

fn text(arguments: &[Value], index: usize) -> Result<&str, ValueError> {
    argument(arguments, index).as_str()
}

/// A number, or text that parses as one.
fn number(arguments: &[Value]) -> Result<f64, ValueError> {
    match argument(arguments, 0) {
        Value::Str(text) => {
            text.trim().parse().map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax").into())
        }
        value => match Duration::secs_of(value) {
            Some(secs) => Ok(secs),
            None => value.as_float().map_err(|_| format!("can't convert {} to float", value.type_name()).into()),
        },
    }
}

fn member(sample: &Value, name: &str) -> Result<Value, ValueError> {
    match sample {
        Value::Object(object) => {
            object.member(name, &[]).unwrap_or_else(|| Err(format!("{} has no {name}", object.type_name()).into()))
        }
        other => Err(ValueError::wrong_type(SAMPLE.name, other.type_name())),
    }
}

fn label(sample: &Value, name: &str) -> Result<Value, ValueError> {
    match member(sample, "Labels")? {
        Value::Map(labels) => Ok(labels.entries.get(name).cloned().unwrap_or_else(|| "".into())),
        _ => Err("the value has no labels".into()),
    }
}

fn pattern(text: &str) -> Result<Regex, ValueError> {
    labels::go_regex::compile(text).map_err(|error| format!("error parsing regexp: {error}").into())
}

/// Seconds since the Unix epoch as a time, in milliseconds precision.
fn time(seconds: f64) -> Result<Value, ValueError> {
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".into());
    }
    let ms = (seconds * 1000.0).trunc();
    if ms.abs() > 9.2e12 {
        return Err(
            format!("{seconds} cannot be represented as a nanoseconds timestamp since it overflows int64").into()
        );
    }
    #[allow(clippy::cast_possible_truncation)] // just checked
    Ok(Time::value(ms as i64))
}

/// Capitalizes the first letter of each word.
fn title(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let mut starts = true;
    for character in text.chars() {
        if starts {
            output.extend(character.to_uppercase());
        } else {
            output.push(character);
        }
        starts = if character.is_ascii() {
            !(character.is_ascii_alphanumeric() || character == '_')
        } else {
            character.is_whitespace()
        };
    }
    output
}

/// Host and port of `host:port` or `[host]:port`.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').map(|host| (host, port));
    }
    (!host.contains(':') && !host.contains(['[', ']'])).then_some((host, port))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    if port.is_empty() { first.to_owned() } else { format!("{first}:{port}") }
}
