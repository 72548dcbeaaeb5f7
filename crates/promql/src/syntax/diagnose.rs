//! Finds where a query went wrong. The parser says that it did, but not where.

use super::token::{Kind, Token};

/// What may stand at a place in an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Operand,
    Operator,
}

/// The first token that cannot stand where it stands, with a message; the end of the text if the expression is unfinished.
pub(crate) fn first_misfit(query: &str, tokens: &[Token]) -> (usize, String) {
    let mut expected = Expected::Operand;
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let next_is = |mark: &str| tokens.get(index + 1).is_some_and(|next| next.is(mark));
        let misfit = || (token.start, format!("unexpected {}", describe(token)));
        match expected {
            Expected::Operand => match token.kind {
                Kind::Number | Kind::Text => expected = Expected::Operator,
                Kind::Word if takes_labels(token) && next_is("(") => index = skip_group(tokens, index + 1),
                Kind::Word if takes_labels(token) && !token.text.starts_with("group") => {
                    return expected_labels(query, tokens, index);
                }
                Kind::Word if token.is("bool") => {}
                Kind::Word if next_is("(") || next_is("by") || next_is("without") => {}
                Kind::Word => expected = Expected::Operator,
                Kind::Mark => match token.text {
                    "(" | "+" | "-" => {}
                    ")" if index.checked_sub(1).and_then(|i| tokens.get(i)).is_some_and(|t| t.is("(")) => {
                        expected = Expected::Operator;
                    }
                    "{" => match label_matchers(query, tokens, index) {
                        Ok(end) => {
                            index = end;
                            expected = Expected::Operator;
                        }
                        Err(misfit) => return misfit,
                    },
                    _ => return misfit(),
                },
            },
            Expected::Operator => match token.text {
                ")" | "]" => {}
                "{" => match label_matchers(query, tokens, index) {
                    Ok(end) => index = end,
                    Err(misfit) => return misfit,
                },
                "[" => index = skip_group(tokens, index),
                "," | "+" | "-" | "*" | "/" | "%" | "^" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "@" => {
                    expected = Expected::Operand;
                }
                _ if ["and", "or", "unless", "atan2", "offset"].iter().any(|word| token.is(word)) => {
                    expected = Expected::Operand;
                }
                _ if (token.is("by") || token.is("without")) && next_is("(") => index = skip_group(tokens, index + 1),
                _ if token.is("by") || token.is("without") => return expected_labels(query, tokens, index),
                _ => return misfit(),
            },
        }
        index += 1;
    }
    (query.len(), "unexpected end of input".to_owned())
}

/// Where the first bracket is closed that was not opened.
pub(crate) fn first_unopened(tokens: &[Token]) -> Option<usize> {
    let mut open = Vec::new();
    for token in tokens {
        match token.text {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(token.text) => return Some(token.start),
            _ => {}
        }
    }
    None
}

/// The complaint that no labels follow a keyword.
fn expected_labels(query: &str, tokens: &[Token], keyword: usize) -> (usize, String) {
    let text = format!("unexpected {} in grouping opts, expected \"(\"", describe_at(tokens, keyword + 1));
    (tokens.get(keyword + 1).map_or(query.len(), |token| token.start), text)
}

/// Index of the brace that closes the label matchers opened at `open`.
///
/// # Errors
/// Something does not fit: where and what.
fn label_matchers(query: &str, tokens: &[Token], open: usize) -> Result<usize, (usize, String)> {
    let mut index = open + 1;
    let is = |index: usize, fits: &dyn Fn(&Token) -> bool| tokens.get(index).is_some_and(fits);
    let misfit = |index: usize, expected: &str| {
        let text = format!("unexpected {} in label matching, expected {expected}", describe_at(tokens, index));
        Err((tokens.get(index).map_or(query.len(), |token| token.start), text))
    };
    loop {
        if is(index, &|token| token.is("}")) {
            return Ok(index);
        }
        let quoted = is(index, &|token| token.kind == Kind::Text);
        if !quoted && !is(index, &|token| token.kind == Kind::Word) {
            return misfit(index, "identifier or \"}\"");
        }
        index += 1;
        if is(index, &|token| matches!(token.text, "=" | "!=" | "=~" | "!~")) {
            index += 1;
            if !is(index, &|token| token.kind == Kind::Text) {
                return misfit(index, "string");
            }
            index += 1;
        } else if !quoted {
            return misfit(index, "label matching operator");
        }
        if is(index, &|token| token.is(",")) {
            index += 1;
        } else if !is(index, &|token| token.is("}")) {
            return misfit(index, "\",\" or \"}\"");
        }
    }
}

fn describe_at(tokens: &[Token], index: usize) -> String {
    tokens.get(index).map_or("end of input".to_owned(), describe)
}

fn takes_labels(token: &Token) -> bool {
    let words = ["by", "without", "on", "ignoring", "group_left", "group_right", "fill", "fill_left", "fill_right"];
    words.iter().any(|word| token.is(word))
}

/// Index of the token that closes the group opened at `open`; the last one if none does.
fn skip_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len()
}

fn describe(token: &Token) -> String {
    match token.kind {
        Kind::Word => format!("identifier {:?}", token.text),
        Kind::Number => format!("number {:?}", token.text),
        Kind::Text => format!("string {}", token.text),
        Kind::Mark if OPERATORS.contains(&token.text) => format!("<op:{}>", token.text),
        Kind::Mark => format!("{:?}", token.text),
    }
}

/// The marks that Prometheus tells from others.
const OPERATORS: [&str; 13] = ["+", "-", "*", "/", "%", "^", "==", "!=", "<=", "<", ">=", ">", "@"];

#[cfg(test)]
mod tests {
    use super::{super::token::tokens, *};

    #[test]
    fn the_first_bracket_that_was_not_opened_is_found() {
        for (query, position) in
            [("sum(up))", Some(7)), ("up]", Some(2)), ("rate(up[5m)]", Some(10)), ("sum(up)", None)]
        {
            assert_eq!(first_unopened(&tokens(query)), position, "{query}");
        }
    }

    #[test]
    fn the_first_token_out_of_place_is_named() {
        for (query, position, message) in [
            ("up up", 3, "unexpected identifier \"up\""),
            ("sum(rate(up[5m]) * )", 19, "unexpected \")\""),
            ("1 + * 2", 4, "unexpected <op:*>"),
            ("1 +", 3, "unexpected end of input"),
            ("sum by (a) (up) 3", 16, "unexpected number \"3\""),
            ("sum(up) by", 10, "unexpected end of input in grouping opts, expected \"(\""),
            ("sum by up", 7, "unexpected identifier \"up\" in grouping opts, expected \"(\""),
            ("up{a=}", 5, "unexpected \"}\" in label matching, expected string"),
            ("up{a=\"x\" b=\"y\"}", 9, "unexpected identifier \"b\" in label matching, expected \",\" or \"}\""),
        ] {
            assert_eq!(first_misfit(query, &tokens(query)), (position, message.to_owned()), "{query}");
        }
    }
}
