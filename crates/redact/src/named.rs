//! Finds values whose key, command line option or header names a secret.

use crate::MASK;

/// Suffixes of secret keys.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "signature",
];
/// Secret keys, or their last part after a separator; within other words they are ordinary.
const SECRET_PARTS: [&str; 7] = ["apikey", "api_key", "key", "keys", "token", "sig", "jwt"];
/// Like [`SECRET_PARTS`], but only before `=`: before `:` they are ordinary words.
const ASSIGNED_PARTS: [&str; 2] = ["pass", "pwd"];
/// Like [`SECRET_PARTS`], but only before `=` and `:`. As labels, session IDs distinguish series and are of no use to
/// an attacker.
const SESSION_PARTS: [&str; 6] = ["session_id", "sessionid", "soap_session", "jsessionid", "phpsessid", "sessid"];
/// The options of [`ASSIGNED_PARTS`].
const PASSWORD_OPTIONS: [&str; 3] = ["--pass", "--pwd", "--pw"];
/// Keys whose value may be the name of a secret, and keys of that secret's value: `{"name":"password","value":"x"}`.
const NAMING_KEYS: [&str; 6] = ["name", "key", "field", "param", "parameter", "property"];
const VALUE_KEYS: [&str; 3] = ["value", "val", "content"];
/// Maximum distance of such a value from its name, in bytes.
const BESIDE: usize = 64;
/// Like [`SECRET_PARTS`], if user names are hidden too.
const USER_PARTS: [&str; 4] = ["username", "user_name", "user", "login"];
/// Maximum length of a key, including the blanks and quotes after it, in bytes.
const LONGEST_KEY: usize = 128;
/// How far to search for the end of a quoted value or a list, in bytes. Without an end, everything is secret.
const LONGEST_VALUE: usize = 1 << 10;
/// Characters that end an unquoted value.
const VALUE_END: &[char] = &[',', ';', '&', '"', '\'', ')', ']', '}', '<', '>'];
/// Prefixes of string literals in some languages.
const LITERAL_PREFIXES: [&str; 7] = ["b", "u", "r", "f", "N", "@", "&"];
/// Schemes before a credential in an `Authorization` header.
const SCHEMES: [&str; 4] = ["bearer", "basic", "token", "digest"];

/// Whether a key, option or label with this name holds a secret. `privateKey`, `private-key` and `private_key` are the
/// same; user names are secrets if `hides_user_names`.
#[must_use]
pub fn is_secret_key(key: &str, hides_user_names: bool) -> bool {
    let key = snake_case(key);
    SECRET_WORDS.iter().any(|word| key.ends_with(word))
        || SECRET_PARTS.iter().any(|part| is_part(&key, part)) && !matches!(key.as_str(), "key" | "keys")
        || hides_user_names && USER_PARTS.iter().any(|part| is_part(&key, part))
}

/// Whether a key is this word, or ends with it after a separator.
fn is_part(key: &str, part: &str) -> bool {
    key == part || key.strip_suffix(part).is_some_and(|before| before.ends_with(['_', '.']))
}

/// In lower case, with `_` between words.
fn snake_case(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    let mut after_small = false;
    for letter in key.chars() {
        if after_small && letter.is_ascii_uppercase() {
            snake.push('_');
        }
        after_small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        snake.push(if letter == '-' { '_' } else { letter.to_ascii_lowercase() });
    }
    snake
}

/// The text with each such value replaced; `None` if there is none.
pub(crate) fn replace(text: &str, hides_user_names: bool) -> Option<String> {
    let mut clean = String::new();
    let (mut copied, mut from) = (0, 0);
    // Up to here a value belongs to the last named secret.
    let mut named_until = 0;
    while let Some(mark) = next_mark(text, from) {
        from = mark.end;
        let (Some(before), Some(after)) = (text.get(copied..mark.start), text.get(mark.end..)) else { break };
        let is_named = mark.start <= named_until;
        if let Some(secret) = named(before, mark.kind, after, hides_user_names) {
            named_until = secret.map_or(0, |end| mark.end + end + BESIDE);
        }
        let Some((start, end)) =
            value(before, mark.kind, after, hides_user_names, is_named).filter(|(start, end)| start < end)
        else {
            continue;
        };
        clean.push_str(text.get(copied..mark.end + start)?);
        clean.push_str(MASK);
        copied = mark.end + end;
        from = copied;
    }
    if copied == 0 {
        return None;
    }
    clean.push_str(text.get(copied..)?);
    Some(clean)
}

/// Whether a name follows the separator, as in `"name": "password"`; and if it names a secret, where it ends, relative
/// to the end of the separator.
fn named(before: &str, kind: MarkKind, after: &str, hides_user_names: bool) -> Option<Option<usize>> {
    let unquoted = near(before).trim_end_matches(KEY_END);
    let key = last_word(unquoted);
    // A name is at most as long as a key; the rest may contain all following separators.
    let after = after.get(..after.floor_char_boundary(LONGEST_KEY)).unwrap_or_default();
    if !NAMING_KEYS.contains(&snake_case(key).as_str()) {
        return None;
    }
    let (start, end) = match kind {
        MarkKind::Tag if unquoted.ends_with(&format!("<{key}")) => (0, after.find('<')?),
        MarkKind::Tag => return None,
        MarkKind::Assignment | MarkKind::Colon => value_span(after),
        MarkKind::Comma | MarkKind::Blank => return None,
    };
    let name = after.get(start..end)?;
    Some(is_secret_key(name, hides_user_names).then_some(end))
}

/// A separator between a key and its value.
struct Mark {
    start: usize,
    end: usize,
    kind: MarkKind,
}

#[derive(Clone, Copy, PartialEq)]
enum MarkKind {
    /// `=`, also percent-encoded.
    Assignment,
    /// `:`, also percent-encoded.
    Colon,
    /// The end of an XML tag.
    Tag,
    /// A comma between the items of a pair.
    Comma,
    /// A blank, as after an option.
    Blank,
}

fn next_mark(text: &str, from: usize) -> Option<Mark> {
    let rest = text.get(from..)?;
    let mut found = rest.match_indices(['=', ':', ',', ' ', '%', '>']);
    found.find_map(|(at, mark)| {
        let start = from + at;
        let kind = match mark {
            "," => MarkKind::Comma,
            " " => MarkKind::Blank,
            ">" => MarkKind::Tag,
            "=" => MarkKind::Assignment,
            ":" => MarkKind::Colon,
            // Percent-encoded separators of a nested query string.
            _ => match rest.get(at..at + 3)? {
                "%3D" | "%3d" => MarkKind::Assignment,
                "%3A" | "%3a" => MarkKind::Colon,
                _ => return None,
            },
        };
        Some(Mark { start, end: start + if mark == "%" { 3 } else { 1 }, kind })
    })
}

/// The range of the secret after a separator, relative to the end of the separator. With `is_named`, a value key next
/// to the name of a secret counts too.
fn value(before: &str, kind: MarkKind, after: &str, hides_user_names: bool, is_named: bool) -> Option<(usize, usize)> {
    let before = near(before);
    let unquoted = before.trim_end_matches(KEY_END);
    let word = last_word(unquoted);
    let key = word.trim_start_matches('-');
    match kind {
        MarkKind::Assignment | MarkKind::Colon if is_secret_key(key, hides_user_names) => {
            Some(match snake_case(key).as_str() {
                "cookie" => rest_of_line(after),
                key if is_part(key, "authorization") => credentials(after),
                _ => value_span(after),
            })
        }
        MarkKind::Assignment | MarkKind::Colon if SESSION_PARTS.iter().any(|part| is_part(&snake_case(key), part)) => {
            Some(value_span(after))
        }
        MarkKind::Assignment | MarkKind::Colon if is_named && VALUE_KEYS.contains(&snake_case(key).as_str()) => {
            Some(value_span(after))
        }
        MarkKind::Tag if is_named && VALUE_KEYS.contains(&snake_case(key).as_str()) => Some((0, after.find('<')?)),
        MarkKind::Assignment if ASSIGNED_PARTS.iter().any(|part| is_part(&snake_case(key), part)) => {
            // The shell's own variable with this name is a directory.
            Some(value_span(after))
                .filter(|(start, _)| !after.get(*start..).is_some_and(|value| value.starts_with('/')))
        }
        // `<password>x</password>`
        MarkKind::Tag if unquoted.ends_with(&format!("<{key}")) && is_secret_key(key, hides_user_names) => {
            Some((0, after.find('<')?))
        }
        // `("password", "x")`
        MarkKind::Comma => {
            let is_quoted = unquoted.len() < before.len() && before.ends_with(['"', '\'']);
            let next_is = after.trim_start_matches([' ', '\\']).starts_with(['"', '\'']);
            let (start, end) = value_span(after);
            // A word before a colon is the next key.
            let is_key = || {
                let behind = after.get(end..).unwrap_or_default();
                behind.trim_start_matches(KEY_END).starts_with(':')
            };
            (is_quoted && next_is && is_secret_key(key, hides_user_names) && !is_key()).then_some((start, end))
        }
        MarkKind::Blank if word.len() > key.len() && unquoted.len() == before.len() => {
            let program = before.strip_suffix(word).unwrap_or_default().trim_end();
            option_value(program, word, key, after, hides_user_names)
        }
        _ => None,
    }
}

/// Characters between a key and its separator.
const KEY_END: [char; 4] = ['"', '\'', '\\', ' '];

/// The end of a text, where a key may be: text far before a separator need not be searched again for each.
fn near(before: &str) -> &str {
    before.get(before.floor_char_boundary(before.len().saturating_sub(LONGEST_KEY))..).unwrap_or_default()
}

/// The last key, label or option in a text.
fn last_word(text: &str) -> &str {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let word = text.trim_end_matches(is_inside);
    let (before, word) = text.split_at(word.len());
    // The character before it may be percent-encoded.
    let word = if before.ends_with('%') { word.get(2..).unwrap_or_default() } else { word };
    word.trim_start_matches(['_', '.'])
}

/// The value of a command line option after a blank.
fn option_value(program: &str, option: &str, key: &str, after: &str, hides_user_names: bool) -> Option<(usize, usize)> {
    let (start, end) = value_span(after);
    let value = after.get(start..end)?;
    match option {
        // curl's: the part after the user name.
        "-u" | "--user" | "--proxy-user" => {
            let colon = value.find(':')?;
            Some((start + colon + 1, end))
        }
        // For some programs this is a password; for others a port or a path.
        "-p" if program.ends_with("mkdir") => None,
        "-p" => (!value.starts_with(['/', '.', '-']) && !value.starts_with(|c: char| c.is_ascii_digit()))
            .then_some((start, end)),
        _ if PASSWORD_OPTIONS.contains(&option) || option.starts_with("--") && is_secret_key(key, hides_user_names) => {
            (!value.starts_with('-')).then_some((start, end))
        }
        _ => None,
    }
}

/// The range of an `Authorization` header's value: any scheme, and the credential after it; up to the end of the line
/// if it has parameters.
fn credentials(after: &str) -> (usize, usize) {
    let blanks = after.len() - after.trim_start_matches(' ').len();
    let rest = after.get(blanks..).unwrap_or_default();
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let Some((scheme, credential)) = line.split_once(' ') else { return value_span(after) };
    let is_scheme = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_scheme {
        return value_span(after);
    }
    let credential = credential.split(' ').next().unwrap_or_default();
    // Base64 ends with it.
    if credential.trim_end_matches('=').contains('=') {
        return (blanks, blanks + line.len());
    }
    let length = credential.find(VALUE_END).unwrap_or(credential.len());
    (blanks, blanks + scheme.len() + 1 + length)
}

/// The whole value of a header, because cookies contain `;`.
fn rest_of_line(after: &str) -> (usize, usize) {
    let blanks = after.len() - after.trim_start_matches(' ').len();
    let rest = after.get(blanks..).unwrap_or_default();
    if rest.starts_with(['"', '\'', '[', '{', '\\']) {
        return value_span(after);
    }
    (blanks, blanks + rest.find(['\n', '\r', '"', '\'']).unwrap_or(rest.len()))
}

/// The range of the value after a separator. For a list, everything in its brackets; for an object it is empty, because
/// an object has its own keys.
fn value_span(after: &str) -> (usize, usize) {
    // Also after `:=` and `=>`.
    let is_blank = |letter: char| letter.is_whitespace() || matches!(letter, '\\' | '=' | '>');
    let blanks = after.len() - after.trim_start_matches(is_blank).len();
    let is_escaped = after.get(..blanks).is_some_and(|blanks| blanks.ends_with('\\'));
    let rest = after.get(blanks..).unwrap_or_default();
    let mut characters = rest.chars();
    match characters.next() {
        Some(quote @ ('"' | '\'')) => {
            let inside = characters.as_str();
            (blanks + 1, blanks + 1 + quoted_end(inside, quote, is_escaped))
        }
        Some('[') => {
            let inside = characters.as_str();
            (blanks + 1, blanks + 1 + list_end(inside))
        }
        Some('{') => (blanks, blanks),
        _ => {
            let word_end =
                |text: &str| text.find(|c: char| c.is_whitespace() || VALUE_END.contains(&c)).unwrap_or(text.len());
            let mut end = word_end(rest);
            // `b'x'`, `Some("x")`: a quoted value in a programming language.
            let (prefix, quoted) = rest.split_at(end);
            let mut quoted = quoted.chars();
            if (prefix.ends_with('(') || LITERAL_PREFIXES.contains(&prefix))
                && let Some(quote @ ('"' | '\'')) = quoted.next()
            {
                return (blanks + end + 1, blanks + end + 1 + quoted_end(quoted.as_str(), quote, false));
            }
            let is_scheme =
                rest.get(..end).is_some_and(|word| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)));
            if is_scheme {
                let credential = rest.get(end..).unwrap_or_default();
                let gap = credential.len() - credential.trim_start().len();
                end += gap + word_end(credential.trim_start());
            }
            (blanks, blanks + end)
        }
    }
}

/// The end of a quoted text: at its quote, which is escaped in a nested text (`is_escaped`).
fn quoted_end(inside: &str, quote: char, is_escaped: bool) -> usize {
    let mut backslashes = 0_usize;
    for (at, character) in inside.char_indices().take(LONGEST_VALUE) {
        if character == quote {
            if is_escaped && backslashes == 1 {
                return at - 1;
            }
            if backslashes.is_multiple_of(2) {
                return at;
            }
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
    }
    inside.len()
}

/// The end of a list, ignoring brackets in quotes.
fn list_end(inside: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in inside.char_indices().take(LONGEST_VALUE) {
        match (quote, character) {
            _ if escaped => {}
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, ']') => return at,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
    }
    inside.len()
}
