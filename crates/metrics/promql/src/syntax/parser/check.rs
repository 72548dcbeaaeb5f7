//! Type checks of an expression's parts, in the order of Prometheus.

use super::{Read, Signature, quote};
use crate::{
    annotation::Position,
    plan::{Aggregator, Many},
    syntax::{
        ValueType,
        tree::{Binary, Expression, Form, Selector},
    },
};
use labels::{METRIC_NAME, MatchOp, Matcher};

/// A type's name in error messages.
fn name(value: ValueType) -> &'static str {
    match value {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "instant vector",
        ValueType::Matrix => "range vector",
    }
}

/// Checks the types of an expression's parts; returns its type.
///
/// # Errors
///
/// The types do not match.
pub(super) fn check(query: &str, expression: &Expression) -> Read<ValueType> {
    let start = expression.start;
    match &expression.form {
        Form::Number { .. } => Ok(ValueType::Scalar),
        Form::Text(_) => Ok(ValueType::String),
        Form::Paren(inner) => check(query, inner),
        Form::Unary(_, inner) => {
            let found = check(query, inner)?;
            if is_operand(found) {
                return Ok(found);
            }
            let text = "unary expression only allowed on expressions of type scalar or instant vector";
            Err((start, format!("{text}, got {:?}", name(found))))
        }
        Form::Binary(parts) => binary(query, expression, parts),
        Form::Call(signature, arguments) => {
            call(query, start, signature, arguments)?;
            Ok(signature.result)
        }
        Form::Aggregate(aggregate) => {
            expect(query, &aggregate.inner, ValueType::Vector, "aggregation expression")?;
            if let Some(parameter) = &aggregate.parameter {
                let takes_text = aggregate.operator == Aggregator::CountValues;
                let wanted = if takes_text { ValueType::String } else { ValueType::Scalar };
                expect(query, parameter, wanted, "aggregation parameter")?;
            }
            Ok(ValueType::Vector)
        }
        Form::Selector(parts) => {
            selector(start, parts, false)?;
            Ok(ValueType::Vector)
        }
        Form::Range(parts, _) => {
            selector(start, parts, false)?;
            Ok(ValueType::Matrix)
        }
        Form::Subquery(subquery) => {
            let found = match check(query, &subquery.inner)? {
                ValueType::Vector => return Ok(ValueType::Matrix),
                ValueType::Matrix => "matrix",
                ValueType::Scalar => "scalar",
                ValueType::String => "string",
            };
            Err((start, format!("subquery is only allowed on instant vector, got {found} instead")))
        }
    }
}

fn is_operand(value: ValueType) -> bool {
    matches!(value, ValueType::Scalar | ValueType::Vector)
}

fn expect(query: &str, expression: &Expression, wanted: ValueType, context: &str) -> Read<()> {
    match check(query, expression)? {
        found if found == wanted => Ok(()),
        found => {
            let (wanted, found) = (name(wanted), name(found));
            Err((expression.start, format!("expected type {wanted} in {context}, got {found}")))
        }
    }
}

fn binary(query: &str, whole: &Expression, parts: &Binary) -> Read<ValueType> {
    let left = check(query, &parts.left)?;
    let right = check(query, &parts.right)?;
    let (operator, matching) = (parts.operator, &parts.matching);
    let at_operator = |message: String| {
        let after = query.get(parts.left.end..).unwrap_or_default();
        let spaces = after.len() - after.trim_start_matches([' ', '\t', '\n', '\r']).len();
        Err((parts.left.end + spaces, message))
    };
    if parts.returns_bool && !operator.is_comparison() {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    let of_scalars = left == ValueType::Scalar && right == ValueType::Scalar;
    // Only histograms can be trimmed.
    if (operator.is_comparison() || operator.is_trim()) && !parts.returns_bool && of_scalars {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    if let Some(twice) = matching.labels.iter().find(|label| matching.on && matching.include.contains(label)) {
        return at_operator(format!("label {} must not occur in ON and GROUP clause at once", quote::text(twice)));
    }
    for (side, found) in [(&parts.left, left), (&parts.right, right)] {
        if !is_operand(found) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err((side.start, message.to_owned()));
        }
    }
    let wrong = |message: String| Err((whole.start, message));
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    let name = operator.text();
    if left != ValueType::Vector || right != ValueType::Vector {
        if !matching.labels.is_empty() {
            return wrong("vector matching only allowed between instant vectors".to_owned());
        }
        if fills {
            return wrong("filling in missing series only allowed between instant vectors".to_owned());
        }
        if operator.is_set() {
            return wrong(format!("set operator {name:?} not allowed in binary scalar expression"));
        }
    } else if operator.is_set() {
        if matching.many != Many::Neither {
            return wrong(format!("no grouping allowed for {name:?} operation"));
        }
        if fills {
            return wrong("filling in missing series not allowed for set operators".to_owned());
        }
    }
    Ok(if of_scalars { ValueType::Scalar } else { ValueType::Vector })
}

fn call(query: &str, start: Position, signature: &Signature, arguments: &[Expression]) -> Read<()> {
    let (takes, got, function) = (signature.arguments.len(), arguments.len(), quote::text(signature.name));
    let expected =
        |count: String| Err((start, format!("expected {count} argument(s) in call to {function}, got {got}")));
    if signature.variadic == 0 {
        if takes != got {
            return expected(takes.to_string());
        }
    } else {
        let least = takes.saturating_sub(1);
        if got < least {
            return expected(format!("at least {least}"));
        }
        if let Ok(more) = usize::try_from(signature.variadic)
            && got > least + more
        {
            return expected(format!("at most {}", least + more));
        }
    }
    for (index, argument) in arguments.iter().enumerate() {
        let Some(wanted) = signature.arguments.get(index).or(signature.arguments.last()) else { break };
        let context = format!("call to function {function}");
        if signature.name == "info" && index == 1 {
            label_selector(start, argument, &context)?;
        } else {
            expect(query, argument, *wanted, &context)?;
        }
    }
    Ok(())
}

/// The second argument of `info`.
fn label_selector(call: Position, argument: &Expression, context: &str) -> Read<()> {
    let found = argument.value_type();
    if found != ValueType::Vector {
        return Err((call, format!("expected type instant vector in {context}, got {}", name(found))));
    }
    let text = match &argument.form {
        Form::Selector(parts) if parts.name.is_some() => "expected label selectors only, got vector selector instead",
        Form::Selector(parts) => return selector(argument.start, parts, true),
        _ => "expected label selectors only",
    };
    Err((argument.start, text.to_owned()))
}

fn selector(start: Position, parts: &Selector, may_be_empty: bool) -> Read<()> {
    let Some(outside) = parts.name else {
        if !may_be_empty && parts.matchers.iter().all(|matcher| matcher.matches("")) {
            return Err((start, "vector selector must contain at least one non-empty matcher".to_owned()));
        }
        return Ok(());
    };
    match parts.matchers.iter().find(|matcher| matcher.name == METRIC_NAME) {
        Some(inside) => {
            let (outside, inside) = (quote::text(outside), quote::text(value(inside)));
            Err((start, format!("metric name must not be set twice: {outside} or {inside}")))
        }
        None => Ok(()),
    }
}

fn value(matcher: &Matcher) -> &str {
    match &matcher.op {
        MatchOp::Equal(value) | MatchOp::NotEqual(value) => value,
        MatchOp::Regex(pattern) | MatchOp::NotRegex(pattern) => pattern.written(),
    }
}
