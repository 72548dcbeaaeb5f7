//! Quotes texts and characters like Go's `strconv.Quote`.

use std::fmt::Write;

/// A text in double quotes.
pub(super) fn text(text: &str) -> String {
    format!("\"{}\"", text.chars().map(|c| escaped(c, '"')).collect::<String>())
}

/// A character in single quotes; the end of the text is the replacement character.
pub(super) fn character(c: Option<char>) -> String {
    format!("'{}'", escaped(c.unwrap_or(char::REPLACEMENT_CHARACTER), '\''))
}

/// The code of a character, and the character itself if it is printable: `U+0071 'q'`.
pub(super) fn code_point(c: char) -> String {
    let number = u32::from(c);
    if c.is_control() { format!("U+{number:04X}") } else { format!("U+{number:04X} '{c}'") }
}

fn escaped(c: char, quote: char) -> String {
    match c {
        '\\' => "\\\\".to_owned(),
        c if c == quote => format!("\\{c}"),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        c if c.is_control() || c == '\u{feff}' || (c.is_whitespace() && c != ' ') => {
            let number = u32::from(c);
            let mut text = String::new();
            // Writing to a string does not fail.
            let _ = match number {
                0..=0x7f => write!(text, "\\x{number:02x}"),
                _ => write!(text, "\\u{number:04x}"),
            };
            text
        }
        c => c.to_string(),
    }
}
