//! The limits of an evaluation, which no query can exceed.

use std::sync::atomic::{AtomicUsize, Ordering};

use labels::{Labels, MatchOp, Matcher};
use promql::{EvalError, Options, Value};
use timeseries::{SeriesSamples, SeriesSource, SourceError};

/// A hundred series with a sample every ten seconds.
struct Hundred;

impl SeriesSource for Hundred {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let series = (0..100).map(|number| {
            let labels = Labels::new([("__name__", "m".to_owned()), ("i", number.to_string())]);
            let timestamps: Vec<i64> =
                (0..360).map(|index| index * 10_000).filter(|time| (start_ms..=end_ms).contains(time)).collect();
            let values = vec![1.0; timestamps.len()];
            SeriesSamples { labels, timestamps, values, ..SeriesSamples::default() }
        });
        Ok(series.filter(|series| matchers.iter().all(|m| m.matches(series.labels.get(&m.name)))).collect())
    }
}

/// A source that is down.
struct Down;

impl SeriesSource for Down {
    fn select(&self, _: &[Matcher], _: i64, _: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        Err(SourceError { message: "disk gone".to_owned(), source: None })
    }
}

fn range(query: &str, options: &Options) -> Result<Value, EvalError> {
    let query = promql::parse(query).map_err(|error| EvalError::Query(error.to_string()))?;
    query.range(&Hundred, 0, 3_600_000, 60_000, options).map(|outcome| outcome.value)
}

#[test]
fn limits_are_kept() {
    assert!(matches!(range("m", &Options::default()), Ok(Value::Matrix(matrix)) if matrix.len() == 100));
    let few_series = Options { max_series: 99, ..Options::default() };
    assert!(matches!(range("m", &few_series), Err(EvalError::Limit(_))));
    let few_series = Options { max_series: 150, ..Options::default() };
    assert!(matches!(range(r#"m or label_replace(m, "j", "x", "", "")"#, &few_series), Err(EvalError::Limit(_))));
    let few_points = Options { max_points_per_series: 60, ..Options::default() };
    assert!(matches!(range("m", &few_points), Err(EvalError::Limit(_))));
    let few_samples = Options { max_samples: 36_000, ..Options::default() };
    assert!(matches!(range("rate(m[5m])", &few_samples), Err(EvalError::Limit(_))));
    assert!(matches!(range("sum_over_time(vector(1)[100d:1ms])", &Options::default()), Err(EvalError::Limit(_))));
}

#[test]
fn a_caller_can_end_an_evaluation() {
    let asked = AtomicUsize::new(0);
    let cancelled = || asked.fetch_add(1, Ordering::Relaxed) > 50;
    let options = Options { cancelled: &cancelled, ..Options::default() };
    assert!(matches!(range("sum(rate(m[5m])) + sum(m)", &options), Err(EvalError::Cancelled)));
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked < 60, "went on after {asked} questions");
}

#[test]
fn a_failing_source_is_reported() {
    let error = promql::parse("m").unwrap().instant(&Down, 0, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "disk gone");
}

#[test]
fn what_is_experimental_must_be_enabled() {
    let off = Options::default();
    let on = Options { experimental: true, ..Options::default() };
    for query in [r#"sort_by_label(m, "i")"#, "limitk(3, m)", "rate(m[5m * 2])", "rate(m[5m] smoothed)"] {
        assert!(matches!(range(query, &off), Err(EvalError::NotEnabled(_))), "{query}");
        assert!(range(query, &on).is_ok(), "{query}");
    }
    assert!(range("holt_winters(m[5m], 0.5, 0.5)", &off).is_ok());
}

#[test]
fn the_deepest_query_fits_into_a_small_stack() {
    let deepest = [
        format!("{}m", "m + ".repeat(499)),
        format!("{}m", "-".repeat(500)),
        format!("{}m{}", "abs(".repeat(150), ")".repeat(150)),
        format!("{}m{}", "(".repeat(150), ")".repeat(150)),
        format!("sum_over_time({}m{})", "max_over_time(".repeat(100), "[1m:10s])".repeat(100)),
    ];
    let small = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let worked = small.spawn(move || {
        for query in &deepest {
            if let Ok(query) = promql::parse(query) {
                let _ = query.instant(&Hundred, 600_000, &Options { max_samples: 1_000_000, ..Options::default() });
            }
        }
    });
    assert!(worked.unwrap().join().is_ok());
    for query in ["(".repeat(100_000), "1+".repeat(100_000), "a[".repeat(50_000)] {
        assert!(promql::parse(&query).is_err());
    }
}

#[test]
fn a_query_names_its_selectors_and_the_time_they_need() {
    let query = promql::parse("rate(a[5m] offset 1m) + sum_over_time(b[10m:1m]) + c @ 100").unwrap();
    let bounds = query.selectors(1_000_000, 2_000_000, 15_000, &Options::default());
    let bounds: Vec<(i64, i64)> = bounds.iter().map(|bounds| (bounds.start_ms, bounds.end_ms)).collect();
    assert_eq!(bounds, [(640_001, 1_940_000), (100_001, 2_000_000), (-199_999, 100_000)]);
}

#[test]
fn selectors_can_be_renamed_and_narrowed() {
    let query = promql::parse(r#"sum(rate(old_total{a="b"}[5m])) / count(m) > 1"#).unwrap();
    let changed = query.with_selectors(|matchers| {
        for matcher in matchers.iter_mut().filter(|matcher| matcher.name == "__name__") {
            if matcher.matches("old_total") {
                *matcher = Matcher::equal("__name__", "new_total");
            }
        }
        matchers.push(Matcher::equal("team", "blue"));
    });
    let expected = r#"sum(rate(new_total{a="b", team="blue"}[5m])) / count(m{team="blue"}) > 1"#;
    assert_eq!(changed.to_string(), expected);
    assert_eq!(changed.text(), query.text());
}

#[test]
fn one_long_series_can_be_given_up_too() {
    /// A series with a sample every millisecond.
    struct Dense;
    impl SeriesSource for Dense {
        fn select(&self, _: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
            let timestamps: Vec<i64> = (start_ms.max(0)..=end_ms).collect();
            let values = vec![1.0; timestamps.len()];
            Ok(vec![SeriesSamples { timestamps, values, ..SeriesSamples::default() }])
        }
    }
    let asked = AtomicUsize::new(0);
    let cancelled = || asked.fetch_add(1, Ordering::Relaxed) > 5;
    let options = Options { cancelled: &cancelled, ..Options::default() };
    let query = promql::parse("stddev_over_time(m[100s])").unwrap();
    let error = query.range(&Dense, 100_000, 200_000, 10, &options).unwrap_err();
    assert!(matches!(error, EvalError::Cancelled), "{error}");
}

#[test]
fn few_samples_cannot_become_very_many_series() {
    /// A different value at each step.
    struct Changing;
    impl SeriesSource for Changing {
        fn select(&self, _: &[Matcher], _: i64, _: i64) -> Result<Vec<SeriesSamples>, SourceError> {
            let series = (0..20_u32).map(|number| SeriesSamples {
                labels: Labels::new([("i", number.to_string())]),
                timestamps: (0..1000).map(|index| index * 1000).collect(),
                values: (0..1000_u32).map(|index| f64::from(index * 20 + number)).collect(),
                ..SeriesSamples::default()
            });
            Ok(series.collect())
        }
    }
    let options = Options { max_series: 5_000, ..Options::default() };
    let query = promql::parse(r#"count_values("v", m)"#).unwrap();
    let error = query.range(&Changing, 0, 999_000, 1000, &options).unwrap_err();
    assert!(matches!(error, EvalError::Limit(_)), "{error}");
}

#[test]
fn a_choice_of_texts_is_read_as_it_is_written() {
    let values = |query: &str| -> Vec<Option<Vec<String>>> {
        let selectors = promql::parse(query).unwrap().selectors(0, 0, 1, &Options::default());
        let matchers = selectors.into_iter().flat_map(|selector| selector.matchers);
        let patterns = matchers.filter_map(|matcher| match matcher.op {
            MatchOp::Regex(pattern) | MatchOp::NotRegex(pattern) => Some(pattern.values().map(<[_]>::to_vec)),
            _ => None,
        });
        patterns.collect()
    };
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let several = r#"sum(m{a=~"x|y", b!~'z', c=~"p.*"}) + on (a) rate(n{d=~`q|"r"`}[5m])"#;
    assert_eq!(values(several), [texts(&["x", "y"]), texts(&["z"]), None, texts(&["\"r\"", "q"])]);
    assert_eq!(promql::parse(several).unwrap().selectors(0, 0, 1, &Options::default()).len(), 2);
    let printed = promql::parse(r#"m{a=~"x|y",b!~"z"}"#).unwrap().with_selectors(|_| {}).to_string();
    assert_eq!(printed, r#"m{a=~"x|y", b!~"z"}"#);
    // Text that looks like the replacement of a list of alternatives is used literally.
    for query in ["m{a=~\"x|y\", b=~\"\u{1}0\"}", r#"m{a=~"x|y", b=~"\x010"}"#, r#"m{b=~"\0010", a=~"x|y"}"#] {
        let selectors = promql::parse(query).unwrap().selectors(0, 0, 1, &Options::default());
        let b = selectors[0].matchers.iter().find(|matcher| matcher.name == "b").unwrap();
        assert!(b.matches("\u{1}0") && !b.matches("x") && !b.matches("y"), "{query}");
        let a = selectors[0].matchers.iter().find(|matcher| matcher.name == "a").unwrap();
        assert!(a.matches("x") && a.matches("y") && !a.matches("\u{1}0"), "{query}");
    }
    assert!(promql::parse(r#"m{a=~"x|y", b=~"("}"#).is_err());
    assert!(promql::parse(r#"{a=~"|x"}"#).is_err() && promql::parse(r#"{a=~"x|y"}"#).is_ok());
}
