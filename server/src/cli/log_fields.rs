//! Formats log events: one line per event, regardless of the values.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use tracing_subscriber::{
    field::MakeExt,
    fmt::{FormatFields, format},
};

/// Writes the message as it is, and the fields as `name=value`. Values from others (queries, names, paths, errors) may
/// contain line breaks and escape sequences; these are escaped, so that nobody can forge a line or move the terminal's
/// cursor.
pub(super) fn on_one_line() -> impl for<'writer> FormatFields<'writer> + 'static {
    format::debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", OneLine(&text)),
            name => write!(writer, "{name}={}", OneLine(&text)),
        }
    })
    .delimited(" ")
}

/// Escapes characters that break a line or move the cursor.
struct OneLine<'a>(&'a str);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        for character in self.0.chars() {
            if is_moving(character) {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Writes JSON lines to `inner`. The JSON formatter does not escape some control characters that JSON allows in
/// strings; they can only occur in strings, so this escapes them.
pub(super) struct PlainJson<W>(pub(super) W);

impl<W: Write> Write for PlainJson<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) if text.chars().any(is_hidden) => self.0.write_all(escaped(text).as_bytes())?,
            _ => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether a character is [moving](is_moving), except for the end of a line.
fn is_hidden(character: char) -> bool {
    character != '\n' && is_moving(character)
}

fn escaped(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if is_hidden(character) {
            // Writing to a string cannot fail; all of these fit in 16 bits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Control characters, and Unicode characters that start a line or change the direction of text.
fn is_moving(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use tracing_subscriber::{fmt, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whatever_is_told_stays_on_its_line() {
        let written = Written::default();
        let writer = written.clone();
        let lines = fmt::layer().fmt_fields(on_one_line()).with_writer(move || writer.clone()).with_ansi(false);
        let forged = "up\n2026-01-01T00:00:00Z  INFO audit: action=\"token.create\"\x1b[2K\r\u{2028}\u{202e}\u{9b}x";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(query = forged, shown = %forged, debug = ?forged, "refused: {forged}");
            let error = io::Error::other(forged);
            tracing::warn!(error = &error as &dyn std::error::Error, "failed");
            tracing::info_span!("span", name = %forged).in_scope(|| tracing::info!("in a span"));
        });
        let text = String::from_utf8(written.0.lock().clone()).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_eq!(text.chars().filter(|character| is_moving(*character)).count(), 3, "{text}");
        assert!(text.contains("refused: up\\n2026") && text.contains("query="), "{text}");
        assert!(text.contains("in a span") && text.contains("span{name=up\\n"), "{text}");
    }

    #[test]
    fn lines_of_json_hold_no_character_that_moves_a_cursor() {
        let written = Written::default();
        let writer = written.clone();
        let lines = fmt::layer().json().flatten_event(true).with_writer(move || PlainJson(writer.clone()));
        let forged = "up\n{\"target\":\"audit\"}\x1b[2K\u{7f}\u{9b}2J\u{85}\u{2028}\u{202e}\u{200f}\"\\é";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(query = forged, "refused: {forged}");
            tracing::info!("plain é");
        });
        let text = String::from_utf8(written.0.lock().clone()).unwrap();
        assert_eq!(text.chars().filter(|character| is_hidden(*character)).count(), 0, "{text}");
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["query"], &lines[1]["message"]), (&forged.into(), &"plain é".into()));
    }
}
