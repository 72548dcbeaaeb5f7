//! The items of a query as Prometheus' lexer yields them, one at a time, with its complaints.

use super::quote::{character, code_point};

/// Where something is wrong, and what.
pub(super) type Wrong = (usize, String);

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    /// A bracket, comma, colon or `=`.
    Mark,
    /// An operator, in marks or words.
    Operator,
    Aggregator,
    Keyword,
    /// `start`, `end`, `step` and `range`.
    Preprocessor,
    Identifier,
    /// A name with a colon in it.
    MetricIdentifier,
    Text,
    Number,
    Duration,
}

/// One item and where it starts, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Item<'_> {
    /// Compares a mark, operator or keyword, in any case of letters.
    pub(super) fn is(&self, text: &str) -> bool {
        let named =
            matches!(self.kind, Kind::Mark | Kind::Operator | Kind::Aggregator | Kind::Keyword | Kind::Preprocessor);
        named && self.text.eq_ignore_ascii_case(text)
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Statements,
    Braces,
    /// After `[`, until the first number.
    Length,
}

/// Reads items on demand, as the parser's complaints depend on how far the text was read before them.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    input: &'a str,
    position: usize,
    start: usize,
    state: State,
    depth: usize,
    in_brackets: bool,
    got_colon: bool,
    got_length: bool,
    /// Where the last bracket, number or duration ended.
    pub(super) last_closing: usize,
}

const AGGREGATORS: [&str; 14] = [
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
];
const KEYWORDS: [&str; 10] =
    ["offset", "smoothed", "anchored", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"];
const FILLS: [&str; 3] = ["fill", "fill_left", "fill_right"];
const LENGTH_WORDS: [&str; 6] = ["step", "range", "min", "max", "min_of", "max_of"];

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        Lexer {
            input,
            position: 0,
            start: 0,
            state: State::Statements,
            depth: 0,
            in_brackets: false,
            got_colon: false,
            got_length: false,
            last_closing: 0,
        }
    }

    /// The next item.
    ///
    /// # Errors
    /// The text is none.
    pub(super) fn next(&mut self) -> Result<Item<'a>, Wrong> {
        let item = match self.state {
            State::Statements => self.statements(),
            State::Braces => self.inside_braces(),
            State::Length => self.length(),
        }?;
        let closes = matches!(item.kind, Kind::Number | Kind::Duration) || matches!(item.text, ")" | "]" | "}");
        if closes && item.kind != Kind::Text {
            self.last_closing = item.end();
        }
        Ok(item)
    }

    fn rest(&self) -> &'a str {
        self.input.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.position += next.len_utf8();
        Some(next)
    }

    fn accept(&mut self, fits: impl Fn(char) -> bool) -> bool {
        let found = self.peek().is_some_and(fits);
        if found {
            self.bump();
        }
        found
    }

    fn run(&mut self, fits: impl Fn(char) -> bool) {
        while self.accept(&fits) {}
    }

    fn text(&self) -> &'a str {
        self.input.get(self.start..self.position).unwrap_or_default()
    }

    fn emit(&mut self, kind: Kind) -> Item<'a> {
        let item = Item { kind, text: self.text(), start: self.start };
        self.start = self.position;
        item
    }

    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Wrong> {
        Err((self.start, message.into()))
    }

    /// Leaves out spaces and comments.
    fn skip(&mut self) {
        loop {
            self.run(is_space);
            self.start = self.position;
            if self.peek() != Some('#') {
                return;
            }
            self.run(|c| !matches!(c, '\r' | '\n'));
            self.start = self.position;
        }
    }

    fn statements(&mut self) -> Result<Item<'a>, Wrong> {
        self.skip();
        let Some(c) = self.bump() else {
            if self.depth != 0 {
                return self.wrong("unclosed left parenthesis");
            }
            if self.in_brackets {
                return self.wrong("unclosed left bracket");
            }
            return Ok(self.emit(Kind::End));
        };
        match c {
            ',' => Ok(self.emit(Kind::Mark)),
            '*' | '/' | '%' | '+' | '-' | '^' | '@' => Ok(self.emit(Kind::Operator)),
            '=' => match self.peek() {
                Some('=') => {
                    self.bump();
                    Ok(self.emit(Kind::Operator))
                }
                Some('~') => self.wrong("unexpected character after '=': '~'"),
                _ => Ok(self.emit(Kind::Mark)),
            },
            '!' => match self.bump() {
                Some('=') => Ok(self.emit(Kind::Operator)),
                other => self.wrong(format!("unexpected character after '!': {}", character(other))),
            },
            '<' | '>' => {
                self.accept(|next| next == '=' || next == '/');
                Ok(self.emit(Kind::Operator))
            }
            '"' | '\'' | '`' => self.quoted(c),
            '(' => {
                self.depth += 1;
                Ok(self.emit(Kind::Mark))
            }
            ')' => self.close_parenthesis(),
            '{' => {
                self.state = State::Braces;
                Ok(self.emit(Kind::Mark))
            }
            '[' if self.in_brackets => self.wrong("unexpected left bracket '['"),
            '[' => {
                self.got_colon = false;
                self.in_brackets = true;
                self.state = State::Length;
                Ok(self.emit(Kind::Mark))
            }
            ']' if !self.in_brackets => self.wrong("unexpected right bracket ']'"),
            ']' => {
                self.in_brackets = false;
                Ok(self.emit(Kind::Mark))
            }
            c if c.is_ascii_digit() || (c == '.' && self.peek().is_some_and(|c| c.is_ascii_digit())) => self.number(),
            c if self.in_brackets && (is_alpha(c) || c == ':') => self.word_in_brackets(c),
            c if is_alpha(c) || c == ':' => Ok(self.word()),
            c => self.wrong(format!("unexpected character: {}", character(Some(c)))),
        }
    }

    fn close_parenthesis(&mut self) -> Result<Item<'a>, Wrong> {
        let item = self.emit(Kind::Mark);
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            // What is complained of has been passed by then.
            None => return self.wrong("unexpected right parenthesis ')'"),
        }
        Ok(item)
    }

    fn word_in_brackets(&mut self, first: char) -> Result<Item<'a>, Wrong> {
        if first == ':' {
            if self.got_colon {
                return self.wrong("unexpected colon ':'");
            }
            self.got_colon = true;
            return Ok(self.emit(Kind::Mark));
        }
        match self.length_word(first) {
            Some(item) => Ok(item),
            None => self.wrong(format!("unexpected character: {}, expected ':'", character(Some(first)))),
        }
    }

    fn length_word(&mut self, first: char) -> Option<Item<'a>> {
        if !matches!(first.to_ascii_lowercase(), 's' | 'm' | 'r') {
            return None;
        }
        self.run(is_alpha);
        let is_known = LENGTH_WORDS.iter().any(|word| self.text().eq_ignore_ascii_case(word));
        is_known.then(|| self.emit(Kind::Preprocessor))
    }

    fn length(&mut self) -> Result<Item<'a>, Wrong> {
        self.run(is_space);
        self.start = self.position;
        let Some(c) = self.bump() else {
            return self.wrong("unexpected end of input in duration expression");
        };
        match c {
            ']' => {
                self.in_brackets = false;
                self.state = State::Statements;
                Ok(self.emit(Kind::Mark))
            }
            ':' => {
                let item = self.emit(Kind::Mark);
                if !self.got_length {
                    return self.wrong("unexpected colon before duration in duration expression");
                }
                if self.got_colon {
                    return self.wrong("unexpected repeated colon in duration expression");
                }
                self.got_colon = true;
                Ok(item)
            }
            '(' => {
                self.depth += 1;
                Ok(self.emit(Kind::Mark))
            }
            ')' => self.close_parenthesis(),
            ',' => Ok(self.emit(Kind::Mark)),
            '+' | '-' | '*' | '/' | '%' | '^' => Ok(self.emit(Kind::Operator)),
            c if c.is_ascii_digit() || (c == '.' && self.peek().is_some_and(|c| c.is_ascii_digit())) => {
                self.got_length = true;
                self.state = State::Statements;
                self.number()
            }
            c => match self.length_word(c) {
                Some(item) => Ok(item),
                None => self.wrong(format!("unexpected character in duration expression: {}", character(Some(c)))),
            },
        }
    }

    fn inside_braces(&mut self) -> Result<Item<'a>, Wrong> {
        self.skip();
        let Some(c) = self.bump() else {
            return self.wrong("unexpected end of input inside braces");
        };
        match c {
            ',' => Ok(self.emit(Kind::Mark)),
            '"' | '\'' | '`' => self.quoted(c),
            '=' => {
                let kind = if self.accept(|next| next == '~') { Kind::Operator } else { Kind::Mark };
                Ok(self.emit(kind))
            }
            '!' => match self.bump() {
                Some('~' | '=') => Ok(self.emit(Kind::Operator)),
                other => self.wrong(format!("unexpected character after '!' inside braces: {}", character(other))),
            },
            '{' => self.wrong("unexpected left brace '{'"),
            '}' => {
                self.state = State::Statements;
                Ok(self.emit(Kind::Mark))
            }
            c if is_alpha(c) => {
                self.run(is_alphanumeric);
                Ok(self.emit(Kind::Identifier))
            }
            c => self.wrong(format!("unexpected character inside braces: {}", character(Some(c)))),
        }
    }

    /// The first letter has been read.
    fn word(&mut self) -> Item<'a> {
        self.run(|c| is_alphanumeric(c) || c == ':');
        let word = self.text().to_ascii_lowercase();
        let is_one_of = |words: &[&str]| words.contains(&word.as_str());
        let kind = match word.as_str() {
            "and" | "or" | "unless" | "atan2" => Kind::Operator,
            "inf" | "nan" => Kind::Number,
            "start" | "end" | "step" | "range" => Kind::Preprocessor,
            _ if is_one_of(&AGGREGATORS) => Kind::Aggregator,
            _ if is_one_of(&KEYWORDS) => Kind::Keyword,
            _ if is_one_of(&FILLS) && self.rest().trim_start_matches(is_space).starts_with('(') => Kind::Keyword,
            _ if word.contains(':') => Kind::MetricIdentifier,
            _ => Kind::Identifier,
        };
        self.emit(kind)
    }

    /// The first character has been read.
    fn number(&mut self) -> Result<Item<'a>, Wrong> {
        self.position = self.start;
        if self.scan_number() {
            return Ok(self.emit(Kind::Number));
        }
        if self.scan_units() {
            return Ok(self.emit(Kind::Duration));
        }
        self.wrong(format!("bad number or duration syntax: {}", super::quote::text(self.text())))
    }

    fn scan_number(&mut self) -> bool {
        let mut hexadecimal = false;
        if self.accept(|c| c == '0') && self.accept(|c| matches!(c, 'x' | 'X')) {
            self.accept(|c| c == '_');
            hexadecimal = true;
        }
        let is_digit = move |c: char| c.is_ascii_digit() || (hexadecimal && c.is_ascii_hexdigit());
        self.accept(|c| c == '.');
        self.accept(is_digit);
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            if !(is_digit(c) || matches!(c, '.' | '_' | 'e' | 'E')) {
                break;
            }
            let is_exponent = matches!(c, 'e' | 'E');
            if (c == '.' && dot) || (is_exponent && exponent) {
                self.bump();
                return false;
            }
            if c == '.' {
                self.bump();
                dot = true;
                if self.accept(|c| matches!(c, '_' | '.')) || hexadecimal {
                    return false;
                }
            } else if is_exponent {
                self.bump();
                exponent = true;
                self.accept(|c| matches!(c, '+' | '-'));
                if self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                    return false;
                }
            } else if c == '_' {
                self.bump();
                if self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                    return false;
                }
            } else {
                self.run(is_digit);
            }
        }
        !self.peek().is_some_and(is_alphanumeric)
    }

    fn scan_units(&mut self) -> bool {
        if !self.accept(|c| "smhdwy".contains(c)) {
            return false;
        }
        self.accept(|c| c == 's');
        while self.accept(|c| c.is_ascii_digit()) {
            self.run(|c| c.is_ascii_digit());
            if !self.accept(|c| "smhdw".contains(c)) {
                return false;
            }
            self.accept(|c| c == 's');
        }
        !self.accept(is_alphanumeric)
    }

    /// The opening quote has been read.
    fn quoted(&mut self, quote: char) -> Result<Item<'a>, Wrong> {
        loop {
            match self.bump() {
                Some(c) if c == quote => return Ok(self.emit(Kind::Text)),
                Some(char::REPLACEMENT_CHARACTER) => return self.wrong("invalid UTF-8 rune"),
                None if quote == '`' => return self.wrong("unterminated raw string"),
                Some('\\') if quote != '`' => self.escape(quote)?,
                Some('\n') if quote != '`' => return self.wrong("unterminated quoted string"),
                None => return self.wrong("unterminated quoted string"),
                Some(_) => {}
            }
        }
    }

    /// The backslash has been read.
    fn escape(&mut self, quote: char) -> Result<(), Wrong> {
        let Some(first) = self.bump() else { return self.wrong("escape sequence not terminated") };
        let (digits, base, largest) = match first {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == quote => return Ok(()),
            '0'..='7' => {
                self.position -= 1;
                (3, 8, 255)
            }
            'x' => (2, 16, 255),
            'u' => (4, 16, 0x10_ffff),
            'U' => (8, 16, 0x10_ffff),
            other => return self.wrong(format!("unknown escape sequence {}", code_point(other))),
        };
        let mut value = 0_u32;
        for _ in 0..digits {
            let Some(c) = self.bump() else { return self.wrong("escape sequence not terminated") };
            let Some(digit) = c.to_digit(base) else {
                return self.wrong(format!("illegal character {} in escape sequence", code_point(c)));
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > largest || (0xd800..0xe000).contains(&value) {
            return self.wrong("escape sequence is an invalid Unicode code point");
        }
        Ok(())
    }
}
