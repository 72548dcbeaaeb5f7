//! The UTF-8 syntax of matchers since Alertmanager 0.27: names and values are quoted, or words without reserved
//! characters.

use gotemplate::unquote;
use model::label::{is_label_name, is_reserved_in_matcher};

use super::{Gathered, Matcher, Operator, WrongMatcher};

/// Parses matchers separated by commas, with or without braces.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, WrongMatcher> {
    let mut scanner = Scanner { whole: text.trim(), rest: text.trim() };
    let has_brace = scanner.take('{');
    let mut matchers = Gathered::default();
    loop {
        if has_brace && scanner.take('}') {
            return if scanner.rest.is_empty() { Ok(matchers.finish()) } else { Err(scanner.form()) };
        }
        if !has_brace && scanner.rest.is_empty() {
            return Ok(matchers.finish());
        }
        let name = scanner.word()?;
        let (operator, rest) = Operator::strip(scanner.rest).ok_or_else(|| scanner.form())?;
        scanner.advance(rest);
        let value = scanner.word()?;
        if !is_label_name(&name) {
            return Err(WrongMatcher::Name(name));
        }
        matchers.push(Matcher::new(name, operator, value)?)?;
        let is_last = scanner.rest.is_empty() || scanner.rest.starts_with('}');
        if !is_last && !scanner.take(',') {
            return Err(scanner.form());
        }
    }
}

struct Scanner<'a> {
    whole: &'a str,
    /// Text still to parse; does not start with a space.
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn form(&self) -> WrongMatcher {
        WrongMatcher::Form(self.whole.to_owned())
    }

    fn advance(&mut self, rest: &'a str) {
        self.rest = rest.trim_start();
    }

    fn take(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.advance(rest);
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Result<String, WrongMatcher> {
        let rest = self.rest;
        if rest.starts_with('"') {
            let end = closing_quote(rest).ok_or_else(|| WrongMatcher::Quote(rest.to_owned()))?;
            let (written, after) = rest.split_at(end);
            self.advance(after);
            return unquote(written).ok_or_else(|| WrongMatcher::Quote(written.to_owned()));
        }
        let end = rest.find(is_reserved_in_matcher).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.form());
        }
        let (word, after) = rest.split_at(end);
        self.advance(after);
        Ok(word.to_owned())
    }
}

/// Length of the quoted text at the start of `text`, with both quotes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
