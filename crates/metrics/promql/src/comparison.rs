//! The threshold of a query: the number with which it compares something.

use crate::{
    plan::{Node, Operator},
    syntax::print::Printed,
};

/// A comparison of an expression with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The compared expression, as PromQL.
    pub expr: String,
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`, with the number on the right.
    pub op: &'static str,
    /// The number.
    pub value: f64,
}

/// The comparison at the top of a plan.
pub(crate) fn comparison(node: &Node) -> Option<Comparison> {
    let Node::Binary(binary) = node.unmarked() else { return None };
    let operator = match binary.operator {
        Operator::And | Operator::Unless => return comparison(&binary.left),
        operator if operator.is_comparison() => operator,
        _ => return None,
    };
    let of = |node: &Node, operator: Operator, value| Comparison {
        expr: Printed(node).to_string(),
        op: operator.text(),
        value,
    };
    match number(&binary.right) {
        Some(value) => Some(of(&binary.left, operator, value)),
        None => Some(of(&binary.right, turned(operator), number(&binary.left)?)),
    }
}

/// The operator with its sides exchanged.
fn turned(operator: Operator) -> Operator {
    match operator {
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        same => same,
    }
}

/// The value of an expression that consists of numbers.
fn number(node: &Node) -> Option<f64> {
    match node {
        Node::Number(value) => Some(*value),
        Node::Invariant(inner) => number(inner),
        Node::Negate(inner) => number(inner).map(|value| -value),
        Node::Binary(binary) => {
            let (left, right) = (number(&binary.left)?, number(&binary.right)?);
            match binary.operator {
                Operator::Add => Some(left + right),
                Operator::Sub => Some(left - right),
                Operator::Mul => Some(left * right),
                Operator::Div => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn the_number_is_found() {
        let found = |query: &str| parse(query).unwrap().comparison().map(|found| (found.expr, found.op, found.value));
        assert_eq!(found("up == 0"), Some(("up".to_owned(), "==", 0.0)));
        assert_eq!(found("sum(a) / sum(b) > 0.05 and sum(b) > 0"), Some(("sum(a) / sum(b)".to_owned(), ">", 0.05)));
        assert_eq!(found("(2 * 1024 < m)"), Some(("m".to_owned(), ">", 2048.0)));
        assert_eq!(found("a > -1"), Some(("a".to_owned(), ">", -1.0)));
        assert_eq!(found("a @ 5 > bool 1h"), Some(("a @ 5".to_owned(), ">", 3600.0)));
        assert_eq!(found("a > b"), None);
        assert_eq!(found("absent(a)"), None);
    }

    #[test]
    fn it_is_found_in_a_chain_of_thousands() {
        let chain = vec!["a > 1"; 3_000].join(" and ");
        assert_eq!(parse(&chain).unwrap().comparison().unwrap().value, 1.0);
    }
}
