//! Makes a query fit for the parser, which knows less syntax than Prometheus.
//!
//! What it does not know is read here and replaced, in the text it gets, by something of the same shape that it knows. The
//! lowering of its tree walks the original tokens beside the tree and puts the real meaning back:
//!
//! | in the query | for the parser |
//! |---|---|
//! | a duration expression, `offset 0s`, a length beyond its range (which makes it panic) | `1s` |
//! | `</`, `>/` | `<`, `>` |
//! | `anchored`, `smoothed` | nothing |
//! | `1_000` | `1000` |
//! | `holt_winters` | `double_exponential_smoothing` |
//! | a regular expression, which the parser would read in another way | a short text |
//! | the label selector of `info()` | the same with a matcher before the others, as it may match anything |

use std::collections::HashMap;

use promql_parser::parser::{Expr, VectorSelector};

use super::{
    ParseError,
    length::{Length, Malformed, Reader},
    token::{Kind, Token, unquote},
};

/// More would take too long to read.
const MAX_TOKENS: usize = 100_000;
/// Most operators: each may add a level to the tree.
const MAX_OPERATORS: usize = 10_000;
/// Most parentheses within each other.
const MAX_DEPTH: usize = 150;
/// A hundred years, in seconds.
const LONGEST: f64 = 3.2e9;

/// A label that no query asks for: its matcher only makes the parser accept selectors that may match anything.
pub(crate) const STAND_IN_LABEL: &str = "__stand_in__";

/// The query as the parser gets it, and what was taken out of it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) text: String,
    /// By the index of the token `[` or `offset`.
    pub(crate) lengths: HashMap<usize, Lengths>,
    expressions: Vec<String>,
}

/// Begins what stands in for a regular expression; its place among them follows.
const STAND_IN_EXPRESSION: char = '\u{1}';
/// Ends it behind `!~`, so that it matches nothing at all as well. To the parser no matcher then lets a label be absent, so that it accepts
/// every selector: whether one may match anything is seen from the real expressions.
const OR_NOTHING: char = '|';

impl Prepared {
    /// The expression that was written, where the parser has `seen`.
    pub(crate) fn expression<'a>(&'a self, seen: &'a str) -> &'a str {
        let place = seen.strip_prefix(STAND_IN_EXPRESSION).map(|place| place.trim_end_matches(OR_NOTHING));
        let place = place.and_then(|place| place.parse::<usize>().ok());
        place.and_then(|place| self.expressions.get(place)).map_or(seen, String::as_str)
    }

    /// Puts the regular expressions back into the parser's tree, for showing it.
    pub(crate) fn put_back(&self, tree: &mut Expr) {
        match tree {
            Expr::Aggregate(aggregate) => {
                self.put_back(&mut aggregate.expr);
                aggregate.param.iter_mut().for_each(|parameter| self.put_back(parameter));
            }
            Expr::Unary(unary) => self.put_back(&mut unary.expr),
            Expr::Binary(binary) => {
                self.put_back(&mut binary.lhs);
                self.put_back(&mut binary.rhs);
            }
            Expr::Paren(inner) => self.put_back(&mut inner.expr),
            Expr::Subquery(subquery) => self.put_back(&mut subquery.expr),
            Expr::Call(call) => call.args.args.iter_mut().for_each(|argument| self.put_back(argument)),
            Expr::VectorSelector(selector) => self.put_back_into(selector),
            Expr::MatrixSelector(matrix) => self.put_back_into(&mut matrix.vs),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }

    fn put_back_into(&self, selector: &mut VectorSelector) {
        for matcher in &mut selector.matchers.matchers {
            matcher.value = self.expression(&matcher.value).to_owned();
        }
    }
}

/// A range with its resolution, or an offset.
#[derive(Debug, Clone)]
pub(crate) struct Lengths {
    pub(crate) length: Length,
    /// After the colon of a subquery.
    pub(crate) step: Option<Length>,
    /// Index of the token after them.
    pub(crate) next: usize,
}

/// Reads what the parser does not know.
///
/// # Errors
/// A length is malformed or out of range, or the query is too complex.
pub(crate) fn prepare(query: &str, tokens: &[Token]) -> Result<Prepared, ParseError> {
    let mut expressions = expressions_of(tokens);
    let mut prepared =
        Prepared { text: String::with_capacity(query.len()), lengths: HashMap::new(), expressions: Vec::new() };
    let mut copied = 0;
    let mut opened: Vec<Opened> = Vec::new();
    let mut index = 0;
    let replace = |text: &mut String, copied: &mut usize, from: usize, to: usize, with: &str| {
        text.push_str(query.get(*copied..from).unwrap_or_default());
        text.push_str(with);
        *copied = to;
    };
    while let Some(token) = tokens.get(index) {
        let text = &mut prepared.text;
        let followed_by_call = tokens.get(index + 1).is_some_and(|next| next.is("("));
        let after_operand = index.checked_sub(1).and_then(|i| tokens.get(i)).is_some_and(ends_operand);
        let mut next = index + 1;
        let before = index.checked_sub(1).and_then(|i| tokens.get(i));
        match token.text {
            "(" => opened.push(match before {
                Some(word) if word.text == "info" => Opened::Info,
                Some(word) if takes_labels(word) => Opened::Labels,
                _ => Opened::Other,
            }),
            "{" => opened.push(Opened::Labels),
            ")" | "}" => drop(opened.pop()),
            _ => {}
        }
        let is_edge = token.is("anchored") || token.is("smoothed");
        if token.is("[") && tokens.get(index + 1).is_some_and(|token| !token.is("]")) {
            let lengths = read_range(tokens, index).map_err(|error| at_token(query, tokens, error))?;
            let end = tokens.get(lengths.next).map_or(query.len(), |token| token.start);
            let is_subquery = tokens.get(index..lengths.next).is_some_and(|inside| inside.iter().any(|t| t.is(":")));
            let stand_in = match (&lengths.step, is_subquery) {
                (Some(_), _) => "1s:1s",
                (None, true) => "1s:",
                (None, false) => "1s",
            };
            replace(text, &mut copied, token.end(), end, stand_in);
            next = lengths.next;
            prepared.lengths.insert(index, lengths);
        } else if after_operand && token.is("offset") {
            let mut reader = Reader::new(tokens, index + 1);
            let length = reader.offset().map_err(|error| at_token(query, tokens, error))?;
            check_range(&length, false, index + 1).map_err(|error| at_token(query, tokens, error))?;
            let end = tokens.get(reader.index).map_or(query.len(), |token| token.start);
            replace(text, &mut copied, token.end(), end, " 1s ");
            next = reader.index;
            prepared.lengths.insert(index, Lengths { length, step: None, next });
        } else if is_edge && opened.last() == Some(&Opened::Labels) {
            replace(text, &mut copied, token.start, token.end(), &format!("\"{}\"", token.text));
        } else if is_edge && after_operand {
            replace(text, &mut copied, token.start, token.end(), " ");
        } else if is_edge {
            // The parser takes the word for a keyword wherever it stands.
            let (end, rest) = match tokens.get(index + 1).filter(|next| next.is("{")) {
                Some(brace) => (brace.end(), ","),
                None => (token.end(), "}"),
            };
            replace(text, &mut copied, token.start, end, &format!("{{\"{}\"{rest}", token.text));
            if rest == "," {
                opened.push(Opened::Labels);
                next = index + 2;
            }
        } else if token.is("{")
            && opened.iter().rev().nth(1) == Some(&Opened::Info)
            && before.is_some_and(|token| token.is(","))
        {
            replace(text, &mut copied, token.end(), token.end(), &format!("{STAND_IN_LABEL}=\"\u{1}\","));
        } else if token.is("</") || token.is(">/") {
            let comparison = token.text.get(..1).unwrap_or_default();
            replace(text, &mut copied, token.start, token.end(), &format!("{comparison} "));
        } else if let Some(expression) = expressions.remove(&index) {
            let is_negated =
                index.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|token| token.is("!~"));
            let or_nothing = if is_negated { OR_NOTHING.to_string() } else { String::new() };
            let stand_in = format!("\"{STAND_IN_EXPRESSION}{}{or_nothing}\"", prepared.expressions.len());
            replace(text, &mut copied, token.start, token.end(), &stand_in);
            prepared.expressions.push(expression);
        } else if let Some(raw) = token.text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) {
            // The parser would look for escapes in it.
            let plain = raw.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
            replace(text, &mut copied, token.start, token.end(), &format!("\"{plain}\""));
        } else if token.kind == Kind::Number && token.text.parse().is_ok_and(f64::is_infinite) {
            let text = format!("error parsing number: {:?}: value out of range", token.text);
            return Err(ParseError::new(query, token.start, text));
        } else if token.kind == Kind::Number && token.text.contains('_') {
            replace(text, &mut copied, token.start, token.end(), &token.text.replace('_', ""));
        } else if token.text == "holt_winters" && followed_by_call {
            replace(text, &mut copied, token.start, token.end(), "double_exponential_smoothing");
        }
        index = next;
    }
    prepared.text.push_str(query.get(copied..).unwrap_or_default());
    Ok(prepared)
}

/// The regular expressions of matchers, by the index of their token. None if a text of the query could be taken for
/// what stands in for them.
fn expressions_of(tokens: &[Token]) -> HashMap<usize, String> {
    let mut found = HashMap::new();
    let mut before: Option<&Token> = None;
    for (index, token) in tokens.iter().enumerate() {
        if before.is_some_and(|before| before.is("=~") || before.is("!~")) && token.kind == Kind::Text {
            let Some(text) = unquote(token.text).and_then(|bytes| String::from_utf8(bytes).ok()) else {
                return HashMap::new();
            };
            if text.starts_with(STAND_IN_EXPRESSION) {
                return HashMap::new();
            }
            found.insert(index, text);
        }
        before = Some(token);
    }
    found
}

/// How many levels the tree of a query has at most.
///
/// # Errors
/// The query is longer, or nests deeper, than can be read.
pub(super) fn check_complexity(query: &str, tokens: &[Token]) -> Result<usize, ParseError> {
    let mut depth = 0_usize;
    let mut deepest = 0_usize;
    let mut operators = 0_usize;
    let mut weight = 0_usize;
    let mut before: Option<&Token> = None;
    for token in tokens {
        if token.kind == Kind::Text && before.is_some_and(|before| before.is("=~") || before.is("!~")) {
            let bytes = unquote(token.text).unwrap_or_else(|| token.text.as_bytes().to_vec());
            weight = weight.saturating_add(labels::Pattern::weight_of(&String::from_utf8_lossy(&bytes)));
            if weight > labels::go_regex::MOST_WEIGHT {
                let message =
                    "the regular expressions are too many or too complex: repeat shorter pieces, or less often";
                return Err(ParseError::new(query, token.start, message.to_owned()));
            }
        }
        before = Some(token);
        match token.text {
            "(" => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ")" => depth = depth.saturating_sub(1),
            "[" | "+" | "-" | "*" | "/" | "%" | "^" | "==" | "!=" | "<" | ">" | "<=" | ">=" | "</" | ">/" => {
                operators += 1
            }
            _ if token.is("and") || token.is("or") || token.is("unless") || token.is("atan2") => operators += 1,
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
    match tokens.get(MAX_TOKENS) {
        Some(token) => {
            let message = format!("the expression is too long: it has more than {MAX_TOKENS} words and signs");
            Err(ParseError::new(query, token.start, message))
        }
        // Of a parenthesis there may be a call and what is in it.
        None => Ok(operators + 2 * deepest),
    }
}

/// What a bracket that is open belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// A call of `info`.
    Info,
    /// Label names, with matchers or without.
    Labels,
    Other,
}

fn takes_labels(token: &Token) -> bool {
    ["by", "without", "on", "ignoring", "group_left", "group_right"].iter().any(|word| token.is(word))
}

/// True if an operand may end with this token, so that a modifier may follow.
fn ends_operand(token: &Token) -> bool {
    let operators =
        ["and", "or", "unless", "atan2", "bool", "by", "without", "on", "ignoring", "group_left", "group_right"];
    match token.kind {
        Kind::Word => !operators.iter().any(|word| token.is(word)),
        Kind::Number | Kind::Text => true,
        Kind::Mark => matches!(token.text, ")" | "]" | "}"),
    }
}

/// Reads from a `[` to its `]`.
fn read_range(tokens: &[Token], bracket: usize) -> Result<Lengths, Malformed> {
    let mut reader = Reader::new(tokens, bracket + 1);
    if tokens.get(reader.index).is_some_and(|token| token.is(":")) {
        return Err((reader.index, "unexpected \":\" in range or subquery selector, expected duration".to_owned()));
    }
    let length = reader.sum()?;
    check_range(&length, true, bracket + 1)?;
    let is = |index: usize, mark: &str| tokens.get(index).is_some_and(|token| token.is(mark));
    let mut step = None;
    if is(reader.index, ":") {
        reader.index += 1;
        if !is(reader.index, "]") {
            let from = reader.index;
            let resolution = reader.sum()?;
            check_range(&resolution, true, from)?;
            step = Some(resolution);
        }
    }
    if is(reader.index, "]") {
        return Ok(Lengths { length, step, next: reader.index });
    }
    let found = tokens.get(reader.index).map_or("end of input".to_owned(), |token| format!("{:?}", token.text));
    Err((reader.index, format!("unexpected {found} in range or subquery selector, expected \"]\"")))
}

fn check_range(length: &Length, positive: bool, index: usize) -> Result<(), Malformed> {
    let Length::Seconds(seconds) = length else { return Ok(()) };
    if positive && *seconds <= 0.0 {
        return Err((index, "duration must be greater than 0".to_owned()));
    }
    if seconds.is_finite() && seconds.abs() <= LONGEST {
        Ok(())
    } else {
        Err((index, "duration out of range".to_owned()))
    }
}

fn at_token(query: &str, tokens: &[Token], (index, message): Malformed) -> ParseError {
    ParseError::new(query, tokens.get(index).map_or(query.len(), |token| token.start), message)
}
