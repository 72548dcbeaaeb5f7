//! Labels: in groupings and in matchers.

use super::{
    lexer::Kind,
    literal,
    reader::{Matcher, Read, Reader, unexpected},
};

impl Reader<'_> {
    /// Labels in parentheses.
    pub(super) fn grouping(&mut self) -> Read<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        let open = self.peek()?;
        if !open.is("(") {
            return Err(unexpected(&open, CONTEXT, "\"(\""));
        }
        self.ahead = None;
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
            self.ahead = None;
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

    pub(super) fn matchers(&mut self) -> Read<(Vec<Matcher>, usize)> {
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
            if ["=", "!=", "=~", "!~"].iter().any(|text| operator.is(text)) {
                self.ahead = None;
                let value = self.take()?;
                if value.kind != Kind::Text {
                    return Err(unexpected(&value, CONTEXT, "string"));
                }
                let text = literal::text(value.text);
                let matches_nothing =
                    literal::matches_nothing(operator.text, &text).map_err(|message| (label.start, message))?;
                matchers.push(Matcher { label: name, value: text, matches_nothing });
            } else if label.kind == Kind::Identifier {
                return Err(unexpected(&operator, CONTEXT, "label matching operator"));
            } else {
                let matches_nothing = name.is_empty();
                let label = labels::METRIC_NAME.to_owned();
                matchers.push(Matcher { label, value: name, matches_nothing });
            }
            let next = self.peek()?;
            if next.is(",") {
                self.ahead = None;
            } else if !next.is("}") {
                return Err(unexpected(&next, CONTEXT, "\",\" or \"}\""));
            }
        }
    }
}
