//! Binary operators on two values.

use std::sync::Arc;

use timeseries::{
    Sample,
    histogram::{Histogram, Reconciled},
};

use super::Context;
use crate::{annotation::Position, plan::Operator};

/// Two floats. Comparisons yield the left one, or `None` if false.
#[inline]
pub(super) fn floats(operator: Operator, left: f64, right: f64) -> Option<f64> {
    let holds = match operator {
        Operator::Add => return Some(left + right),
        Operator::Sub => return Some(left - right),
        Operator::Mul => return Some(left * right),
        Operator::Div => return Some(left / right),
        Operator::Mod => return Some(left % right),
        Operator::Pow => return Some(gomath::pow(left, right)),
        Operator::Atan2 => return Some(gomath::atan2(left, right)),
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Greater => left > right,
        Operator::Less => left < right,
        Operator::GreaterOrEqual => left >= right,
        Operator::LessOrEqual => left <= right,
        Operator::And | Operator::Or | Operator::Unless | Operator::TrimUpper | Operator::TrimLower => return None,
    };
    holds.then_some(left)
}

impl Context<'_> {
    /// Two values of any kind. Comparisons yield the left one; [`Verdict::Never`] means that the values cannot be
    /// compared or combined.
    pub(super) fn operate(&self, operator: Operator, left: &Sample, right: &Sample, position: Position) -> Verdict {
        match (left, right) {
            (Sample::Float(left), Sample::Float(right)) => {
                if operator.is_trim() {
                    return self.incompatible(operator, ("float", "float"), position);
                }
                floats(operator, *left, *right).map_or(Verdict::Fails, |value| Verdict::Is(Sample::Float(value)))
            }
            (Sample::Histogram(left), Sample::Float(right)) => match operator {
                Operator::Mul => histogram(left.scaled(*right)),
                Operator::Div => histogram(left.divided(*right)),
                Operator::TrimUpper => histogram(left.trimmed(*right, true)),
                Operator::TrimLower => histogram(left.trimmed(*right, false)),
                _ => self.incompatible(operator, ("histogram", "float"), position),
            },
            (Sample::Float(left), Sample::Histogram(right)) => match operator {
                Operator::Mul => histogram(right.scaled(*left)),
                _ => self.incompatible(operator, ("float", "histogram"), position),
            },
            (Sample::Histogram(left), Sample::Histogram(right)) => self.histograms(operator, left, right, position),
        }
    }

    fn histograms(
        &self,
        operator: Operator,
        left: &Arc<Histogram>,
        right: &Arc<Histogram>,
        position: Position,
    ) -> Verdict {
        let combined = match operator {
            Operator::Add => left.plus(right),
            Operator::Sub => left.minus(right),
            Operator::Equal | Operator::NotEqual => {
                let holds = left.is_same(right) == (operator == Operator::Equal);
                return if holds { Verdict::Is(Sample::Histogram(Arc::clone(left))) } else { Verdict::Fails };
            }
            _ => return self.incompatible(operator, ("histogram", "histogram"), position),
        };
        let name = if operator == Operator::Add { "addition" } else { "subtraction" };
        match combined {
            None => {
                let text = format!("incompatible bucket layout encountered for binary operator {}", operator.text());
                self.warn(position, text);
                Verdict::Never
            }
            Some(Reconciled { histogram, resets_conflict, bounds_differ }) => {
                if resets_conflict {
                    self.warn(position, format!("conflicting counter resets during histogram {name}"));
                    return Verdict::Never;
                }
                if bounds_differ {
                    self.info(position, format!("mismatched custom buckets were reconciled during {name}"));
                }
                Verdict::Is(Sample::Histogram(Arc::new(histogram)))
            }
        }
    }

    fn incompatible(&self, operator: Operator, kinds: (&str, &str), position: Position) -> Verdict {
        let sign = operator.text();
        let (left, right) = kinds;
        let text = format!("incompatible sample types encountered for binary operator {sign:?}: {left} {sign} {right}");
        self.info(position, text);
        Verdict::Never
    }
}

/// Result of an operator.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// A value; for a comparison that is true, the left one.
    Is(Sample),
    /// The comparison is false.
    Fails,
    /// The operator does not support these values.
    Never,
}

impl Verdict {
    /// The value for the result: 0 or 1 with `bool`, otherwise the value itself.
    pub(super) fn sample(self, returns_bool: bool) -> Option<Sample> {
        match (self, returns_bool) {
            (Verdict::Is(_), true) => Some(Sample::Float(1.0)),
            (Verdict::Fails, true) => Some(Sample::Float(0.0)),
            (Verdict::Is(sample), false) => Some(sample),
            (Verdict::Fails | Verdict::Never, _) => None,
        }
    }
}

fn histogram(histogram: Histogram) -> Verdict {
    Verdict::Is(Sample::Histogram(Arc::new(histogram)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compute_as_in_go() {
        assert_eq!(floats(Operator::Mod, -7.0, 3.0), Some(-1.0));
        assert_eq!(floats(Operator::Div, 1.0, 0.0), Some(f64::INFINITY));
        assert_eq!(floats(Operator::Pow, 2.0, 0.5), Some(2f64.sqrt()));
        assert_eq!(floats(Operator::Greater, 1.0, 2.0), None);
        assert_eq!(floats(Operator::NotEqual, f64::NAN, f64::NAN).map(f64::is_nan), Some(true));
    }
}
