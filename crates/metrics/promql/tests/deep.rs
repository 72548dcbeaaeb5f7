//! Queries with thousands of terms, which Prometheus evaluates, and nesting that is rejected with an error.

#![allow(clippy::unwrap_used, clippy::panic)] // Clippy takes helpers of tests for something else.

use labels::{Labels, Matcher};
use promql::{Options, Query, Value, parse};
use timeseries::{SeriesSamples, SeriesSource, SourceError};

/// Number of terms in a chain: more levels than fit on any thread's stack.
const TERMS: usize = 5_000;

/// One series that is always 1.
struct One;

impl SeriesSource for One {
    fn select(&self, _: &[Matcher], _: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let labels = Labels::new([("__name__", "a"), ("b", "c")]);
        Ok(vec![SeriesSamples { labels, timestamps: vec![end_ms], values: vec![1.0], ..SeriesSamples::default() }])
    }
}

fn value(query: &Query) -> f64 {
    match query.instant(&One, 1_000, &Options::default()).unwrap().value {
        Value::Scalar { value, .. } => value,
        Value::Vector(samples) => match &samples.first().unwrap().sample {
            timeseries::Sample::Float(value) => *value,
            timeseries::Sample::Histogram(_) => panic!("a histogram"),
        },
        other => panic!("{other:?}"),
    }
}

/// Runs on a thread with a small stack, like those of a server.
fn on_a_small_stack(act: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(act).unwrap().join().unwrap();
}

#[test]
fn chains_of_thousands_of_terms_are_answered() {
    on_a_small_stack(|| {
        for (term, operator, wanted) in [
            ("1", "+", 5_000.0),
            ("a", "+", 5_000.0),
            ("a", "or", 1.0),
            ("a", "and", 1.0),
            ("1", "^", 1.0),
            ("a", "*", 1.0),
        ] {
            let text = vec![term; TERMS].join(&format!(" {operator} "));
            let query = parse(&text).unwrap_or_else(|error| panic!("{operator}: {error}"));
            assert_eq!(value(&query), wanted, "{operator}");
            assert_eq!(query.to_string(), text, "{operator}");
        }
    });
}

#[test]
fn all_that_is_done_with_a_query_is_done_with_a_deep_one() {
    on_a_small_stack(|| {
        let text = vec!["sum by (b) (a{x=\"y\"})"; 2_000].join(" + ");
        let query = parse(&text).unwrap();
        assert_eq!(query.selectors(0, 0, 1, &Options::default()).len(), 2_000);
        assert!(!query.calls("info") && !query.is_anchored());
        let limited = query.with_selectors(|matchers| matchers.push(Matcher::equal("z", "w")));
        assert_eq!(limited.to_string().matches("z=\"w\"").count(), 2_000);
        assert_eq!(query.to_string(), text, "the one before is as it was");
        let renamed = limited.with_label_names(|name| *name = name.replace('b', "q"));
        assert_eq!(renamed.to_string().matches("by (q)").count(), 2_000);
        let outcome = query.range(&One, 0, 1_000, 1_000, &Options::default()).unwrap();
        assert!(matches!(outcome.value, Value::Matrix(matrix) if matrix.len() == 1));
        assert!(promql::pretty(&text).unwrap().lines().count() > 2_000);
        let error = promql::tree(&text).unwrap_err();
        assert!(error.message.contains("too complex"), "{error}");
        drop((query, limited, renamed));
    });
}

#[test]
fn signs_and_lists_may_be_many() {
    on_a_small_stack(|| {
        assert_eq!(value(&parse(&format!("{}1", "-".repeat(4_000))).unwrap()), 1.0);
        let labels: Vec<String> = (0..5_000).map(|number| format!("l{number}")).collect();
        assert!(parse(&format!("sum by ({}) (a)", labels.join(", "))).is_ok());
        let arguments = vec!["\"x\""; 5_000].join(", ");
        assert!(parse(&format!("label_join(a, \"y\", \",\", {arguments})")).is_ok());
    });
}

#[test]
fn what_nests_too_deep_or_is_too_long_is_refused_in_words() {
    on_a_small_stack(|| {
        assert!(parse(&format!("{}a{}", "(".repeat(150), ")".repeat(150))).is_ok());
        let error = parse(&format!("{}a{}", "(".repeat(151), ")".repeat(151))).unwrap_err();
        assert!(error.message.contains("more than 150 parentheses within each other"), "{error}");
        let error = parse(&vec!["1"; 10_002].join("+")).unwrap_err();
        assert!(error.message.contains("more than 10000 operators"), "{error}");
        let error = parse(&format!("sum by ({}) (a)", vec!["b"; 60_000].join(","))).unwrap_err();
        assert!(error.message.contains("more than 100000"), "{error}");
        let error = parse(&format!("{}{}", vec!["1"; 4_000].join("+"), "+")).unwrap_err();
        assert!(error.message.contains("unexpected end of input"), "{error}");
    });
}

#[test]
fn what_is_just_not_deep_fits_a_small_stack() {
    on_a_small_stack(|| {
        for (before, after, times) in
            [("(", ")", 74), ("abs(", ")", 74), ("sum by (b) (", ")", 37), ("-", "", 149), ("1 ^ ", "", 149)]
        {
            let text = format!("{}a{}", before.repeat(times), after.repeat(times));
            let query = parse(&text).unwrap_or_else(|error| panic!("{before}: {error}"));
            assert!(!query.to_string().is_empty() && promql::pretty(&text).is_ok() && promql::tree(&text).is_ok());
            assert!(query.instant(&One, 1_000, &Options::default()).is_ok(), "{before}");
        }
    });
}
