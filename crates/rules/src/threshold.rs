//! The number that an expression is compared with.

use promql_parser::parser::{Expr, parse, token};

/// A comparison of an expression with a number: what a chart shows as a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// What is compared, as PromQL.
    pub expr: String,
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`.
    pub op: &'static str,
    /// The number.
    pub value: f64,
}

impl Threshold {
    /// The comparison at the top of an expression, or of the left side of an `and` or `unless` at its top.
    #[must_use]
    pub fn of(expr: &str) -> Option<Self> {
        promql::with_room_for(expr, || find(&parse(expr).ok()?)).ok().flatten()
    }
}

fn find(expr: &Expr) -> Option<Threshold> {
    match expr {
        Expr::Paren(inner) => find(&inner.expr),
        Expr::Binary(binary) => {
            let op = match binary.op.id() {
                token::T_LAND | token::T_LUNLESS => return find(&binary.lhs),
                token::T_GTR => ">",
                token::T_GTE => ">=",
                token::T_LSS => "<",
                token::T_LTE => "<=",
                token::T_EQLC => "==",
                token::T_NEQ => "!=",
                _ => return None,
            };
            if let Some(value) = number(&binary.rhs) {
                return Some(Threshold { expr: binary.lhs.to_string(), op, value });
            }
            let turned = match op {
                ">" => "<",
                ">=" => "<=",
                "<" => ">",
                "<=" => ">=",
                same => same,
            };
            Some(Threshold { expr: binary.rhs.to_string(), op: turned, value: number(&binary.lhs)? })
        }
        _ => None,
    }
}

/// The value of an expression of numbers alone.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::NumberLiteral(literal) => Some(literal.val),
        Expr::Paren(inner) => number(&inner.expr),
        Expr::Unary(unary) => number(&unary.expr).map(|value| -value),
        Expr::Binary(binary) => {
            let (left, right) = (number(&binary.lhs)?, number(&binary.rhs)?);
            match binary.op.id() {
                token::T_ADD => Some(left + right),
                token::T_SUB => Some(left - right),
                token::T_MUL => Some(left * right),
                token::T_DIV => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_in_a_chain_of_thousands() {
        let chain = vec!["a > 1"; 3_000].join(" and ");
        assert_eq!(Threshold::of(&chain).unwrap().value, 1.0);
    }

    #[test]
    fn the_number_is_found() {
        let found = |expr: &str| Threshold::of(expr).map(|t| (t.expr, t.op, t.value));
        assert_eq!(found("up == 0"), Some(("up".to_owned(), "==", 0.0)));
        assert_eq!(found("sum(a) / sum(b) > 0.05 and sum(b) > 0"), Some(("sum(a) / sum(b)".to_owned(), ">", 0.05)));
        assert_eq!(found("(2 * 1024 < m)"), Some(("m".to_owned(), ">", 2048.0)));
        assert_eq!(found("a > -1"), Some(("a".to_owned(), ">", -1.0)));
        assert_eq!(found("a > b"), None);
        assert_eq!(found("absent(a)"), None);
    }
}
