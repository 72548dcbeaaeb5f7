//! A query laid out for reading, as Prometheus lays it out: what is longer than a line is broken where it is nested.
//!
//! Walks the parser's tree, which knows parentheses, beside the plan, which knows what the parser does not, and beside the
//! numbers and lengths of the text, which know how they were written.

use std::{collections::VecDeque, time::UNIX_EPOCH};

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{
        AggregateExpr, AtModifier, BinaryExpr, Call, Expr, LabelModifier, Offset, VectorMatchCardinality,
        VectorSelector,
    },
};
use timeseries::format;

use super::{
    length::{parse_seconds, to_milliseconds},
    prepare::{Lengths, Prepared, STAND_IN_LABEL},
    print::quote,
    token::{Kind, Token},
    tree::bare,
};
use crate::plan::{Edges, Node, Selector};

/// The most bytes of a line that is not broken.
const LINE: usize = 100;

/// A node in one line, and what it is broken into.
struct Laid {
    line: String,
    parts: Parts,
}

enum Parts {
    /// Is never broken.
    Whole,
    /// Text before a bracket, parts inside of it.
    Bracket(String, Vec<Laid>),
    /// Two sides and what stands between them.
    Sides(Box<(Laid, Laid)>, String),
    /// A node with text before it.
    Prefixed(String, Box<Laid>),
    /// A node with text behind it.
    Suffixed(Box<Laid>, String),
}

impl Laid {
    fn whole(line: String) -> Self {
        Laid { line, parts: Parts::Whole }
    }

    fn bracket(before: String, inside: Vec<Laid>) -> Self {
        let lines: Vec<&str> = inside.iter().map(|part| part.line.as_str()).collect();
        Laid { line: format!("{before}({})", lines.join(", ")), parts: Parts::Bracket(before, inside) }
    }

    /// The text, with its first line indented too.
    fn indented(&self, level: usize) -> String {
        let indent = "  ".repeat(level);
        let is_long = self.line.len() > LINE;
        match &self.parts {
            Parts::Bracket(before, inside) if is_long && !inside.is_empty() => {
                let inside: Vec<String> = inside.iter().map(|part| part.indented(level + 1)).collect();
                format!("{indent}{before}(\n{}\n{indent})", inside.join(",\n"))
            }
            Parts::Sides(sides, between) if is_long => {
                let (left, right) = (sides.0.indented(level + 1), sides.1.indented(level + 1));
                format!("{left}\n{indent}{between}\n{right}")
            }
            Parts::Prefixed(before, inner) => format!("{indent}{before}{}", inner.indented(level).trim()),
            Parts::Suffixed(inner, after) if is_long => format!("{}{after}", inner.indented(level)),
            // Prometheus does not indent a short subquery.
            Parts::Suffixed(..) => self.line.clone(),
            _ => format!("{indent}{}", self.line),
        }
    }
}

/// What was written, in the order of the text.
struct Written<'a> {
    /// Numbers outside of brackets.
    numbers: VecDeque<&'a str>,
    /// Ranges and offsets.
    lengths: VecDeque<&'a [Token<'a>]>,
}

/// Lays out a query.
pub(super) fn laid_out(tree: &Expr, plan: &Node, tokens: &[Token], prepared: &Prepared) -> String {
    let mut written = Written { numbers: VecDeque::new(), lengths: VecDeque::new() };
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        if let Some(Lengths { next, .. }) = prepared.lengths.get(&(index - 1)) {
            written.lengths.extend(tokens.get(index..*next));
            index = *next;
        } else if token.kind == Kind::Number {
            written.numbers.push_back(token.text);
        }
    }
    written.expression(tree, Some(plan)).indented(0)
}

impl Written<'_> {
    fn expression(&mut self, tree: &Expr, plan: Option<&Node>) -> Laid {
        let plan = bare(plan);
        match tree {
            Expr::Paren(paren) => {
                let inner = self.expression(&paren.expr, plan);
                Laid::bracket(String::new(), vec![inner])
            }
            Expr::Unary(unary) => {
                let inner = match plan {
                    Some(Node::Negate(inner)) => Some(&**inner),
                    _ => None,
                };
                let inner = self.expression(&unary.expr, inner);
                Laid { line: format!("-{}", inner.line), parts: Parts::Prefixed("-".to_owned(), Box::new(inner)) }
            }
            Expr::NumberLiteral(number) => Laid::whole(self.number(number.val)),
            Expr::StringLiteral(string) => Laid::whole(quote(match plan {
                Some(Node::Text(value)) => value,
                _ => &string.val,
            })),
            Expr::Binary(binary) => self.binary(binary, plan),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, plan),
            Expr::Call(call) => self.call(call, plan),
            Expr::Subquery(subquery) => {
                let planned = match plan {
                    Some(Node::Subquery(planned)) => Some(&planned.inner),
                    _ => None,
                };
                let inner = self.expression(&subquery.expr, planned);
                let range = self.range();
                let shift = self.at(subquery.at.as_ref()) + &self.offset(subquery.offset.as_ref());
                let after = format!("[{range}]{shift}");
                Laid { line: format!("{}{after}", inner.line), parts: Parts::Suffixed(Box::new(inner), after) }
            }
            Expr::VectorSelector(selector) => {
                let planned = match plan {
                    Some(Node::Instant(planned)) => Some(planned),
                    _ => None,
                };
                let at = self.at(selector.at.as_ref());
                let offset = self.offset(selector.offset.as_ref());
                Laid::whole(format!("{}{at}{}{offset}", matchers(selector), edges(planned)))
            }
            Expr::MatrixSelector(matrix) => {
                let planned = match plan {
                    Some(Node::Range(planned, _)) => Some(planned),
                    _ => None,
                };
                let range = self.range();
                let at = self.at(matrix.vs.at.as_ref());
                let offset = self.offset(matrix.vs.offset.as_ref());
                Laid::whole(format!("{}[{range}]{}{at}{offset}", matchers(&matrix.vs), edges(planned)))
            }
            Expr::Extension(_) => Laid::whole(String::new()),
        }
    }

    fn binary(&mut self, binary: &BinaryExpr, plan: Option<&Node>) -> Laid {
        let planned = match plan {
            Some(Node::Binary(planned)) => Some(planned),
            _ => None,
        };
        let left = self.expression(&binary.lhs, planned.map(|planned| &planned.left));
        let operator = planned.map_or_else(|| binary.op.to_string(), |planned| planned.operator.text().to_owned());
        let mut between = operator;
        if let Some(modifier) = &binary.modifier {
            if modifier.return_bool {
                between.push_str(" bool");
            }
            let group = match &modifier.card {
                VectorMatchCardinality::ManyToOne(labels) => Some(("group_left", &labels.labels)),
                VectorMatchCardinality::OneToMany(labels) => Some(("group_right", &labels.labels)),
                _ => None,
            };
            match &modifier.matching {
                Some(LabelModifier::Include(labels)) => between.push_str(&format!(" on ({})", names(&labels.labels))),
                Some(LabelModifier::Exclude(labels)) if !labels.labels.is_empty() || group.is_some() => {
                    between.push_str(&format!(" ignoring ({})", names(&labels.labels)));
                }
                _ => {}
            }
            if let Some((word, labels)) = group {
                between.push_str(&format!(" {word} ({})", names(labels)));
            }
        }
        if let Some(matching) = planned.map(|planned| &planned.matching) {
            let fills = [("fill_left", matching.fill_left), ("fill_right", matching.fill_right)];
            let same = matching.fill_left.filter(|_| matching.fill_left == matching.fill_right);
            let shown: Vec<(&str, f64)> = match same {
                Some(value) => vec![("fill", value)],
                None => fills.into_iter().filter_map(|(word, value)| Some((word, value?))).collect(),
            };
            for (word, value) in shown {
                if value.is_finite() {
                    self.numbers.pop_front();
                }
                between.push_str(&format!(" {word} ({})", format::general(value)));
            }
        }
        let right = self.expression(&binary.rhs, planned.map(|planned| &planned.right));
        let line = format!("{} {between} {}", left.line, right.line);
        Laid { line, parts: Parts::Sides(Box::new((left, right)), between) }
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr, plan: Option<&Node>) -> Laid {
        let (inner, parameter) = match plan {
            Some(Node::Aggregate(plan)) => (Some(&plan.inner), plan.parameter.as_ref()),
            _ => (None, None),
        };
        let mut before = aggregate.op.to_string();
        match &aggregate.modifier {
            Some(LabelModifier::Exclude(labels)) => {
                before.push_str(&format!(" without ({}) ", names(&labels.labels)));
            }
            Some(LabelModifier::Include(labels)) if !labels.labels.is_empty() => {
                before.push_str(&format!(" by ({}) ", names(&labels.labels)));
            }
            _ => {}
        }
        let mut inside = Vec::with_capacity(2);
        if let Some(tree) = &aggregate.param {
            inside.push(self.expression(tree, parameter));
        }
        inside.push(self.expression(&aggregate.expr, inner));
        Laid::bracket(before, inside)
    }

    fn call(&mut self, call: &Call, plan: Option<&Node>) -> Laid {
        let planned = match plan {
            Some(Node::Call(planned)) => planned.arguments.as_slice(),
            _ => &[],
        };
        let arguments = call.args.args.iter().enumerate();
        let inside = arguments.map(|(index, one)| self.expression(one, planned.get(index))).collect();
        Laid::bracket(call.func.name.to_owned(), inside)
    }

    /// A number, as a duration if it was written as one.
    fn number(&mut self, value: f64) -> String {
        // Infinity is written as a word.
        let written = if value.is_finite() { self.numbers.pop_front() } else { None };
        if written.is_some_and(is_duration) { signed_duration(value) } else { format::float(value) }
    }

    fn at(&mut self, at: Option<&AtModifier>) -> String {
        match at {
            None => String::new(),
            Some(AtModifier::Start) => " @ start()".to_owned(),
            Some(AtModifier::End) => " @ end()".to_owned(),
            Some(AtModifier::At(time)) => {
                self.numbers.pop_front();
                let seconds = match time.duration_since(UNIX_EPOCH) {
                    Ok(span) => span.as_secs_f64(),
                    Err(error) => -error.duration().as_secs_f64(),
                };
                format!(" @ {seconds:.3}")
            }
        }
    }

    fn offset(&mut self, offset: Option<&Offset>) -> String {
        let Some(tokens) = offset.and_then(|_| self.lengths.pop_front()) else { return String::new() };
        match single(tokens) {
            Some(0.0) => String::new(),
            Some(seconds) => format!(" offset {}", signed_duration(seconds)),
            None => format!(" offset {}", spaced(tokens)),
        }
    }

    /// What stands between brackets.
    fn range(&mut self) -> String {
        let tokens = self.lengths.pop_front().unwrap_or_default();
        let mut sides = tokens.splitn(2, |token| token.is(":"));
        let length = |tokens: &[Token]| single(tokens).map_or_else(|| spaced(tokens), signed_duration);
        let range = length(sides.next().unwrap_or_default());
        match sides.next() {
            None => range,
            Some([]) => format!("{range}:"),
            Some(step) => format!("{range}:{}", length(step)),
        }
    }
}

/// The seconds of a length that is a single one, with a sign perhaps.
fn single(tokens: &[Token]) -> Option<f64> {
    let (last, signs) = tokens.split_last()?;
    let seconds = parse_seconds(last.text).filter(|_| last.kind == Kind::Number)?;
    let is_signed = signs.iter().all(|sign| sign.is("+") || sign.is("-"));
    let is_negative = signs.iter().filter(|sign| sign.is("-")).count() % 2 == 1;
    is_signed.then_some(if is_negative { -seconds } else { seconds })
}

/// A computed length, with spaces around what combines two.
fn spaced(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut after_operand = false;
    for token in tokens {
        let is_operator = ["+", "-", "*", "/", "%", "^"].iter().any(|mark| token.is(mark));
        if token.kind == Kind::Number {
            match parse_seconds(token.text) {
                Some(seconds) if is_duration(token.text) => text.push_str(&duration(seconds)),
                Some(seconds) => text.push_str(&format::float(seconds)),
                None => text.push_str(token.text),
            }
        } else if is_operator && after_operand {
            text.push_str(&format!(" {} ", token.text));
        } else if token.is(",") {
            text.push_str(", ");
        } else if !(is_operator && token.is("+")) {
            text.push_str(&token.text.to_ascii_lowercase());
        }
        after_operand = token.kind == Kind::Number || token.is(")");
    }
    text
}

/// True if a number is written with units.
fn is_duration(text: &str) -> bool {
    !text.starts_with("0x") && !text.starts_with("0X") && text.ends_with(|c: char| c.is_ascii_alphabetic())
}

fn signed_duration(seconds: f64) -> String {
    if seconds < 0.0 { format!("-{}", duration(-seconds)) } else { duration(seconds) }
}

/// Years and weeks are only used where nothing is left over.
fn duration(seconds: f64) -> String {
    let Some(mut rest) = to_milliseconds(seconds).filter(|rest| *rest > 0) else { return "0s".to_owned() };
    let mut text = String::new();
    let units = [
        ("y", 31_536_000_000, true),
        ("w", 604_800_000, true),
        ("d", 86_400_000, false),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1000, false),
        ("ms", 1, false),
    ];
    for (unit, length, is_exact) in units {
        if rest >= length && !(is_exact && rest % length != 0) {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}

fn edges(selector: Option<&Selector>) -> &'static str {
    match selector.map_or(Edges::Plain, |selector| selector.edges) {
        Edges::Plain => "",
        Edges::Anchored => " anchored",
        Edges::Smoothed => " smoothed",
    }
}

/// Label names, in quotes where they need them.
fn names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| label(name)).collect();
    names.join(", ")
}

fn label(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { quote(name) }
}

/// A name and matchers, in the order of their text.
fn matchers(selector: &VectorSelector) -> String {
    let name = selector.name.as_deref().unwrap_or_default();
    let written = selector.matchers.matchers.iter().filter(|matcher| matcher.name != STAND_IN_LABEL);
    let mut shown: Vec<String> = written.map(matcher).collect();
    if shown.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    shown.sort();
    format!("{name}{{{}}}", shown.join(","))
}

fn matcher(matcher: &Matcher) -> String {
    let operator = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Re(_) => "=~",
        MatchOp::NotRe(_) => "!~",
    };
    format!("{}{operator}{}", label(&matcher.name), quote(&matcher.value))
}

#[cfg(test)]
mod tests {
    use crate::pretty;

    #[test]
    fn a_query_is_printed_as_it_was_meant() {
        for (query, expected) in [
            ("a{y=\"1\",b=~'x'}", r#"a{b=~"x",y="1"}"#),
            ("{\"a b\", \"c d\"=`\\`}", r#"{"c d"="\\",__name__="a b"}"#),
            ("rate(a[7d] offset 90s @ 5)", "rate(a[1w] @ 5.000 offset 1m30s)"),
            ("sum(a)by(\"x y\",z)", r#"sum by ("x y", z) (a)"#),
            ("a/on(b)group_left fill_right(2)c", "a / on (b) group_left () fill_right (2) c"),
            ("a-ignoring()(b>bool 90m)", "a - (b > bool 1h30m)"),
            ("a[5m*(2+step()):-+-max_of(1,range())]", "a[5m * (2 + step()):--max_of(1, range())]"),
            ("a smoothed offset -step()", "a smoothed offset -step()"),
            ("anchored{a='1'}[5] anchored", r#"{__name__="anchored",a="1"}[5s] anchored"#),
            ("-a</2", "-a </ 2"),
            ("info(a,{b='c'})", r#"info(a, {b="c"})"#),
            ("-Inf+1e3", "-Inf + 1000"),
        ] {
            assert_eq!(pretty(query).unwrap(), expected);
        }
    }

    #[test]
    fn long_queries_are_broken_where_they_are_nested() {
        let long = "metric_with_a_long_name{label=\"and a long value\"}";
        assert_eq!(
            pretty(&format!("-max by (a) (last_over_time({long}[5m]) + {long}) - (1)")).unwrap(),
            format!("  -max by (a) (\n      last_over_time({long}[5m])\n    +\n      {long}\n  )\n-\n  (1)")
                .replace("      last", "      last")
        );
        assert_eq!(
            pretty(&format!("topk(3, {long} * {long})[1h:]")).unwrap(),
            format!("topk(\n  3,\n    {long}\n  *\n    {long}\n)[1h:]")
        );
    }
}
