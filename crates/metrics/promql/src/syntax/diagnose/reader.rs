//! Reads a query by Prometheus' grammar and stops at the first complaint, in the order in which its parser would come upon it.

use super::{
    lexer::{Item, Kind, Lexer, Wrong},
    literal, quote,
    signature::{self, Signature},
};
use crate::syntax::ValueType;

/// An expression with its place, as the check of types needs it.
#[derive(Debug)]
pub(super) struct Expression<'a> {
    pub(super) form: Form<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) enum Form<'a> {
    Number,
    Text,
    Paren(Box<Expression<'a>>),
    Unary(Box<Expression<'a>>),
    Binary(Box<Binary<'a>>),
    Call(Signature, Vec<Expression<'a>>),
    Aggregate { operator: Item<'a>, parameter: Option<Box<Expression<'a>>>, inner: Box<Expression<'a>> },
    Selector(Selector<'a>),
    Range(Selector<'a>),
    Subquery(Box<Expression<'a>>, Shift),
}

#[derive(Debug)]
pub(super) struct Binary<'a> {
    pub(super) operator: Item<'a>,
    pub(super) left: Expression<'a>,
    pub(super) right: Expression<'a>,
    pub(super) modifiers: Modifiers,
}

/// What stands between an operator and its right operand.
#[derive(Debug, Default)]
pub(super) struct Modifiers {
    pub(super) returns_bool: bool,
    pub(super) on: bool,
    pub(super) labels: Vec<String>,
    pub(super) grouped: bool,
    pub(super) include: Vec<String>,
    pub(super) fills: bool,
}

#[derive(Debug, Default)]
pub(super) struct Selector<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) matchers: Vec<Matcher>,
    pub(super) shift: Shift,
}

#[derive(Debug)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) value: String,
    /// A label that is not there matches.
    pub(super) matches_nothing: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Shift {
    pub(super) offset: bool,
    pub(super) at: bool,
    pub(super) anchored: bool,
    pub(super) smoothed: bool,
}

impl Expression<'_> {
    pub(super) fn value_type(&self) -> ValueType {
        match &self.form {
            Form::Number => ValueType::Scalar,
            Form::Text => ValueType::String,
            Form::Paren(inner) | Form::Unary(inner) => inner.value_type(),
            Form::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
            Form::Call(signature, _) => signature.result,
            Form::Aggregate { .. } | Form::Selector(_) => ValueType::Vector,
            Form::Range(_) | Form::Subquery(..) => ValueType::Matrix,
        }
    }

    pub(super) fn shift(&mut self) -> Option<&mut Shift> {
        match &mut self.form {
            Form::Selector(selector) | Form::Range(selector) => Some(&mut selector.shift),
            Form::Subquery(_, shift) => Some(shift),
            _ => None,
        }
    }
}

/// How tightly operators bind; a sign binds as a product.
const PRODUCT: u8 = 5;
pub(super) const POWER: u8 = 6;

pub(super) fn precedence(item: &Item) -> Option<u8> {
    if item.kind != Kind::Operator {
        return None;
    }
    Some(match item.text.to_ascii_lowercase().as_str() {
        "or" => 1,
        "and" | "unless" => 2,
        "==" | "!=" | "<" | ">" | "<=" | ">=" | "</" | ">/" => 3,
        "+" | "-" => 4,
        "*" | "/" | "%" | "atan2" => PRODUCT,
        "^" => POWER,
        _ => return None,
    })
}

pub(super) type Read<T> = Result<T, Wrong>;

/// Reads expressions; what follows operands, and labels, are read beside this file.
pub(super) struct Reader<'a> {
    pub(super) lexer: Lexer<'a>,
    pub(super) ahead: Option<Item<'a>>,
    /// Aggregations that are not complete; they are named where nothing nearer is.
    aggregations: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(query: &'a str) -> Self {
        Reader { lexer: Lexer::new(query), ahead: None, aggregations: 0 }
    }

    /// The whole query.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn query(&mut self) -> Read<Expression<'a>> {
        if self.peek()?.kind == Kind::End {
            return Err((0, "no expression found in input".to_owned()));
        }
        let expression = self.expression(1)?;
        match self.peek()? {
            item if item.kind == Kind::End => Ok(expression),
            item => Err(self.misplaced(&item)),
        }
    }

    /// The next item; it is read only when it is asked for.
    pub(super) fn peek(&mut self) -> Read<Item<'a>> {
        if let Some(item) = self.ahead {
            return Ok(item);
        }
        let item = self.lexer.next()?;
        self.ahead = Some(item);
        Ok(item)
    }

    pub(super) fn take(&mut self) -> Read<Item<'a>> {
        let item = self.peek()?;
        self.ahead = None;
        Ok(item)
    }

    pub(super) fn take_if(&mut self, text: &str) -> Read<Option<Item<'a>>> {
        let item = self.peek()?;
        if item.is(text) {
            self.ahead = None;
            return Ok(Some(item));
        }
        Ok(None)
    }

    fn misplaced(&self, item: &Item) -> Wrong {
        unexpected(item, if self.aggregations > 0 { "aggregation" } else { "" }, "")
    }

    fn expect(&mut self, text: &str) -> Read<Item<'a>> {
        match self.take_if(text)? {
            Some(item) => Ok(item),
            None => {
                let item = self.peek()?;
                Err(self.misplaced(&item))
            }
        }
    }

    fn expression(&mut self, lowest: u8) -> Read<Expression<'a>> {
        let mut left = self.signed()?;
        loop {
            let operator = self.peek()?;
            let Some(binds) = precedence(&operator).filter(|binds| *binds >= lowest) else { return Ok(left) };
            self.ahead = None;
            let modifiers = self.modifiers()?;
            let right = self.expression(if binds == POWER { binds } else { binds + 1 })?;
            let (start, end) = (left.start, right.end);
            let form = Form::Binary(Box::new(Binary { operator, left, right, modifiers }));
            left = Expression { form, start, end };
        }
    }

    fn signed(&mut self) -> Read<Expression<'a>> {
        let sign = self.peek()?;
        if !(sign.is("+") || sign.is("-")) {
            return self.modified();
        }
        self.ahead = None;
        let inner = self.expression(POWER)?;
        let end = inner.end;
        let form = if matches!(inner.form, Form::Number) { Form::Number } else { Form::Unary(Box::new(inner)) };
        Ok(Expression { form, start: sign.start, end })
    }

    fn modifiers(&mut self) -> Read<Modifiers> {
        let mut modifiers = Modifiers { returns_bool: self.take_if("bool")?.is_some(), ..Modifiers::default() };
        modifiers.on = self.peek()?.is("on");
        if modifiers.on || self.peek()?.is("ignoring") {
            self.ahead = None;
            modifiers.labels = self.grouping()?;
            modifiers.grouped = self.take_if("group_left")?.is_some() || self.take_if("group_right")?.is_some();
            if modifiers.grouped && self.peek()?.is("(") {
                modifiers.include = self.grouping()?;
            }
        }
        while let item = self.peek()?
            && ["fill", "fill_left", "fill_right"].iter().any(|word| item.is(word))
        {
            self.ahead = None;
            self.expect("(")?;
            let sign = self.peek()?;
            if sign.is("+") || sign.is("-") {
                self.ahead = None;
            }
            let number = self.peek()?;
            if !matches!(number.kind, Kind::Number | Kind::Duration) {
                return Err(self.misplaced(&number));
            }
            self.ahead = None;
            self.expect(")")?;
            modifiers.fills = true;
        }
        Ok(modifiers)
    }

    pub(super) fn operand(&mut self) -> Read<Expression<'a>> {
        let item = self.peek()?;
        if !starts_operand(&item) {
            return Err(self.misplaced(&item));
        }
        self.ahead = None;
        match item.kind {
            Kind::Number => {
                literal::number(item.text).map_err(|message| (item.start, message))?;
                Ok(Expression { form: Form::Number, start: item.start, end: item.end() })
            }
            Kind::Duration => {
                literal::seconds(&item).map_err(|message| (item.start, message))?;
                Ok(Expression { form: Form::Number, start: item.start, end: item.end() })
            }
            Kind::Text => Ok(Expression { form: Form::Text, start: item.start, end: item.end() }),
            Kind::Mark if item.text == "(" => {
                let inner = self.expression(1)?;
                let close = self.expect(")")?;
                Ok(Expression { form: Form::Paren(Box::new(inner)), start: item.start, end: close.end() })
            }
            Kind::Mark => self.selector(None, &item),
            Kind::Aggregator
                if ["(", "by", "without"].iter().any(|text| self.peek().is_ok_and(|next| next.is(text))) =>
            {
                self.aggregations += 1;
                let aggregate = self.aggregate(item)?;
                self.aggregations -= 1;
                Ok(aggregate)
            }
            Kind::Identifier | Kind::Preprocessor if self.peek()?.is("(") => self.call(&item),
            _ => self.selector(Some(&item), &item),
        }
    }

    fn aggregate(&mut self, operator: Item<'a>) -> Read<Expression<'a>> {
        let mut grouped = false;
        if self.take_if("by")?.is_some() || self.take_if("without")?.is_some() {
            self.grouping()?;
            grouped = true;
        }
        let mut arguments = self.arguments()?;
        if !grouped && (self.take_if("by")?.is_some() || self.take_if("without")?.is_some()) {
            self.grouping()?;
        }
        let wrong = |message: String| Err((operator.start, message));
        if arguments.is_empty() {
            return wrong("no arguments for aggregate expression provided".to_owned());
        }
        let name = operator.text.to_ascii_lowercase();
        let takes_parameter =
            matches!(name.as_str(), "topk" | "bottomk" | "count_values" | "quantile" | "limitk" | "limit_ratio");
        let (wanted, got) = (1 + usize::from(takes_parameter), arguments.len());
        let inner = arguments.pop();
        let parameter = arguments.pop().map(Box::new);
        match inner {
            Some(inner) if got == wanted => Ok(Expression {
                form: Form::Aggregate { operator, parameter, inner: Box::new(inner) },
                start: operator.start,
                end: self.lexer.last_closing,
            }),
            _ => wrong(format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {got}"
            )),
        }
    }

    fn call(&mut self, name: &Item<'a>) -> Read<Expression<'a>> {
        let arguments = self.arguments()?;
        let Some(signature) = signature::find(name.text) else {
            return Err((name.start, format!("unknown function with name {}", quote::text(name.text))));
        };
        let end = self.lexer.last_closing;
        Ok(Expression { form: Form::Call(signature, arguments), start: name.start, end })
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
            if !(starts_operand(&next) || next.is("+") || next.is("-")) {
                return Err((comma.start, "trailing commas not allowed in function call args".to_owned()));
            }
        }
    }

    /// A selector of a name, whose brace is yet to be read, or of the brace that has been read.
    fn selector(&mut self, name: Option<&Item<'a>>, first: &Item<'a>) -> Read<Expression<'a>> {
        let mut selector = Selector { name: name.map(|name| name.text), ..Selector::default() };
        let mut end = first.end();
        if name.is_none() || self.take_if("{")?.is_some() {
            (selector.matchers, end) = self.matchers()?;
        }
        Ok(Expression { form: Form::Selector(selector), start: first.start, end })
    }
}

fn starts_operand(item: &Item) -> bool {
    match item.kind {
        Kind::Number | Kind::Duration | Kind::Text => true,
        Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregator | Kind::Preprocessor => true,
        Kind::Mark => matches!(item.text, "(" | "{"),
        Kind::Operator => ["and", "or", "unless"].iter().any(|word| item.is(word)),
        Kind::Keyword => ["by", "without", "offset", "anchored", "smoothed"].iter().any(|word| item.is(word)),
        Kind::End => false,
    }
}

/// The complaint about an item.
pub(super) fn unexpected(item: &Item, context: &str, expected: &str) -> Wrong {
    let mut message = format!("unexpected {}", describe(item));
    if !context.is_empty() {
        message.push_str(&format!(" in {context}"));
    }
    if !expected.is_empty() {
        message.push_str(&format!(", expected {expected}"));
    }
    (item.start, message)
}

fn describe(item: &Item) -> String {
    let text = item.text;
    let short = || match text.char_indices().nth(10) {
        Some((end, _)) if text.len() > 10 => format!("{}...", quote::text(text.get(..end).unwrap_or(text))),
        _ if text.len() > 10 => format!("{}...", quote::text(text)),
        _ => quote::text(text),
    };
    match item.kind {
        Kind::End => "end of input".to_owned(),
        Kind::Mark | Kind::Preprocessor => quote::text(text),
        Kind::Operator => format!("<op:{text}>"),
        Kind::Aggregator => format!("<aggr:{text}>"),
        Kind::Keyword => format!("<{text}>"),
        Kind::Identifier => format!("identifier {}", quote::text(text)),
        Kind::MetricIdentifier => format!("metric identifier {}", quote::text(text)),
        Kind::Text => format!("string {}", short()),
        Kind::Number => format!("number {}", short()),
        Kind::Duration => format!("duration {}", short()),
    }
}
