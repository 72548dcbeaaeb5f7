//! Parses the modifiers after an operand: ranges, `offset`, `@`, `anchored` and `smoothed`.

use super::{Parser, Read, Token, complaint::unexpected};
use crate::{
    plan::{At, Edges},
    syntax::{
        length::to_timestamp,
        tree::{Expression, Form, Shift, Subquery},
    },
};

/// The limit of 64 bits for `@`, in seconds.
const BOUND: f64 = 9_223_372_036_854_775_808.0;
const BEFORE_MODIFIER: &str =
    "modifier must be preceded by an instant vector selector or range vector selector or a subquery";

impl<'a> Expression<'a> {
    /// The `offset` and `@` of a selector or subquery, to set them.
    fn shift(&mut self) -> Option<&mut Shift<'a>> {
        match &mut self.form {
            Form::Selector(selector) | Form::Range(selector, _) => Some(&mut selector.shift),
            Form::Subquery(subquery) => Some(&mut subquery.shift),
            _ => None,
        }
    }
}

impl<'a> Parser<'a> {
    /// An operand with its modifiers.
    pub(super) fn modified(&mut self) -> Read<Expression<'a>> {
        let mut expression = self.operand()?;
        loop {
            let token = self.peek()?;
            if token.is("[") {
                self.pass();
                expression = self.range(expression, &token)?;
            } else if token.is("@") {
                self.pass();
                self.at(&mut expression)?;
            } else if token.is("offset") {
                self.pass();
                self.offset(&mut expression)?;
            } else if token.is_any(&["anchored", "smoothed"]) {
                self.pass();
                edges(&mut expression, &token)?;
            } else {
                return Ok(expression);
            }
        }
    }

    /// The duration after `offset`.
    fn offset(&mut self, expression: &mut Expression<'a>) -> Read<()> {
        let offset = self.offset_length()?;
        let end = self.last_closing;
        let start = expression.start;
        let Some(shift) = expression.shift() else { return Err((start, format!("offset {BEFORE_MODIFIER}"))) };
        if shift.is_offset() {
            return Err((start, "offset may not be set multiple times".to_owned()));
        }
        shift.offset = Some(offset);
        expression.end = end;
        Ok(())
    }

    /// The time after `@`.
    fn at(&mut self, expression: &mut Expression<'a>) -> Read<()> {
        let start = expression.start;
        let at = match self.take_any(&["start", "end"])? {
            Some(word) => {
                for mark in ["(", ")"] {
                    let token = self.peek()?;
                    if !token.is(mark) {
                        return Err(not_a_time(&token));
                    }
                    self.pass();
                }
                if word.is("start") { At::Start } else { At::End }
            }
            None => {
                let sign = self.take_sign()?;
                let token = self.peek()?;
                if !token.is_number() {
                    return Err(not_a_time(&token));
                }
                self.pass();
                let time = Self::signed_seconds(&token, sign)?;
                if !time.is_finite() || time.abs() >= BOUND {
                    let shown = match time {
                        time if time.is_nan() => "NaN".to_owned(),
                        f64::INFINITY => "+Inf".to_owned(),
                        f64::NEG_INFINITY => "-Inf".to_owned(),
                        time => format!("{time:.6}"),
                    };
                    return Err((start, format!("timestamp out of bounds for @ modifier: {shown}")));
                }
                At::Time(to_timestamp(time))
            }
        };
        let end = self.last_closing;
        let Some(shift) = expression.shift() else { return Err((start, format!("@ {BEFORE_MODIFIER}"))) };
        if shift.at.is_some() {
            return Err((start, "@ <timestamp> may not be set multiple times".to_owned()));
        }
        shift.at = Some(at);
        expression.end = end;
        Ok(())
    }

    /// The range after `[`.
    fn range(&mut self, expression: Expression<'a>, open: &Token) -> Read<Expression<'a>> {
        let range = self.range_length()?;
        let start = expression.start;
        let token = self.peek()?;
        if let Some(close) = self.take_if("]")? {
            let selector = match expression.form {
                Form::Selector(selector) if selector.shift.is_offset() => {
                    Err("no offset modifiers allowed before range")
                }
                Form::Selector(selector) if selector.shift.at.is_some() => Err("no @ modifiers allowed before range"),
                Form::Selector(selector) => Ok(selector),
                _ => Err("ranges only allowed for vector selectors"),
            };
            let selector = selector.map_err(|message| (open.start, message.to_owned()))?;
            return Ok(Expression { form: Form::Range(selector, Box::new(range)), start, end: close.end() });
        }
        if self.take_if(":")?.is_none() {
            return Err(unexpected(&token, "subquery or range", "\":\" or \"]\""));
        }
        let step = if self.peek()?.is("]") { None } else { Some(self.step_length()?) };
        let close = self.peek()?;
        if !close.is("]") {
            return Err(unexpected(&close, "subquery selector", "\"]\""));
        }
        self.pass();
        let form = Form::Subquery(Box::new(Subquery { inner: expression, range, step, shift: Shift::default() }));
        Ok(Expression { form, start, end: close.end() })
    }
}

fn not_a_time(token: &Token) -> super::Wrong {
    unexpected(token, "@", "timestamp")
}

/// Applies `anchored` or `smoothed`, which was consumed.
fn edges(expression: &mut Expression, word: &Token) -> Read<()> {
    let start = expression.start;
    let wanted = if word.is("anchored") { Edges::Anchored } else { Edges::Smoothed };
    match &mut expression.form {
        Form::Selector(selector) | Form::Range(selector, _) => {
            if selector.edges != Edges::Plain && selector.edges != wanted {
                return Err((start, "anchored and smoothed modifiers cannot be used together".to_owned()));
            }
            selector.edges = wanted;
            Ok(())
        }
        other => {
            let of_subquery = matches!(other, Form::Subquery(_));
            let why = if of_subquery { "is not supported for subqueries" } else { "not implemented" };
            Err((start, format!("{} modifier {why}", word.text.to_ascii_lowercase())))
        }
    }
}
