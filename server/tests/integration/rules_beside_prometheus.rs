//! The same rules over the same samples, at the same time, here and in a real Prometheus, with a restart of both in the
//! middle.
//!
//! The samples of a phase are written before it begins, one for each evaluation interval, at the start of the interval.
//! So both engines evaluate the same data in each interval, whenever within the interval they evaluate, and their
//! results must be equal.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::common::{Prometheus, Server, TOKEN, body, client, eventually, now_ms, series, with_body};
use remote_write::TimeSeries;
use serde_json::{Value, json};
use tempfile::TempDir;
use timeseries::STALE_NAN;

/// The evaluation interval, which is also the distance of a phase's samples.
const INTERVAL_MS: i64 = 2_000;

/// `Clock` returns the interval that was evaluated last. It is requested before and after, so that answers built during
/// an evaluation are recognised.
const RULES: &str = r#"
groups:
- name: beside
  interval: 2s
  rules:
  - { alert: Clock, expr: clock }
  - { record: "host:load:sum", expr: "sum by (host) (load)", labels: { from: rule } }
  - { record: "load:high:count", expr: "count(load > 50) or vector(0)" }
  - alert: Now
    expr: load > 70
    labels: { severity: '{{ if gt $value 90.0 }}critical{{ else }}warning{{ end }}' }
    annotations:
      summary: '{{ $labels.host | toUpper }}/{{ $labels.slot }}: {{ $value | humanize }}'
      together: '{{ with printf "sum(load{host=%q})" $labels.host | query }}{{ . | first | value | printf "%.1f" }}{{ end }}'
  - { alert: Waits, expr: load > 60, for: 4s, annotations: { summary: 'since {{ $value }}' } }
  - { alert: Lingers, expr: load > 75, for: 2s, keep_firing_for: 6s }
  - { alert: LingersAtOnce, expr: load > 85, keep_firing_for: 10s }
  - { alert: OfRecorded, expr: "host:load:sum > 110", for: 2s, labels: { host: "", of: "{{ $labels.host }}" } }
  - { alert: Many, expr: "load:high:count >= 3", for: 2s }
  - { alert: Gone, expr: "absent(load{host='b',slot='2'})", for: 2s }
  - { alert: Chained, expr: "ALERTS{alertname='Waits',alertstate='firing'}", for: 2s }
  - { alert: Steady, expr: steady == 1, for: 1h }
  - { alert: Clock, expr: clock, labels: { last: "yes" } }
"#;

/// A small generator, so that the data is the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A phase in which the data changes at each interval.
#[derive(Clone, Copy)]
struct Stretch {
    start_ms: i64,
    /// The value of `clock` in its first interval.
    first: i64,
    intervals: i64,
}

impl Stretch {
    /// Begins after the next two whole intervals, so that there is time to write its data.
    fn soon(first: i64, intervals: i64) -> Self {
        Stretch { start_ms: (now_ms() / INTERVAL_MS + 3) * INTERVAL_MS, first, intervals }
    }

    fn end_ms(self) -> i64 {
        self.start_ms + self.intervals * INTERVAL_MS
    }

    /// The interval of a time, as `clock` returns it.
    fn interval(self, at_ms: i64) -> Option<i64> {
        (self.start_ms..self.end_ms()).contains(&at_ms).then(|| self.first + (at_ms - self.start_ms) / INTERVAL_MS)
    }

    /// Series that drift, jump, and are missing sometimes. After the phase only `steady` continues.
    fn data(self, dice: &mut Dice) -> Vec<TimeSeries> {
        let times = |last: i64| (0..=last).map(move |index| (index, self.start_ms + index * INTERVAL_MS));
        #[allow(clippy::cast_precision_loss)] // small numbers
        let clock: Vec<(i64, f64)> =
            times(self.intervals).map(|(index, at)| (at, (self.first + index) as f64)).collect();
        let steady: Vec<(i64, f64)> = times(self.intervals).map(|(_, at)| (at, 1.0)).collect();
        let mut all = vec![series("clock", &[], &clock), series("steady", &[], &steady)];
        for host in ["a", "b", "c"] {
            for slot in ["1", "2"] {
                let mut samples = Vec::new();
                for (_, at) in times(self.intervals - 1) {
                    let value = if dice.below(12) == 0 {
                        STALE_NAN
                    } else {
                        f64::from(u32::try_from(dice.below(101)).unwrap())
                    };
                    samples.push((at, value));
                }
                samples.push((self.end_ms(), 0.0));
                all.push(series("load", &[("host", host), ("slot", slot)], &samples));
            }
        }
        all
    }

    async fn is_over(self) {
        // The last interval is evaluated within itself.
        while now_ms() < self.end_ms() + INTERVAL_MS {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// One of the two servers, by its address.
#[derive(Clone)]
struct Engine(String);

impl Engine {
    async fn write(&self, series: Vec<TimeSeries>) {
        let request = client().post(format!("{}/api/v1/write", self.0)).bearer_auth(TOKEN);
        let answer = with_body(request, body(series)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}: {}", self.0, answer.text().await.unwrap());
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let request = client().get(format!("{}/api/v1/{path}", self.0)).query(query).bearer_auth(TOKEN);
        request.send().await.unwrap().json::<Value>().await.unwrap()["data"].take()
    }

    /// All samples of the last minutes of a selector, by series.
    async fn samples(&self, selector: &str) -> BTreeMap<String, Vec<(i64, f64)>> {
        let answer = self.ask("query", &[("query", &format!("{selector}[10m]"))]).await;
        let mut found = BTreeMap::new();
        for series in answer["result"].as_array().unwrap() {
            let labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).unwrap();
            let samples = series["values"].as_array().unwrap().iter().map(|pair| {
                #[allow(clippy::cast_possible_truncation)] // a time in milliseconds
                let at_ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
                (at_ms, pair[1].as_str().unwrap().parse().unwrap())
            });
            found.insert(format!("{labels:?}"), samples.collect());
        }
        found
    }

    /// True if rules were evaluated in each interval of a phase.
    async fn evaluated_all(&self, stretch: Stretch) -> bool {
        let clock = self.samples("ALERTS{alertname='Clock',last='yes'}").await.into_values().next().unwrap_or_default();
        let intervals: BTreeSet<i64> = clock.into_iter().filter_map(|(at_ms, _)| stretch.interval(at_ms)).collect();
        i64::try_from(intervals.len()).unwrap() == stretch.intervals
    }

    /// Its answers about rules and alerts in each interval of a phase.
    async fn watch(self, stretch: Stretch) -> Seen {
        let mut seen = BTreeMap::new();
        let mut last_before = None;
        let mut waiting: Option<(i64, (Value, Value))> = None;
        while now_ms() < stretch.end_ms() {
            let rules = self.ask("rules", &[]).await["groups"][0]["rules"].take();
            let alerts = self.ask("alerts", &[]).await["alerts"].take();
            let clock = |index: usize| -> Option<i64> {
                let value = rules[index]["alerts"][0]["value"].as_str()?.parse::<f64>().ok()?;
                #[allow(clippy::cast_possible_truncation)] // a small number
                Some(value as i64)
            };
            let (first, last) = (clock(0), clock(rules.as_array().map_or(0, Vec::len).saturating_sub(1)));
            // No evaluation ran while an answer was built if all rules before it had been evaluated, and none after it.
            if let Some((interval, answer)) = waiting.take()
                && first == Some(interval)
            {
                seen.insert(interval, answer);
            }
            if let Some(interval) = first
                && last_before == first
                && (stretch.first..stretch.first + stretch.intervals).contains(&interval)
            {
                waiting = Some((interval, (rules, alerts)));
            }
            last_before = last;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        seen
    }
}

/// The start of the interval that contains a text's time.
fn interval_of(text: &Value) -> i64 {
    let at: jiff::Timestamp = text.as_str().unwrap().parse().unwrap();
    at.as_millisecond().div_euclid(INTERVAL_MS)
}

/// The parts of an alert that must be equal.
fn alert(alert: &Value) -> Value {
    json!({
        "labels": alert["labels"], "annotations": alert["annotations"], "state": alert["state"], "value": alert["value"],
        "interval": interval_of(&alert["activeAt"]),
    })
}

/// Alerts in a canonical order.
fn alerts(list: &Value) -> Vec<Value> {
    let mut alerts: Vec<Value> = list.as_array().into_iter().flatten().map(alert).collect();
    alerts.sort_by_key(|alert| alert["labels"].to_string());
    alerts
}

/// The parts of the rules that must be equal.
fn rules(list: &Value) -> Vec<Value> {
    let rule = |rule: &Value| {
        let facts = ["type", "name", "state", "health", "lastError"];
        let mut shown: BTreeMap<&str, Value> = facts.into_iter().map(|fact| (fact, rule[fact].clone())).collect();
        shown.extend(["duration", "keepFiringFor"].map(|fact| (fact, rule[fact].as_f64().into())));
        // Prometheus omits empty ones.
        let labels = rule["labels"].as_object().cloned().unwrap_or_default();
        shown.insert("labels", labels.into());
        shown.insert("alerts", alerts(&rule["alerts"]).into());
        json!(shown)
    };
    list.as_array().unwrap().iter().map(rule).collect()
}

/// Compares all series that rules wrote in a phase, sample by sample; returns the number of changes of `ALERTS`.
async fn compare_series(ours: &Engine, theirs: &Engine, stretch: Stretch) -> usize {
    let mut changes = 0;
    for selector in ["ALERTS", "ALERTS_FOR_STATE", "{__name__=~'.+:.+'}"] {
        let by_interval = |all: BTreeMap<String, Vec<(i64, f64)>>| {
            let mut found: BTreeMap<String, BTreeMap<i64, f64>> = BTreeMap::new();
            for (labels, samples) in all {
                for (at_ms, value) in samples {
                    let Some(interval) = stretch.interval(at_ms) else { continue };
                    let is_since = selector == "ALERTS_FOR_STATE";
                    if is_since && ["Clock", "Steady"].iter().any(|name| labels.contains(name)) {
                        continue;
                    }
                    // Start times have whole seconds: alerts begin in the same interval.
                    let value = if is_since { (value * 1000.0).div_euclid(2_000.0) } else { value };
                    found.entry(labels.clone()).or_default().insert(interval, value);
                }
            }
            found
        };
        let (our, their) = (by_interval(ours.samples(selector).await), by_interval(theirs.samples(selector).await));
        let names: BTreeSet<&String> = our.keys().chain(their.keys()).collect();
        assert!(names.len() >= 3, "{selector}: {names:?}");
        for name in names {
            assert_eq!(our.get(name), their.get(name), "{name} by interval, of a stretch from {} on", stretch.first);
        }
        if selector == "ALERTS" {
            let runs = |samples: &BTreeMap<i64, f64>| {
                let intervals: Vec<i64> = samples.keys().copied().collect();
                1 + intervals.windows(2).filter(|pair| pair[1] != pair[0] + 1).count()
            };
            changes = our.values().map(runs).sum();
        }
    }
    changes
}

/// Lets both evaluate a phase, and compares everything that they showed and stored. If one of them was too slow on a
/// busy machine, there is nothing to compare; then another phase begins.
async fn compare(ours: &Engine, theirs: &Engine, first: i64, intervals: i64, dice: &mut Dice) {
    for attempt in 0..5 {
        let stretch = Stretch::soon(first + 100 * attempt, intervals);
        let data = stretch.data(dice);
        ours.write(data.clone()).await;
        theirs.write(data).await;
        let (our, their) = tokio::join!(ours.clone().watch(stretch), theirs.clone().watch(stretch));
        stretch.is_over().await;
        if ours.evaluated_all(stretch).await && theirs.evaluated_all(stretch).await {
            return compare_stretch(ours, theirs, stretch, &our, &their).await;
        }
        for engine in [ours, theirs] {
            eventually("calm", async || {
                let alerts = engine.ask("alerts", &[]).await["alerts"].take();
                let is_calm =
                    |alert: &Value| ["Clock", "Steady"].iter().any(|name| alert["labels"]["alertname"] == *name);
                alerts.as_array()?.iter().all(is_calm).then_some(())
            })
            .await;
        }
    }
    panic!("no stretch without a missed evaluation");
}

/// True for alerts that outlast a phase.
fn goes_on(name: Option<&str>) -> bool {
    matches!(name, Some("Clock" | "Steady"))
}

/// The answers of an engine in each interval: rules and alerts.
type Seen = BTreeMap<i64, (Value, Value)>;

async fn compare_stretch(ours: &Engine, theirs: &Engine, stretch: Stretch, our: &Seen, their: &Seen) {
    let mut compared = 0;
    for (interval, (our_rules, our_alerts)) in our {
        let Some((their_rules, their_alerts)) = their.get(interval) else { continue };
        // The start times of these depend on the duration of a restart, and on what was missed before.
        let calm = |mut rules: Vec<Value>| {
            rules.retain(|rule| !goes_on(rule["name"].as_str()) && !goes_on(rule["labels"]["alertname"].as_str()));
            rules
        };
        assert_eq!(calm(rules(our_rules)), calm(rules(their_rules)), "/api/v1/rules in interval {interval}");
        assert_eq!(calm(alerts(our_alerts)), calm(alerts(their_alerts)), "/api/v1/alerts in interval {interval}");
        compared += 1;
    }
    assert!(compared > 0, "no interval was seen whole: {:?} and {:?}", our.keys(), their.keys());
    let changes = compare_series(ours, theirs, stretch).await;
    assert!(changes > 20, "only {changes} changes: the data is too calm to tell anything");
    println!("{changes} runs of states, {compared} of {} intervals seen whole", stretch.intervals);
}

/// The samples of `ALERTS_FOR_STATE` of the alert that is pending for an hour: time and start, in milliseconds.
async fn steady(engine: &Engine) -> Vec<(i64, i64)> {
    let found = engine.samples("ALERTS_FOR_STATE{alertname='Steady'}").await;
    let samples = found.into_values().next().unwrap_or_default();
    #[allow(clippy::cast_possible_truncation)] // a time in milliseconds
    samples.into_iter().map(|(at_ms, since)| (at_ms, (since * 1000.0) as i64)).collect()
}

/// How much a restart prolongs the pending time of an alert: the restored start, and the downtime.
async fn waited_longer(engine: &Engine, down_ms: i64) -> (i64, i64) {
    let samples = steady(engine).await;
    let before = samples.iter().rfind(|(at_ms, _)| *at_ms < down_ms).unwrap();
    let after = samples.iter().find(|(at_ms, _)| *at_ms > down_ms).unwrap();
    // It is restored at the evaluation before the first that writes a sample.
    (after.1 - before.1, after.0 - INTERVAL_MS - before.0)
}

#[tokio::test]
async fn every_change_of_state_is_prometheus_too_before_and_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("r.yml");
    std::fs::write(&file, RULES).unwrap();
    let arguments = ["--rules", file.to_str().unwrap()];
    let server = Server::start("serve", Arc::new(crate::common::in_memory()), &arguments).await;
    let prometheus = Prometheus::with_rules(RULES).await;
    let mut dice = Dice(11);
    let engines = |server: &Server, prometheus: &Prometheus| (Engine(server.url("")), Engine(prometheus.url.clone()));

    // Alerts that hold from the first evaluation on are restored in the second: the phase begins after it.
    let (ours, theirs) = engines(&server, &prometheus);
    for engine in [&ours, &theirs] {
        engine.write(vec![series("steady", &[], &[(now_ms(), 1.0)])]).await;
    }
    for engine in [&ours, &theirs] {
        eventually("the alert that waits", async || (!steady(engine).await.is_empty()).then_some(())).await;
    }
    compare(&ours, &theirs, 0, 12, &mut dice).await;

    let down_ms = now_ms();
    let (data_dir, stopped) = tokio::join!(server.kill(), prometheus.kill());
    let server = Server::start("serve", data_dir, &arguments).await;
    let prometheus = stopped.restart().await;
    let (ours, theirs) = engines(&server, &prometheus);
    for engine in [&ours, &theirs] {
        let is_back = async || steady(engine).await.iter().any(|(at_ms, _)| *at_ms > down_ms).then_some(());
        eventually("the alert that waits, taken up", is_back).await;
        let (later_ms, away_ms) = waited_longer(engine, down_ms).await;
        assert!((later_ms - away_ms).abs() <= INTERVAL_MS, "{}: {later_ms} ms later, {away_ms} ms away", engine.0);
    }
    compare(&ours, &theirs, 1_000, 8, &mut dice).await;
}
