//! The classic syntax of matchers: names of letters, digits, `_` and `:`; values with or without quotes.

use super::{Gathered, Matcher, Operator, WrongMatcher};

/// Parses matchers separated by commas, with or without braces.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, WrongMatcher> {
    let text = text.trim();
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let mut matchers = Gathered::default();
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            ',' if !is_quoted => {
                matchers.push(one(text.get(start..at).unwrap_or_default())?)?;
                start = at + 1;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    let last = text.get(start..).unwrap_or_default();
    if !last.trim().is_empty() {
        matchers.push(one(last)?)?;
    }
    Ok(matchers.finish())
}

fn one(text: &str) -> Result<Matcher, WrongMatcher> {
    let form = || WrongMatcher::Form(text.trim().to_owned());
    let trimmed = text.trim();
    let end = trimmed
        .find(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)))
        .ok_or_else(form)?;
    let (name, rest) = trimmed.split_at(end);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(form());
    }
    let (operator, value) = Operator::strip(rest.trim_start()).ok_or_else(form)?;
    Matcher::new(name, operator, unquoted(value.trim())?)
}

/// The value of a matcher without its optional quotes.
fn unquoted(text: &str) -> Result<String, WrongMatcher> {
    let wrong = || WrongMatcher::Quote(text.to_owned());
    let (inner, is_quoted) = match text.strip_prefix('"') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    let mut is_closed = false;
    while let Some(character) = characters.next() {
        if is_closed {
            return Err(wrong());
        }
        match character {
            '\\' => match characters.next() {
                Some('n') => value.push('\n'),
                Some(escaped @ ('"' | '\\')) => value.push(escaped),
                // Not an escape: the backslash stays.
                other => {
                    value.push('\\');
                    value.extend(other);
                }
            },
            '"' if is_quoted => is_closed = true,
            '"' => return Err(wrong()),
            other => value.push(other),
        }
    }
    if is_quoted == is_closed { Ok(value) } else { Err(wrong()) }
}
