//! The lexer: splits a query into tokens with the rules of Prometheus' lexer, up to the first error.

use super::{
    Wrong,
    limits::MAX_TOKENS,
    quote::character,
    token::{Kind, Token, kind_of_word},
};

/// The tokens of a query.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    /// Ends with a token of kind `End` if there is no error.
    pub(super) list: Vec<Token<'a>>,
    /// The error after the tokens. The parser only reports it when it gets there, because its own error may come first.
    pub(super) wrong: Option<Wrong>,
}

/// Splits up to the end, an error, or one token more than the limit.
pub(super) fn tokens(query: &str) -> Tokens<'_> {
    let mut lexer = Lexer {
        input: query,
        position: 0,
        start: 0,
        state: State::Statements,
        depth: 0,
        in_brackets: false,
        got_colon: false,
        got_length: false,
    };
    let mut list = Vec::with_capacity((query.len() / 4).min(MAX_TOKENS));
    loop {
        match lexer.next() {
            Ok(token) => {
                list.push(token);
                if token.kind == Kind::End || list.len() > MAX_TOKENS {
                    return Tokens { list, wrong: None };
                }
            }
            Err(wrong) => return Tokens { list, wrong: Some(wrong) },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Statements,
    Braces,
    /// After `[`, until the first number.
    Length,
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    pub(super) input: &'a str,
    pub(super) position: usize,
    /// Start of the current token.
    pub(super) start: usize,
    state: State,
    depth: usize,
    in_brackets: bool,
    got_colon: bool,
    got_length: bool,
}

const LENGTH_WORDS: [&str; 6] = ["step", "range", "min", "max", "min_of", "max_of"];

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

pub(super) fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

impl<'a> Lexer<'a> {
    /// The next token.
    ///
    /// # Errors
    ///
    /// The text is not a valid token.
    fn next(&mut self) -> Result<Token<'a>, Wrong> {
        match self.state {
            State::Statements => self.statements(),
            State::Braces => self.inside_braces(),
            State::Length => self.length(),
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.input.get(self.position..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.position += next.len_utf8();
        Some(next)
    }

    pub(super) fn accept(&mut self, fits: impl Fn(char) -> bool) -> bool {
        let found = self.peek().is_some_and(fits);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn run(&mut self, fits: impl Fn(char) -> bool) {
        while self.accept(&fits) {}
    }

    pub(super) fn text(&self) -> &'a str {
        self.input.get(self.start..self.position).unwrap_or_default()
    }

    pub(super) fn emit(&mut self, kind: Kind) -> Token<'a> {
        let token = Token { kind, text: self.text(), start: self.start };
        self.start = self.position;
        token
    }

    pub(super) fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Wrong> {
        Err((self.start, message.into()))
    }

    /// Skips spaces and comments.
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

    fn statements(&mut self) -> Result<Token<'a>, Wrong> {
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

    fn close_parenthesis(&mut self) -> Result<Token<'a>, Wrong> {
        let token = self.emit(Kind::Mark);
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            // The reported character is already consumed.
            None => return self.wrong("unexpected right parenthesis ')'"),
        }
        Ok(token)
    }

    fn word_in_brackets(&mut self, first: char) -> Result<Token<'a>, Wrong> {
        if first == ':' {
            if self.got_colon {
                return self.wrong("unexpected colon ':'");
            }
            self.got_colon = true;
            return Ok(self.emit(Kind::Mark));
        }
        match self.length_word(first) {
            Some(token) => Ok(token),
            None => self.wrong(format!("unexpected character: {}, expected ':'", character(Some(first)))),
        }
    }

    fn length_word(&mut self, first: char) -> Option<Token<'a>> {
        if !matches!(first.to_ascii_lowercase(), 's' | 'm' | 'r') {
            return None;
        }
        self.run(is_alpha);
        let is_known = LENGTH_WORDS.iter().any(|word| self.text().eq_ignore_ascii_case(word));
        is_known.then(|| self.emit(Kind::Preprocessor))
    }

    fn length(&mut self) -> Result<Token<'a>, Wrong> {
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
                let token = self.emit(Kind::Mark);
                if !self.got_length {
                    return self.wrong("unexpected colon before duration in duration expression");
                }
                if self.got_colon {
                    return self.wrong("unexpected repeated colon in duration expression");
                }
                self.got_colon = true;
                Ok(token)
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
                Some(token) => Ok(token),
                None => self.wrong(format!("unexpected character in duration expression: {}", character(Some(c)))),
            },
        }
    }

    fn inside_braces(&mut self) -> Result<Token<'a>, Wrong> {
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

    /// The rest of a word, after its first letter.
    fn word(&mut self) -> Token<'a> {
        self.run(|c| is_alphanumeric(c) || c == ':');
        let kind = kind_of_word(self.text(), || self.rest().trim_start_matches(is_space).starts_with('('));
        self.emit(kind)
    }
}
