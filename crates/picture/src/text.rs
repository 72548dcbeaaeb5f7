//! The width of text.

use std::{borrow::Cow, sync::LazyLock};

use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
};

/// Regular and bold.
static FACES: LazyLock<[Option<FontRef<'static>>; 2]> =
    LazyLock::new(|| [dejavu::sans::regular(), dejavu::sans::bold()].map(|data| FontRef::new(data).ok()));

/// Width of a character that the font lacks, relative to the font size.
const UNKNOWN: f32 = 0.6;

/// Width of `text` at a font size of `size`, in the same unit.
#[must_use]
pub fn width(text: &str, size: f32, is_bold: bool) -> f32 {
    let [regular, bold] = &*FACES;
    let Some(face) = (if is_bold { bold } else { regular }) else { return 0.0 };
    let charmap = face.charmap();
    let metrics = face.glyph_metrics(Size::new(size), LocationRef::default());
    let advance = |letter: char| charmap.map(letter).and_then(|glyph| metrics.advance_width(glyph));
    text.chars().map(|letter| advance(letter).unwrap_or(size * UNKNOWN)).sum()
}

/// `text`, shortened with an ellipsis if it does not fit into `room`.
#[must_use]
pub fn fit(text: &str, size: f32, is_bold: bool, room: f32) -> Cow<'_, str> {
    if width(text, size, is_bold) <= room {
        return Cow::Borrowed(text);
    }
    let mut left = room - width("\u{2026}", size, is_bold);
    let mut kept = String::new();
    for letter in text.chars() {
        left -= width(letter.encode_utf8(&mut [0; 4]), size, is_bold);
        if left < 0.0 {
            break;
        }
        kept.push(letter);
    }
    let mut kept = kept.trim_end().to_owned();
    kept.push('\u{2026}');
    Cow::Owned(kept)
}

/// Wraps `text` into at most `most` lines that fit into `room`, between words if possible; the last line ends with an
/// ellipsis if text is left out.
#[must_use]
pub fn lines(text: &str, size: f32, room: f32, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let joined = lines.last().map(|line| format!("{line} {word}"));
        match (lines.last_mut(), joined) {
            (Some(line), Some(joined)) if width(&joined, size, false) <= room => *line = joined,
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > most {
        let rest = lines.split_off(most);
        if let Some(last) = lines.last_mut() {
            *last = format!("{last} {}", rest.join(" "));
        }
    }
    lines.iter().map(|line| fit(line, size, false, room).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_follow_letters_size_and_weight() {
        let jobs = width("Jobs", 12.0, false);
        assert!((20.0..40.0).contains(&jobs), "{jobs}");
        assert!((width("Jobs", 24.0, false) - 2.0 * jobs).abs() < 0.1);
        assert!(width("Jobs", 12.0, true) > jobs);
        assert!(width("iiii", 12.0, false) < width("mmmm", 12.0, false));
        assert!(width("\u{10ffff}", 10.0, false) > 0.0);
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        assert_eq!(fit("Queue length", 12.0, false, 500.0), "Queue length");
        let short = fit("Queue length", 12.0, false, 50.0);
        assert!(short.ends_with('\u{2026}') && short.starts_with("Que"), "{short}");
        assert!(width(&short, 12.0, false) <= 50.0);
        assert_eq!(fit("Queue", 12.0, false, 0.0), "\u{2026}");
    }

    #[test]
    fn words_are_kept_whole_where_they_fit() {
        let wrapped = lines("no source has this series in this time or later", 12.0, 130.0, 2);
        assert_eq!(wrapped.len(), 2);
        assert!(wrapped.iter().all(|line| width(line, 12.0, false) <= 130.0), "{wrapped:?}");
        assert!(wrapped[0].starts_with("no source") && wrapped[1].ends_with('\u{2026}'), "{wrapped:?}");
        assert_eq!(lines("short", 12.0, 130.0, 2), ["short"]);
        assert!(lines("", 12.0, 130.0, 2).is_empty());
    }
}
