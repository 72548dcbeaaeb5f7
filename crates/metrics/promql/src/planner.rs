//! Converts the syntax tree to the plan: resolves function names, and finds what is the same at each step.

use crate::{
    annotation::Position,
    functions,
    plan::{Aggregate, Aggregator, Binary, Call, Edges, Node, Selector, Shift, Subquery},
    syntax::{
        ParseError, Signature,
        length::Length,
        tree::{self, Duration, Expression, Form, Sign},
    },
};
use labels::{METRIC_NAME, Matcher};

/// A planned query.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) root: Node,
    /// Functions and keywords that are experimental in Prometheus, as written.
    pub(crate) experimental: Vec<String>,
    /// Maximum depth of nested nodes.
    pub(crate) levels: usize,
}

/// Plans a whole query.
///
/// # Errors
///
/// It calls a function that Prometheus has but this engine does not.
pub(crate) fn plan(query: &str, tree: Expression, levels: usize) -> Result<Planned, ParseError> {
    let mut planner = Planner { query, experimental: Vec::new() };
    let mut root = planner.expression(tree)?.once();
    root.mark_counts(false);
    Ok(Planned { root, experimental: planner.experimental, levels })
}

/// A planned expression.
struct Part {
    node: Node,
    /// Whether its value is the same at each step.
    invariant: bool,
}

impl Part {
    /// The node, evaluated once if its value never changes and that saves work.
    fn once(self) -> Node {
        match self.node {
            node @ (Node::Number(_) | Node::Text(_) | Node::Range(..) | Node::Subquery(_)) => node,
            node if self.invariant => Node::Invariant(Box::new(node)),
            node => node,
        }
    }

    /// The node as a part of one that is `invariant` or not.
    fn within(self, invariant: bool) -> Node {
        if invariant { self.node } else { self.once() }
    }
}

struct Planner<'q> {
    query: &'q str,
    experimental: Vec<String>,
}

impl Planner<'_> {
    fn expression(&mut self, tree: Expression) -> Result<Part, ParseError> {
        let position = tree.start;
        let (node, invariant) = match tree.form {
            Form::Number { value, .. } => (Node::Number(value), true),
            Form::Text(text) => (Node::Text(text), true),
            Form::Paren(inner) | Form::Unary(Sign::Plus, inner) => return self.expression(*inner),
            Form::Unary(Sign::Minus, inner) => {
                let part = self.expression(*inner)?;
                (Node::Negate(Box::new(part.node)), part.invariant)
            }
            Form::Binary(binary) => self.binary(position, *binary)?,
            Form::Aggregate(aggregate) => self.aggregate(position, *aggregate)?,
            Form::Call(signature, arguments) => self.call(position, signature, arguments)?,
            Form::Selector(selector) => self.instant(position, *selector),
            Form::Range(selector, range) => self.range(position, *selector, *range),
            Form::Subquery(subquery) => self.subquery(*subquery)?,
        };
        Ok(Part { node, invariant })
    }

    fn instant(&mut self, position: Position, selector: tree::Selector) -> (Node, bool) {
        let selector = self.selector(position, selector);
        let invariant = selector.shift.at.is_some();
        (Node::Instant(selector), invariant)
    }

    fn range(&mut self, position: Position, selector: tree::Selector, range: Duration) -> (Node, bool) {
        let range = self.length(range);
        let selector = self.selector(position, selector);
        let invariant = selector.shift.at.is_some();
        (Node::Range(selector, range), invariant)
    }

    fn subquery(&mut self, subquery: tree::Subquery) -> Result<(Node, bool), ParseError> {
        let inner = self.expression(subquery.inner)?.once();
        let range = self.length(subquery.range);
        let step = subquery.step.map(|step| self.length(step));
        let shift = self.shift(subquery.shift);
        let invariant = shift.at.is_some();
        Ok((Node::Subquery(Box::new(Subquery { inner, range, step, shift })), invariant))
    }

    fn selector(&mut self, position: Position, selector: tree::Selector) -> Selector {
        let name = selector.name.map(|name| Matcher::equal(METRIC_NAME, name));
        let matchers = name.into_iter().chain(selector.matchers).collect();
        match selector.edges {
            Edges::Plain => {}
            Edges::Anchored => self.experimental.push("anchored".to_owned()),
            Edges::Smoothed => self.experimental.push("smoothed".to_owned()),
        }
        let shift = self.shift(selector.shift);
        Selector { matchers, shift, edges: selector.edges, position, counts_only: false }
    }

    fn shift(&mut self, shift: tree::Shift) -> Shift {
        let offset = shift.offset.map(|offset| self.length(offset));
        Shift { offset, at: shift.at }
    }

    fn length(&mut self, duration: Duration) -> Length {
        if !duration.length.is_literal() {
            self.experimental.push("duration expressions".to_owned());
        }
        duration.length
    }

    fn binary(&mut self, position: Position, binary: tree::Binary) -> Result<(Node, bool), ParseError> {
        let left = self.expression(binary.left)?;
        let filling = match (binary.matching.fill_left, binary.matching.fill_right) {
            (None, None) => None,
            (Some(_), None) => Some("fill_left"),
            (None, Some(_)) => Some("fill_right"),
            (Some(_), Some(_)) => Some("fill"),
        };
        self.experimental.extend(filling.map(str::to_owned));
        let right = self.expression(binary.right)?;
        let invariant = left.invariant && right.invariant;
        let node = Binary {
            operator: binary.operator,
            left: left.within(invariant),
            right: right.within(invariant),
            returns_bool: binary.returns_bool,
            matching: binary.matching,
            position,
        };
        Ok((Node::Binary(Box::new(node)), invariant))
    }

    fn aggregate(&mut self, position: Position, aggregate: tree::Aggregate) -> Result<(Node, bool), ParseError> {
        let operator = aggregate.operator;
        if matches!(operator, Aggregator::LimitK | Aggregator::LimitRatio) {
            self.experimental.push(operator.text().to_owned());
        }
        let inner_position = aggregate.inner.start;
        let parameter_position = aggregate.parameter.as_ref().map_or(inner_position, |parameter| parameter.start);
        let parameter = aggregate.parameter.map(|parameter| self.expression(parameter)).transpose()?;
        let inner = self.expression(aggregate.inner)?;
        let invariant = inner.invariant && parameter.as_ref().is_none_or(|part| part.invariant);
        let node = Aggregate {
            operator,
            inner: inner.within(invariant),
            parameter: parameter.map(|part| part.within(invariant)),
            without: aggregate.grouping.without,
            labels: aggregate.grouping.labels,
            position: inner_position,
            whole_position: position,
            parameter_position,
        };
        Ok((Node::Aggregate(Box::new(node)), invariant))
    }

    fn call(
        &mut self,
        position: Position,
        signature: &Signature,
        arguments: Vec<Expression>,
    ) -> Result<(Node, bool), ParseError> {
        let name = signature.current_name();
        let Some(function) = functions::find(name) else {
            return Err(ParseError::new(self.query, position, format!("function {name:?} is not supported")));
        };
        if signature.is_experimental {
            self.experimental.push(name.to_owned());
        }
        let positions = arguments.iter().map(|argument| argument.start).collect();
        let parts = arguments.into_iter().map(|argument| self.expression(argument)).collect::<Result<Vec<_>, _>>()?;
        let invariant = !function.uses_step_time() && parts.iter().all(|part| part.invariant);
        let arguments = parts.into_iter().map(|part| part.within(invariant)).collect();
        Ok((Node::Call(Call { function, name, arguments, positions, position }), invariant))
    }
}
