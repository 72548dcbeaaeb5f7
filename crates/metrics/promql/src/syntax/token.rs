//! A query's text as tokens with their positions. The parser's tree has no positions, and it does not know all of the syntax.

/// One token and where it stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) start: usize,
}

impl Token<'_> {
    /// The byte after the token.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Compares a keyword or a punctuation mark, in any case of letters.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text.eq_ignore_ascii_case(text)
    }
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A metric, label, function, operator in words, or keyword.
    Word,
    /// A number or a duration.
    Number,
    /// A quoted string with its quotes.
    Text,
    /// An operator, bracket or other mark.
    Mark,
}

const LONG_MARKS: [&str; 8] = ["==", "!=", "=~", "!~", "<=", ">=", "</", ">/"];

/// Cuts a query into tokens. Comments and white space are left out; a string without an end runs to the end of the text.
pub(crate) fn tokens(query: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut in_brackets = false;
    while let Some(rest) = query.get(start..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = measure(rest, in_brackets);
        let text = rest.get(..length).unwrap_or(rest);
        if let Some(kind) = kind {
            match text {
                "[" => in_brackets = true,
                "]" => in_brackets = false,
                _ => {}
            }
            found.push(Token { kind, text, start });
        }
        start += text.len().max(1);
    }
    found
}

/// Kind and length of the first token of a text that is not empty; no kind for what is left out.
fn measure(rest: &str, in_brackets: bool) -> (Option<Kind>, usize) {
    let mut chars = rest.chars();
    let first = chars.next().unwrap_or(' ');
    let second = chars.next().unwrap_or(' ');
    let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    match first {
        c if c.is_ascii_whitespace() => (None, run(|c| c.is_ascii_whitespace())),
        '#' => (None, rest.find(['\n', '\r']).unwrap_or(rest.len())),
        '"' | '\'' | '`' => (Some(Kind::Text), quoted_length(rest, first)),
        c if c.is_ascii_digit() || (c == '.' && second.is_ascii_digit()) => (Some(Kind::Number), number_length(rest)),
        c if c.is_ascii_alphabetic() || c == '_' || (c == ':' && !in_brackets) => {
            let word: fn(char) -> bool = if in_brackets {
                |c| c.is_ascii_alphanumeric() || c == '_'
            } else {
                |c| c.is_ascii_alphanumeric() || c == '_' || c == ':'
            };
            (Some(Kind::Word), run(word))
        }
        c => {
            let long = LONG_MARKS.iter().find(|mark| rest.starts_with(**mark));
            (Some(Kind::Mark), long.map_or(c.len_utf8(), |mark| mark.len()))
        }
    }
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return index + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Length of a number (`1`, `.5`, `0x1f`, `1e-3`) or of a duration (`1h30m`).
fn number_length(rest: &str) -> usize {
    let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
    let mut previous = ' ';
    for (index, c) in rest.char_indices() {
        let exponent_sign = !hexadecimal && matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
            return index;
        }
        previous = c;
    }
    rest.len()
}

/// The bytes that a quoted string stands for, by Go's rules: `\x`, and octal escapes, name bytes, `\u` names a character.
/// Nothing if it is malformed.
pub(crate) fn unquote(text: &str) -> Option<Vec<u8>> {
    let quote = text.chars().next()?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    if quote == '`' {
        return Some(inner.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..)?;
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.chars().next()?;
        let (digits, radix) = match escape {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => (3, 8),
            _ => (0, 10),
        };
        if digits == 0 {
            bytes.push(simple_escape(escape)?);
            rest = rest.get(escape.len_utf8()..)?;
            continue;
        }
        let from = usize::from(radix == 16);
        let number = u32::from_str_radix(rest.get(from..from + digits)?, radix).ok()?;
        rest = rest.get(from + digits..)?;
        match escape {
            'u' | 'U' => {
                bytes.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => bytes.push(u8::try_from(number).ok()?),
        }
    }
    Some(bytes)
}

fn simple_escape(escape: char) -> Option<u8> {
    Some(match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '\'' | '"' => u8::try_from(escape).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(query: &str) -> Vec<&str> {
        tokens(query).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_numbers_strings_and_marks_are_told_apart() {
        assert_eq!(
            texts(r#"sum by(a) (x:y{b=~"c\"]"}[5m:1m] offset -1e-3) </ 0x1F # end"#),
            [
                "sum",
                "by",
                "(",
                "a",
                ")",
                "(",
                "x:y",
                "{",
                "b",
                "=~",
                r#""c\"]""#,
                "}",
                "[",
                "5m",
                ":",
                "1m",
                "]",
                "offset",
                "-",
                "1e-3",
                ")",
                "</",
                "0x1F"
            ]
        );
    }

    #[test]
    fn a_difference_is_not_an_exponent() {
        assert_eq!(texts("1-2"), ["1", "-", "2"]);
        assert_eq!(texts("0xe-2"), ["0xe", "-", "2"]);
    }

    #[test]
    fn escapes_name_bytes_and_characters() {
        assert_eq!(unquote(r#""a\x41\102\u00e9\n""#).unwrap(), "aAB\u{e9}\n".as_bytes());
        assert_eq!(unquote(r#""\xc5z""#).unwrap(), [0xc5, b'z']);
        assert_eq!(unquote(r"`\n`").unwrap(), br"\n");
        assert_eq!(unquote(r#""\q""#), None);
    }
}
