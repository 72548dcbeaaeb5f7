//! Parses one line from left to right.

use std::borrow::Cow;

use crate::error::{ParseError, Problem};

/// Maximum length of the excerpt in an error, in characters.
const EXCERPT: usize = 30;

/// A position in a line. A copy remembers a position for a later error.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'page> {
    line: &'page str,
    position: usize,
    number: usize,
}

impl<'page> Cursor<'page> {
    /// The start of line `number`, from 1.
    pub(crate) fn new(line: &'page str, number: usize) -> Self {
        Cursor { line, position: 0, number }
    }

    /// The rest of the line.
    pub(crate) fn rest(&self) -> &'page str {
        self.line.get(self.position..).unwrap_or_default()
    }

    /// The line from `start`, an earlier position, up to here.
    pub(crate) fn since(&self, start: Cursor<'page>) -> &'page str {
        self.line.get(start.position..self.position).unwrap_or_default()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.line.len()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.position).copied()
    }

    pub(crate) fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.position += 1;
        }
    }

    /// Skips this character if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    /// Skips this character, which must be next.
    pub(crate) fn require(&mut self, byte: u8, expected: &'static str) -> Result<(), ParseError> {
        if self.take(byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// Everything up to the next blank or the end.
    pub(crate) fn word(&mut self) -> &'page str {
        self.take_while(|byte| byte != b' ' && byte != b'\t')
    }

    /// A metric name: letters, digits, `_` and `:`, not starting with a digit. Empty if there is none.
    pub(crate) fn metric_name(&mut self) -> &'page str {
        self.name(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
    }

    /// A label name: letters, digits and `_`, not starting with a digit. Empty if there is none.
    pub(crate) fn label_name(&mut self) -> &'page str {
        self.name(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    fn name(&mut self, is_part: impl Fn(u8) -> bool) -> &'page str {
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) { "" } else { self.take_while(is_part) }
    }

    /// Parses a text in double quotes at the current position, with `\\`, `\"` and `\n` undone.
    pub(crate) fn quoted(&mut self) -> Result<Cow<'page, str>, ParseError> {
        let open = self.position;
        self.require(b'"', "a text in double quotes")?;
        let start = self.position;
        let bytes = self.line.as_bytes();
        let mut escaped = false;
        loop {
            match bytes.get(self.position) {
                None => return Err(self.error_at(open, Problem::OpenQuote)),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.position += 2;
                }
                Some(_) => self.position += 1,
            }
        }
        let text = self.line.get(start..self.position).unwrap_or_default();
        self.position += 1;
        Ok(if escaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) })
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'page str {
        let start = self.position;
        while self.peek().is_some_and(&is_part) {
            self.position += 1;
        }
        self.line.get(start..self.position).unwrap_or_default()
    }

    /// Something else was expected here.
    pub(crate) fn expected(&self, expected: &'static str) -> ParseError {
        self.error(Problem::Expected { expected, found: excerpt(self.rest()) })
    }

    /// Something is wrong here.
    pub(crate) fn error(&self, problem: Problem) -> ParseError {
        self.error_at(self.position, problem)
    }

    fn error_at(&self, position: usize, problem: Problem) -> ParseError {
        ParseError { line: self.number, column: position + 1, problem }
    }
}

/// Undoes `\\`, `\"` and `\n`; any other backslash stands for itself, as Prometheus has it.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some(escaped @ ('\\' | '"')) => plain.push(escaped),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

/// The start of a text, quoted, for an error.
fn excerpt(text: &str) -> String {
    if text.is_empty() {
        return "the end of the line".to_owned();
    }
    let start: String = text.chars().take(EXCERPT).collect();
    if start.len() < text.len() { format!("{start:?}...") } else { format!("{start:?}") }
}
