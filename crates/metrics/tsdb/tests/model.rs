//! Random appends with restarts and maintenance in between: the store agrees with a map.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{equal, histogram, incoming};
use proptest::prelude::*;
use timeseries::{AppendOutcome, Sample, SeriesSamples, SeriesSource};
use tsdb::{Refusal, Store, StoreOptions};

const LATE_MS: i64 = 600_000;
const JOBS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Step {
    /// Samples of one series, starting this far after (or before) its last one, with this interval.
    Append {
        job: usize,
        from: i64,
        apart: i64,
        count: i64,
        value: u8,
        kind: Samples,
    },
    Reopen,
    Upkeep,
    Select {
        from: i64,
        to: i64,
    },
}

#[derive(Debug, Clone, Copy)]
enum Samples {
    Floats,
    Histograms,
    Both,
}

impl Samples {
    fn at(self, at: i64, value: f64) -> Sample {
        match self {
            Samples::Histograms => histogram(value),
            Samples::Both if at % 3 == 0 => histogram(value),
            _ => Sample::Float(value),
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let from = prop_oneof![3 => Just(15_000), 2 => -LATE_MS - 20_000..60_000_i64, 1 => 0..6 * 3_600_000_i64];
    let apart = prop_oneof![3 => Just(15_000), 1 => 1..40_000_i64, 1 => -20_000..1_000_i64];
    let kind = prop_oneof![3 => Just(Samples::Floats), 2 => Just(Samples::Histograms), 1 => Just(Samples::Both)];
    prop_oneof![
        6 => (0..JOBS.len(), from, apart, prop_oneof![1..5_i64, 1..400_i64], any::<u8>(), kind)
            .prop_map(|(job, from, apart, count, value, kind)| Step::Append { job, from, apart, count, value, kind }),
        1 => Just(Step::Reopen),
        2 => Just(Step::Upkeep),
        1 => (0..40_000_000_i64, 0..10_000_000_i64).prop_map(|(from, to)| Step::Select { from, to: from + to }),
    ]
}

/// The expected content.
#[derive(Default)]
struct Model(BTreeMap<usize, BTreeMap<i64, Sample>>);

impl Model {
    fn append(&mut self, job: usize, time: i64, value: Sample, outcome: &mut AppendOutcome) -> Option<Refusal> {
        let series = self.0.entry(job).or_default();
        let newest = series.last_key_value().map(|(newest, _)| *newest);
        match series.get(&time) {
            _ if newest.is_some_and(|newest| newest - time > LATE_MS) => {
                outcome.out_of_order += 1;
                Some(Refusal::TooOld)
            }
            Some(stored) if *stored != value => {
                outcome.duplicate += 1;
                Some(Refusal::Duplicate)
            }
            _ => {
                series.insert(time, value);
                outcome.stored += 1;
                None
            }
        }
    }
}

/// All samples of a series in order. Reset hints are ignored, because they depend on neighbours.
fn in_order(series: &SeriesSamples) -> Vec<(i64, Sample)> {
    let floats = common::samples(series).into_iter().map(|(time, value)| (time, Sample::Float(value)));
    let histograms = series.histograms.iter().map(|(time, found)| {
        let mut found = timeseries::histogram::Histogram::clone(found);
        found.reset_hint = timeseries::histogram::ResetHint::Unknown;
        (*time, Sample::Histogram(found.into()))
    });
    let mut all: Vec<_> = floats.chain(histograms).collect();
    all.sort_by_key(|(time, _)| *time);
    all
}

fn check(store: &Store, model: &Model, from: i64, to: i64) {
    for (number, job) in JOBS.iter().enumerate() {
        let found = store.select(&[equal("job", job)], from, to).unwrap();
        let found = found.first().map(in_order).unwrap_or_default();
        let expected: Vec<(i64, Sample)> = model
            .0
            .get(&number)
            .map(|series| series.range(from..=to).map(|(time, value)| (*time, value.clone())).collect())
            .unwrap_or_default();
        let extra: Vec<_> = found.iter().filter(|sample| !expected.contains(sample)).take(3).collect();
        let lost: Vec<_> = expected.iter().filter(|sample| !found.contains(sample)).take(3).collect();
        assert!(found == expected, "job {job}: lost {lost:?}, extra {extra:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_map(steps in prop::collection::vec(any_step(), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { head_window: Duration::from_secs(1_800), ..Default::default() };
        let open = || Store::open(directory.path(), options.clone()).unwrap();
        let mut store = open();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { job, from, apart, count, value, kind } => {
                    let newest = model.0.get(&job).and_then(|series| series.last_key_value()).map_or(0, |(newest, _)| *newest);
                    let mut expected = AppendOutcome::default();
                    let (mut points, mut refusals) = (Vec::new(), Vec::new());
                    for at in 0..count {
                        let time = newest + from + at * apart;
                        let value = f64::from(value) / 10.0 + f64::from(i32::try_from(at % 7).unwrap());
                        let value = kind.at(at, value);
                        let refusal = model.append(job, time, value.clone(), &mut expected);
                        refusals.extend(refusal.map(|reason| (points.len(), reason)));
                        points.push(incoming("m", JOBS[job], time, value));
                    }
                    expected.first_rejected = refusals.first().map(|(position, _)| *position);
                    let ingested = store.ingest(&points).unwrap();
                    prop_assert_eq!(ingested.outcome, expected);
                    let rejected: Vec<_> = ingested.refused.iter().map(|refused| (refused.position, refused.reason)).collect();
                    prop_assert_eq!(rejected, refusals);
                }
                Step::Reopen => {
                    drop(store);
                    store = open();
                    prop_assert_eq!(store.damage(), []);
                }
                Step::Upkeep => drop(store.run_retention(i64::MAX).unwrap()),
                Step::Select { from, to } => check(&store, &model, from, to),
            }
        }
        check(&store, &model, i64::MIN, i64::MAX);
        drop(store);
        check(&open(), &model, i64::MIN, i64::MAX);
    }
}
