//! How much a query may be: what would take too long to read, or too much of a stack.

use super::token::{Kind, Token};
use crate::syntax::ParseError;

/// More would take too long to read.
pub(super) const MAX_TOKENS: usize = 100_000;
/// Most operators: each may add a level to the tree.
const MAX_OPERATORS: usize = 10_000;
/// Most parentheses within each other.
const MAX_DEPTH: usize = 150;

/// How many levels the tree of a query has at most.
///
/// # Errors
/// The query is longer, or nests deeper, than can be read.
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
        // Of a parenthesis there may be a call and what is in it.
        None => Ok(operators + 2 * deepest),
    }
}
