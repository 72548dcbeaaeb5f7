//! Selectors on the way from the parser's tree to the plan: matchers, ranges, offsets.

use std::time::UNIX_EPOCH;

use promql_parser::{
    label::MatchOp as ParsedOp,
    parser::{AtModifier, VectorSelector},
};

use super::{
    ParseError,
    length::Length,
    lower::Lowering,
    prepare::{Lengths, STAND_IN_LABEL},
    token::{Kind, Token},
};
use crate::{
    annotation::Position,
    plan::{At, Edges, Shift},
};
use labels::{METRIC_NAME, MatchOp, Matcher, Pattern};

impl Lowering<'_> {
    /// Reads `[…]`.
    pub(super) fn range(&mut self) -> Option<Lengths> {
        let lengths = self.prepared.lengths.get(&self.index).cloned();
        match &lengths {
            Some(lengths) => {
                self.index = lengths.next;
                self.take("]");
                if !(lengths.length.is_literal() && lengths.step.as_ref().is_none_or(Length::is_literal)) {
                    self.experimental.push("duration expressions".to_owned());
                }
            }
            None => self.skip_group(),
        }
        lengths
    }

    /// Reads `offset`, `@`, `anchored` and `smoothed`, in any order.
    ///
    /// # Errors
    /// Both of the latter are there.
    pub(super) fn shift(&mut self, at: Option<&AtModifier>) -> Result<(Shift, Edges), ParseError> {
        let mut shift = Shift { offset: None, at: at.map(lower_at) };
        let mut edges = Edges::Plain;
        loop {
            if let Some(lengths) = self.prepared.lengths.get(&self.index).filter(|_| self.at("offset")) {
                self.index = lengths.next;
                if !lengths.length.is_literal() {
                    self.experimental.push("duration expressions".to_owned());
                }
                shift.offset = Some(lengths.length.clone());
            } else if self.take("@") {
                while self.take("+") || self.take("-") {}
                self.index += 1;
                if self.take("(") {
                    self.take(")");
                }
            } else if self.at("anchored") || self.at("smoothed") {
                let wanted = if self.at("anchored") { Edges::Anchored } else { Edges::Smoothed };
                if edges != Edges::Plain && edges != wanted {
                    let message = "anchored and smoothed modifiers cannot be used together";
                    return Err(self.error(self.position(), message));
                }
                self.experimental.extend(self.peek().map(|token| token.text.to_ascii_lowercase()));
                self.index += 1;
                edges = wanted;
            } else {
                return Ok((shift, edges));
            }
        }
    }

    pub(super) fn matchers(
        &mut self,
        selector: &VectorSelector,
        position: Position,
    ) -> Result<Vec<Matcher>, ParseError> {
        let outside = self.peek().filter(|token| token.kind == Kind::Word);
        self.index += usize::from(outside.is_some());
        if self.at("{") {
            self.skip_group();
        }
        if !selector.matchers.or_matchers.is_empty() {
            return Err(self.error(position, "unexpected \"or\" in label matching, expected \",\" or \"}\""));
        }
        let mut matchers: Vec<Matcher> =
            selector.name.iter().map(|name| Matcher::equal(METRIC_NAME, name.as_str())).collect();
        for parsed in selector.matchers.matchers.iter().filter(|matcher| matcher.name != STAND_IN_LABEL) {
            if let Some(outside) =
                outside.filter(|word| parsed.name == METRIC_NAME && !(is_edge(word) && parsed.value == word.text))
            {
                let (first, second) = (outside.text, &parsed.value);
                return Err(self.error(position, format!("metric name must not be set twice: {first:?} or {second:?}")));
            }
            let op = match &parsed.op {
                ParsedOp::Equal => MatchOp::Equal(parsed.value.clone()),
                ParsedOp::NotEqual => MatchOp::NotEqual(parsed.value.clone()),
                ParsedOp::Re(_) => MatchOp::Regex(self.pattern(&parsed.value, position)?),
                ParsedOp::NotRe(_) => MatchOp::NotRegex(self.pattern(&parsed.value, position)?),
            };
            matchers.push(Matcher { name: parsed.name.clone(), op });
        }
        Ok(matchers)
    }

    /// The pattern as Prometheus means it, of an expression as the parser saw it.
    fn pattern(&self, seen: &str, position: Position) -> Result<Pattern, ParseError> {
        let expression = self.prepared.expression(seen);
        Pattern::compile(expression)
            .ok_or_else(|| self.error(position, format!("error parsing regexp: `{expression}`")))
    }
}

/// True for a word that is a metric only where no modifier may stand; the parser is given such a name inside of the braces.
fn is_edge(token: &Token) -> bool {
    token.is("anchored") || token.is("smoothed")
}

pub(super) fn lower_at(at: &AtModifier) -> At {
    match at {
        AtModifier::Start => At::Start,
        AtModifier::End => At::End,
        AtModifier::At(time) => {
            let (span, negative) = match time.duration_since(UNIX_EPOCH) {
                Ok(span) => (span, false),
                Err(error) => (error.duration(), true),
            };
            let rounded = span.saturating_add(std::time::Duration::from_nanos(500_000)).as_millis();
            let milliseconds = i64::try_from(rounded).unwrap_or(i64::MAX);
            At::Time(if negative { -milliseconds } else { milliseconds })
        }
    }
}
