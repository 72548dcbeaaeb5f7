//! Late samples: subscribers of a live query end up with the result of a range query, and so do later subscribers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::common::{Live, PATIENCE, Prometheus, Server, now_ms};
use model::frame::{Frame, Labels};
use serde_json::{Value, json};

const STEP_MS: i64 = 15_000;
const MINUTE_MS: i64 = 60_000;
const WINDOW_MS: i64 = 30 * MINUTE_MS;

/// Points by series; values in the format of the API. Received in the binary form, whose numbers are exact in every
/// parser.
type Points = BTreeMap<Labels, BTreeMap<i64, String>>;

/// The state of a live query in a client.
struct Followed {
    id: u64,
    expr: String,
    frame: Frame,
}

impl Followed {
    async fn start(live: &mut Live, id: u64, expr: &str) -> Self {
        live.subscribe_query(id, expr, WINDOW_MS, STEP_MS).await;
        let snapshot = live.expect(id, "snapshot").await;
        Followed { id, expr: expr.to_owned(), frame: serde_json::from_value(snapshot["data"].clone()).unwrap() }
    }

    fn take(&mut self, message: &Value) {
        let data = || serde_json::from_value::<Frame>(message["data"].clone()).unwrap();
        match message["type"].as_str().unwrap() {
            "delta" => {
                self.frame.apply(&data(), WINDOW_MS);
            }
            "snapshot" => self.frame = data(),
            other => panic!("{other}: {message}"),
        }
    }

    fn points(&self) -> Points {
        let of_series = |series: &model::frame::Series| {
            let points = series.points().map(|(time, value)| (time, value.to_string()));
            (Labels::clone(&series.labels), points.collect())
        };
        self.frame.series.iter().map(of_series).collect()
    }

    /// The result of a range query over the same steps.
    #[allow(clippy::cast_possible_truncation)] // seconds since the Unix epoch
    async fn range(&self, server: &Server) -> Points {
        let (end, start) = (self.frame.end_ms, self.frame.end_ms - WINDOW_MS);
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let pairs =
            [("query", self.expr.clone()), ("start", seconds(start)), ("end", seconds(end)), ("step", "15".into())];
        let answer = server.get("/api/v1/query_range").query(&pairs).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let point = |point: &Value| {
            let value: f64 = point[1].as_str().unwrap().parse().unwrap();
            ((point[0].as_f64().unwrap() * 1000.0).round() as i64, value.to_string())
        };
        let series = |series: &Value| {
            let labels = serde_json::from_value(series["metric"].clone()).unwrap();
            (labels, series["values"].as_array().unwrap().iter().map(point).collect())
        };
        result.iter().map(series).collect()
    }
}

/// Reads messages until each query equals a range query over the same steps, and `enough` is true.
async fn until_all_agree(
    server: &Server,
    live: &mut Live,
    followed: &mut [Followed],
    enough: impl Fn(&Followed) -> bool,
) {
    let mut open: BTreeSet<u64> = followed.iter().map(|one| one.id).collect();
    let waiting = async {
        while !open.is_empty() {
            for one in followed.iter() {
                if open.contains(&one.id) && enough(one) && one.points() == one.range(server).await {
                    open.remove(&one.id);
                }
            }
            if let Some(id) = open.first() {
                let message = live.until("a message", |message| message["id"].is_u64()).await;
                let one = followed.iter_mut().find(|one| message["id"] == one.id).unwrap_or_else(|| panic!("{id}"));
                one.take(&message);
            }
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err()
        && let Some(one) = followed.iter().find(|one| open.contains(&one.id))
    {
        let (live, range) = (one.points(), one.range(server).await);
        let flat = |points: &Points| -> BTreeSet<(Labels, i64, String)> {
            let each = points.iter().flat_map(|(labels, points)| points.iter().map(move |point| (labels, point)));
            each.map(|(labels, (time, value))| (labels.clone(), *time, value.clone())).collect()
        };
        let (live, range) = (flat(&live), flat(&range));
        let (gone, missing): (Vec<_>, Vec<_>) =
            (live.difference(&range).take(3).collect(), range.difference(&live).take(3).collect());
        panic!("{} until {}: live {gone:?}, by a range query {missing:?}", one.expr, one.frame.end_ms);
    }
}

/// A sample of a counter every 15 s, between these numbers of minutes ago.
fn samples(now_ms: i64, from_min: i64, to_min: i64) -> Vec<(i64, f64)> {
    let begin = now_ms - 40 * MINUTE_MS;
    let times = (now_ms - from_min * MINUTE_MS..=now_ms - to_min * MINUTE_MS).step_by(15_000);
    times.map(|time| (time, f64::from(u32::try_from((time - begin) / 1000).unwrap()))).collect()
}

fn agent(samples: &[(i64, f64)]) -> remote_write::TimeSeries {
    crate::common::series("lagging", &[("agent", "a")], samples)
}

/// Checks that a page loaded now has the points of a query of the whole range, without a gap.
async fn a_reload_has_no_hole(server: &Server) {
    let mut later = Live::open_binary(server).await;
    let reloaded = Followed::start(&mut later, 1, "lagging").await;
    assert_eq!(reloaded.points(), reloaded.range(server).await);
    assert!(reloaded.points().values().all(|points| points.len() > 110), "no hole");
}

#[tokio::test]
async fn a_backlog_fills_the_hole_for_all_who_look() {
    let server = Server::serve(&["--out-of-order-window", "1h"]).await;
    let now_ms = now_ms();
    let other = crate::common::series("lagging", &[("agent", "other")], &samples(now_ms, 40, 0));
    let both = vec![agent(&samples(now_ms, 40, 16)), other];
    assert!(crate::common::write(&server, both).await.status().is_success());
    // New samples before the backlog: the backlog is out of order.
    assert!(crate::common::write(&server, vec![agent(&samples(now_ms, 1, 0))]).await.status().is_success());

    let mut live = Live::open_binary(&server).await;
    let mut followed = Vec::new();
    for (id, expr) in (1..).zip([
        "lagging".to_owned(),
        "sum(rate(lagging[5m]))".to_owned(),
        "lagging{agent=\"a\"} offset 5m".to_owned(),
        "sum by (agent) (increase(lagging[10m] anchored))".to_owned(),
        "max_over_time(lagging[10m:30s])".to_owned(),
        "absent(lagging{agent=\"a\"})".to_owned(),
        format!("lagging @ {}", (now_ms - 8 * MINUTE_MS) / 1000),
        "sum(lagging) - sum(lagging @ end())".to_owned(),
        "count({__name__=~\"lag.+\"})".to_owned(),
    ]) {
        followed.push(Followed::start(&mut live, id, &expr).await);
    }
    let before: Vec<Points> = followed.iter().map(Followed::points).collect();
    assert!(crate::common::write(&server, vec![agent(&samples(now_ms, 16, 1))]).await.status().is_success());
    until_all_agree(&server, &mut live, &mut followed, |one| {
        let before = &before[usize::try_from(one.id).unwrap() - 1];
        let hole = now_ms - 10 * MINUTE_MS..now_ms - 6 * MINUTE_MS;
        let in_hole = |points: &Points| -> Vec<(Labels, i64, String)> {
            let of = |(labels, points): (&Labels, &BTreeMap<i64, String>)| {
                points
                    .range(hole.clone())
                    .map(|(time, value)| (labels.clone(), *time, value.clone()))
                    .collect::<Vec<_>>()
            };
            points.iter().flat_map(of).collect()
        };
        in_hole(before) != in_hole(&one.points())
    })
    .await;

    a_reload_has_no_hole(&server).await;
}

#[tokio::test]
async fn a_late_sample_changes_an_instant_query_and_rules_results_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    let text = "groups: [{name: late, interval: 1s, rules: [{record: lagging_sum, expr: sum(lagging)}]}]";
    std::fs::write(&rules, text).unwrap();
    let server = Server::serve(&["--rules", rules.to_str().unwrap()]).await;
    let mut live = Live::open_binary(&server).await;
    let mut rule = vec![Followed::start(&mut live, 1, "lagging_sum").await];
    let subscribe = json!({"type": "subscribe", "id": 2, "topic": "query", "expr": "sum(lagging)", "step_ms": 3_600_000, "instant": true});
    live.send(&subscribe).await;
    let snapshot = live.expect(2, "snapshot").await;
    let evaluated_ms = snapshot["data"]["end_ms"].as_i64().unwrap();
    assert_eq!(snapshot["data"]["series"], json!([]));
    // The hour's value is from the beginning of the hour, and a sample from a minute earlier arrives now.
    let late = vec![crate::common::series("lagging", &[], &[(evaluated_ms - MINUTE_MS, 7.0)])];
    assert!(crate::common::write(&server, late).await.status().is_success());
    let delta = live.until("the value", |message| message["id"] == 2).await;
    assert_eq!((&delta["type"], &delta["data"]["series"][0]["values"]), (&json!("delta"), &json!([7.0])), "{delta}");
    assert_eq!(delta["data"]["end_ms"], evaluated_ms);

    assert!(
        crate::common::write(&server, vec![crate::common::series("lagging", &[], &[(now_ms(), 8.0)])])
            .await
            .status()
            .is_success()
    );
    until_all_agree(&server, &mut live, &mut rule, |one| one.points().values().any(|points| !points.is_empty())).await;
}

#[tokio::test]
async fn a_steady_late_sender_causes_few_evaluations() {
    let server = Server::serve(&["--out-of-order-window", "1h"]).await;
    let now_ms = now_ms();
    assert!(crate::common::write(&server, vec![agent(&samples(now_ms, 40, 0))]).await.status().is_success());
    let mut live = Live::open_binary(&server).await;
    let mut followed = vec![Followed::start(&mut live, 1, "lagging").await];
    let started = Instant::now();
    let mut late = now_ms - 20 * MINUTE_MS + 1;
    while started.elapsed() < Duration::from_secs(6) {
        late += 1_000;
        assert!(crate::common::write(&server, vec![agent(&[(late, 1.0)])]).await.status().is_success());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Three corrections fit into this time, and one more for a slow machine.
    let most = started.elapsed().as_secs() / 5 + 3;
    let mut corrections = 0;
    until_all_agree(&server, &mut live, &mut followed, |one| {
        one.frame.series.iter().any(|series| series.values.contains(&1.0))
    })
    .await;
    live.send(&json!({"type": "unsubscribe", "id": 1})).await;
    live.subscribe_query(2, "1", WINDOW_MS, STEP_MS).await;
    loop {
        let message = live.next().await;
        if message["id"] == 2 {
            break;
        }
        corrections += u64::from(!message["data"]["replaces"].is_null());
    }
    assert!(corrections <= most, "{corrections}");
}

/// Subscribes to a query over a Prometheus that receives a backlog.
async fn in_front_of(prometheus: &Prometheus, then: &[(i64, i64)]) {
    let now_ms = now_ms();
    let write = async |samples: &[(i64, f64)]| {
        let request = crate::common::client().post(format!("{}/api/v1/write", prometheus.url));
        let answer = crate::common::with_body(request, crate::common::body(vec![agent(samples)])).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    };
    write(&samples(now_ms, 40, 16)).await;
    for (from, to) in &then[..then.len() - 1] {
        write(&samples(now_ms, *from, *to)).await;
    }
    let server = Server::serve(&["--prometheus-url", &prometheus.url]).await;
    let mut live = Live::open_binary(&server).await;
    let mut followed = Vec::new();
    for (id, expr) in (1..).zip(["lagging", "sum(rate(lagging[5m]))"]) {
        followed.push(Followed::start(&mut live, id, expr).await);
    }
    let (from, to) = then[then.len() - 1];
    write(&samples(now_ms, from, to)).await;
    let hole = now_ms - 9 * MINUTE_MS..now_ms - 8 * MINUTE_MS;
    until_all_agree(&server, &mut live, &mut followed, |one| {
        one.points().values().any(|points| points.range(hole.clone()).next().is_some())
    })
    .await;
    a_reload_has_no_hole(&server).await;
}

#[tokio::test]
async fn a_backlog_that_another_engine_got_is_seen_as_well() {
    in_front_of(&Prometheus::with_rules("groups: []").await, &[(15, 0)]).await;
}

#[tokio::test]
async fn what_another_engine_took_out_of_order_is_seen_as_well() {
    let config = "storage: {tsdb: {out_of_order_time_window: 2h}}\n";
    in_front_of(&Prometheus::with_config(config).await, &[(1, 0), (15, 1)]).await;
}
