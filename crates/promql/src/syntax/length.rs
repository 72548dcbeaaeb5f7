//! Lengths of time in a query: ranges, resolutions and offsets, which may be computed from the query's step and range.

use super::token::{Kind, Token};

/// A length of time as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Length {
    /// Seconds.
    Seconds(f64),
    /// The query's step.
    Step,
    /// From the query's start to its end.
    Range,
    /// The negation of another.
    Negative(Box<Length>),
    /// Two lengths and the operator between them, or `min` and `max`.
    Both(char, Box<(Length, Length)>),
}

impl Length {
    /// The length in seconds, for a query of this step and range (in seconds too).
    pub(crate) fn seconds(&self, step: f64, range: f64) -> f64 {
        match self {
            Length::Seconds(seconds) => *seconds,
            Length::Step => step,
            Length::Range => range,
            Length::Negative(inner) => -inner.seconds(step, range),
            Length::Both(operator, sides) => {
                let (left, right) = (sides.0.seconds(step, range), sides.1.seconds(step, range));
                match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    '/' => left / right,
                    '%' => left % right,
                    '^' => gomath::pow(left, right),
                    '<' => left.min(right),
                    _ => left.max(right),
                }
            }
        }
    }

    /// The length in milliseconds, for a query of this step, from `query.0` to `query.1`; nothing if it is out of range.
    pub(crate) fn milliseconds(&self, step_ms: i64, query: (i64, i64)) -> Option<i64> {
        let seconds = self.seconds(to_seconds(step_ms), to_seconds(query.1.saturating_sub(query.0)));
        to_milliseconds(seconds)
    }

    /// True if the length depends on nothing but its text.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Length::Seconds(_))
    }
}

/// Seconds of a number of milliseconds.
#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
pub(crate) fn to_seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Milliseconds of a number of seconds, rounded; nothing if there are too many of them.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked before")]
pub(crate) fn to_milliseconds(seconds: f64) -> Option<i64> {
    let milliseconds = (seconds * 1000.0).round();
    (milliseconds.abs() < 9.0e15).then_some(milliseconds as i64)
}

/// A length could not be read: at which token, and why.
pub(crate) type Malformed = (usize, String);

/// Reads lengths from tokens.
pub(crate) struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    /// The next token.
    pub(crate) index: usize,
    depth: usize,
}

const MAX_DEPTH: usize = 50;

impl<'t, 'a> Reader<'t, 'a> {
    pub(crate) fn new(tokens: &'t [Token<'a>], index: usize) -> Self {
        Reader { tokens, index, depth: 0 }
    }

    fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.index)
    }

    fn at(&self, mark: &str) -> bool {
        self.peek().is_some_and(|token| token.is(mark))
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = self.at(mark);
        self.index += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), Malformed> {
        if self.take(mark) { Ok(()) } else { Err(self.unexpected(&format!("{mark:?}"))) }
    }

    fn unexpected(&self, expected: &str) -> Malformed {
        let found = self.peek().map_or("end of input".to_owned(), |token| format!("{:?}", token.text));
        (self.index, format!("unexpected {found} in duration expression, expected {expected}"))
    }

    /// What stands between brackets: sums of products.
    pub(crate) fn sum(&mut self) -> Result<Length, Malformed> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((self.index, "duration expression is nested too deeply".to_owned()));
        }
        let mut left = self.product()?;
        while let Some(operator) = ['+', '-'].into_iter().find(|c| self.at(&c.to_string())) {
            self.index += 1;
            let right = self.product()?;
            left = Length::Both(operator, Box::new((left, right)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Length, Malformed> {
        let mut left = self.signed()?;
        while let Some(operator) = ['*', '/', '%'].into_iter().find(|c| self.at(&c.to_string())) {
            self.index += 1;
            let right = self.signed()?;
            left = Length::Both(operator, Box::new((left, right)));
        }
        Ok(left)
    }

    /// What follows `offset`: a single length with signs before it. Operators after it are those of the query.
    pub(crate) fn offset(&mut self) -> Result<Length, Malformed> {
        self.with_sign(Self::single)
    }

    fn signed(&mut self) -> Result<Length, Malformed> {
        self.with_sign(Self::power)
    }

    fn with_sign(&mut self, read: impl Fn(&mut Self) -> Result<Length, Malformed>) -> Result<Length, Malformed> {
        let mut negative = false;
        while let Some(minus) = self.peek().filter(|token| token.is("+") || token.is("-")).map(|token| token.is("-")) {
            negative ^= minus;
            self.index += 1;
        }
        Ok(match read(self)? {
            Length::Seconds(seconds) if negative => Length::Seconds(-seconds),
            other if negative => Length::Negative(Box::new(other)),
            other => other,
        })
    }

    fn power(&mut self) -> Result<Length, Malformed> {
        let base = self.single()?;
        if self.take("^") {
            let exponent = self.signed()?;
            return Ok(Length::Both('^', Box::new((base, exponent))));
        }
        Ok(base)
    }

    fn single(&mut self) -> Result<Length, Malformed> {
        let Some(token) = self.peek() else { return Err(self.unexpected("duration")) };
        if token.kind == Kind::Number {
            let seconds = parse_seconds(token.text)
                .ok_or_else(|| (self.index, format!("not a valid duration string: {:?}", token.text)))?;
            self.index += 1;
            return Ok(Length::Seconds(seconds));
        }
        if self.take("(") {
            let inner = self.sum()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let name = token.text.to_ascii_lowercase();
        let named = match name.as_str() {
            "step" | "range" | "min_of" | "max_of" | "min" | "max" if token.kind == Kind::Word => name,
            _ => return Err(self.unexpected("number, duration, step(), or range()")),
        };
        self.index += 1;
        self.expect("(")?;
        let length = match named.as_str() {
            "step" => Length::Step,
            "range" => Length::Range,
            _ => {
                let left = self.sum()?;
                self.expect(",")?;
                let right = self.sum()?;
                Length::Both(if named.starts_with("min") { '<' } else { '>' }, Box::new((left, right)))
            }
        };
        self.expect(")")?;
        Ok(length)
    }
}

const UNITS: [(&str, f64); 7] =
    [("y", 31_536_000.0), ("w", 604_800.0), ("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];

/// Seconds of a number (`90`, `1e3`, `0x5a`) or of a duration (`1m30s`). Units must fall in size, each once.
pub(crate) fn parse_seconds(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok().map(f64::from);
    }
    if text.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        return text.parse().ok().filter(|seconds: &f64| seconds.is_finite());
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut milliseconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let length = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = rest.get(..length)?;
        rest = rest.get(length..)?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        milliseconds += number * seconds * 1000.0;
    }
    Some(milliseconds.round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::{super::token::tokens, *};

    fn seconds(text: &str) -> Option<f64> {
        let tokens = tokens(text);
        let mut reader = Reader::new(&tokens, 0);
        let length = reader.sum().ok()?;
        (reader.index == tokens.len()).then(|| length.seconds(15.0, 3600.0))
    }

    #[test]
    fn durations_have_falling_units() {
        assert_eq!(parse_seconds("1h30m"), Some(5400.0));
        assert_eq!(parse_seconds("1d2h3m4s5ms"), Some(93_784.005));
        assert_eq!(parse_seconds("30m1h"), None);
        assert_eq!(parse_seconds("5x"), None);
        assert_eq!(parse_seconds("0x10"), Some(16.0));
        assert_eq!(parse_seconds("2."), Some(2.0));
    }

    #[test]
    fn expressions_follow_the_usual_precedence() {
        assert_eq!(seconds("5m*2+1"), Some(601.0));
        assert_eq!(seconds("(1m+1m)^2"), Some(14_400.0));
        assert_eq!(seconds("2^3^2"), Some(512.0));
        assert_eq!(seconds("-2^2"), Some(-4.0));
        assert_eq!(seconds("step()*4"), Some(60.0));
        assert_eq!(seconds("max_of(range(), 2h) - min_of(1, 2)"), Some(7199.0));
        assert_eq!(seconds("5m 3"), None);
        assert_eq!(seconds("time()"), None);
    }

    #[test]
    fn nesting_is_limited() {
        let deep = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(seconds(&deep), None);
    }
}
