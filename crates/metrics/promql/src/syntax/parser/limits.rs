//! Limits of a query's size, to bound parse time and stack.

use super::token::{Kind, Token};
use crate::syntax::ParseError;

/// Maximum number of tokens, to bound the parse time.
pub(super) const MAX_TOKENS: usize = 100_000;
/// Maximum number of operators: each may add a level to the tree.
const MAX_OPERATORS: usize = 10_000;
/// Maximum nesting of parentheses.
const MAX_DEPTH: usize = 150;

/// The maximum number of levels of a query's tree.
///
/// # Errors
///
/// The query exceeds a limit.
pub(super) fn levels(query: &str, tokens: &[Token]) -> Result<usize, ParseError> {
    let mut depth = 0_usize;
    let mut deepest = 0_usize;
    let mut operators = 0_usize;
    for token in tokens {
        match (token.kind, token.text) {
            (Kind::Mark, "(") => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (Kind::Mark, ")") => depth = depth.saturating_sub(1),
            (Kind::Mark, "[") => operators += 1,
            (Kind::Operator, text) if !matches!(text, "@" | "=~" | "!~") => operators += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            let message = format!("the expression is too complex: more than {MAX_DEPTH} parentheses within each other");
            return Err(ParseError::new(query, token.start, message));
        }
        if operators > MAX_OPERATORS {
            let message = format!("the expression is too complex: it has more than {MAX_OPERATORS} operators");
            return Err(ParseError::new(query, token.start, message));
        }
    }
    match tokens.get(MAX_TOKENS).filter(|token| token.kind != Kind::End) {
        Some(token) => {
            let message = format!("the expression is too long: it has more than {MAX_TOKENS} words and signs");
            Err(ParseError::new(query, token.start, message))
        }
        // A pair of parentheses may be a call and its content.
        None => Ok(operators + 2 * deepest),
    }
}
