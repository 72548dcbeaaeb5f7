//! Finds known secrets, in any encoding.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{Engine, engine::general_purpose};

use crate::MASK;

/// Shorter texts are not searched for, because they would match in ordinary words.
const SHORTEST_SECRET: usize = 4;
/// Maximum length of a configured secret, in bytes.
const LONGEST_SECRET: usize = 4096;
/// Maximum length of a secret learned from others, in bytes: longer texts are not passwords, and this limits the size
/// of the search.
const LONGEST_LEARNED: usize = 512;
/// Maximum number of secrets of each kind; a daemon has a handful of vCenters.
const MOST_SECRETS: usize = 256;
/// Shorter parts of base64 text would match in other text.
const SHORTEST_BASE64: usize = 8;

/// Maximum length of the name or number of an entity, including the `;`.
const LONGEST_ENTITY: usize = 10;

/// Lifetime of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// As long as the server runs.
    ForGood,
    /// Until enough newer secrets were learned.
    Newest,
}

/// Secrets, and a searcher that finds all in one pass.
#[derive(Default)]
pub(crate) struct KnownSecrets {
    /// Oldest first.
    secrets: Vec<(String, Lasting)>,
    finder: Option<Finder>,
}

/// Finds secrets in their encodings.
struct Finder {
    patterns: AhoCorasick,
    /// Which patterns are base64: the whole base64 text around a match is masked, because its characters share bits
    /// with the secret.
    is_base64: Vec<bool>,
}

impl Finder {
    fn of(secrets: &[(String, Lasting)]) -> Option<Self> {
        let encoded: Vec<(Vec<u8>, bool)> = secrets.iter().flat_map(|(secret, _)| encodings(secret)).collect();
        // The longest match first, so that a secret that contains another one is masked completely.
        let patterns = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(encoded.iter().map(|(pattern, _)| pattern));
        let is_base64 = encoded.iter().map(|(_, is_base64)| *is_base64).collect();
        patterns.ok().map(|patterns| Finder { patterns, is_base64 })
    }
}

impl KnownSecrets {
    /// These secrets and `others`, which count as newest; `None` if none of the others is new and suitable. Beyond the
    /// limit of a kind, the oldest are dropped. All are added at once, because that rebuilds the searcher.
    pub(crate) fn with<'a>(&self, others: impl Iterator<Item = &'a str>, lasting: Lasting) -> Option<Self> {
        let longest = match lasting {
            Lasting::ForGood => LONGEST_SECRET,
            Lasting::Newest => LONGEST_LEARNED,
        };
        let mut newest: Vec<&str> = Vec::new();
        for secret in others.filter(|secret| (SHORTEST_SECRET..=longest).contains(&secret.len())) {
            if !newest.contains(&secret) {
                newest.push(secret);
            }
        }
        let is_known = |secret: &str| self.secrets.iter().any(|(known, _)| known == secret);
        if newest.iter().all(|secret| is_known(secret)) {
            return None;
        }
        let is_for_good = |secret: &str| self.secrets.contains(&(secret.to_owned(), Lasting::ForGood));
        let mut secrets: Vec<(String, Lasting)> = self.secrets.clone();
        secrets.retain(|(secret, lasting)| *lasting == Lasting::ForGood || !newest.contains(&secret.as_str()));
        newest.retain(|secret| !is_for_good(secret));
        secrets.extend(newest.into_iter().map(|secret| (secret.to_owned(), lasting)));
        let mut surplus = secrets.iter().filter(|(_, other)| *other == lasting).count().saturating_sub(MOST_SECRETS);
        secrets.retain(|(_, other)| {
            let goes = *other == lasting && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
        Some(KnownSecrets { finder: Finder::of(&secrets), secrets })
    }

    pub(crate) fn replace<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(finder) = &self.finder else { return Cow::Borrowed(text) };
        let mut spans = spans(finder, text.as_bytes(), |at| at);
        let mut search = |(decoded, places): (Vec<u8>, Vec<usize>)| {
            spans.extend(self::spans(finder, &decoded, |at| places.get(at).copied().unwrap_or(text.len())));
        };
        if text.contains('%') {
            search(percent_decoded(text, b'+'));
        }
        if text.contains('+') {
            search(percent_decoded(text, b' '));
        }
        if text.contains('\\') {
            search(unescaped(text));
        }
        if text.contains('&') {
            search(without_entities(text));
        }
        if spans.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(masked(text, spans)) }
    }
}

/// The ranges of secrets in a decoded text, as positions in the original text.
fn spans(finder: &Finder, decoded: &[u8], place: impl Fn(usize) -> usize) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut covered = 0;
    for found in finder.patterns.find_iter(decoded) {
        let (mut start, mut end) = (found.start(), found.end());
        // Inside a base64 text that is masked as a whole.
        if end <= covered {
            continue;
        }
        if finder.is_base64.get(found.pattern().as_usize()) == Some(&true) {
            let before = decoded.get(covered..start).unwrap_or_default().iter().rev();
            start -= before.take_while(|byte| is_of_base64(**byte)).count();
            let after = decoded.get(end..).unwrap_or_default().iter();
            end += after.take_while(|byte| is_of_base64(**byte)).count();
            covered = end;
        }
        spans.push((place(start), place(end)));
    }
    spans
}

fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

fn masked(text: &str, mut spans: Vec<(usize, usize)>) -> String {
    spans.sort_unstable();
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    for (start, end) in spans {
        if end <= copied {
            continue;
        }
        // Overlapping ranges are merged.
        if start >= copied || copied == 0 {
            clean.push_str(text.get(copied..start).unwrap_or_default());
            clean.push_str(MASK);
        }
        copied = end;
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    clean
}

/// The encodings of a secret that are not decoded before the search, and which of them are base64: plain, and base64 at
/// each offset within an encoded text.
fn encodings(secret: &str) -> Vec<(Vec<u8>, bool)> {
    let mut all = vec![(secret.as_bytes().to_vec(), false)];
    for offset in 0..3_usize {
        let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(secret.bytes()).collect();
        for engine in [&general_purpose::STANDARD_NO_PAD, &general_purpose::URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded).into_bytes();
            // The characters that share bits with the text before or after the secret.
            let before = [0, 2, 3].get(offset).copied().unwrap_or(0);
            let after = usize::from(!padded.len().is_multiple_of(3));
            let inner = encoded.get(before..encoded.len().saturating_sub(after)).unwrap_or_default();
            if inner.len() >= SHORTEST_BASE64 && !all.iter().any(|(known, _)| known == inner) {
                all.push((inner.to_vec(), true));
            }
        }
    }
    all
}

/// The text with percent-encoding decoded and `plus` for each `+`, and the original position of each byte and of the
/// end.
fn percent_decoded(text: &str, plus: u8) -> (Vec<u8>, Vec<usize>) {
    decoded(text, |rest| match rest {
        [b'%', high, low, ..] => Some((Decoded::Byte(hex(*high)? << 4 | hex(*low)?), 3)),
        [b'+', ..] => Some((Decoded::Byte(plus), 1)),
        _ => None,
    })
}

/// The text with JSON escapes decoded, like [`percent_decoded`].
fn unescaped(text: &str) -> (Vec<u8>, Vec<usize>) {
    decoded(text, |rest| {
        let [b'\\', kind, rest @ ..] = rest else { return None };
        let simple = |byte| Some((Decoded::Byte(byte), 2));
        match kind {
            b'n' => simple(b'\n'),
            b't' => simple(b'\t'),
            b'r' => simple(b'\r'),
            b'b' => simple(8),
            b'f' => simple(12),
            b'x' => match rest {
                [high, low, ..] => Some((Decoded::Byte(hex(*high)? << 4 | hex(*low)?), 4)),
                _ => None,
            },
            b'u' => {
                let first = utf16_unit(rest)?;
                // Characters beyond 16 bits are surrogate pairs.
                if let Some([b'\\', b'u', second @ ..]) = rest.get(4..)
                    && let Some(second) = utf16_unit(second)
                    && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
                    && character.len_utf16() == 2
                {
                    return Some((Decoded::Character(character), 12));
                }
                Some((Decoded::Character(char::from_u32(first.into())?), 6))
            }
            other => simple(*other),
        }
    })
}

/// The UTF-16 unit of the first four hexadecimal digits.
fn utf16_unit(text: &[u8]) -> Option<u16> {
    let digits = text.get(..4)?;
    digits.iter().try_fold(0_u16, |unit, digit| Some(unit << 4 | u16::from(hex(*digit)?)))
}

/// The text with XML and HTML entities of single characters decoded, like [`percent_decoded`].
fn without_entities(text: &str) -> (Vec<u8>, Vec<usize>) {
    decoded(text, |rest| {
        let rest = rest.strip_prefix(b"&")?;
        let length = rest.iter().take(LONGEST_ENTITY).position(|byte| *byte == b';')?;
        let name = std::str::from_utf8(rest.get(..length)?).ok()?;
        let character = match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        };
        Some((Decoded::Character(character), length + 2))
    })
}

/// Decodes each sequence for which `sequence` returns a character and the length.
fn decoded(text: &str, sequence: impl Fn(&[u8]) -> Option<(Decoded, usize)>) -> (Vec<u8>, Vec<usize>) {
    let mut decoded = Vec::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len() + 1);
    let mut at = 0;
    while let Some(rest @ [first, ..]) = text.as_bytes().get(at..) {
        let (character, length) = sequence(rest).unwrap_or((Decoded::Byte(*first), 1));
        match character {
            Decoded::Byte(byte) => decoded.push(byte),
            Decoded::Character(character) => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        places.resize(decoded.len(), at);
        at += length;
    }
    places.push(text.len());
    (decoded, places)
}

/// The decoded form of a sequence.
enum Decoded {
    Byte(u8),
    Character(char),
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
