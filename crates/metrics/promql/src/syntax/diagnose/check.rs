//! Whether the parts of an expression fit together, in the order in which Prometheus looks at them.

use super::{
    lexer::Wrong,
    quote,
    reader::{Binary, Expression, Form, Selector},
    signature::Signature,
};
use crate::syntax::ValueType;
use labels::METRIC_NAME;

/// A type as messages name it.
fn name(value: ValueType) -> &'static str {
    match value {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "instant vector",
        ValueType::Matrix => "range vector",
    }
}

/// The type of an expression whose parts fit.
///
/// # Errors
/// They do not.
pub(super) fn check(query: &str, expression: &Expression) -> Result<ValueType, Wrong> {
    let start = expression.start;
    match &expression.form {
        Form::Number | Form::Text => {}
        Form::Paren(inner) => drop(check(query, inner)?),
        Form::Unary(inner) => {
            let found = check(query, inner)?;
            if !is_operand(found) {
                let text = "unary expression only allowed on expressions of type scalar or instant vector";
                return Err((start, format!("{text}, got {:?}", name(found))));
            }
        }
        Form::Binary(parts) => binary(query, expression, parts)?,
        Form::Call(signature, arguments) => call(query, start, signature, arguments)?,
        Form::Aggregate { operator, parameter, inner } => {
            expect(query, inner, ValueType::Vector, "aggregation expression")?;
            if let Some(parameter) = parameter {
                let takes_text = operator.text.eq_ignore_ascii_case("count_values");
                let wanted = if takes_text { ValueType::String } else { ValueType::Scalar };
                expect(query, parameter, wanted, "aggregation parameter")?;
            }
        }
        Form::Selector(parts) | Form::Range(parts) => selector(start, parts, false)?,
        Form::Subquery(inner, _) => {
            let found = match check(query, inner)? {
                ValueType::Vector => return Ok(ValueType::Matrix),
                ValueType::Matrix => "matrix",
                ValueType::Scalar => "scalar",
                ValueType::String => "string",
            };
            return Err((start, format!("subquery is only allowed on instant vector, got {found} instead")));
        }
    }
    Ok(expression.value_type())
}

fn is_operand(value: ValueType) -> bool {
    matches!(value, ValueType::Scalar | ValueType::Vector)
}

fn expect(query: &str, expression: &Expression, wanted: ValueType, context: &str) -> Result<(), Wrong> {
    match check(query, expression)? {
        found if found == wanted => Ok(()),
        found => {
            let (wanted, found) = (name(wanted), name(found));
            Err((expression.start, format!("expected type {wanted} in {context}, got {found}")))
        }
    }
}

fn binary(query: &str, whole: &Expression, parts: &Binary) -> Result<(), Wrong> {
    let left = check(query, &parts.left)?;
    let right = check(query, &parts.right)?;
    let operator = parts.operator.text.to_ascii_lowercase();
    let compares = matches!(operator.as_str(), "==" | "!=" | "<" | ">" | "<=" | ">=");
    let is_set = matches!(operator.as_str(), "and" | "or" | "unless");
    let modifiers = &parts.modifiers;
    let at_operator = |message: String| {
        let after = query.get(parts.left.end..).unwrap_or_default();
        let spaces = after.len() - after.trim_start_matches([' ', '\t', '\n', '\r']).len();
        Err((parts.left.end + spaces, message))
    };
    if modifiers.returns_bool && !compares {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    let of_scalars = left == ValueType::Scalar && right == ValueType::Scalar;
    if compares && !modifiers.returns_bool && of_scalars {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    if let Some(twice) = modifiers.labels.iter().find(|label| modifiers.on && modifiers.include.contains(label)) {
        return at_operator(format!("label {} must not occur in ON and GROUP clause at once", quote::text(twice)));
    }
    for (side, found) in [(&parts.left, left), (&parts.right, right)] {
        if !is_operand(found) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err((side.start, message.to_owned()));
        }
    }
    let wrong = |message: String| Err((whole.start, message));
    if left != ValueType::Vector || right != ValueType::Vector {
        if !modifiers.labels.is_empty() {
            return wrong("vector matching only allowed between instant vectors".to_owned());
        }
        if modifiers.fills {
            return wrong("filling in missing series only allowed between instant vectors".to_owned());
        }
        if is_set {
            return wrong(format!("set operator {operator:?} not allowed in binary scalar expression"));
        }
    } else if is_set {
        if modifiers.grouped {
            return wrong(format!("no grouping allowed for {operator:?} operation"));
        }
        if modifiers.fills {
            return wrong("filling in missing series not allowed for set operators".to_owned());
        }
    }
    Ok(())
}

fn call(query: &str, start: usize, signature: &Signature, arguments: &[Expression]) -> Result<(), Wrong> {
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
fn label_selector(call: usize, argument: &Expression, context: &str) -> Result<(), Wrong> {
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

fn selector(start: usize, parts: &Selector, may_be_empty: bool) -> Result<(), Wrong> {
    let Some(outside) = parts.name else {
        let is_empty = parts.matchers.iter().all(|matcher| matcher.matches_nothing);
        if is_empty && !may_be_empty {
            return Err((start, "vector selector must contain at least one non-empty matcher".to_owned()));
        }
        return Ok(());
    };
    match parts.matchers.iter().find(|matcher| matcher.label == METRIC_NAME) {
        Some(inside) => {
            let (outside, inside) = (quote::text(outside), quote::text(&inside.value));
            Err((start, format!("metric name must not be set twice: {outside} or {inside}")))
        }
        None => Ok(()),
    }
}
