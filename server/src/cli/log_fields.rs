//! How the text log writes what a line tells: one line an event, whatever is told.

use std::fmt::Write as _;

use tracing_subscriber::{field::MakeExt, fmt::FormatFields, fmt::format};

/// Writes the message as it is and the rest as `name=value`. What others chose (queries, names, paths, errors) may hold line breaks and
/// escape sequences: they are written as their codes, so that nobody forges a line or moves the terminal's cursor.
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

/// A text without what breaks a line or moves a cursor.
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

/// Control characters, and those of Unicode that begin a line or turn the direction of the text after them.
fn is_moving(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{fmt, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
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
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert_eq!(text.chars().filter(|character| is_moving(*character)).count(), 3, "{text}");
        assert!(text.contains("refused: up\\n2026") && text.contains("query="), "{text}");
        assert!(text.contains("in a span") && text.contains("span{name=up\\n"), "{text}");
    }
}
