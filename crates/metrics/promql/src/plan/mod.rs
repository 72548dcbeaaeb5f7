//! The plan of a query: the query as the engine evaluates it, with resolved names and known constants.

mod operator;

pub(crate) use operator::{Aggregator, Operator};

use crate::{annotation::Position, functions::Function, syntax::length::Length};
use labels::Matcher;

/// An expression.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Number(f64),
    Text(String),
    /// An instant vector selector.
    Instant(Selector),
    /// A range vector selector: only as an argument of a function.
    Range(Selector, Length),
    Subquery(Box<Subquery>),
    Negate(Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Call),
    /// An expression with the same value at each step, so that it is evaluated once.
    Invariant(Box<Node>),
}

impl Node {
    /// Calls `change` with each selector.
    pub(crate) fn each_selector(&mut self, change: &mut dyn FnMut(&mut Selector)) {
        match self {
            Node::Number(_) | Node::Text(_) => {}
            Node::Instant(selector) | Node::Range(selector, _) => change(selector),
            Node::Subquery(subquery) => subquery.inner.each_selector(change),
            Node::Negate(inner) | Node::Invariant(inner) => inner.each_selector(change),
            Node::Binary(binary) => {
                binary.left.each_selector(change);
                binary.right.each_selector(change);
            }
            Node::Aggregate(aggregate) => {
                aggregate.parameter.iter_mut().for_each(|node| node.each_selector(change));
                aggregate.inner.each_selector(change);
            }
            Node::Call(call) => call.arguments.iter_mut().for_each(|node| node.each_selector(change)),
        }
    }

    /// Calls `change` with each label name: in matchers, groupings, vector matching, and functions with names as text
    /// arguments.
    pub(crate) fn each_label(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Node::Number(_) | Node::Text(_) => {}
            Node::Instant(selector) | Node::Range(selector, _) => {
                selector.matchers.iter_mut().for_each(|matcher| change(&mut matcher.name));
            }
            Node::Subquery(subquery) => subquery.inner.each_label(change),
            Node::Negate(inner) | Node::Invariant(inner) => inner.each_label(change),
            Node::Binary(binary) => {
                let matching = &mut binary.matching;
                matching.labels.iter_mut().chain(&mut matching.include).for_each(&mut *change);
                binary.left.each_label(change);
                binary.right.each_label(change);
            }
            Node::Aggregate(aggregate) => {
                aggregate.labels.iter_mut().for_each(&mut *change);
                if aggregate.operator == Aggregator::CountValues {
                    aggregate.parameter.iter_mut().for_each(|node| node.change_text(change));
                }
                aggregate.parameter.iter_mut().for_each(|node| node.each_label(change));
                aggregate.inner.each_label(change);
            }
            Node::Call(call) => {
                let names_label = |index: usize| match call.name {
                    "label_replace" => index == 1 || index == 3,
                    "label_join" => index == 1 || index >= 3,
                    "sort_by_label" | "sort_by_label_desc" => index >= 1,
                    "histogram_quantiles" => index == 1,
                    _ => false,
                };
                for (index, node) in call.arguments.iter_mut().enumerate() {
                    if names_label(index) {
                        node.change_text(change);
                    } else {
                        node.each_label(change);
                    }
                }
            }
        }
    }

    fn change_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Node::Text(text) => change(text),
            Node::Invariant(inner) => inner.change_text(change),
            _ => {}
        }
    }

    /// Whether `is_it` is true for this node or one below it.
    pub(crate) fn any(&self, is_it: &mut dyn FnMut(&Node) -> bool) -> bool {
        is_it(self)
            || match self {
                Node::Number(_) | Node::Text(_) | Node::Instant(_) | Node::Range(..) => false,
                Node::Subquery(subquery) => subquery.inner.any(is_it),
                Node::Negate(inner) | Node::Invariant(inner) => inner.any(is_it),
                Node::Binary(binary) => binary.left.any(is_it) || binary.right.any(is_it),
                Node::Aggregate(aggregate) => {
                    aggregate.parameter.iter().any(|node| node.any(is_it)) || aggregate.inner.any(is_it)
                }
                Node::Call(call) => call.arguments.iter().any(|node| node.any(is_it)),
            }
    }

    /// Marks selectors whose histograms need only counts and sums. `counts_only` is true if this holds for this node.
    /// Subqueries, quantiles, fractions and trims need the buckets.
    pub(crate) fn mark_counts(&mut self, counts_only: bool) {
        match self {
            Node::Number(_) | Node::Text(_) | Node::Subquery(_) => {}
            Node::Instant(selector) | Node::Range(selector, _) => selector.counts_only = counts_only,
            Node::Negate(inner) | Node::Invariant(inner) => inner.mark_counts(counts_only),
            Node::Binary(binary) if binary.operator.is_trim() => {}
            Node::Binary(binary) => {
                binary.left.mark_counts(counts_only);
                binary.right.mark_counts(counts_only);
            }
            Node::Aggregate(aggregate) => {
                for node in aggregate.parameter.iter_mut().chain([&mut aggregate.inner]) {
                    node.mark_counts(counts_only);
                }
            }
            Node::Call(call) => {
                let counts_only = match call.name {
                    "histogram_count" | "histogram_sum" | "histogram_avg" => true,
                    "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => return,
                    _ => counts_only,
                };
                call.arguments.iter_mut().for_each(|argument| argument.mark_counts(counts_only));
            }
        }
    }

    /// The node without the marker of an invariant.
    pub(crate) fn unmarked(&self) -> &Node {
        match self {
            Node::Invariant(inner) => inner.unmarked(),
            other => other,
        }
    }

    /// How a range selector treats its ends; the default for other nodes.
    pub(crate) fn edges(&self) -> Edges {
        match self {
            Node::Range(selector, _) => selector.edges,
            _ => Edges::Plain,
        }
    }
}

/// Which series, as of when.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift,
    pub(crate) edges: Edges,
    pub(crate) position: Position,
    /// Only counts and sums of its histograms are needed, so that they are read without buckets, which then cannot
    /// conflict.
    pub(crate) counts_only: bool,
}

/// `offset` and `@`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shift {
    pub(crate) offset: Option<Length>,
    pub(crate) at: Option<At>,
}

/// A fixed evaluation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

impl At {
    /// The time, for a query from `.0` to `.1`.
    pub(crate) fn time(self, query: (i64, i64)) -> i64 {
        match self {
            At::Time(time) => time,
            At::Start => query.0,
            At::End => query.1,
        }
    }
}

/// How a range selector treats its two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Edges {
    /// The samples inside, nothing else.
    #[default]
    Plain,
    /// The value at each end is the last known one.
    Anchored,
    /// The value at each end is interpolated between its neighbours.
    Smoothed,
}

#[derive(Debug, Clone)]
pub(crate) struct Subquery {
    pub(crate) inner: Node,
    pub(crate) range: Length,
    /// `None` uses the default resolution.
    pub(crate) step: Option<Length>,
    pub(crate) shift: Shift,
}

#[derive(Debug, Clone)]
pub(crate) struct Binary {
    pub(crate) operator: Operator,
    pub(crate) left: Node,
    pub(crate) right: Node,
    /// Whether a comparison yields 0 or 1 instead of filtering.
    pub(crate) returns_bool: bool,
    pub(crate) matching: Matching,
    /// Position of the whole expression.
    pub(crate) position: Position,
}

/// How the series of two vectors are matched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matching {
    /// Match on `labels` if true, otherwise on all others.
    pub(crate) on: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) many: Many,
    /// Labels that the "one" side adds to the result.
    pub(crate) include: Vec<String>,
    /// Replaces a missing series on the left.
    pub(crate) fill_left: Option<f64>,
    /// Replaces a missing series on the right.
    pub(crate) fill_right: Option<f64>,
}

/// Which side may have several series in a match group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Many {
    #[default]
    Neither,
    /// `group_left`
    Left,
    /// `group_right`
    Right,
}

#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) operator: Aggregator,
    pub(crate) inner: Node,
    pub(crate) parameter: Option<Node>,
    /// Aggregate by all labels except `labels` (and the metric name) if true, otherwise by `labels`.
    pub(crate) without: bool,
    pub(crate) labels: Vec<String>,
    /// Position of the aggregated expression.
    pub(crate) position: Position,
    /// Position of the aggregation.
    pub(crate) whole_position: Position,
    /// Position of the parameter.
    pub(crate) parameter_position: Position,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<Node>,
    /// Position of each argument.
    pub(crate) positions: Vec<Position>,
    /// Position of the call.
    pub(crate) position: Position,
}

impl Call {
    /// Position of an argument; the call's own position if there is no such argument.
    pub(crate) fn argument_position(&self, index: usize) -> Position {
        self.positions.get(index).copied().unwrap_or(self.position)
    }
}
