//! Durations in a query: ranges, resolutions and offsets, which may be computed from the query's step and range.

/// Range of a computed duration in the query, in bytes (end exclusive).
pub(crate) type Place = (usize, usize);

/// A duration as written.
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
    /// Two durations and an operator, `min` or `max`.
    Both(char, Box<(Length, Length)>, Place),
}

impl Length {
    /// The duration in seconds, for a query with this step and range (also in seconds).
    ///
    /// # Errors
    ///
    /// A division by zero; the text says where.
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

    /// The duration in milliseconds, for a query with this step, from `query.0` to `query.1`.
    ///
    /// # Errors
    ///
    /// It is out of range, or there is a division by zero; the text says where.
    pub(crate) fn milliseconds(&self, step_ms: i64, query: (i64, i64)) -> Result<i64, String> {
        let seconds = self.seconds(to_seconds(step_ms), to_seconds(query.1.saturating_sub(query.0)))?;
        match self.place() {
            None => to_milliseconds(seconds).ok_or_else(|| "duration out of range".to_owned()),
            Some(place) if !seconds.is_finite() => Err(at(place, "duration is NaN or infinite")),
            // A computed duration is truncated, a literal one is rounded.
            Some(place) => {
                whole_milliseconds((seconds * 1000.0).trunc()).ok_or_else(|| at(place, "duration is out of range"))
            }
        }
    }

    /// Like `milliseconds`, for a duration that must be positive.
    ///
    /// # Errors
    ///
    /// As for `milliseconds`, or it is not positive.
    pub(crate) fn positive_milliseconds(&self, step_ms: i64, query: (i64, i64)) -> Result<i64, String> {
        let text = "duration must be greater than 0";
        match self.milliseconds(step_ms, query)? {
            milliseconds if milliseconds > 0 => Ok(milliseconds),
            _ => Err(self.place().map_or_else(|| text.to_owned(), |place| at(place, text))),
        }
    }

    /// The range of the duration in the query, if it is computed.
    fn place(&self) -> Option<Place> {
        match self {
            Length::Seconds(_) => None,
            Length::Step(place) | Length::Range(place) | Length::Negative(_, place) | Length::Both(_, _, place) => {
                Some(*place)
            }
        }
    }

    /// True if the duration is constant.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Length::Seconds(_))
    }
}

/// Converts milliseconds to seconds.
#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
pub(crate) fn to_seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Converts seconds to milliseconds, rounded; `None` if they do not fit.
pub(crate) fn to_milliseconds(seconds: f64) -> Option<i64> {
    whole_milliseconds((seconds * 1000.0).round())
}

/// Converts a time in seconds to milliseconds, rounded and clamped.
#[allow(clippy::cast_possible_truncation, reason = "what is out of range becomes its end")]
pub(crate) fn to_timestamp(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

#[allow(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole_milliseconds(milliseconds: f64) -> Option<i64> {
    (milliseconds.abs() < 9.0e15).then_some(milliseconds as i64)
}

fn at((start, end): Place, text: &str) -> String {
    format!("{start}:{end}: {text}")
}

const UNITS: [(&str, f64); 7] =
    [("y", 31_536_000.0), ("w", 604_800.0), ("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];

/// Seconds of a duration such as `1m30s`. Units must be in descending order, each at most once.
pub(crate) fn parse_duration(text: &str) -> Option<f64> {
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
    use super::{
        super::{parser::with_tree, tree::Form},
        *,
    };

    /// The duration of a query's range.
    fn length(text: &str) -> Option<Length> {
        with_tree(&format!("x[{text}]"), |tree, _| match tree.form {
            Form::Range(_, range) => Ok(range.length),
            other => unreachable!("a range is {other:?}"),
        })
        .ok()
    }

    fn seconds(text: &str) -> Option<f64> {
        length(text)?.seconds(15.0, 3600.0).ok()
    }

    #[test]
    fn durations_have_falling_units() {
        assert_eq!(parse_duration("1h30m"), Some(5400.0));
        assert_eq!(parse_duration("1d2h3m4s5ms"), Some(93_784.005));
        assert_eq!(parse_duration("30m1h"), None);
        assert_eq!(parse_duration("5x"), None);
        assert_eq!(parse_duration("5"), None);
        assert_eq!(seconds("0x10"), Some(16.0));
        assert_eq!(seconds("2."), Some(2.0));
    }

    #[test]
    fn expressions_follow_the_usual_precedence() {
        assert_eq!(seconds("5m*2+1"), Some(601.0));
        assert_eq!(seconds("(1m+1m)^2"), Some(14_400.0));
        assert_eq!(seconds("2^3^2"), Some(512.0));
        assert_eq!(seconds("-2^2+5"), Some(1.0));
        assert_eq!(seconds("step()*4"), Some(60.0));
        assert_eq!(seconds("max_of(range(), 2h) - min_of(1, 2)"), Some(7199.0));
        assert_eq!(seconds("5m 3"), None);
        assert_eq!(seconds("time()"), None);
    }

    #[test]
    fn computed_lengths_are_cut_off_and_say_where_they_fail() {
        let length = length("step() / 8 - 1m").unwrap();
        assert_eq!(length.milliseconds(1_000_010, (0, 0)), Ok(65_001));
        assert_eq!(length.positive_milliseconds(8, (0, 0)), Err("2:17: duration must be greater than 0".to_owned()));
        assert_eq!(seconds("1m / (2 - 2)"), None);
        assert_eq!(seconds("1m % 0"), None);
    }

    #[test]
    fn nesting_is_limited() {
        assert_eq!(seconds(&format!("{}1{}", "(".repeat(49), ")".repeat(49))), Some(1.0));
        assert_eq!(seconds(&format!("{}1{}", "(".repeat(50), ")".repeat(50))), None);
    }
}
