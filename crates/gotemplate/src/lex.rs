//! The lexer: splits a template into tokens, like Go's `text/template/parse`.

/// A token and its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Byte offset in the text.
    pub(crate) at: usize,
}

/// Kind of a token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.name`
    Field(String),
    /// `$` or `$name`
    Variable(String),
    /// A name: a function or a keyword.
    Word(String),
    /// A number, as written.
    Number(String),
    /// A character constant, as its code.
    Char(i64),
    /// A string: its text in the template, and its value.
    Str(String, String),
    Dot,
    Pipe,
    Declare,
    Assign,
    Comma,
    LeftParen,
    RightParen,
    Space,
    End,
}

/// An error and its position.
pub(crate) struct Wrong {
    pub(crate) at: usize,
    pub(crate) message: String,
}

fn wrong<T>(at: usize, message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { at, message: message.into() })
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits a whole template.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut trim_left = false;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(offset) = rest.find("{{") else {
            push_text(&mut found, rest, at, trim_left, false);
            found.push(Token { kind: Kind::End, at: text.len() });
            return Ok(found);
        };
        let inside = rest.get(offset + 2..).unwrap_or_default();
        let trims = inside.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACE));
        push_text(&mut found, rest.get(..offset).unwrap_or_default(), at, trim_left, trims);
        let open = at + offset;
        let start = open + 2 + if trims { 2 } else { 0 };
        let inside = text.get(start..).unwrap_or_default();
        if inside.starts_with("/*") {
            let Some(end) = inside.find("*/") else { return wrong(open, "unclosed comment") };
            let after = inside.get(end + 2..).unwrap_or_default();
            (at, trim_left) = if after.starts_with("}}") {
                (start + end + 4, false)
            } else if after.strip_prefix(SPACE).is_some_and(|rest| rest.starts_with("-}}")) {
                (start + end + 6, true)
            } else {
                return wrong(open, "comment ends before closing delimiter");
            };
            continue;
        }
        found.push(Token { kind: Kind::Open, at: open });
        (at, trim_left) = action(text, start, &mut found)?;
    }
}

fn push_text(found: &mut Vec<Token>, text: &str, at: usize, trim_left: bool, trim_right: bool) {
    let text = if trim_left { text.trim_start_matches(SPACE) } else { text };
    let text = if trim_right { text.trim_end_matches(SPACE) } else { text };
    if !text.is_empty() {
        found.push(Token { kind: Kind::Text(text.to_owned()), at });
    }
}

/// Splits an action; returns its end, and whether the text after it is trimmed.
fn action(text: &str, start: usize, found: &mut Vec<Token>) -> Result<(usize, bool), Wrong> {
    let mut at = start;
    let mut depth = 0_usize;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let trims = rest.strip_prefix(SPACE).is_some_and(|rest| rest.starts_with("-}}"));
        if trims || rest.starts_with("}}") {
            if depth > 0 {
                return wrong(at, "unclosed left paren");
            }
            found.push(Token { kind: Kind::Close, at });
            return Ok((at + if trims { 4 } else { 2 }, trims));
        }
        let Some(first) = rest.chars().next() else { return wrong(at, "unclosed action") };
        let (kind, length) = match first {
            space if SPACE.contains(&space) => {
                let spaces = rest.len() - rest.trim_start_matches(SPACE).len();
                let before_trim = rest.get(spaces..).is_some_and(|rest| rest.starts_with("-}}"));
                (Kind::Space, spaces - usize::from(before_trim && spaces > 1))
            }
            '=' => (Kind::Assign, 1),
            ':' if rest.starts_with(":=") => (Kind::Declare, 2),
            ':' => return wrong(at, "expected :="),
            '|' => (Kind::Pipe, 1),
            ',' => (Kind::Comma, 1),
            '"' => quoted(rest, at)?,
            '`' => match rest.get(1..).and_then(|rest| rest.find('`')) {
                Some(end) => {
                    let inner = rest.get(1..=end).unwrap_or_default();
                    (Kind::Str(rest.get(..end + 2).unwrap_or_default().to_owned(), inner.to_owned()), end + 2)
                }
                None => return wrong(at, "unterminated raw quoted string"),
            },
            '\'' => character(rest, at)?,
            '$' => {
                let name = word(rest.get(1..).unwrap_or_default());
                (Kind::Variable(format!("${name}")), 1 + name.len())
            }
            '(' => {
                depth += 1;
                (Kind::LeftParen, 1)
            }
            ')' if depth == 0 => return wrong(at, "unexpected right paren"),
            ')' => {
                depth -= 1;
                (Kind::RightParen, 1)
            }
            '.' if !rest.get(1..).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit())) => {
                let name = word(rest.get(1..).unwrap_or_default());
                if name.is_empty() { (Kind::Dot, 1) } else { (Kind::Field(name.to_owned()), 1 + name.len()) }
            }
            '+' | '-' | '.' | '0'..='9' => {
                let end = number_length(rest);
                (Kind::Number(rest.get(..end).unwrap_or_default().to_owned()), end)
            }
            letter if letter == '_' || letter.is_alphanumeric() => {
                let name = word(rest);
                (Kind::Word(name.to_owned()), name.len())
            }
            other => return wrong(at, format!("unexpected {} in operand", shown(other))),
        };
        check_end(&kind, rest.get(length..).unwrap_or_default(), at + length)?;
        found.push(Token { kind, at });
        at += length;
    }
}

fn shown(character: char) -> String {
    format!("U+{:04X} '{character}'", u32::from(character))
}

/// Checks that a name, field or variable is followed by a separator.
fn check_end(kind: &Kind, rest: &str, at: usize) -> Result<(), Wrong> {
    if !matches!(kind, Kind::Word(_) | Kind::Field(_) | Kind::Variable(_)) {
        return Ok(());
    }
    match rest.chars().next() {
        None => Ok(()),
        Some(next) if SPACE.contains(&next) || matches!(next, '.' | ',' | '|' | ':' | ')' | '(') => Ok(()),
        Some('}') if rest.starts_with("}}") => Ok(()),
        Some(next) => wrong(at, format!("bad character {}", shown(next))),
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|next: char| !(next == '_' || next.is_alphanumeric())).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Length of the text that looks like a number; the parser decides whether it is one.
fn number_length(text: &str) -> usize {
    let mut end = 0;
    let mut previous = ' ';
    for next in text.chars() {
        let sign = matches!(next, '+' | '-') && (end == 0 || matches!(previous, 'e' | 'E' | 'p' | 'P'));
        if !(sign || next == '.' || next == '_' || next.is_alphanumeric()) {
            break;
        }
        end += next.len_utf8();
        previous = next;
    }
    end
}

/// The value of a string in double quotes, like Go's `strconv.Unquote`; `None` if it is invalid.
#[must_use]
pub fn unquote(text: &str) -> Option<String> {
    let is_quoted = text.starts_with('"');
    match quoted(text, 0) {
        Ok((Kind::Str(written, meaning), _)) if is_quoted && written.len() == text.len() => Some(meaning),
        _ => None,
    }
}

fn quoted(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let mut meaning = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((index, next)) = characters.next() {
        match next {
            '"' => {
                let written = rest.get(..=index).unwrap_or_default().to_owned();
                return Ok((Kind::Str(written, meaning), index + 1));
            }
            '\n' => break,
            '\\' => match escape(&mut characters) {
                Some(character) => meaning.push(character),
                None => return wrong(at, "invalid syntax"),
            },
            other => meaning.push(other),
        }
    }
    wrong(at, "unterminated quoted string")
}

fn character(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let mut characters = rest.char_indices().skip(1);
    let value = match characters.next() {
        Some((_, '\\')) => escape(&mut characters),
        Some((_, next)) if next != '\'' && next != '\n' => Some(next),
        _ => None,
    };
    match (value, characters.next()) {
        (Some(value), Some((end, '\''))) => Ok((Kind::Char(i64::from(u32::from(value))), end + 1)),
        _ => wrong(at, "unterminated character constant"),
    }
}

/// The character of an escape sequence after the backslash.
fn escape(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let (_, kind) = characters.next()?;
    let mut number = |digits: usize, radix: u32, first: Option<u32>| {
        let mut value = first.unwrap_or(0);
        for _ in 0..digits {
            value = value.checked_mul(radix)?.checked_add(characters.next()?.1.to_digit(radix)?)?;
        }
        char::from_u32(value)
    };
    match kind {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        '\\' | '"' | '\'' => Some(kind),
        'x' => number(2, 16, None),
        'u' => number(4, 16, None),
        'U' => number(8, 16, None),
        '0'..='7' => number(2, 8, kind.to_digit(8)),
        _ => None,
    }
}
