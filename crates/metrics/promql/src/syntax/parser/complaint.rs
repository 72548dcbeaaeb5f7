//! Prometheus' errors about unexpected tokens.

use super::{
    Wrong, quote,
    token::{Kind, Token},
};

/// The error about a token.
pub(super) fn unexpected(token: &Token, context: &str, expected: &str) -> Wrong {
    let mut message = format!("unexpected {}", describe(token));
    if !context.is_empty() {
        message.push_str(&format!(" in {context}"));
    }
    if !expected.is_empty() {
        message.push_str(&format!(", expected {expected}"));
    }
    (token.start, message)
}

fn describe(token: &Token) -> String {
    let text = token.text;
    let short = || match text.char_indices().nth(10) {
        Some((end, _)) if text.len() > 10 => format!("{}...", quote::text(text.get(..end).unwrap_or(text))),
        _ if text.len() > 10 => format!("{}...", quote::text(text)),
        _ => quote::text(text),
    };
    match token.kind {
        Kind::End => "end of input".to_owned(),
        Kind::Mark | Kind::Preprocessor => quote::text(text),
        Kind::Operator => format!("<op:{text}>"),
        Kind::Aggregator => format!("<aggr:{text}>"),
        Kind::Keyword => format!("<{text}>"),
        Kind::Identifier => format!("identifier {}", quote::text(text)),
        Kind::MetricIdentifier => format!("metric identifier {}", quote::text(text)),
        Kind::Text => format!("string {}", short()),
        Kind::Number => format!("number {}", short()),
        Kind::Duration => format!("duration {}", short()),
    }
}
