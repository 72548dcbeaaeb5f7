//! The tokens of a query, as in Prometheus' lexer.

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// After the last one.
    End,
    /// A bracket, comma, colon or `=`.
    Mark,
    /// An operator, as a symbol or a word.
    Operator,
    Aggregator,
    Keyword,
    /// `start`, `end`, `step` and `range`; in a duration also `min` and `max`.
    Preprocessor,
    Identifier,
    /// A name with a colon in it.
    MetricIdentifier,
    /// A string with its quotes.
    Text,
    Number,
    /// A number with units.
    Duration,
}

/// One token and where it starts, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Compares a mark, operator or keyword, ignoring case.
    pub(crate) fn is(&self, text: &str) -> bool {
        let named =
            matches!(self.kind, Kind::Mark | Kind::Operator | Kind::Aggregator | Kind::Keyword | Kind::Preprocessor);
        named && self.text.eq_ignore_ascii_case(text)
    }

    /// Like `is`, for any of several.
    pub(crate) fn is_any(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }

    /// The byte after the token.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// A number, with units or without.
    pub(super) fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Number | Kind::Duration)
    }

    /// Whether Prometheus counts this as the end of an expression.
    pub(super) fn closes(&self) -> bool {
        self.is_number() || (self.kind == Kind::Mark && matches!(self.text, ")" | "]" | "}"))
    }

    /// Whether an expression may start here, apart from a sign.
    pub(super) fn starts_operand(&self) -> bool {
        match self.kind {
            Kind::Number | Kind::Duration | Kind::Text => true,
            Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregator | Kind::Preprocessor => true,
            Kind::Mark => matches!(self.text, "(" | "{"),
            Kind::Operator => self.is_any(&["and", "or", "unless"]),
            // All except those that only occur after an operator are names too.
            Kind::Keyword => !self.is_any(&["on", "ignoring", "group_left", "group_right", "bool"]),
            Kind::End => false,
        }
    }
}

const AGGREGATORS: [&str; 14] = [
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "count_values",
    "quantile",
    "limitk",
    "limit_ratio",
];
const KEYWORDS: [&str; 10] =
    ["offset", "smoothed", "anchored", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"];

/// The kind of a word outside of braces and brackets. The three forms of `fill` depend on the next token.
pub(super) fn kind_of_word(word: &str, is_called: impl FnOnce() -> bool) -> Kind {
    let is_one_of = |words: &[&str]| words.iter().any(|one| word.eq_ignore_ascii_case(one));
    // Most words are names, and longer than any of these.
    if word.len() > "count_values".len() {
        return name_kind(word);
    }
    if is_one_of(&["and", "or", "unless", "atan2"]) {
        Kind::Operator
    } else if is_one_of(&["inf", "nan"]) {
        Kind::Number
    } else if is_one_of(&["start", "end", "step", "range"]) {
        Kind::Preprocessor
    } else if is_one_of(&AGGREGATORS) {
        Kind::Aggregator
    } else if is_one_of(&KEYWORDS) || (is_one_of(&["fill", "fill_left", "fill_right"]) && is_called()) {
        Kind::Keyword
    } else {
        name_kind(word)
    }
}

fn name_kind(word: &str) -> Kind {
    if word.contains(':') { Kind::MetricIdentifier } else { Kind::Identifier }
}
