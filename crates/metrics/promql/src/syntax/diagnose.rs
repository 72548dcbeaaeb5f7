//! Finds where a query went wrong, and says it in Prometheus' words. The parser says that it did, but not where, and lets some pass that
//! Prometheus refuses.
//!
//! A second reader, by Prometheus' grammar, that every query goes through: items, expressions, then types, up to the first
//! complaint. Its rules are those of Prometheus' `promql/parser` (`lex.go`, `generated_parser.y`, `parse.go`).

mod check;
mod labels;
mod lexer;
mod literal;
mod quote;
mod reader;
mod shift;
mod signature;

/// Where Prometheus would complain of a query first, in bytes, and how. Nothing if it would not.
pub(crate) fn first_complaint(query: &str) -> Option<(usize, String)> {
    let wrong = reader::Reader::new(query).query().and_then(|whole| check::check(query, &whole));
    wrong.err()
}
