//! What follows an operand: ranges, offsets, `@`, `anchored` and `smoothed`.

use super::{
    lexer::{Item, Kind},
    literal,
    reader::{Expression, Form, POWER, Read, Reader, Shift, precedence, unexpected},
};

const LENGTH: &str = "number, duration, step(), or range()";
const BEFORE_MODIFIER: &str =
    "modifier must be preceded by an instant vector selector or range vector selector or a subquery";

impl<'a> Reader<'a> {
    /// An operand with what follows it.
    pub(super) fn modified(&mut self) -> Read<Expression<'a>> {
        let mut expression = self.operand()?;
        loop {
            let item = self.peek()?;
            if item.is("[") {
                self.ahead = None;
                expression = self.range(expression, &item)?;
            } else if item.is("offset") {
                self.ahead = None;
                let offset = self.single_length("offset")?;
                let end = self.lexer.last_closing;
                let start = expression.start;
                let Some(shift) = expression.shift() else {
                    return Err((start, format!("offset {BEFORE_MODIFIER}")));
                };
                if shift.offset {
                    return Err((start, "offset may not be set multiple times".to_owned()));
                }
                shift.offset = offset.is_none_or(|seconds| seconds != 0.0);
                expression.end = end;
            } else if item.is("@") {
                self.ahead = None;
                self.at(&mut expression)?;
            } else if item.is("anchored") || item.is("smoothed") {
                self.ahead = None;
                let word = item.text.to_ascii_lowercase();
                let start = expression.start;
                let (Form::Selector(selector) | Form::Range(selector)) = &mut expression.form else {
                    let of_subquery = matches!(expression.form, Form::Subquery(..));
                    let why = if of_subquery { "is not supported for subqueries" } else { "not implemented" };
                    return Err((start, format!("{word} modifier {why}")));
                };
                selector.shift.anchored |= word == "anchored";
                selector.shift.smoothed |= word == "smoothed";
                if selector.shift.anchored && selector.shift.smoothed {
                    return Err((start, "anchored and smoothed modifiers cannot be used together".to_owned()));
                }
            } else {
                return Ok(expression);
            }
        }
    }

    /// What follows `@`.
    fn at(&mut self, expression: &mut Expression<'a>) -> Read<()> {
        let wrong = |item: &Item| unexpected(item, "@", "timestamp");
        let start = expression.start;
        let mut item = self.peek()?;
        if item.is("start") || item.is("end") {
            for mark in ["(", ")"] {
                self.ahead = None;
                item = self.peek()?;
                if !item.is(mark) {
                    return Err(wrong(&item));
                }
            }
            self.ahead = None;
        } else {
            let is_negative = item.is("-");
            if is_negative || item.is("+") {
                self.ahead = None;
                item = self.peek()?;
            }
            if !matches!(item.kind, Kind::Number | Kind::Duration) {
                return Err(wrong(&item));
            }
            self.ahead = None;
            let time = literal::seconds(&item).map_err(|message| (item.start, message))?;
            let time = if is_negative { -time } else { time };
            if !time.is_finite() || time.abs() >= 9_223_372_036_854_775_808.0 {
                let shown = match time {
                    time if time.is_nan() => "NaN".to_owned(),
                    f64::INFINITY => "+Inf".to_owned(),
                    f64::NEG_INFINITY => "-Inf".to_owned(),
                    time => format!("{time:.6}"),
                };
                return Err((start, format!("timestamp out of bounds for @ modifier: {shown}")));
            }
        }
        let end = self.lexer.last_closing;
        let Some(shift) = expression.shift() else { return Err((start, format!("@ {BEFORE_MODIFIER}"))) };
        if shift.at {
            return Err((start, "@ <timestamp> may not be set multiple times".to_owned()));
        }
        shift.at = true;
        expression.end = end;
        Ok(())
    }

    /// What follows `[`.
    fn range(&mut self, expression: Expression<'a>, open: &Item) -> Read<Expression<'a>> {
        self.positive_length("subquery or range selector", LENGTH)?;
        let start = expression.start;
        let item = self.peek()?;
        if let Some(close) = self.take_if("]")? {
            let selector = match expression.form {
                Form::Selector(selector) if selector.shift.offset => Err("no offset modifiers allowed before range"),
                Form::Selector(selector) if selector.shift.at => Err("no @ modifiers allowed before range"),
                Form::Selector(selector) => Ok(selector),
                _ => Err("ranges only allowed for vector selectors"),
            };
            let selector = selector.map_err(|message| (open.start, message.to_owned()))?;
            return Ok(Expression { form: Form::Range(selector), start, end: close.end() });
        }
        if self.take_if(":")?.is_none() {
            return Err(unexpected(&item, "subquery or range", "\":\" or \"]\""));
        }
        if !self.peek()?.is("]") {
            self.positive_length("subquery selector", "number, duration, step(), range(), or \"]\"")?;
        }
        let close = self.peek()?;
        if !close.is("]") {
            return Err(unexpected(&close, "subquery selector", "\"]\""));
        }
        self.ahead = None;
        let form = Form::Subquery(Box::new(expression), Shift::default());
        Ok(Expression { form, start, end: close.end() })
    }

    fn positive_length(&mut self, context: &'static str, expected: &'static str) -> Read<()> {
        let start = self.peek()?.start;
        match self.length(4, context, expected)? {
            Some(seconds) if seconds <= 0.0 => Err((start, "duration must be greater than 0".to_owned())),
            _ => Ok(()),
        }
    }

    /// A computed length, or the seconds of a written one.
    fn length(&mut self, lowest: u8, context: &'static str, expected: &'static str) -> Read<Option<f64>> {
        let sign = self.peek()?;
        let mut left = if sign.is("+") || sign.is("-") {
            self.ahead = None;
            let inner = self.length(POWER, context, expected)?;
            inner.map(|seconds| if sign.is("-") { -seconds } else { seconds })
        } else {
            self.plain_length(context, expected)?
        };
        loop {
            let operator = self.peek()?;
            let Some(binds) = precedence(&operator).filter(|binds| *binds >= lowest.max(4)) else { return Ok(left) };
            if operator.is("atan2") {
                return Ok(left);
            }
            self.ahead = None;
            let right = self.length(if binds == POWER { binds } else { binds + 1 }, context, expected)?;
            if right == Some(0.0) && (operator.is("/") || operator.is("%")) {
                let what = if operator.is("/") { "division" } else { "modulo" };
                return Err((operator.start, format!("{what} by zero")));
            }
            left = None;
        }
    }

    /// A length after `offset`: operators after it are those of the query.
    fn single_length(&mut self, context: &'static str) -> Read<Option<f64>> {
        let sign = self.peek()?;
        if !(sign.is("+") || sign.is("-")) {
            return self.plain_length(context, LENGTH);
        }
        self.ahead = None;
        let inner = self.plain_length(context, LENGTH)?;
        Ok(inner.map(|seconds| if sign.is("-") { -seconds } else { seconds }))
    }

    fn plain_length(&mut self, context: &'static str, expected: &'static str) -> Read<Option<f64>> {
        let item = self.peek()?;
        let mark = |reader: &mut Self, text: &str| match reader.take_if(text)? {
            Some(_) => Ok(()),
            None => Err(unexpected(&reader.peek()?, context, expected)),
        };
        if matches!(item.kind, Kind::Number | Kind::Duration) {
            self.ahead = None;
            let seconds = literal::seconds(&item).map_err(|message| (item.start, message))?;
            return if seconds.abs() <= 9_223_372_036.854_776 {
                Ok(Some(seconds))
            } else {
                Err((item.start, "duration out of range".to_owned()))
            };
        }
        if item.is("(") {
            self.ahead = None;
            let inner = self.length(4, context, expected)?;
            mark(self, ")")?;
            return Ok(inner);
        }
        let word = item.text.to_ascii_lowercase();
        let takes_two = match word.as_str() {
            "step" | "range" => false,
            "min" | "max" | "min_of" | "max_of" => true,
            _ => return Err(unexpected(&item, context, expected)),
        };
        self.ahead = None;
        mark(self, "(")?;
        if takes_two {
            self.length(4, context, expected)?;
            mark(self, ",")?;
            self.length(4, context, expected)?;
        }
        mark(self, ")")?;
        Ok(None)
    }
}
