//! Parses durations: numbers, durations, and calculations with them and the query's step and range.

use super::{
    Parser, Read, Token, Wrong,
    complaint::unexpected,
    expression::{operator, right_side},
};
use crate::{
    plan::Operator,
    syntax::{
        length::Length,
        tree::{Duration, Sign},
    },
};

const EXPECTED: &str = "number, duration, step(), or range()";
/// Prometheus' maximum, which is 64-bit nanoseconds, in seconds.
pub(super) const LONGEST_NUMBER: f64 = 9_223_372_036.854_776;
pub(super) const OUT_OF_RANGE: &str = "duration out of range";
/// Our maximum: a hundred years, in seconds.
const LONGEST: f64 = 3.2e9;
/// Maximum nesting of parentheses and functions.
const MAX_DEPTH: usize = 50;

/// Context of an error message.
#[derive(Clone, Copy)]
struct Context {
    place: &'static str,
    expected: &'static str,
}

impl Context {
    fn unexpected(self, token: &Token) -> Wrong {
        unexpected(token, self.place, self.expected)
    }
}

impl<'a> Parser<'a> {
    /// The duration after `[`.
    pub(super) fn range_length(&mut self) -> Read<Duration<'a>> {
        self.positive(Context { place: "subquery or range selector", expected: EXPECTED })
    }

    /// The duration after the colon of a subquery.
    pub(super) fn step_length(&mut self) -> Read<Duration<'a>> {
        let expected = "number, duration, step(), range(), or \"]\"";
        self.positive(Context { place: "subquery selector", expected })
    }

    /// The duration after `offset`: operators after it belong to the query.
    pub(super) fn offset_length(&mut self) -> Read<Duration<'a>> {
        let context = Context { place: "offset", expected: EXPECTED };
        let (from, start) = (self.index, self.peek()?.start);
        let sign = self.take_sign()?;
        let length = self.plain(context)?;
        let length = self.with_sign(sign, length, from);
        Ok(self.written(from, start, length))
    }

    fn positive(&mut self, context: Context) -> Read<Duration<'a>> {
        let (from, start) = (self.index, self.peek()?.start);
        match self.computed(context)? {
            Length::Seconds(seconds) if seconds <= 0.0 => Err((start, "duration must be greater than 0".to_owned())),
            length => Ok(self.written(from, start, length)),
        }
    }

    /// A duration with the tokens from an index on.
    fn written(&mut self, from: usize, start: usize, length: Length) -> Duration<'a> {
        if matches!(length, Length::Seconds(seconds) if seconds.abs() > LONGEST) && self.beyond.is_none() {
            self.beyond = Some((start, OUT_OF_RANGE.to_owned()));
        }
        Duration { length, tokens: self.tokens.get(from..self.index).unwrap_or_default() }
    }

    /// A complete duration, or one in parentheses.
    fn computed(&mut self, context: Context) -> Read<Length> {
        self.nested_lengths += 1;
        if self.nested_lengths > MAX_DEPTH {
            return Err((self.peek()?.start, "duration expression is nested too deeply".to_owned()));
        }
        let length = self.length(Operator::Add.precedence(), context)?;
        self.nested_lengths -= 1;
        Ok(length)
    }

    /// A duration with operators of at least the precedence `lowest`.
    fn length(&mut self, lowest: u8, context: Context) -> Read<Length> {
        let from = self.index;
        let mut left = match self.take_sign()? {
            Some(sign) => {
                let inner = self.length(Operator::Pow.precedence(), context)?;
                self.with_sign(Some(sign), inner, from)
            }
            None => self.plain(context)?,
        };
        loop {
            let token = self.peek()?;
            let Some((operator, sign)) = arithmetic(&token).filter(|(operator, _)| operator.precedence() >= lowest)
            else {
                return Ok(left);
            };
            self.pass();
            let right = self.length(right_side(operator.precedence()), context)?;
            if right == Length::Seconds(0.0) && matches!(operator, Operator::Div | Operator::Mod) {
                let what = if operator == Operator::Div { "division" } else { "modulo" };
                return Err((token.start, format!("{what} by zero")));
            }
            left = Length::Both(sign, Box::new((left, right)), self.since(from));
        }
    }

    fn with_sign(&self, sign: Option<Sign>, length: Length, from: usize) -> Length {
        match (sign, length) {
            (Some(Sign::Minus), Length::Seconds(seconds)) => Length::Seconds(-seconds),
            (Some(Sign::Minus), Length::Negative(inner, _)) => *inner,
            (Some(Sign::Minus), length) => Length::Negative(Box::new(length), self.since(from)),
            (_, length) => length,
        }
    }

    /// The range of the tokens from an index on that have been consumed.
    fn since(&self, from: usize) -> (usize, usize) {
        let start = self.tokens.get(from).map_or(0, |token| token.start);
        let last = self.index.checked_sub(1).and_then(|last| self.tokens.get(last));
        (start, last.map_or(start, Token::end))
    }

    /// A length without operators.
    fn plain(&mut self, context: Context) -> Read<Length> {
        let token = self.peek()?;
        if token.is_number() {
            self.pass();
            let seconds = Self::signed_seconds(&token, None)?;
            // NaN fails this comparison too.
            return if seconds.abs() <= LONGEST_NUMBER {
                Ok(Length::Seconds(seconds))
            } else {
                Err((token.start, OUT_OF_RANGE.to_owned()))
            };
        }
        let from = self.index;
        if self.take_if("(")?.is_some() {
            let inner = self.computed(context)?;
            self.length_mark(")", context)?;
            return Ok(inner);
        }
        // By their text: outside of brackets some of these words are aggregations or names.
        match token.text.to_ascii_lowercase().as_str() {
            "step" => {
                self.no_arguments(context)?;
                Ok(Length::Step(self.since(from)))
            }
            "range" => {
                self.no_arguments(context)?;
                Ok(Length::Range(self.since(from)))
            }
            word @ ("min" | "min_of" | "max" | "max_of") => {
                self.pass();
                self.length_mark("(", context)?;
                let left = self.computed(context)?;
                self.length_mark(",", context)?;
                let right = self.computed(context)?;
                self.length_mark(")", context)?;
                let sign = if word.starts_with("min") { '<' } else { '>' };
                Ok(Length::Both(sign, Box::new((left, right)), self.since(from)))
            }
            _ => Err(context.unexpected(&token)),
        }
    }

    /// Consumes a name and empty parentheses after it.
    fn no_arguments(&mut self, context: Context) -> Read<()> {
        self.pass();
        self.length_mark("(", context)?;
        self.length_mark(")", context)
    }

    fn length_mark(&mut self, mark: &str, context: Context) -> Read<()> {
        match self.take_if(mark)? {
            Some(_) => Ok(()),
            None => Err(context.unexpected(&self.peek()?)),
        }
    }
}

/// The operator of a token between two durations, and its sign in a [`Length`].
fn arithmetic(token: &Token) -> Option<(Operator, char)> {
    let operator = operator(token)?;
    let sign = match operator {
        Operator::Add => '+',
        Operator::Sub => '-',
        Operator::Mul => '*',
        Operator::Div => '/',
        Operator::Mod => '%',
        Operator::Pow => '^',
        _ => return None,
    };
    Some((operator, sign))
}
