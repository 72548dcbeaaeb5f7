//! Parses function calls and aggregations.

use super::{Parser, Read, Token, quote, signature};
use crate::{
    plan::Aggregator,
    syntax::tree::{Aggregate, Expression, Form, Grouping},
};

impl<'a> Parser<'a> {
    /// An aggregation, after its name.
    pub(super) fn aggregate(&mut self, name: &Token<'a>) -> Read<Expression<'a>> {
        let wrong = |message: String| (name.start, message);
        let Some(operator) = Aggregator::from_text(&name.text.to_ascii_lowercase()) else {
            return Err(wrong(format!("unknown aggregation {}", quote::text(name.text))));
        };
        let before = self.grouping()?;
        let mut arguments = self.arguments()?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        let (wanted, got) = (1 + usize::from(operator.takes_parameter()), arguments.len());
        let Some(inner) = arguments.pop() else {
            return Err(wrong("no arguments for aggregate expression provided".to_owned()));
        };
        if got != wanted {
            return Err(wrong(format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {got}"
            )));
        }
        let parameter = arguments.pop();
        Ok(Expression {
            form: Form::Aggregate(Box::new(Aggregate { operator, parameter, inner, grouping })),
            start: name.start,
            end: self.last_closing,
        })
    }

    /// `by (…)` or `without (…)`, if one is next.
    fn grouping(&mut self) -> Read<Option<Grouping>> {
        let Some(word) = self.take_any(&["by", "without"])? else { return Ok(None) };
        Ok(Some(Grouping { without: word.is("without"), labels: self.label_names()? }))
    }

    /// A function call, after its name.
    pub(super) fn call(&mut self, name: &Token<'a>) -> Read<Expression<'a>> {
        let arguments = self.arguments()?;
        let Some(signature) = signature::find(name.text) else {
            return Err((name.start, format!("unknown function with name {}", quote::text(name.text))));
        };
        Ok(Expression { form: Form::Call(signature, arguments), start: name.start, end: self.last_closing })
    }

    fn arguments(&mut self) -> Read<Vec<Expression<'a>>> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        if self.take_if(")")?.is_some() {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(1)?);
            let Some(comma) = self.take_if(",")? else {
                self.expect(")")?;
                return Ok(arguments);
            };
            let next = self.peek()?;
            if !(next.starts_operand() || next.is_any(&["+", "-"])) {
                return Err((comma.start, "trailing commas not allowed in function call args".to_owned()));
            }
        }
    }
}
