//! Binary operators: matching of series is here and in the neighbouring modules, the operation in `operate`.

use timeseries::{Sample, is_stale_marker};

use super::{Context, operate};
use crate::{
    annotation::Position,
    engine::EvalError,
    plan::{Binary, Operator},
    value::{Column, Computed, Series, Steps},
};

impl Context<'_> {
    pub(super) fn binary(&self, binary: &Binary, steps: Steps) -> Result<Computed, EvalError> {
        let left = self.eval(&binary.left, steps)?;
        let right = self.eval(&binary.right, steps)?;
        let operator = binary.operator;
        Ok(match (left, right) {
            (Computed::Scalar(left), Computed::Scalar(right)) => {
                let compute = |(left, right)| scalars(operator, left, right);
                Computed::Scalar(left.into_iter().zip(right).map(compute).collect())
            }
            (Computed::Vector(left), Computed::Scalar(right)) => {
                Computed::Vector(self.vector_scalar(binary, left, &right, false))
            }
            (Computed::Scalar(left), Computed::Vector(right)) => {
                Computed::Vector(self.vector_scalar(binary, right, &left, true))
            }
            (Computed::Vector(left), Computed::Vector(right)) if operator.is_set() => {
                Computed::Vector(super::binary_sets::combine(binary, left, right, steps))
            }
            (Computed::Vector(left), Computed::Vector(right)) => {
                Computed::Vector(self.matched(binary, left, right, steps)?)
            }
            _ => return Err(EvalError::Query(format!("binary operator {:?} is not for strings", operator.text()))),
        })
    }

    /// Applies the operator to each series and the scalars, which are on the left if `swapped`.
    fn vector_scalar(&self, binary: &Binary, series: Vec<Series>, scalars: &[f64], swapped: bool) -> Vec<Series> {
        let operator = binary.operator;
        // A comparison returns the vector's value even if it is on the right.
        let filters = operator.is_comparison() && !binary.returns_bool;
        series
            .into_iter()
            .filter_map(|mut series| {
                series.drop_name |= !(filters || operator.is_trim());
                if series.column.has_histograms() || operator.is_trim() {
                    self.mixed_scalar(binary, &mut series.column, scalars, swapped, binary.position);
                } else {
                    for (value, scalar) in series.column.values_mut().iter_mut().zip(scalars) {
                        if is_stale_marker(*value) {
                            continue;
                        }
                        let (left, right) = if swapped { (*scalar, *value) } else { (*value, *scalar) };
                        let result = operate::floats(operator, left, right);
                        *value = match result {
                            Some(_) if binary.returns_bool => 1.0,
                            None if binary.returns_bool => 0.0,
                            Some(_) if filters => *value,
                            Some(result) => result,
                            None => timeseries::STALE_NAN,
                        };
                    }
                }
                (!series.column.is_absent()).then_some(series)
            })
            .collect()
    }

    fn mixed_scalar(&self, binary: &Binary, column: &mut Column, scalars: &[f64], swapped: bool, position: Position) {
        let filters = binary.operator.is_comparison() && !binary.returns_bool;
        for (step, scalar) in scalars.iter().enumerate() {
            let Some(sample) = column.get(step) else { continue };
            let scalar = Sample::Float(*scalar);
            let (left, right) = if swapped { (&scalar, &sample) } else { (&sample, &scalar) };
            let result = self.operate(binary.operator, left, right, position).sample(binary.returns_bool);
            column.set(step, if filters { result.map(|_| sample) } else { result });
        }
    }
}

/// Two scalars; comparisons yield 0 or 1.
fn scalars(operator: Operator, left: f64, right: f64) -> f64 {
    let result = operate::floats(operator, left, right);
    if operator.is_comparison() { f64::from(u8::from(result.is_some())) } else { result.unwrap_or(f64::NAN) }
}
