//! Finds the end of numbers, durations and strings in a query, and checks their syntax.

use super::{
    Wrong,
    lexer::{Lexer, is_alphanumeric},
    quote,
    token::{Kind, Token},
};

impl<'a> Lexer<'a> {
    /// A number, after its first character.
    pub(super) fn number(&mut self) -> Result<Token<'a>, Wrong> {
        self.position = self.start;
        if self.scan_number() {
            return Ok(self.emit(Kind::Number));
        }
        if self.scan_units() {
            return Ok(self.emit(Kind::Duration));
        }
        self.wrong(format!("bad number or duration syntax: {}", quote::text(self.text())))
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

    /// A string, after its opening quote.
    pub(super) fn quoted(&mut self, quote: char) -> Result<Token<'a>, Wrong> {
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

    /// An escape sequence, after its backslash.
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
            other => return self.wrong(format!("unknown escape sequence {}", quote::code_point(other))),
        };
        let mut value = 0_u32;
        for _ in 0..digits {
            let Some(c) = self.bump() else { return self.wrong("escape sequence not terminated") };
            let Some(digit) = c.to_digit(base) else {
                return self.wrong(format!("illegal character {} in escape sequence", quote::code_point(c)));
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > largest || (0xd800..0xe000).contains(&value) {
            return self.wrong("escape sequence is an invalid Unicode code point");
        }
        Ok(())
    }
}
