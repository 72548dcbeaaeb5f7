//! Lengths of time in a query: ranges, resolutions and offsets, which may be computed from the query's step and range.

use super::token::{Kind, Token};

/// Where a computed length stands in the query: its first byte and the one after its last.
pub(crate) type Place = (usize, usize);

/// A length of time as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Length {
    /// Seconds.
    Seconds(f64),
    /// The query's step.
    Step(Place),
    /// From the query's start to its end.
    Range(Place),
    /// The negation of another.
    Negative(Box<Length>, Place),
    /// Two lengths and the operator between them, or `min` and `max`.
    Both(char, Box<(Length, Length)>, Place),
}

impl Length {
    /// The length in seconds, for a query of this step and range (in seconds too).
    ///
    /// # Errors
    /// Something is divided by zero; the text says where.
    pub(crate) fn seconds(&self, step: f64, range: f64) -> Result<f64, String> {
        Ok(match self {
            Length::Seconds(seconds) => *seconds,
            Length::Step(_) => step,
            Length::Range(_) => range,
            Length::Negative(inner, _) => -inner.seconds(step, range)?,
            Length::Both(operator, sides, place) => {
                let (left, right) = (sides.0.seconds(step, range)?, sides.1.seconds(step, range)?);
                match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    '/' if right == 0.0 => return Err(at(*place, "division by zero")),
                    '%' if right == 0.0 => return Err(at(*place, "modulo by zero")),
                    '/' => left / right,
                    '%' => left % right,
                    '^' => gomath::pow(left, right),
                    '<' => left.min(right),
                    _ => left.max(right),
                }
            }
        })
    }

    /// The length in milliseconds, for a query of this step, from `query.0` to `query.1`.
    ///
    /// # Errors
    /// It is out of range, or something is divided by zero; the text says where.
    pub(crate) fn milliseconds(&self, step_ms: i64, query: (i64, i64)) -> Result<i64, String> {
        let seconds = self.seconds(to_seconds(step_ms), to_seconds(query.1.saturating_sub(query.0)))?;
        match self.place() {
            None => to_milliseconds(seconds).ok_or_else(|| "duration out of range".to_owned()),
            Some(place) if !seconds.is_finite() => Err(at(place, "duration is NaN or infinite")),
            // What is computed is cut off, what is written is rounded.
            Some(place) => {
                whole_milliseconds((seconds * 1000.0).trunc()).ok_or_else(|| at(place, "duration is out of range"))
            }
        }
    }

    /// As `milliseconds`, of a length that must be more than nothing.
    ///
    /// # Errors
    /// As of `milliseconds`, or it is not.
    pub(crate) fn positive_milliseconds(&self, step_ms: i64, query: (i64, i64)) -> Result<i64, String> {
        let text = "duration must be greater than 0";
        match self.milliseconds(step_ms, query)? {
            milliseconds if milliseconds > 0 => Ok(milliseconds),
            _ => Err(self.place().map_or_else(|| text.to_owned(), |place| at(place, text))),
        }
    }

    /// Where the length stands, if it is computed.
    fn place(&self) -> Option<Place> {
        match self {
            Length::Seconds(_) => None,
            Length::Step(place) | Length::Range(place) | Length::Negative(_, place) | Length::Both(_, _, place) => {
                Some(*place)
            }
        }
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
pub(crate) fn to_milliseconds(seconds: f64) -> Option<i64> {
    whole_milliseconds((seconds * 1000.0).round())
}

#[allow(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole_milliseconds(milliseconds: f64) -> Option<i64> {
    (milliseconds.abs() < 9.0e15).then_some(milliseconds as i64)
}

fn at((start, end): Place, text: &str) -> String {
    format!("{start}:{end}: {text}")
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
        let from = self.index;
        let mut left = self.product()?;
        while let Some(operator) = ['+', '-'].into_iter().find(|c| self.at(&c.to_string())) {
            self.index += 1;
            let right = self.product()?;
            left = Length::Both(operator, Box::new((left, right)), self.since(from));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Length, Malformed> {
        let from = self.index;
        let mut left = self.signed()?;
        while let Some(operator) = ['*', '/', '%'].into_iter().find(|c| self.at(&c.to_string())) {
            let at = self.index;
            self.index += 1;
            let right = self.signed()?;
            if right == Length::Seconds(0.0) && operator != '*' {
                let what = if operator == '/' { "division" } else { "modulo" };
                return Err((at, format!("{what} by zero")));
            }
            left = Length::Both(operator, Box::new((left, right)), self.since(from));
        }
        Ok(left)
    }

    /// Where the tokens from an index on that have been read stand.
    fn since(&self, from: usize) -> Place {
        let start = self.tokens.get(from).map_or(0, |token| token.start);
        let end = self.index.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, Token::end);
        (start, end)
    }

    /// What follows `offset`: a single length with signs before it. Operators after it are those of the query.
    pub(crate) fn offset(&mut self) -> Result<Length, Malformed> {
        self.with_sign(Self::single)
    }

    fn signed(&mut self) -> Result<Length, Malformed> {
        self.with_sign(Self::power)
    }

    fn with_sign(&mut self, read: impl Fn(&mut Self) -> Result<Length, Malformed>) -> Result<Length, Malformed> {
        let from = self.index;
        let mut negative = false;
        while let Some(minus) = self.peek().filter(|token| token.is("+") || token.is("-")).map(|token| token.is("-")) {
            negative ^= minus;
            self.index += 1;
        }
        Ok(match read(self)? {
            Length::Seconds(seconds) if negative => Length::Seconds(-seconds),
            other if negative => Length::Negative(Box::new(other), self.since(from)),
            other => other,
        })
    }

    fn power(&mut self) -> Result<Length, Malformed> {
        let from = self.index;
        let base = self.single()?;
        if self.take("^") {
            let exponent = self.signed()?;
            return Ok(Length::Both('^', Box::new((base, exponent)), self.since(from)));
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
        let from = self.index;
        self.index += 1;
        self.expect("(")?;
        if matches!(named.as_str(), "step" | "range") {
            self.expect(")")?;
            let place = self.since(from);
            return Ok(if named == "step" { Length::Step(place) } else { Length::Range(place) });
        }
        let left = self.sum()?;
        self.expect(",")?;
        let right = self.sum()?;
        self.expect(")")?;
        let operator = if named.starts_with("min") { '<' } else { '>' };
        Ok(Length::Both(operator, Box::new((left, right)), self.since(from)))
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
        if reader.index == tokens.len() { length.seconds(15.0, 3600.0).ok() } else { None }
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
    fn computed_lengths_are_cut_off_and_say_where_they_fail() {
        let text = "x[step() / 8 - 1m]";
        let tokens = tokens(text);
        let length = Reader::new(&tokens, 2).sum().unwrap();
        assert_eq!(length.milliseconds(1_000_010, (0, 0)), Ok(65_001));
        assert_eq!(length.positive_milliseconds(8, (0, 0)), Err("2:17: duration must be greater than 0".to_owned()));
        assert_eq!(seconds("1m / (2 - 2)"), None);
        assert_eq!(seconds("1m % 0"), None);
    }

    #[test]
    fn nesting_is_limited() {
        let deep = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(seconds(&deep), None);
    }
}
