//! From the parser's tree to the plan.
//!
//! The tree decides what each token is part of; the tokens, consumed beside it in order, give what the tree lacks: positions,
//! and the syntax that was hidden from the parser.

use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call as ParsedCall, Expr, LabelModifier, SubqueryExpr, VectorMatchCardinality,
};

use super::{
    ParseError, ValueType,
    prepare::{Lengths, Prepared},
    token::{Kind, Token, unquote},
    value_type,
};
use crate::{
    annotation::Position,
    functions,
    plan::{Aggregate, Aggregator, Binary, Call, Edges, Many, Matching, Node, Operator, Selector, Subquery},
};

/// A parsed query.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    pub(crate) root: Node,
    /// Functions and keywords that are experimental in Prometheus, as written.
    pub(crate) experimental: Vec<String>,
    /// At most so many nodes are within each other.
    pub(crate) levels: usize,
}

/// Lowers the tree of a whole query.
///
/// # Errors
/// The tree holds something that Prometheus does not allow.
pub(crate) fn lower(query: &str, tree: &Expr, tokens: &[Token], prepared: &Prepared) -> Result<Lowered, ParseError> {
    let mut lowering = Lowering { query, tokens, prepared, index: 0, experimental: Vec::new() };
    let part = lowering.expression(tree)?;
    let mut root = part.once();
    root.mark_counts(false);
    Ok(Lowered { root, experimental: lowering.experimental, levels: 0 })
}

/// A lowered expression.
struct Part {
    node: Node,
    /// Its value is the same at each step.
    invariant: bool,
    /// Where it starts.
    position: Position,
}

impl Part {
    /// The node, evaluated once if its value never changes and that saves something.
    fn once(self) -> Node {
        match self.node {
            node @ (Node::Number(_) | Node::Text(_) | Node::Range(..) | Node::Subquery(_)) => node,
            node if self.invariant => Node::Invariant(Box::new(node)),
            node => node,
        }
    }
}

pub(super) struct Lowering<'a> {
    query: &'a str,
    tokens: &'a [Token<'a>],
    pub(super) prepared: &'a Prepared,
    /// The next token.
    pub(super) index: usize,
    pub(super) experimental: Vec<String>,
}

impl<'a> Lowering<'a> {
    pub(super) fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.index)
    }

    pub(super) fn at(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.is(text))
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.at(text);
        self.index += usize::from(found);
        found
    }

    pub(super) fn position(&self) -> Position {
        self.peek().map_or(self.query.len(), |token| token.start)
    }

    pub(super) fn error(&self, position: Position, message: impl Into<String>) -> ParseError {
        ParseError::new(self.query, position, message)
    }

    /// Skips a group in parentheses, braces or brackets that starts here.
    pub(super) fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            self.index += 1;
            match token.text {
                "(" | "{" | "[" => depth += 1,
                ")" | "}" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn expression(&mut self, tree: &Expr) -> Result<Part, ParseError> {
        while self.take("+") {}
        let position = self.position();
        let (node, invariant) = match tree {
            Expr::NumberLiteral(number) => {
                while self.take("+") || self.take("-") {}
                self.index += 1;
                (Node::Number(number.val), true)
            }
            Expr::StringLiteral(text) => {
                let bytes = self.peek().and_then(|token| unquote(token.text));
                self.index += 1;
                let text = bytes.map_or(text.val.clone(), |bytes| text_of(&bytes));
                (Node::Text(text), true)
            }
            Expr::Paren(paren) => {
                self.take("(");
                let part = self.expression(&paren.expr)?;
                self.take(")");
                (part.node, part.invariant)
            }
            Expr::Unary(unary) => {
                self.take("-");
                let part = self.expression(&unary.expr)?;
                (Node::Negate(Box::new(part.node)), part.invariant)
            }
            Expr::Binary(binary) => self.binary(binary, position)?,
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Call(call) => self.call(call, position)?,
            Expr::VectorSelector(selector) => {
                let matchers = self.matchers(selector, position)?;
                let (shift, edges) = self.shift(selector.at.as_ref())?;
                let invariant = shift.at.is_some();
                (Node::Instant(Selector { matchers, shift, edges, position, counts_only: false }), invariant)
            }
            Expr::MatrixSelector(matrix) => {
                let matchers = self.matchers(&matrix.vs, position)?;
                let lengths = self.range();
                let (shift, edges) = self.shift(matrix.vs.at.as_ref())?;
                let invariant = shift.at.is_some();
                let Some(Lengths { length, .. }) = lengths else {
                    return Err(self.error(position, "missing range"));
                };
                (Node::Range(Selector { matchers, shift, edges, position, counts_only: false }, length), invariant)
            }
            Expr::Subquery(subquery) => self.subquery(subquery, position)?,
            Expr::Extension(_) => return Err(self.error(position, "unsupported expression")),
        };
        Ok(Part { node, invariant, position })
    }

    fn subquery(&mut self, tree: &SubqueryExpr, position: Position) -> Result<(Node, bool), ParseError> {
        let inner = self.expression(&tree.expr)?;
        let lengths = self.range();
        let (shift, edges) = self.shift(tree.at.as_ref())?;
        let edge = match edges {
            Edges::Plain => None,
            Edges::Anchored => Some("anchored"),
            Edges::Smoothed => Some("smoothed"),
        };
        if let Some(edge) = edge {
            return Err(self.error(position, format!("{edge} modifier is not supported for subqueries")));
        }
        let invariant = shift.at.is_some();
        let Some(Lengths { length, step, .. }) = lengths else {
            return Err(self.error(position, "missing range"));
        };
        let inner = inner.once();
        Ok((Node::Subquery(Box::new(Subquery { inner, range: length, step, shift })), invariant))
    }

    fn binary(&mut self, tree: &BinaryExpr, position: Position) -> Result<(Node, bool), ParseError> {
        let left = self.expression(&tree.lhs)?;
        let operator_position = self.position();
        let operator = self.peek().and_then(|token| Operator::from_text(&token.text.to_ascii_lowercase()));
        let operator = operator.or_else(|| Operator::from_text(&tree.op.to_string()));
        let Some(operator) = operator else {
            return Err(self.error(operator_position, format!("unknown operator {}", tree.op)));
        };
        self.index += 1;
        loop {
            let grouping = ["on", "ignoring", "group_left", "group_right", "fill", "fill_left", "fill_right"];
            if self.take("bool") {
                continue;
            }
            let Some(word) = grouping.iter().find(|word| self.at(word)) else { break };
            let has_group = self.tokens.get(self.index + 1).is_some_and(|next| next.is("("));
            if word.starts_with("fill") {
                if !has_group {
                    break;
                }
                self.experimental.push((*word).to_owned());
            }
            self.index += 1;
            if has_group {
                self.skip_group();
            }
        }
        let right = self.expression(&tree.rhs)?;
        let mut matching = Matching::default();
        let mut returns_bool = false;
        if let Some(modifier) = &tree.modifier {
            returns_bool = modifier.return_bool;
            match &modifier.matching {
                Some(LabelModifier::Include(labels)) => {
                    matching.on = true;
                    matching.labels.clone_from(&labels.labels);
                }
                Some(LabelModifier::Exclude(labels)) => matching.labels.clone_from(&labels.labels),
                None => {}
            }
            (matching.many, matching.include) = match &modifier.card {
                VectorMatchCardinality::ManyToOne(labels) => (Many::Left, labels.labels.clone()),
                VectorMatchCardinality::OneToMany(labels) => (Many::Right, labels.labels.clone()),
                VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => (Many::Neither, Vec::new()),
            };
            matching.fill_left = modifier.fill_values.lhs;
            matching.fill_right = modifier.fill_values.rhs;
        }
        if matching.fill_left.is_some() || matching.fill_right.is_some() {
            let of_vectors = [&left, &right].into_iter().all(|side| value_type(&side.node) == ValueType::Vector);
            if !of_vectors {
                let message = "filling in missing series only allowed between instant vectors";
                return Err(self.error(position, message));
            }
            if operator.is_set() {
                return Err(self.error(position, "filling in missing series not allowed for set operators"));
            }
        }
        let invariant = left.invariant && right.invariant;
        let (left, right) = if invariant { (left.node, right.node) } else { (left.once(), right.once()) };
        Ok((Node::Binary(Box::new(Binary { operator, left, right, returns_bool, matching, position })), invariant))
    }

    fn aggregate(&mut self, tree: &AggregateExpr) -> Result<(Node, bool), ParseError> {
        let whole_position = self.position();
        let name = tree.op.to_string();
        let Some(operator) = Aggregator::from_text(&name) else {
            return Err(self.error(whole_position, format!("unknown aggregation {name:?}")));
        };
        if matches!(operator, Aggregator::LimitK | Aggregator::LimitRatio) {
            self.experimental.push(name);
        }
        self.index += 1;
        self.grouping();
        self.take("(");
        let mut parameter_position = self.position();
        let mut parameter = None;
        if let Some(tree) = &tree.param {
            let part = self.expression(tree)?;
            parameter_position = part.position;
            self.take(",");
            parameter = Some(part);
        }
        if let Some(part) = &parameter {
            let wanted = if operator == Aggregator::CountValues { ValueType::String } else { ValueType::Scalar };
            if value_type(&part.node) != wanted {
                return Err(self.error(part.position, "wrong type of parameter in aggregation expression"));
            }
        }
        let inner = self.expression(&tree.expr)?;
        self.take(")");
        self.grouping();
        let (without, labels) = match &tree.modifier {
            Some(LabelModifier::Exclude(labels)) => (true, labels.labels.clone()),
            Some(LabelModifier::Include(labels)) => (false, labels.labels.clone()),
            None => (false, Vec::new()),
        };
        let invariant = inner.invariant && parameter.as_ref().is_none_or(|part| part.invariant);
        let position = inner.position;
        let (inner, parameter) = if invariant {
            (inner.node, parameter.map(|part| part.node))
        } else {
            (inner.once(), parameter.map(Part::once))
        };
        let aggregate =
            Aggregate { operator, inner, parameter, without, labels, position, whole_position, parameter_position };
        Ok((Node::Aggregate(Box::new(aggregate)), invariant))
    }

    /// Skips `by (…)` or `without (…)`.
    fn grouping(&mut self) {
        if self.take("by") || self.take("without") {
            self.skip_group();
        }
    }

    fn call(&mut self, tree: &ParsedCall, position: Position) -> Result<(Node, bool), ParseError> {
        let written = self.peek().map_or(tree.func.name, |token| token.text);
        let Some(found) = functions::find(tree.func.name) else {
            return Err(self.error(position, format!("function {:?} is not supported", tree.func.name)));
        };
        if tree.func.experimental && written != "holt_winters" {
            self.experimental.push(written.to_owned());
        }
        self.index += 1;
        self.take("(");
        let mut parts = Vec::with_capacity(tree.args.args.len());
        for argument in &tree.args.args {
            parts.push(self.expression(argument)?);
            self.take(",");
        }
        self.take(")");
        if let ("info", Some(selector)) = (tree.func.name, tree.args.args.get(1)) {
            let position = parts.get(1).map_or(position, |part| part.position);
            let is_name = |token: &Token| token.start == position && token.kind == Kind::Word;
            match &**selector {
                Expr::VectorSelector(_) if self.tokens.iter().any(is_name) => {
                    let message = "expected label selectors only, got vector selector instead";
                    return Err(self.error(position, message));
                }
                Expr::VectorSelector(_) => {}
                _ => return Err(self.error(position, "expected label selectors only")),
            }
        }
        let positions = parts.iter().map(|part| part.position).collect();
        let invariant = !found.uses_step_time() && parts.iter().all(|part| part.invariant);
        let arguments = parts.into_iter().map(|part| if invariant { part.node } else { part.once() }).collect();
        Ok((Node::Call(Call { function: found, name: tree.func.name, arguments, positions, position }), invariant))
    }
}

/// Bytes as text. What is not valid UTF-8 is spelt out, after a mark by which a name that holds it can be refused.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push(char::REPLACEMENT_CHARACTER);
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
