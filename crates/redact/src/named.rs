//! Values whose key, command line option or header says that they are secret.

use crate::MASK;

/// Words that a secret key ends with.
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
/// Words that a secret key is, or ends with after a separator: inside others they are ordinary.
const SECRET_PARTS: [&str; 7] = ["apikey", "api_key", "key", "keys", "token", "sig", "jwt"];
/// As [`SECRET_PARTS`], but before `=` alone: before `:` they are ordinary as well.
const ASSIGNED_PARTS: [&str; 2] = ["pass", "pwd"];
/// As [`SECRET_PARTS`], but before `=` and `:` alone: names of sessions are good for nothing else, and as labels they tell series apart.
const SESSION_PARTS: [&str; 6] = ["session_id", "sessionid", "soap_session", "jsessionid", "phpsessid", "sessid"];
/// Options that are [`ASSIGNED_PARTS`] in full.
const PASSWORD_OPTIONS: [&str; 3] = ["--pass", "--pwd", "--pw"];
/// Keys whose value may name a secret that stands beside it, and the keys that it stands under: `{"name":"password","value":"x"}`.
const NAMING_KEYS: [&str; 6] = ["name", "key", "field", "param", "parameter", "property"];
const VALUE_KEYS: [&str; 3] = ["value", "val", "content"];
/// How far from its name such a value is looked for, in bytes.
const BESIDE: usize = 64;
/// As [`SECRET_PARTS`], where user names are secrets as well.
const USER_PARTS: [&str; 4] = ["username", "user_name", "user", "login"];
/// Longest key, in bytes, with the blanks and quotes after it.
const LONGEST_KEY: usize = 128;
/// How far the end of a quoted value or of a list is looked for, in bytes. What does not end there is secret to its end.
const LONGEST_VALUE: usize = 1 << 10;
/// Characters that end a value without quotes.
const VALUE_END: &[char] = &[',', ';', '&', '"', '\'', ')', ']', '}', '<', '>'];
/// What stands before the quote of a text in some languages.
const LITERAL_PREFIXES: [&str; 7] = ["b", "u", "r", "f", "N", "@", "&"];
/// Words before a credential in an `Authorization` header.
const SCHEMES: [&str; 4] = ["bearer", "basic", "token", "digest"];

/// Whether a key, option or label of this name holds a secret. `privateKey`, `private-key` and `private_key` are the same; user names
/// are secrets if `hides_user_names`.
#[must_use]
pub fn is_secret_key(key: &str, hides_user_names: bool) -> bool {
    let key = snake_case(key);
    SECRET_WORDS.iter().any(|word| key.ends_with(word))
        || SECRET_PARTS.iter().any(|part| is_part(&key, part)) && !matches!(key.as_str(), "key" | "keys")
        || hides_user_names && USER_PARTS.iter().any(|part| is_part(&key, part))
}

/// Whether a key is that word, or ends with it after a separator.
fn is_part(key: &str, part: &str) -> bool {
    key == part || key.strip_suffix(part).is_some_and(|before| before.ends_with(['_', '.']))
}

/// In small letters, with `_` between words.
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
    // Up to where a value belongs to the secret that was named last.
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

/// Whether a name follows the mark, as in `"name": "password"`, and if it is that of a secret, where it ends, counted from the mark's end.
fn named(before: &str, kind: MarkKind, after: &str, hides_user_names: bool) -> Option<Option<usize>> {
    let unquoted = near(before).trim_end_matches(KEY_END);
    let key = last_word(unquoted);
    // A name is no longer than a key, and one mark's may hold all the marks behind it.
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

/// What may stand between a key and its value.
struct Mark {
    start: usize,
    end: usize,
    kind: MarkKind,
}

#[derive(Clone, Copy, PartialEq)]
enum MarkKind {
    /// `=`, also encoded.
    Assignment,
    /// `:`, also encoded.
    Colon,
    /// The end of an XML tag.
    Tag,
    /// A comma, as between the items of a pair.
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
            // The encoded separators of a query inside another.
            _ => match rest.get(at..at + 3)? {
                "%3D" | "%3d" => MarkKind::Assignment,
                "%3A" | "%3a" => MarkKind::Colon,
                _ => return None,
            },
        };
        Some(Mark { start, end: start + if mark == "%" { 3 } else { 1 }, kind })
    })
}

/// Where the secret after a mark starts and ends, counted from the mark's end.
/// It is one too where its key is that of a value and a name of a secret stands beside it (`is_named`).
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
            // The shell's own variable of this name is a directory.
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
            // What a colon follows is the next key.
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

/// What a key is followed by, before its mark.
const KEY_END: [char; 4] = ['"', '\'', '\\', ' '];

/// The end of a text, in which a key is looked for: what is far before a mark is not looked at again for each.
fn near(before: &str) -> &str {
    before.get(before.floor_char_boundary(before.len().saturating_sub(LONGEST_KEY))..).unwrap_or_default()
}

/// The key, label or option that a text ends with.
fn last_word(text: &str) -> &str {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let word = text.trim_end_matches(is_inside);
    let (before, word) = text.split_at(word.len());
    // What stands before it may be encoded.
    let word = if before.ends_with('%') { word.get(2..).unwrap_or_default() } else { word };
    word.trim_start_matches(['_', '.'])
}

/// The value of a command line option that follows it after a blank.
fn option_value(program: &str, option: &str, key: &str, after: &str, hides_user_names: bool) -> Option<(usize, usize)> {
    let (start, end) = value_span(after);
    let value = after.get(start..end)?;
    match option {
        // curl's: what comes after the name.
        "-u" | "--user" | "--proxy-user" => {
            let colon = value.find(':')?;
            Some((start + colon + 1, end))
        }
        // A password for some programs; a port or a path for others.
        "-p" if program.ends_with("mkdir") => None,
        "-p" => (!value.starts_with(['/', '.', '-']) && !value.starts_with(|c: char| c.is_ascii_digit()))
            .then_some((start, end)),
        _ if PASSWORD_OPTIONS.contains(&option) || option.starts_with("--") && is_secret_key(key, hides_user_names) => {
            (!value.starts_with('-')).then_some((start, end))
        }
        _ => None,
    }
}

/// What an `Authorization` header holds: the name of a scheme, whichever, and the credential after it; to the end of the line if that
/// has parameters.
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
    // Those of base64 end with it.
    if credential.trim_end_matches('=').contains('=') {
        return (blanks, blanks + line.len());
    }
    let length = credential.find(VALUE_END).unwrap_or(credential.len());
    (blanks, blanks + scheme.len() + 1 + length)
}

/// All of a header's value: cookies hold `;`.
fn rest_of_line(after: &str) -> (usize, usize) {
    let blanks = after.len() - after.trim_start_matches(' ').len();
    let rest = after.get(blanks..).unwrap_or_default();
    if rest.starts_with(['"', '\'', '[', '{', '\\']) {
        return value_span(after);
    }
    (blanks, blanks + rest.find(['\n', '\r', '"', '\'']).unwrap_or(rest.len()))
}

/// Where the value starts and ends that follows a separator. Of a list it is all that is between its brackets; an object has keys of
/// its own, and its value is empty here.
fn value_span(after: &str) -> (usize, usize) {
    // After `:=` and `=>` as well.
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
            // `b'x'`, `Some("x")`: a quoted value in the words of a language.
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

/// Where a quoted text ends: at its quote, which is escaped itself in a text inside a text (`is_escaped`).
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

/// Where a list ends, past brackets in quotes.
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
