//! The parser of PromQL: splits a query into tokens, builds the tree, then checks types.
//!
//! Written by hand after Prometheus' `promql/parser` (`lex.go`, `generated_parser.y`, `parse.go`). It accepts what
//! Prometheus accepts, and its errors have Prometheus' position and text: it reports the error that Prometheus' parser
//! would find first. It only knows the types of functions, and nothing of evaluation.
//!
//! One file per part of the grammar: `expression` (operators, signs, operands), `matching` (modifiers between an
//! operator and its right side), `call`, `labels`, `modifier` (`offset`, `@` and others), `duration`.

mod call;
mod check;
mod complaint;
mod duration;
mod expression;
mod labels;
mod lexer;
mod limits;
mod literal;
mod matching;
mod modifier;
mod quote;
mod regex_error;
mod scan;
mod signature;
mod token;

pub(crate) use literal::seconds;
pub(crate) use signature::Signature;
pub(crate) use token::{Kind, Token};

use super::{ParseError, tree::Expression};
use crate::stack::with_room;
use complaint::unexpected;
use lexer::Tokens;

/// Position of an error in bytes, and its message.
type Wrong = (usize, String);

type Read<T> = Result<T, Wrong>;

/// Parses a query and calls `act` with its tree and the maximum number of its levels, with enough stack for recursion.
///
/// # Errors
///
/// The text is not PromQL, or too complex, or `act` fails.
pub(crate) fn with_tree<T>(
    query: &str,
    act: impl FnOnce(Expression, usize) -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let tokens = lexer::tokens(query);
    let levels = limits::levels(query, &tokens.list)?;
    with_room(levels, || {
        let mut parser = Parser::new(query, &tokens);
        let parsed = parser.query().and_then(|tree| {
            check::check(query, &tree)?;
            parser.beyond.map_or(Ok(tree), Err)
        });
        match parsed {
            Ok(tree) => act(tree, levels),
            Err((position, message)) => Err(ParseError::new(query, position, message)),
        }
    })
}

/// Parses the parts of a query from its tokens.
struct Parser<'a> {
    tokens: &'a [Token<'a>],
    wrong: Option<&'a Wrong>,
    end: Token<'a>,
    /// Index of the next token.
    index: usize,
    /// Number of tokens that have been read ahead. Error messages depend on it.
    seen: usize,
    /// The end of the last bracket, number or duration among those.
    last_closing: usize,
    /// Number of incomplete aggregations, which are part of some error messages.
    aggregations: usize,
    /// Total weight of the regular expressions so far.
    weight: usize,
    /// Nesting depth of durations.
    nested_lengths: usize,
    /// A duration that is longer than our limit, though Prometheus accepts it: other errors come first.
    beyond: Option<Wrong>,
}

impl<'a> Parser<'a> {
    fn new(query: &'a str, tokens: &'a Tokens<'a>) -> Self {
        Parser {
            tokens: &tokens.list,
            wrong: tokens.wrong.as_ref(),
            end: Token { kind: Kind::End, text: "", start: query.len() },
            index: 0,
            seen: 0,
            last_closing: 0,
            aggregations: 0,
            weight: 0,
            nested_lengths: 0,
            beyond: None,
        }
    }

    /// The whole query.
    ///
    /// # Errors
    ///
    /// It is invalid.
    fn query(&mut self) -> Read<Expression<'a>> {
        if self.peek()?.kind == Kind::End {
            return Err((0, "no expression found in input".to_owned()));
        }
        let expression = self.expression(1)?;
        match self.peek()? {
            token if token.kind == Kind::End => Ok(expression),
            token => Err(self.misplaced(&token)),
        }
    }

    /// The next token.
    fn peek(&mut self) -> Read<Token<'a>> {
        match (self.tokens.get(self.index), self.wrong) {
            (Some(token), _) => {
                if self.index >= self.seen {
                    self.seen = self.index + 1;
                    if token.closes() {
                        self.last_closing = token.end();
                    }
                }
                Ok(*token)
            }
            (None, Some(wrong)) => Err(wrong.clone()),
            (None, None) => Ok(self.end),
        }
    }

    /// Consumes the token that was read ahead.
    fn pass(&mut self) {
        self.index += 1;
    }

    fn take(&mut self) -> Read<Token<'a>> {
        let token = self.peek()?;
        self.pass();
        Ok(token)
    }

    fn take_if(&mut self, text: &str) -> Read<Option<Token<'a>>> {
        let token = self.peek()?;
        if token.is(text) {
            self.pass();
            return Ok(Some(token));
        }
        Ok(None)
    }

    fn take_any(&mut self, texts: &[&str]) -> Read<Option<Token<'a>>> {
        let token = self.peek()?;
        if token.is_any(texts) {
            self.pass();
            return Ok(Some(token));
        }
        Ok(None)
    }

    fn expect(&mut self, text: &str) -> Read<Token<'a>> {
        match self.take_if(text)? {
            Some(token) => Ok(token),
            None => {
                let token = self.peek()?;
                Err(self.misplaced(&token))
            }
        }
    }

    fn misplaced(&self, token: &Token) -> Wrong {
        unexpected(token, if self.aggregations > 0 { "aggregation" } else { "" }, "")
    }
}
