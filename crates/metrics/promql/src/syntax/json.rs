//! The tree of a query in the format of Prometheus' HTTP API.

use super::{
    ParseError, ValueType, parser,
    tree::{Binary, Duration, Expression, Form, Selector, Shift, Subquery},
};
use crate::plan::{At, Edges, Many};
use labels::{METRIC_NAME, MatchOp, Matcher};

/// Maximum number of levels in the output; each is several levels of JSON.
const MAX_SHOWN_LEVELS: usize = 500;

/// A part of a query's tree, in the shape of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer; durations are in milliseconds.
    Integer(i64),
    /// Text; numbers of a query are text too.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// Fields with their names.
    Map(Vec<(&'static str, Tree)>),
}

/// The tree of a query as in `/api/v1/parse_query`.
///
/// # Errors
///
/// The text is not PromQL, or its tree is too deep for JSON parsers.
pub fn tree(query: &str) -> Result<Tree, ParseError> {
    parser::with_tree(query, |tree, levels| {
        if levels > MAX_SHOWN_LEVELS {
            let message = format!(
                "the expression is too complex to be shown as a tree: it has more than {MAX_SHOWN_LEVELS} operators"
            );
            return Err(ParseError::new(query, 0, message));
        }
        Ok(expression(&tree))
    })
}

fn text(text: impl Into<String>) -> Tree {
    Tree::Text(text.into())
}

fn texts(texts: &[String]) -> Tree {
    Tree::List(texts.iter().map(|one| text(one.as_str())).collect())
}

fn node(kind: &str, mut fields: Vec<(&'static str, Tree)>) -> Tree {
    fields.insert(0, ("type", text(kind)));
    Tree::Map(fields)
}

fn expression(tree: &Expression) -> Tree {
    match &tree.form {
        Form::Paren(inner) => node("parenExpr", vec![("expr", expression(inner))]),
        Form::Unary(sign, inner) => node("unaryExpr", vec![("op", text(sign.text())), ("expr", expression(inner))]),
        Form::Number { value, .. } => node("numberLiteral", vec![("val", text(timeseries::format::float(*value)))]),
        Form::Text(value) => node("stringLiteral", vec![("val", text(value.as_str()))]),
        Form::Binary(parts) => binary(parts),
        Form::Aggregate(aggregate) => node(
            "aggregation",
            vec![
                ("op", text(aggregate.operator.text())),
                ("expr", expression(&aggregate.inner)),
                ("param", aggregate.parameter.as_ref().map_or(Tree::Null, expression)),
                ("grouping", texts(&aggregate.grouping.labels)),
                ("without", Tree::Bool(aggregate.grouping.without)),
            ],
        ),
        Form::Subquery(parts) => subquery(parts),
        Form::Selector(selector) => node("vectorSelector", selector_fields(selector)),
        Form::Range(selector, range) => {
            let mut fields = selector_fields(selector);
            fields.push(("range", milliseconds(Some(range))));
            node("matrixSelector", fields)
        }
        Form::Call(signature, arguments) => {
            let types = signature.arguments.iter().map(|kind| text(type_name(*kind))).collect();
            let function = Tree::Map(vec![
                ("name", text(signature.current_name())),
                ("argTypes", Tree::List(types)),
                ("variadic", Tree::Integer(i64::from(signature.variadic))),
                ("returnType", text(type_name(signature.result))),
            ]);
            let arguments = arguments.iter().map(expression).collect();
            node("call", vec![("func", function), ("args", Tree::List(arguments))])
        }
    }
}

fn binary(binary: &Binary) -> Tree {
    let matching = &binary.matching;
    let of_vectors = [&binary.left, &binary.right].into_iter().all(|side| side.value_type() == ValueType::Vector);
    let shown = if of_vectors {
        let card = match matching.many {
            _ if binary.operator.is_set() => "many-to-many",
            Many::Left => "many-to-one",
            Many::Right => "one-to-many",
            Many::Neither => "one-to-one",
        };
        Tree::Map(vec![
            ("card", text(card)),
            ("labels", texts(&matching.labels)),
            ("on", Tree::Bool(matching.on)),
            ("include", texts(&matching.include)),
        ])
    } else {
        Tree::Null
    };
    node(
        "binaryExpr",
        vec![
            ("op", text(binary.operator.text())),
            ("lhs", expression(&binary.left)),
            ("rhs", expression(&binary.right)),
            ("matching", shown),
            ("bool", Tree::Bool(binary.returns_bool)),
        ],
    )
}

fn subquery(subquery: &Subquery) -> Tree {
    let mut fields = vec![
        ("expr", expression(&subquery.inner)),
        ("range", milliseconds(Some(&subquery.range))),
        ("step", milliseconds(subquery.step.as_ref())),
    ];
    fields.extend(shift_fields(&subquery.shift));
    node("subquery", fields)
}

fn type_name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Vector => "vector",
        ValueType::Scalar => "scalar",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}

fn selector_fields(selector: &Selector) -> Vec<(&'static str, Tree)> {
    let name = selector.name.unwrap_or_default();
    let mut matchers: Vec<Tree> = selector.matchers.iter().map(matcher).collect();
    if !name.is_empty() {
        matchers.push(matcher(&Matcher::equal(METRIC_NAME, name)));
    }
    let mut fields = vec![("name", text(name)), ("matchers", Tree::List(matchers))];
    fields.extend(shift_fields(&selector.shift));
    fields.push(("anchored", Tree::Bool(selector.edges == Edges::Anchored)));
    fields.push(("smoothed", Tree::Bool(selector.edges == Edges::Smoothed)));
    fields
}

fn matcher(matcher: &Matcher) -> Tree {
    let (operator, value) = match &matcher.op {
        MatchOp::Equal(value) => ("=", value.as_str()),
        MatchOp::NotEqual(value) => ("!=", value.as_str()),
        MatchOp::Regex(pattern) => ("=~", pattern.written()),
        MatchOp::NotRegex(pattern) => ("!~", pattern.written()),
    };
    Tree::Map(vec![("name", text(matcher.name.as_str())), ("value", text(value)), ("type", text(operator))])
}

fn shift_fields(shift: &Shift) -> [(&'static str, Tree); 3] {
    let (timestamp, start_or_end) = match shift.at {
        None => (Tree::Null, Tree::Null),
        Some(At::Time(time)) => (Tree::Integer(time), Tree::Null),
        Some(At::Start) => (Tree::Null, text("start")),
        Some(At::End) => (Tree::Null, text("end")),
    };
    [("offset", milliseconds(shift.offset.as_ref())), ("timestamp", timestamp), ("startOrEnd", start_or_end)]
}

/// The length of a constant duration; 0 for others and without one.
fn milliseconds(duration: Option<&Duration>) -> Tree {
    Tree::Integer(duration.and_then(|duration| duration.length.milliseconds(0, (0, 0)).ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As JSON, without spaces.
    fn json(tree: &Tree) -> String {
        let joined = |parts: Vec<String>| parts.join(",");
        match tree {
            Tree::Null => "null".to_owned(),
            Tree::Bool(value) => value.to_string(),
            Tree::Integer(value) => value.to_string(),
            Tree::Text(value) => format!("{value:?}"),
            Tree::List(list) => format!("[{}]", joined(list.iter().map(json).collect())),
            Tree::Map(fields) => {
                let field = |(name, value): &(&str, Tree)| format!("{name:?}:{}", json(value));
                format!("{{{}}}", joined(fields.iter().map(field).collect()))
            }
        }
    }

    #[test]
    fn the_tree_of_a_query_is_told() {
        assert_eq!(
            json(&tree("(up{job=~\"a|b\"} offset 0s)").unwrap()),
            r#"{"type":"parenExpr","expr":{"type":"vectorSelector","name":"up","matchers":[{"name":"job","value":"a|b","type":"=~"},{"name":"__name__","value":"up","type":"="}],"offset":0,"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false}}"#
        );
        let shown = json(&tree("sum without (a) (rate(x[5m] @ 10) / on (b) group_left (c) -y) > bool 1").unwrap());
        for part in [
            r#""op":">","#,
            r#""matching":null,"bool":true"#,
            r#""range":300000"#,
            r#""timestamp":10000"#,
            r#""matching":{"card":"many-to-one","labels":["b"],"on":true,"include":["c"]}"#,
            r#""grouping":["a"],"without":true"#,
            r#""type":"unaryExpr","op":"-""#,
            r#""func":{"name":"rate","argTypes":["matrix"],"variadic":0,"returnType":"vector"}"#,
            r#"{"type":"numberLiteral","val":"1"}"#,
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        let shown = json(&tree("max_over_time(a[1h:5m] offset -1m) or b").unwrap());
        assert!(shown.contains(r#""range":3600000,"step":300000,"offset":-60000"#), "{shown}");
        assert!(shown.contains(r#""card":"many-to-many""#), "{shown}");
        assert!(tree("sum(").is_err());
    }
}
