//! Parses operators, signs and operands.

use super::{
    Kind, Parser, Read, Token,
    duration::{LONGEST_NUMBER, OUT_OF_RANGE},
    literal,
};
use crate::{
    plan::Operator,
    syntax::tree::{Binary, Expression, Form, Selector, Sign},
};

/// The operand of a sign only contains operators of this precedence: `-a ^ 2` is `-(a ^ 2)`.
const POWER: u8 = Operator::Pow.precedence();

/// The operator of a token between two expressions.
pub(super) fn operator(token: &Token) -> Option<Operator> {
    match token.kind {
        Kind::Operator if token.text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Operator::from_text(&token.text.to_ascii_lowercase())
        }
        Kind::Operator => Operator::from_text(token.text),
        _ => None,
    }
}

/// The minimum precedence on the right side of an operator with this precedence.
pub(super) fn right_side(binds: u8) -> u8 {
    if binds == POWER { binds } else { binds + 1 }
}

impl<'a> Parser<'a> {
    /// An expression with operators of at least the precedence `lowest`.
    pub(super) fn expression(&mut self, lowest: u8) -> Read<Expression<'a>> {
        let mut left = self.signed()?;
        loop {
            let Some(operator) = operator(&self.peek()?).filter(|operator| operator.precedence() >= lowest) else {
                return Ok(left);
            };
            self.pass();
            let (returns_bool, matching) = self.matching()?;
            let right = self.expression(right_side(operator.precedence()))?;
            let (start, end) = (left.start, right.end);
            let form = Form::Binary(Box::new(Binary { operator, left, right, returns_bool, matching }));
            left = Expression { form, start, end };
        }
    }

    fn signed(&mut self) -> Read<Expression<'a>> {
        let token = self.peek()?;
        let Some(sign) = self.take_sign()? else { return self.modified() };
        let inner = self.expression(POWER)?;
        let end = inner.end;
        let form = match (inner.form, sign) {
            (form @ Form::Number { .. }, Sign::Plus) => form,
            (Form::Number { value, is_duration }, Sign::Minus) => Form::Number { value: -value, is_duration },
            (form, sign) => Form::Unary(sign, Box::new(Expression { form, ..inner })),
        };
        Ok(Expression { form, start: token.start, end })
    }

    /// A sign, if one is next.
    pub(super) fn take_sign(&mut self) -> Read<Option<Sign>> {
        let token = self.peek()?;
        let sign = match token.text {
            "+" if token.kind == Kind::Operator => Sign::Plus,
            "-" if token.kind == Kind::Operator => Sign::Minus,
            _ => return Ok(None),
        };
        self.pass();
        Ok(Some(sign))
    }

    /// A number, with the sign before it.
    pub(super) fn signed_seconds(token: &Token, sign: Option<Sign>) -> Read<f64> {
        let seconds = literal::seconds(token).map_err(|message| (token.start, message))?;
        Ok(if sign == Some(Sign::Minus) { -seconds } else { seconds })
    }

    pub(super) fn operand(&mut self) -> Read<Expression<'a>> {
        let token = self.peek()?;
        if !token.starts_operand() {
            return Err(self.misplaced(&token));
        }
        self.pass();
        let whole = |form: Form<'a>| Expression { form, start: token.start, end: token.end() };
        match token.kind {
            Kind::Number => Ok(whole(Form::Number { value: Self::signed_seconds(&token, None)?, is_duration: false })),
            Kind::Duration => match Self::signed_seconds(&token, None)? {
                value if value > LONGEST_NUMBER => Err((token.start, OUT_OF_RANGE.to_owned())),
                value => Ok(whole(Form::Number { value, is_duration: true })),
            },
            Kind::Text => Ok(whole(Form::Text(literal::text(token.text)))),
            Kind::Mark if token.text == "(" => {
                let inner = self.expression(1)?;
                let close = self.expect(")")?;
                Ok(Expression { form: Form::Paren(Box::new(inner)), start: token.start, end: close.end() })
            }
            Kind::Mark => {
                let (matchers, end) = self.matchers()?;
                let selector = Box::new(Selector { matchers, ..Selector::default() });
                Ok(Expression { form: Form::Selector(selector), start: token.start, end })
            }
            Kind::Aggregator if self.peek()?.is_any(&["(", "by", "without"]) => {
                self.aggregations += 1;
                let aggregate = self.aggregate(&token)?;
                self.aggregations -= 1;
                Ok(aggregate)
            }
            Kind::Identifier | Kind::Preprocessor if self.peek()?.is("(") => self.call(&token),
            _ => self.named_selector(&token),
        }
    }

    /// A selector, after its name.
    fn named_selector(&mut self, name: &Token<'a>) -> Read<Expression<'a>> {
        let mut selector = Box::new(Selector { name: Some(name.text), ..Selector::default() });
        let mut end = name.end();
        if self.take_if("{")?.is_some() {
            (selector.matchers, end) = self.matchers()?;
        }
        Ok(Expression { form: Form::Selector(selector), start: name.start, end })
    }
}
