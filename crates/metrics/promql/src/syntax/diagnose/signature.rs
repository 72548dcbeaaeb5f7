//! What functions take and yield, as Prometheus' messages name it.

use crate::syntax::ValueType;

/// A function's arguments and result.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<ValueType>,
    /// How many arguments at the end may be left out or follow; below zero, any number. Zero: none.
    pub(super) variadic: i32,
    pub(super) result: ValueType,
}

/// Arguments, how many may vary, result, and the functions of this form: `v`ector, `m`atrix, `s`calar, `t`ext.
const SIGNATURES: &[(&str, i32, char, &str)] = &[
    (
        "v",
        0,
        'v',
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin sinh sort sort_desc sqrt start_timestamp tan tanh timestamp",
    ),
    (
        "m",
        0,
        'v',
        "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time",
    ),
    ("vss", 0, 'v', "clamp"),
    ("vs", 0, 'v', "clamp_max clamp_min"),
    ("v", 1, 'v', "day_of_month day_of_week day_of_year days_in_month hour minute month year"),
    ("", 0, 's', "end pi range start step time"),
    ("ssv", 0, 'v', "histogram_fraction"),
    ("sv", 0, 'v', "histogram_quantile"),
    ("vtss", 9, 'v', "histogram_quantiles"),
    ("vv", 1, 'v', "info"),
    ("mss", 0, 'v', "double_exponential_smoothing holt_winters"),
    ("ms", 1, 'v', "integral"),
    ("vtttt", 0, 'v', "label_replace"),
    ("vttt", -1, 'v', "label_join"),
    ("ss", 0, 's', "max_of min_of"),
    ("ms", 0, 'v', "predict_linear"),
    ("sm", 0, 'v', "quantile_over_time"),
    ("vs", 1, 'v', "round"),
    ("v", 0, 's', "scalar"),
    ("vt", -1, 'v', "sort_by_label sort_by_label_desc"),
    ("s", 0, 'v', "vector"),
];

/// The function of a name.
pub(super) fn find(name: &str) -> Option<Signature> {
    SIGNATURES.iter().find_map(|(arguments, variadic, result, names)| {
        let name = names.split(' ').find(|one| *one == name)?;
        let arguments = arguments.chars().map(value_type).collect();
        Some(Signature { name, arguments, variadic: *variadic, result: value_type(*result) })
    })
}

fn value_type(letter: char) -> ValueType {
    match letter {
        'm' => ValueType::Matrix,
        's' => ValueType::Scalar,
        't' => ValueType::String,
        _ => ValueType::Vector,
    }
}
