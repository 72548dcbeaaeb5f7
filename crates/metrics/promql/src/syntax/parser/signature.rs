//! Argument and result types of functions, as in Prometheus' error messages.

use std::{collections::HashMap, sync::LazyLock};

use crate::syntax::ValueType;

/// A function's arguments and result.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<ValueType>,
    /// Number of optional arguments at the end; negative for any number, zero for none.
    pub(crate) variadic: i32,
    pub(crate) result: ValueType,
    /// Whether it needs a feature flag in Prometheus.
    pub(crate) is_experimental: bool,
}

impl Signature {
    /// Its current name, if it was called by an older one.
    pub(crate) fn current_name(&self) -> &'static str {
        if self.name == "holt_winters" { "double_exponential_smoothing" } else { self.name }
    }
}

/// Arguments, number of optional ones, result, and the functions with this signature: `v`ector, `m`atrix, `s`calar,
/// `t`ext.
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

/// Those that need a feature flag in Prometheus.
const EXPERIMENTAL: &str = "double_exponential_smoothing end histogram_quantiles info integral mad_over_time max_of min_of range \
    sort_by_label sort_by_label_desc start start_timestamp step ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time \
    ts_of_min_over_time";

/// By name.
static FUNCTIONS: LazyLock<HashMap<&str, Signature>> = LazyLock::new(|| {
    let experimental: Vec<&str> = EXPERIMENTAL.split_whitespace().collect();
    let mut functions = HashMap::new();
    for (arguments, variadic, result, names) in SIGNATURES {
        for name in names.split_whitespace() {
            let signature = Signature {
                name,
                arguments: arguments.chars().map(value_type).collect(),
                variadic: *variadic,
                result: value_type(*result),
                is_experimental: experimental.contains(&name),
            };
            functions.insert(name, signature);
        }
    }
    functions
});

/// The function with this name.
pub(super) fn find(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.get(name)
}

fn value_type(letter: char) -> ValueType {
    match letter {
        'm' => ValueType::Matrix,
        's' => ValueType::Scalar,
        't' => ValueType::String,
        _ => ValueType::Vector,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_but_one_is_evaluated() {
        let unknown: Vec<&str> = FUNCTIONS
            .values()
            .filter(|signature| crate::functions::find(signature.current_name()).is_none())
            .map(|signature| signature.name)
            .collect();
        assert_eq!(unknown, ["integral"]);
        assert!(EXPERIMENTAL.split_whitespace().all(|name| FUNCTIONS.contains_key(name)));
    }
}
