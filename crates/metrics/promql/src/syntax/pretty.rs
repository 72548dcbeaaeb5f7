//! Formats a query like Prometheus: lines that are too long are broken at their nested parts.

use timeseries::format;

use super::{
    ParseError,
    length::{to_milliseconds, to_seconds},
    parser::{self, Kind, Token},
    print::quote,
    tree::{Aggregate, Binary, Duration, Expression, Form, Selector, Shift},
};
use crate::plan::{At, Edges, Many, Matching};
use labels::{MatchOp, Matcher};

/// Formats a query like `/api/v1/format_query`: on one line if it is short, otherwise on indented lines.
///
/// # Errors
///
/// The text is not PromQL.
pub fn pretty(query: &str) -> Result<String, ParseError> {
    parser::with_tree(query, |tree, _| Ok(laid_out(&tree).indented(0)))
}

/// Maximum length of a line that is not broken, in bytes.
const LINE: usize = 100;

/// A node on one line, and how to break it.
struct Laid {
    line: String,
    parts: Parts,
}

enum Parts {
    /// Is never broken.
    Whole,
    /// Text before a bracket, and the parts inside.
    Bracket(String, Vec<Laid>),
    /// Two sides and the text between them.
    Sides(Box<(Laid, Laid)>, String),
    /// A node with text before it.
    Prefixed(&'static str, Box<Laid>),
    /// A node with text after it.
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

fn laid_out(tree: &Expression) -> Laid {
    match &tree.form {
        Form::Paren(inner) => Laid::bracket(String::new(), vec![laid_out(inner)]),
        Form::Unary(sign, inner) => {
            let (sign, inner) = (sign.text(), laid_out(inner));
            Laid { line: format!("{sign}{}", inner.line), parts: Parts::Prefixed(sign, Box::new(inner)) }
        }
        Form::Number { value, is_duration: true } => Laid::whole(signed_duration(*value)),
        Form::Number { value, is_duration: false } => Laid::whole(format::float(*value)),
        Form::Text(text) => Laid::whole(quote(text)),
        Form::Binary(parts) => binary(parts),
        Form::Aggregate(parts) => aggregate(parts),
        Form::Call(signature, arguments) => {
            Laid::bracket(signature.current_name().to_owned(), arguments.iter().map(laid_out).collect())
        }
        Form::Subquery(subquery) => {
            let inner = laid_out(&subquery.inner);
            let (range, step) = (length(&subquery.range), subquery.step.as_ref().map(length).unwrap_or_default());
            let after = format!("[{range}:{step}]{}{}", at(&subquery.shift), offset(&subquery.shift));
            Laid { line: format!("{}{after}", inner.line), parts: Parts::Suffixed(Box::new(inner), after) }
        }
        Form::Selector(selector) => {
            let (at, offset) = (at(&selector.shift), offset(&selector.shift));
            Laid::whole(format!("{}{at}{}{offset}", matchers(selector), edges(selector)))
        }
        Form::Range(selector, range) => {
            let (at, offset) = (at(&selector.shift), offset(&selector.shift));
            Laid::whole(format!("{}[{}]{}{at}{offset}", matchers(selector), length(range), edges(selector)))
        }
    }
}

fn binary(binary: &Binary) -> Laid {
    let left = laid_out(&binary.left);
    let mut between = binary.operator.text().to_owned();
    if binary.returns_bool {
        between.push_str(" bool");
    }
    between.push_str(&matching(&binary.matching));
    let right = laid_out(&binary.right);
    let line = format!("{} {between} {}", left.line, right.line);
    Laid { line, parts: Parts::Sides(Box::new((left, right)), between) }
}

fn matching(matching: &Matching) -> String {
    let mut text = String::new();
    if matching.on {
        text.push_str(&format!(" on ({})", names(&matching.labels)));
    } else if !matching.labels.is_empty() || matching.many != Many::Neither {
        text.push_str(&format!(" ignoring ({})", names(&matching.labels)));
    }
    match matching.many {
        Many::Neither => {}
        Many::Left => text.push_str(&format!(" group_left ({})", names(&matching.include))),
        Many::Right => text.push_str(&format!(" group_right ({})", names(&matching.include))),
    }
    let fills = match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if left == right => [("fill", Some(left)), ("", None)],
        (left, right) => [("fill_left", left), ("fill_right", right)],
    };
    for (word, value) in fills {
        if let Some(value) = value {
            text.push_str(&format!(" {word} ({})", format::general(value)));
        }
    }
    text
}

fn aggregate(aggregate: &Aggregate) -> Laid {
    let mut before = aggregate.operator.text().to_owned();
    let grouping = &aggregate.grouping;
    if grouping.without {
        before.push_str(&format!(" without ({}) ", names(&grouping.labels)));
    } else if !grouping.labels.is_empty() {
        before.push_str(&format!(" by ({}) ", names(&grouping.labels)));
    }
    Laid::bracket(before, aggregate.parameter.iter().chain([&aggregate.inner]).map(laid_out).collect())
}

fn at(shift: &Shift) -> String {
    match shift.at {
        None => String::new(),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        Some(At::Time(time)) => format!(" @ {:.3}", to_seconds(time)),
    }
}

fn offset(shift: &Shift) -> String {
    match shift.offset.as_ref().filter(|_| shift.is_offset()) {
        None => String::new(),
        Some(offset) => format!(" offset {}", length(offset)),
    }
}

/// A literal as a duration, a computed one as it was written.
fn length(duration: &Duration) -> String {
    single(duration.tokens).map_or_else(|| spaced(duration.tokens), signed_duration)
}

/// The seconds of a literal duration, with an optional sign.
fn single(tokens: &[Token]) -> Option<f64> {
    let (last, signs) = tokens.split_last()?;
    let seconds = number(last)?;
    let is_signed = signs.iter().all(|sign| sign.is_any(&["+", "-"]));
    let is_negative = signs.iter().filter(|sign| sign.is("-")).count() % 2 == 1;
    is_signed.then_some(if is_negative { -seconds } else { seconds })
}

fn number(token: &Token) -> Option<f64> {
    let is_number = matches!(token.kind, Kind::Number | Kind::Duration);
    is_number.then(|| parser::seconds(token).ok()).flatten()
}

/// A computed duration, with spaces around binary operators.
fn spaced(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut after_operand = false;
    for token in tokens {
        let is_operator = token.is_any(&["+", "-", "*", "/", "%", "^"]);
        if let Some(seconds) = number(token) {
            let is_duration = token.kind == Kind::Duration;
            text.push_str(&if is_duration { duration(seconds) } else { format::float(seconds) });
        } else if is_operator && after_operand {
            text.push_str(&format!(" {} ", token.text));
        } else if token.is(",") {
            text.push_str(", ");
        } else if !(is_operator && token.is("+")) {
            text.push_str(&token.text.to_ascii_lowercase());
        }
        after_operand = matches!(token.kind, Kind::Number | Kind::Duration) || token.is(")");
    }
    text
}

fn signed_duration(seconds: f64) -> String {
    if seconds < 0.0 { format!("-{}", duration(-seconds)) } else { duration(seconds) }
}

/// Formats a duration. Years and weeks are only used without a remainder.
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

fn edges(selector: &Selector) -> &'static str {
    match selector.edges {
        Edges::Plain => "",
        Edges::Anchored => " anchored",
        Edges::Smoothed => " smoothed",
    }
}

/// Label names, quoted if necessary.
fn names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| label(name)).collect();
    names.join(", ")
}

fn label(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { quote(name) }
}

/// Name and matchers, sorted by text.
fn matchers(selector: &Selector) -> String {
    let name = selector.name.unwrap_or_default();
    let mut shown: Vec<String> = selector.matchers.iter().map(matcher).collect();
    if shown.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    shown.sort();
    format!("{name}{{{}}}", shown.join(","))
}

fn matcher(matcher: &Matcher) -> String {
    let (operator, value) = match &matcher.op {
        MatchOp::Equal(value) => ("=", value.as_str()),
        MatchOp::NotEqual(value) => ("!=", value.as_str()),
        MatchOp::Regex(pattern) => ("=~", pattern.written()),
        MatchOp::NotRegex(pattern) => ("!~", pattern.written()),
    };
    format!("{}{operator}{}", label(&matcher.name), quote(value))
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
            ("anchored{a='1'}[5] anchored", r#"anchored{a="1"}[5s] anchored"#),
            ("-a</2", "-a </ 2"),
            ("info(a,{b='c'})", r#"info(a, {b="c"})"#),
            ("-Inf+1e3", "-Inf + 1000"),
            ("+a-+1", "+a - 1"),
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

    #[test]
    fn a_query_is_laid_out() {
        assert_eq!(pretty("foo/bar").unwrap(), "foo / bar");
        assert_eq!(pretty("sum by(a)(rate(x[5m]))").unwrap(), "sum by (a) (rate(x[5m]))");
        let long = format!("sum(rate({}[5m])) / sum(rate({}[5m]))", "a".repeat(60), "b".repeat(60));
        assert!(pretty(&long).unwrap().lines().count() >= 3);
        assert_eq!(pretty("rate(x[5m] smoothed)").unwrap(), "rate(x[5m] smoothed)");
        assert!(pretty("foo/").is_err());
    }
}
