//! The functions that Alertmanager adds to Go's.

use gotemplate::{Functions, Value};
use regex::Regex;

pub(super) fn functions() -> Functions<'static> {
    const ANY: std::ops::RangeInclusive<usize> = 0..=usize::MAX;
    Functions::new()
        .with("toUpper", 1..=1, |arguments| Ok(text(arguments, 0)?.to_uppercase().into()))
        .with("toLower", 1..=1, |arguments| Ok(text(arguments, 0)?.to_lowercase().into()))
        .with("trimSpace", 1..=1, |arguments| Ok(text(arguments, 0)?.trim().into()))
        .with("title", 1..=1, |arguments| Ok(title(text(arguments, 0)?).into()))
        .with("safeHtml", 1..=1, |arguments| Ok(Value::Html(text(arguments, 0)?.into())))
        .with("stringSlice", ANY, |arguments| Ok(Value::list(arguments.iter().cloned())))
        .with("join", 2..=2, |arguments| {
            let separator = text(arguments, 0)?;
            let Some(Value::List(parts)) = arguments.get(1).map(Value::plain) else {
                return Err("wrong type for value; expected []string".to_owned());
            };
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            Ok(parts.join(separator).into())
        })
        .with("match", 2..=2, |arguments| Ok(regex(text(arguments, 0)?)?.is_match(text(arguments, 1)?).into()))
        .with("reReplaceAll", 3..=3, |arguments| {
            let replaced =
                regex(text(arguments, 0)?)?.replace_all(text(arguments, 2)?, text(arguments, 1)?).into_owned();
            Ok(replaced.into())
        })
}

fn text(arguments: &[Value], at: usize) -> Result<&str, String> {
    arguments.get(at).unwrap_or(&Value::Nil).as_str()
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|_| format!("{text:?} is not a regular expression"))
}

/// Every word with a capital letter.
fn title(text: &str) -> String {
    let mut starts = true;
    text.chars()
        .map(|character| {
            let capital = starts && character.is_lowercase();
            starts = !(character.is_alphanumeric() || character == '_' || character == '\'');
            if capital { character.to_uppercase().next().unwrap_or(character) } else { character }
        })
        .collect()
}
