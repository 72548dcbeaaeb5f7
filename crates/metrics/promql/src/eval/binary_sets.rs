//! The set operators `and`, `or` and `unless`.

use std::collections::HashMap;

use crate::{
    plan::{Binary, Matching, Operator},
    value::{Series, Steps},
};
use labels::{Labels, METRIC_NAME};

/// The labels that two series must share to match.
pub(super) fn signature(labels: &Labels, matching: &Matching) -> Labels {
    if matching.on {
        labels.filtered(|name| matching.labels.iter().any(|label| label == name))
    } else {
        labels.filtered(|name| name != METRIC_NAME && !matching.labels.iter().any(|label| label == name))
    }
}

/// The steps at which each signature has a value.
fn presence(series: &[Series], matching: &Matching, steps: Steps) -> HashMap<Labels, Vec<bool>> {
    let mut present: HashMap<Labels, Vec<bool>> = HashMap::new();
    for series in series {
        let seen = present.entry(signature(&series.labels, matching)).or_insert_with(|| vec![false; steps.count]);
        for (step, seen) in seen.iter_mut().enumerate() {
            *seen |= series.column.is_present(step);
        }
    }
    present
}

/// Retains the steps of each series at which the other side has, or does not have, a value with the same signature.
fn filter(series: Vec<Series>, other: &HashMap<Labels, Vec<bool>>, matching: &Matching, wanted: bool) -> Vec<Series> {
    series
        .into_iter()
        .filter_map(|mut series| {
            match other.get(&signature(&series.labels, matching)) {
                None if wanted => return None,
                None => {}
                Some(present) => {
                    for (step, present) in present.iter().enumerate() {
                        if *present != wanted {
                            series.column.set(step, None);
                        }
                    }
                }
            }
            (!series.column.is_absent()).then_some(series)
        })
        .collect()
}

pub(super) fn combine(binary: &Binary, left: Vec<Series>, right: Vec<Series>, steps: Steps) -> Vec<Series> {
    let matching = &binary.matching;
    match binary.operator {
        Operator::Or => {
            let present = presence(&left, matching, steps);
            let mut united = left;
            // A series that both sides have, at different steps, is one in the result.
            let mut places: HashMap<(Labels, bool), usize> = HashMap::with_capacity(united.len());
            for (index, series) in united.iter().enumerate() {
                places.insert((series.labels.clone(), series.drop_name), index);
            }
            for series in filter(right, &present, matching, false) {
                let place =
                    places.get(&(series.labels.clone(), series.drop_name)).and_then(|index| united.get_mut(*index));
                match place {
                    Some(first) => {
                        first.column.fill_from(&series.column);
                    }
                    None => united.push(series),
                }
            }
            united
        }
        Operator::Unless => filter(left, &presence(&right, matching, steps), matching, false),
        _ => filter(left, &presence(&right, matching, steps), matching, true),
    }
}
