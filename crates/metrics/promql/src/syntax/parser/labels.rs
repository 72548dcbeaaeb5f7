//! Parses label names in groupings, and matchers in braces.

use super::{Kind, Parser, Read, Token, complaint::unexpected, literal, regex_error::expression_error};
use crate::annotation::Position;
use labels::{METRIC_NAME, MatchOp, Matcher, Pattern, go_regex::MOST_WEIGHT};

impl Parser<'_> {
    /// Names in parentheses.
    pub(super) fn label_names(&mut self) -> Read<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        let open = self.peek()?;
        if !open.is("(") {
            return Err(unexpected(&open, CONTEXT, "\"(\""));
        }
        self.pass();
        let mut labels = Vec::new();
        if self.take_if(")")?.is_some() {
            return Ok(labels);
        }
        loop {
            let label = self.peek()?;
            match label.kind {
                Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregator | Kind::Keyword | Kind::Preprocessor => {
                    labels.push(label.text.to_owned())
                }
                Kind::Operator if label.text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    labels.push(label.text.to_owned());
                }
                Kind::Text => {
                    let name = literal::text(label.text);
                    if name.is_empty() {
                        return Err((label.start, "invalid label name for grouping: \"\"".to_owned()));
                    }
                    labels.push(name);
                }
                _ => return Err(unexpected(&label, CONTEXT, "label")),
            }
            self.pass();
            if self.take_if(",")?.is_none() {
                let close = self.peek()?;
                if !close.is(")") {
                    return Err(unexpected(&close, CONTEXT, "\",\" or \")\""));
                }
            }
            if self.take_if(")")?.is_some() {
                return Ok(labels);
            }
        }
    }

    /// Matchers after the opening brace up to the closing one, and its position.
    pub(super) fn matchers(&mut self) -> Read<(Vec<Matcher>, Position)> {
        const CONTEXT: &str = "label matching";
        let mut matchers = Vec::new();
        loop {
            let label = self.take()?;
            if label.is("}") {
                return Ok((matchers, label.end()));
            }
            let name = match label.kind {
                Kind::Identifier => label.text.to_owned(),
                Kind::Text => literal::text(label.text),
                _ => return Err(unexpected(&label, CONTEXT, "identifier or \"}\"")),
            };
            let operator = self.peek()?;
            if operator.is_any(&["=", "!=", "=~", "!~"]) {
                self.pass();
                let value = self.take()?;
                if value.kind != Kind::Text {
                    return Err(unexpected(&value, CONTEXT, "string"));
                }
                matchers.push(Matcher { name, op: self.condition(&label, &operator, &value)? });
            } else if label.kind == Kind::Identifier {
                return Err(unexpected(&operator, CONTEXT, "label matching operator"));
            } else {
                matchers.push(Matcher::equal(METRIC_NAME, name));
            }
            let next = self.peek()?;
            if next.is(",") {
                self.pass();
            } else if !next.is("}") {
                return Err(unexpected(&next, CONTEXT, "\",\" or \"}\""));
            }
        }
    }

    fn condition(&mut self, label: &Token, operator: &Token, value: &Token) -> Read<MatchOp> {
        let text = literal::text(value.text);
        match operator.text {
            "=" => return Ok(MatchOp::Equal(text)),
            "!=" => return Ok(MatchOp::NotEqual(text)),
            _ => {}
        }
        // The weight of an expression is known before it is compiled.
        self.weight = self.weight.saturating_add(Pattern::weight_of(&text));
        if self.weight > MOST_WEIGHT {
            let message = "the regular expressions are too many or too complex: repeat shorter pieces, or less often";
            return Err((value.start, message.to_owned()));
        }
        match Pattern::compile(&text) {
            Some(pattern) if operator.text == "=~" => Ok(MatchOp::Regex(pattern)),
            Some(pattern) => Ok(MatchOp::NotRegex(pattern)),
            None => Err((label.start, format!("error parsing regexp: {}", expression_error(&text)))),
        }
    }
}
