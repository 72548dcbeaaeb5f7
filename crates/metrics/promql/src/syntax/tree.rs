//! The tree of a query as Prometheus' HTTP API tells it, and the query laid out for reading.
//!
//! Made of the parser's tree, which still knows parentheses, beside the plan, which knows the real lengths of time.

use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{
        AtModifier, BinaryExpr, Call, Expr, LabelModifier, SubqueryExpr, VectorMatchCardinality, VectorSelector,
        value::ValueType,
    },
};

use super::{
    ParseError,
    length::Length,
    prepare::{self, Prepared, STAND_IN_LABEL},
    token::{self, Token},
};
use crate::{
    plan::{Edges, Node, Selector, Shift},
    stack::with_room,
};
use labels::METRIC_NAME;

/// Levels of a tree that are told; each is some within each other in JSON.
const MAX_SHOWN_LEVELS: usize = 500;

/// A part of a query's tree, in the shape of JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number; lengths of time are in milliseconds.
    Integer(i64),
    /// Text; numbers of a query are text too.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// Fields with their names.
    Map(Vec<(&'static str, Tree)>),
}

/// The tree of a query in the words of `/api/v1/parse_query`.
///
/// # Errors
/// The text is not PromQL, or its tree is deeper than a reader of JSON takes.
pub fn tree(query: &str) -> Result<Tree, ParseError> {
    let levels = prepare::check_complexity(query, &token::tokens(query))?;
    if levels > MAX_SHOWN_LEVELS {
        let message = format!(
            "the expression is too complex to be told as a tree: it has more than {MAX_SHOWN_LEVELS} operators"
        );
        return Err(ParseError::new(query, 0, message));
    }
    with_room(levels, || {
        let (parsed, root) = both(query)?;
        Ok(expression(&parsed, Some(&root)))
    })
}

/// A query laid out for reading, as `/api/v1/format_query` gives it: in one line if it is short, else in indented lines.
///
/// # Errors
/// The text is not PromQL.
pub fn pretty(query: &str) -> Result<String, ParseError> {
    super::with_room_for(query, || {
        let root = super::parse(query)?.root;
        let tokens = token::tokens(query);
        let (parsed, prepared) = shown(query, &tokens)?;
        Ok(super::pretty::laid_out(&parsed, &root, &tokens, &prepared))
    })?
}

fn both(query: &str) -> Result<(Expr, Node), ParseError> {
    let root = super::parse(query)?.root;
    let (parsed, _) = shown(query, &token::tokens(query))?;
    Ok((parsed, root))
}

/// The parser's tree with its regular expressions as they were written.
fn shown(query: &str, tokens: &[Token]) -> Result<(Expr, Prepared), ParseError> {
    let prepared = prepare::prepare(query, tokens)?;
    let mut parsed =
        promql_parser::parser::parse(&prepared.text).map_err(|message| ParseError::new(query, 0, message))?;
    prepared.put_back(&mut parsed);
    Ok((parsed, prepared))
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

/// A node without the mark that it never changes.
pub(super) fn bare(plan: Option<&Node>) -> Option<&Node> {
    match plan {
        Some(Node::Invariant(inner)) => bare(Some(inner)),
        other => other,
    }
}

fn expression(tree: &Expr, plan: Option<&Node>) -> Tree {
    let plan = bare(plan);
    match tree {
        Expr::Paren(paren) => node("parenExpr", vec![("expr", expression(&paren.expr, plan))]),
        Expr::Unary(unary) => {
            let inner = match plan {
                Some(Node::Negate(inner)) => Some(&**inner),
                _ => None,
            };
            node("unaryExpr", vec![("op", text("-")), ("expr", expression(&unary.expr, inner))])
        }
        Expr::NumberLiteral(number) => {
            node("numberLiteral", vec![("val", text(timeseries::format::float(number.val)))])
        }
        Expr::StringLiteral(string) => {
            let value = match plan {
                Some(Node::Text(value)) => value,
                _ => &string.val,
            };
            node("stringLiteral", vec![("val", text(value.as_str()))])
        }
        Expr::Binary(binary) => binary_expression(binary, plan),
        Expr::Aggregate(aggregate) => {
            let (inner, parameter) = match plan {
                Some(Node::Aggregate(plan)) => (Some(&plan.inner), plan.parameter.as_ref()),
                _ => (None, None),
            };
            let (grouping, without) = match &aggregate.modifier {
                Some(LabelModifier::Include(labels)) => (texts(&labels.labels), false),
                Some(LabelModifier::Exclude(labels)) => (texts(&labels.labels), true),
                None => (Tree::List(Vec::new()), false),
            };
            let param = aggregate.param.as_ref().map_or(Tree::Null, |param| expression(param, parameter));
            node(
                "aggregation",
                vec![
                    ("op", text(aggregate.op.to_string())),
                    ("expr", expression(&aggregate.expr, inner)),
                    ("param", param),
                    ("grouping", grouping),
                    ("without", Tree::Bool(without)),
                ],
            )
        }
        Expr::Subquery(subquery) => subquery_expression(subquery, plan),
        Expr::VectorSelector(selector) => {
            let planned = match plan {
                Some(Node::Instant(selector)) => Some(selector),
                _ => None,
            };
            node("vectorSelector", selector_fields(selector, planned))
        }
        Expr::MatrixSelector(matrix) => {
            let (planned, length) = match plan {
                Some(Node::Range(selector, length)) => (Some(selector), Some(length)),
                _ => (None, None),
            };
            let mut fields = selector_fields(&matrix.vs, planned);
            fields.push(("range", milliseconds(length)));
            node("matrixSelector", fields)
        }
        Expr::Call(call) => call_expression(call, plan),
        Expr::Extension(_) => Tree::Null,
    }
}

fn binary_expression(binary: &BinaryExpr, plan: Option<&Node>) -> Tree {
    let (left, right, operator) = match plan {
        Some(Node::Binary(plan)) => (Some(&plan.left), Some(&plan.right), plan.operator.text().to_owned()),
        _ => (None, None, binary.op.to_string()),
    };
    let is_set = matches!(operator.as_str(), "and" | "or" | "unless");
    let modifier = binary.modifier.as_ref();
    let of_vectors = [&binary.lhs, &binary.rhs].into_iter().all(|side| matches!(side.value_type(), ValueType::Vector));
    let matching = if of_vectors {
        let none = Vec::new();
        let (card, include) = match modifier.map(|modifier| &modifier.card) {
            _ if is_set => ("many-to-many", &none),
            Some(VectorMatchCardinality::ManyToOne(labels)) => ("many-to-one", &labels.labels),
            Some(VectorMatchCardinality::OneToMany(labels)) => ("one-to-many", &labels.labels),
            _ => ("one-to-one", &none),
        };
        let (on, labels) = match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(labels)) => (true, &labels.labels),
            Some(LabelModifier::Exclude(labels)) => (false, &labels.labels),
            None => (false, &none),
        };
        Tree::Map(vec![
            ("card", text(card)),
            ("labels", texts(labels)),
            ("on", Tree::Bool(on)),
            ("include", texts(include)),
        ])
    } else {
        Tree::Null
    };
    node(
        "binaryExpr",
        vec![
            ("op", text(operator)),
            ("lhs", expression(&binary.lhs, left)),
            ("rhs", expression(&binary.rhs, right)),
            ("matching", matching),
            ("bool", Tree::Bool(modifier.is_some_and(|modifier| modifier.return_bool))),
        ],
    )
}

fn subquery_expression(subquery: &SubqueryExpr, plan: Option<&Node>) -> Tree {
    let planned = match plan {
        Some(Node::Subquery(planned)) => Some(planned),
        _ => None,
    };
    let mut fields = vec![
        ("expr", expression(&subquery.expr, planned.map(|planned| &planned.inner))),
        ("range", milliseconds(planned.map(|planned| &planned.range))),
        ("step", milliseconds(planned.and_then(|planned| planned.step.as_ref()))),
    ];
    fields.extend(shift_fields(subquery.at.as_ref(), planned.map(|planned| &planned.shift)));
    node("subquery", fields)
}

fn call_expression(call: &Call, plan: Option<&Node>) -> Tree {
    let planned = match plan {
        Some(Node::Call(planned)) => planned.arguments.as_slice(),
        _ => &[],
    };
    let arguments = call.args.args.iter().enumerate().map(|(index, one)| expression(one, planned.get(index)));
    let function = Tree::Map(vec![
        ("name", text(call.func.name)),
        ("argTypes", Tree::List(call.func.arg_types.iter().map(|kind| text(type_name(*kind))).collect())),
        ("variadic", Tree::Integer(i64::from(call.func.variadic))),
        ("returnType", text(type_name(call.func.return_type))),
    ]);
    node("call", vec![("func", function), ("args", Tree::List(arguments.collect()))])
}

fn type_name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Vector => "vector",
        ValueType::Scalar => "scalar",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}

fn selector_fields(selector: &VectorSelector, planned: Option<&Selector>) -> Vec<(&'static str, Tree)> {
    let name = selector.name.as_deref().unwrap_or_default();
    let written = selector.matchers.matchers.iter().filter(|matcher| matcher.name != STAND_IN_LABEL);
    let mut matchers: Vec<Tree> = written.map(matcher).collect();
    let has_name = selector.matchers.matchers.iter().any(|one| one.name == METRIC_NAME && one.value == name);
    if !name.is_empty() && !has_name {
        matchers.push(matcher_fields(METRIC_NAME, name, "="));
    }
    let mut fields = vec![("name", text(name)), ("matchers", Tree::List(matchers))];
    fields.extend(shift_fields(selector.at.as_ref(), planned.map(|planned| &planned.shift)));
    let edges = planned.map_or(Edges::Plain, |planned| planned.edges);
    fields.push(("anchored", Tree::Bool(edges == Edges::Anchored)));
    fields.push(("smoothed", Tree::Bool(edges == Edges::Smoothed)));
    fields
}

fn matcher(matcher: &Matcher) -> Tree {
    let operator = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Re(_) => "=~",
        MatchOp::NotRe(_) => "!~",
    };
    matcher_fields(&matcher.name, &matcher.value, operator)
}

fn matcher_fields(name: &str, value: &str, operator: &str) -> Tree {
    Tree::Map(vec![("name", text(name)), ("value", text(value)), ("type", text(operator))])
}

fn shift_fields(at: Option<&AtModifier>, shift: Option<&Shift>) -> [(&'static str, Tree); 3] {
    let timestamp = match at {
        Some(at @ AtModifier::At(_)) => match super::lower_selector::lower_at(at) {
            crate::plan::At::Time(time) => Tree::Integer(time),
            _ => Tree::Null,
        },
        _ => Tree::Null,
    };
    let start_or_end = match at {
        Some(AtModifier::Start) => text("start"),
        Some(AtModifier::End) => text("end"),
        _ => Tree::Null,
    };
    let offset = milliseconds(shift.and_then(|shift| shift.offset.as_ref()));
    [("offset", offset), ("timestamp", timestamp), ("startOrEnd", start_or_end)]
}

/// A length that depends on nothing; 0 for others, as for none.
fn milliseconds(length: Option<&Length>) -> Tree {
    Tree::Integer(length.and_then(|length| length.milliseconds(0, (0, 0)).ok()).unwrap_or(0))
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
        let told = json(&tree("sum without (a) (rate(x[5m] @ 10) / on (b) group_left (c) -y) > bool 1").unwrap());
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
            assert!(told.contains(part), "{part} is not in {told}");
        }
        let told = json(&tree("max_over_time(a[1h:5m] offset -1m) or b").unwrap());
        assert!(told.contains(r#""range":3600000,"step":300000,"offset":-60000"#), "{told}");
        assert!(told.contains(r#""card":"many-to-many""#), "{told}");
        assert!(tree("sum(").is_err());
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
