//! Hours of generated data through our rules and through Prometheus' (promtool uses its code): compares each state of
//! each alert at each evaluation, and each recorded value.

#![allow(clippy::unwrap_used)] // helpers of tests fail as tests do

use std::{fmt::Write, process::Command};

use labels::Labels;
use promql::{InstantSample, Value};
use rules::{Engine, Environment, EvalContext, Group, Recorded, RuleFile, Sink, unit::Memory};
use timeseries::{STALE_NAN, Sample, format};

const MINUTES: i64 = 240;
const MINUTE_MS: i64 = 60_000;

const RULES: &str = r#"
groups:
- name: first
  rules:
  - { record: "sum:load", expr: "sum by (host) (load)" }
  - { record: "count:load", expr: "count(load > 50)", labels: { kind: many } }
  - { alert: Now, expr: load > 70 }
  - { alert: Waits, expr: load > 60, for: 3m, labels: { severity: "{{ if gt $value 90.0 }}critical{{ else }}warning{{ end }}" } }
  - { alert: Lingers, expr: load > 75, for: 2m, keep_firing_for: 4m }
  - { alert: LingersAtOnce, expr: load > 85, keep_firing_for: 7m }
  - { alert: Together, expr: sum by (host) (load) > 110, for: 5m }
  - { alert: OfRecorded, expr: "sum:load > 120", for: 1m, labels: { host: "", from: "{{ $labels.host }}" } }
  - { alert: Gone, expr: "absent(load{host='b',slot='2'})", for: 2m }
  - { alert: Smooth, expr: "avg_over_time(load[150s]) > 65", for: 2m }
  - { alert: Number, expr: "(count(load > 60) > bool 2) > 0" }
- name: second
  limit: 3
  rules:
  - { record: "limited:load", expr: load > 55 }
  - { alert: Limited, expr: load > 55, for: 1m }
- name: third
  rules:
  - { alert: Chained, expr: "ALERTS{alertname='Waits',alertstate='firing'}", for: 2m }
  - { alert: Twice, expr: "load > 90", labels: { slot: same } }
"#;

/// A small pseudo-random generator, so that the data is the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A series that drifts, jumps, and is sometimes absent, in promtool's notation and as values.
fn wander(dice: &mut Dice) -> (String, Vec<Option<f64>>) {
    let mut level = 40 + i64::try_from(dice.below(30)).unwrap();
    let mut away = 0;
    let mut notation = String::new();
    let mut values = Vec::new();
    for _ in 0..=MINUTES {
        level = (level + i64::try_from(dice.below(25)).unwrap() - 12).clamp(0, 100);
        if dice.below(20) == 0 {
            level = i64::try_from(dice.below(101)).unwrap();
        }
        // A gap starts with a stale marker, because versions of Prometheus differ by a millisecond in the lookback
        // delta.
        let ends = away == 0 && dice.below(40) == 0;
        away = if ends { 1 + dice.below(9) } else { u64::saturating_sub(away, 1) };
        #[allow(clippy::cast_precision_loss)] // at most 100
        let value = if ends { Some(STALE_NAN) } else { (away == 0).then_some(level as f64) };
        match value {
            Some(_) if ends => notation.push_str("stale "),
            Some(value) => write!(notation, "{value} ").unwrap(),
            None => notation.push_str("_ "),
        }
        values.push(value);
    }
    (notation, values)
}

fn vector(memory: &Memory, expr: &str, at_ms: i64) -> Vec<InstantSample> {
    match memory.instant(&promql::parse(expr).unwrap(), at_ms).unwrap() {
        Value::Vector(samples) => samples,
        other => unreachable!("{other:?} is no vector"),
    }
}

#[test]
fn prometheus_sees_every_state_as_we_do() {
    let mut dice = Dice(7);
    let memory = Memory::default();
    // promtool evaluates groups in any order unless the file sets one.
    let mut tests = String::from(
        "rule_files: [r.yml]\nevaluation_interval: 1m\ngroup_eval_order: [first, third]\ntests:\n- interval: 1m\n  input_series:\n",
    );
    for host in ["a", "b", "c"] {
        for slot in ["1", "2"] {
            let (notation, values) = wander(&mut dice);
            writeln!(tests, "  - {{ series: 'load{{host=\"{host}\",slot=\"{slot}\"}}', values: '{notation}' }}")
                .unwrap();
            let labels = Labels::new([("__name__", "load"), ("host", host), ("slot", slot)]);
            let points = (0..)
                .zip(values)
                .filter_map(|(minute, value)| Some(Recorded::float(labels.clone(), minute * MINUTE_MS, value?)));
            memory.append(&points.collect::<Vec<_>>()).unwrap();
        }
    }
    // promtool aborts a test if a rule fails: the limit and the duplicate alert are tested separately below.
    let text = RULES.split("- name: second").next().unwrap().to_owned()
        + "- name: third\n  rules:\n  - { alert: Chained, expr: \"ALERTS{alertname='Waits',alertstate='firing'}\", for: 2m }\n";
    let file = RuleFile::parse(&text).unwrap();
    let mut groups: Vec<Group> =
        file.groups.iter().map(|group| Group::new("r.yml", &group.value, MINUTE_MS, true).unwrap()).collect();
    let context = EvalContext::default();
    tests.push_str("  promql_expr_test:\n");
    let mut changes = 0;
    for minute in 0..=MINUTES {
        let environment = Environment { engine: &memory, sink: &memory, context: &context, clock: &|| 0.0 };
        for group in &mut groups {
            let evaluation = group.evaluate(minute * MINUTE_MS, environment);
            assert_eq!(evaluation.failures, 0);
            changes += evaluation.transitions.len();
        }
        for expr in ["ALERTS", "ALERTS_FOR_STATE", "{__name__=~\".*:load\"}"] {
            writeln!(tests, "  - eval_time: {minute}m\n    expr: '{expr}'\n    exp_samples:").unwrap();
            let samples = vector(&memory, expr, minute * MINUTE_MS);
            if samples.is_empty() {
                tests.truncate(tests.trim_end().len());
                tests.push_str(" []\n");
            }
            for sample in samples {
                let Sample::Float(value) = sample.sample else { continue };
                let name = sample.labels.metric_name().to_owned();
                let rest = sample.labels.without_name();
                writeln!(tests, "    - {{ labels: '{name}{rest}', value: {} }}", format::float(value)).unwrap();
            }
        }
    }
    assert!(changes > 500, "only {changes} changes: the data is too calm to tell anything");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("r.yml"), &text).unwrap();
    std::fs::write(directory.path().join("t.yml"), &tests).unwrap();
    let output =
        Command::new("promtool").args(["test", "rules", "t.yml"]).current_dir(directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}", said.get(..4000.min(said.len())).unwrap_or(&said));
}

#[test]
fn what_is_over_a_limit_or_there_twice_fails_and_leaves_nothing() {
    let memory = Memory::default();
    let point = |slot: &str, minute: i64, value| {
        let labels = Labels::new([("__name__", "load"), ("host", "a"), ("slot", slot)]);
        Recorded::float(labels, minute * MINUTE_MS, value)
    };
    let mut points = Vec::new();
    for minute in 0..6 {
        for slot in ["1", "2", "3", "4"] {
            // One series after the other appears.
            let value = if slot.parse::<i64>().unwrap() <= minute + 1 { 95.0 } else { 1.0 };
            points.push(point(slot, minute, value));
        }
    }
    memory.append(&points).unwrap();
    let file = RuleFile::parse(RULES).unwrap();
    let mut groups: Vec<Group> =
        file.groups.iter().skip(1).map(|group| Group::new("r", &group.value, MINUTE_MS, true).unwrap()).collect();
    let context = EvalContext::default();
    let mut failures = Vec::new();
    for minute in 0..6 {
        let environment = Environment { engine: &memory, sink: &memory, context: &context, clock: &|| 0.0 };
        for group in &mut groups {
            group.evaluate(minute * MINUTE_MS, environment);
        }
        let errors = groups
            .iter()
            .flat_map(Group::rules)
            .map(|(rule, health)| health.error.as_ref().map(|error| format!("{}: {error}", rule.name)));
        failures.push(errors.flatten().collect::<Vec<_>>());
        let firing = vector(&memory, "ALERTS{alertname='Limited'}", minute * MINUTE_MS).len();
        // As in Prometheus, samples from before a failure are not ended by it.
        assert!(firing <= 6, "{firing}");
    }
    let twice = "Twice: vector contains metrics with the same labelset after applying alert labels";
    assert!(failures[0].is_empty(), "{:?}", failures[0]);
    assert_eq!(failures[1], [twice]);
    assert_eq!(
        failures[3],
        ["limited:load: exceeded limit of 3 with 4 series", "Limited: exceeded limit of 3 with 4 alerts", twice]
    );
    assert!(groups[0].alerts().is_empty(), "a limit that is passed leaves no alert");
}
