//! Converts a plan back to text: for a remote engine, and to show how a query was changed.

use std::fmt::{self, Write};

use super::length::Length;
use crate::plan::{Aggregate, At, Binary, Edges, Many, Node, Operator, Selector, Shift, Subquery};
use labels::{METRIC_NAME, MatchOp, Matcher};
use timeseries::format;

/// A node as text, with parentheses only where necessary.
pub(crate) struct Printed<'a>(pub(crate) &'a Node);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            Node::Number(value) => out.write_str(&number(*value)),
            Node::Text(text) => quoted(out, text),
            Node::Instant(selector) => {
                matchers(out, &selector.matchers)?;
                modifiers(out, selector)
            }
            Node::Range(selector, range) => {
                matchers(out, &selector.matchers)?;
                write!(out, "[{}]", Span(range))?;
                modifiers(out, selector)
            }
            Node::Subquery(subquery) => print_subquery(out, subquery),
            Node::Negate(inner) => {
                out.write_str("-")?;
                wrapped(out, inner, strength(inner) <= UNARY && !is_negation(inner))
            }
            Node::Binary(binary) => print_binary(out, binary),
            Node::Aggregate(aggregate) => print_aggregate(out, aggregate),
            Node::Call(call) => {
                write!(out, "{}(", call.name)?;
                list(out, call.arguments.iter().enumerate(), |out, (index, node)| {
                    match node.unmarked() {
                        // Only matchers are allowed there, no name.
                        Node::Instant(selector) if call.name == "info" && index == 1 => {
                            matchers_within(out, &selector.matchers)
                        }
                        _ => write!(out, "{}", Printed(node)),
                    }
                })?;
                out.write_str(")")
            }
            Node::Invariant(inner) => write!(out, "{}", Printed(inner)),
        }
    }
}

/// A negation has the precedence of a multiplication.
const UNARY: u8 = Operator::Mul.precedence();

/// The precedence of a node's outermost operator; the maximum without an operator.
fn strength(node: &Node) -> u8 {
    match node {
        Node::Invariant(inner) => strength(inner),
        Node::Binary(binary) => binary.operator.precedence(),
        Node::Negate(_) => UNARY,
        // The minus of a number is an operator too.
        Node::Number(value) if value.is_sign_negative() && !value.is_nan() => UNARY,
        _ => u8::MAX,
    }
}

/// Whether it starts with its own minus, which may directly follow another one. Signs of a number would be merged.
fn is_negation(node: &Node) -> bool {
    match node {
        Node::Invariant(inner) => is_negation(inner),
        Node::Negate(inner) => is_negation(inner) || !is_number(inner),
        _ => false,
    }
}

fn is_number(node: &Node) -> bool {
    match node {
        Node::Invariant(inner) | Node::Negate(inner) => is_number(inner),
        Node::Number(_) => true,
        _ => false,
    }
}

fn wrapped(out: &mut fmt::Formatter, node: &Node, wrap: bool) -> fmt::Result {
    if wrap { write!(out, "({})", Printed(node)) } else { write!(out, "{}", Printed(node)) }
}

fn print_binary(out: &mut fmt::Formatter, binary: &Binary) -> fmt::Result {
    let own = binary.operator.precedence();
    let from_right = binary.operator == Operator::Pow;
    let (left, right) = (strength(&binary.left), strength(&binary.right));
    wrapped(out, &binary.left, left < own || (left == own && from_right))?;
    write!(out, " {}", binary.operator.text())?;
    if binary.returns_bool {
        out.write_str(" bool")?;
    }
    let matching = &binary.matching;
    if matching.on || !matching.labels.is_empty() || matching.many != Many::Neither {
        labels(out, if matching.on { " on " } else { " ignoring " }, &matching.labels)?;
    }
    match matching.many {
        Many::Neither => {}
        Many::Left => labels(out, " group_left ", &matching.include)?,
        Many::Right => labels(out, " group_right ", &matching.include)?,
    }
    for (name, value) in [("fill_left", matching.fill_left), ("fill_right", matching.fill_right)] {
        if let Some(value) = value {
            write!(out, " {name} ({})", number(value))?;
        }
    }
    out.write_str(" ")?;
    wrapped(out, &binary.right, right < own || (right == own && !from_right))
}

fn print_aggregate(out: &mut fmt::Formatter, aggregate: &Aggregate) -> fmt::Result {
    out.write_str(aggregate.operator.text())?;
    if aggregate.without {
        labels(out, " without ", &aggregate.labels)?;
        out.write_str(" ")?;
    } else if !aggregate.labels.is_empty() {
        labels(out, " by ", &aggregate.labels)?;
        out.write_str(" ")?;
    }
    out.write_str("(")?;
    list(out, aggregate.parameter.iter().chain([&aggregate.inner]), |out, node| write!(out, "{}", Printed(node)))?;
    out.write_str(")")
}

fn print_subquery(out: &mut fmt::Formatter, subquery: &Subquery) -> fmt::Result {
    wrapped(out, &subquery.inner, strength(&subquery.inner) < u8::MAX || matches!(subquery.inner, Node::Number(_)))?;
    write!(out, "[{}:", Span(&subquery.range))?;
    if let Some(step) = &subquery.step {
        write!(out, "{}", Span(step))?;
    }
    out.write_str("]")?;
    print_shift(out, &subquery.shift)
}

fn matchers(out: &mut fmt::Formatter, matchers: &[Matcher]) -> fmt::Result {
    let name = matchers.iter().position(|matcher| matcher.name == METRIC_NAME && matcher.is_equal());
    // If another matcher of the name exists, the name cannot be written before the braces.
    let is_alone = matchers.iter().filter(|matcher| matcher.name == METRIC_NAME).count() == 1;
    let plain = name.and_then(|index| matchers.get(index)).and_then(|matcher| match &matcher.op {
        MatchOp::Equal(name) if is_alone && is_word(name, true) => Some(name),
        _ => None,
    });
    if let Some(name) = plain {
        out.write_str(name)?;
    }
    let shown: Vec<&Matcher> = matchers
        .iter()
        .enumerate()
        .filter(|(index, _)| plain.is_none() || Some(*index) != name)
        .map(|(_, m)| m)
        .collect();
    if shown.is_empty() && plain.is_some() {
        return Ok(());
    }
    matchers_within(out, shown)
}

/// Matchers in braces.
fn matchers_within<'a>(out: &mut fmt::Formatter, matchers: impl IntoIterator<Item = &'a Matcher>) -> fmt::Result {
    out.write_str("{")?;
    list(out, matchers.into_iter(), |out, matcher| {
        label(out, &matcher.name)?;
        let (sign, value) = match &matcher.op {
            MatchOp::Equal(value) => ("=", value.as_str()),
            MatchOp::NotEqual(value) => ("!=", value.as_str()),
            MatchOp::Regex(regex) => ("=~", regex.written()),
            MatchOp::NotRegex(regex) => ("!~", regex.written()),
        };
        out.write_str(sign)?;
        quoted(out, value)
    })?;
    out.write_str("}")
}

fn modifiers(out: &mut fmt::Formatter, selector: &Selector) -> fmt::Result {
    match selector.edges {
        Edges::Plain => {}
        Edges::Anchored => out.write_str(" anchored")?,
        Edges::Smoothed => out.write_str(" smoothed")?,
    }
    print_shift(out, &selector.shift)
}

fn print_shift(out: &mut fmt::Formatter, shift: &Shift) -> fmt::Result {
    match shift.at {
        None => {}
        Some(At::Start) => out.write_str(" @ start()")?,
        Some(At::End) => out.write_str(" @ end()")?,
        Some(At::Time(time)) => write!(out, " @ {}", super::length::to_seconds(time))?,
    }
    match &shift.offset {
        None => Ok(()),
        Some(length @ (Length::Seconds(_) | Length::Step(_) | Length::Range(_))) => {
            write!(out, " offset {}", Span(length))
        }
        Some(length) => write!(out, " offset ({})", Span(length)),
    }
}

/// A duration as text.
struct Span<'a>(&'a Length);

impl fmt::Display for Span<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            Length::Seconds(seconds) => out.write_str(&duration(*seconds)),
            Length::Step(_) => out.write_str("step()"),
            Length::Range(_) => out.write_str("range()"),
            Length::Negative(inner, _) => write!(out, "-({})", Span(inner)),
            Length::Both(operator @ ('<' | '>'), sides, _) => {
                let name = if *operator == '<' { "min_of" } else { "max_of" };
                write!(out, "{name}({}, {})", Span(&sides.0), Span(&sides.1))
            }
            Length::Both(operator, sides, _) => write!(out, "({}) {operator} ({})", Span(&sides.0), Span(&sides.1)),
        }
    }
}

/// Seconds as a duration such as `1h30m`; as a number if that would not be exact.
fn duration(seconds: f64) -> String {
    let Some(mut rest) = super::length::to_milliseconds(seconds.abs()).filter(|_| seconds != 0.0) else {
        return number(seconds);
    };
    if super::length::to_seconds(rest) != seconds.abs() {
        return number(seconds);
    }
    let mut text = if seconds < 0.0 { "-".to_owned() } else { String::new() };
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= length {
            text.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    text
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => format::general(value),
    }
}

fn labels(out: &mut fmt::Formatter, before: &str, names: &[String]) -> fmt::Result {
    write!(out, "{before}(")?;
    list(out, names.iter(), |out, name| label(out, name))?;
    out.write_str(")")
}

fn label(out: &mut fmt::Formatter, name: &str) -> fmt::Result {
    if is_word(name, false) { out.write_str(name) } else { quoted(out, name) }
}

/// True if a name needs no quotes.
fn is_word(name: &str, is_metric: bool) -> bool {
    let keyword = ["and", "or", "unless", "atan2", "bool", "on", "ignoring", "inf", "nan"];
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (is_metric && c == ':');
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(fits)
        && !keyword.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// A text in quotes.
pub(super) fn quote(text: &str) -> String {
    struct Quoted<'a>(&'a str);
    impl fmt::Display for Quoted<'_> {
        fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
            quoted(out, self.0)
        }
    }
    Quoted(text).to_string()
}

fn quoted(out: &mut fmt::Formatter, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            // On its own it would count as invalid bytes.
            char::REPLACEMENT_CHARACTER => out.write_str("\\ufffd")?,
            c => out.write_char(c)?,
        }
    }
    out.write_str("\"")
}

fn list<T>(
    out: &mut fmt::Formatter,
    items: impl Iterator<Item = T>,
    print: impl Fn(&mut fmt::Formatter, T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        print(out, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn printed(query: &str) -> String {
        parse(query).unwrap().to_string()
    }

    #[test]
    fn a_query_is_printed_as_it_would_be_written() {
        for query in [
            r#"sum by (job, "a b") (rate(up{job=~"x|y", le!=""}[5m] offset -1h30m)) / 2"#,
            "a + b * c ^ d ^ e",
            "(a + b) * (-c)",
            "-(a + 1)",
            "a == bool on (x) group_left (y, z) b",
            "a unless (b or c)",
            "max_over_time((a + b)[1d:30s] @ start() offset 10ms)",
            "topk(3, a) or quantile without () (0.5, b @ 12.5)",
            r#"label_replace({__name__="a.b", c="\"\\"}, "d", "$1", "e", "(.*)")"#,
            "rate(a[(5m) * (2s)] smoothed) + time()",
            "-1 ^ 2 + Inf",
        ] {
            assert_eq!(printed(query), query);
        }
    }

    #[test]
    fn what_needs_no_parentheses_loses_them() {
        assert_eq!(printed("((a) + ((b))) + c"), "a + b + c");
        assert_eq!(printed("a + (b + c)"), "a + (b + c)");
        assert_eq!(printed("SUM(a)by(b)"), "sum by (b) (a)");
        assert_eq!(printed(r#"{"a.b"}"#), r#"{__name__="a.b"}"#);
        assert_eq!(printed(r#"{__name__!~"b.*","api"}"#), r#"{__name__!~"b.*", __name__="api"}"#);
    }
}
