//! Live queries: the snapshot, the deltas, and the end.

use serde_json::{Value, json};

use crate::{
    common::{Live, Simulator},
    live::{Rig, times},
};

const STEP_MS: i64 = 1_000;
const WINDOW_MS: i64 = 20_000;

/// The times of a frame's only series, which strictly increase and are multiples of the step.
fn aligned(frame: &Value) -> Vec<i64> {
    let times = times(frame);
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert!(times.iter().all(|ms| ms % STEP_MS == 0), "{times:?}");
    times
}

#[tokio::test]
async fn a_snapshot_is_the_window_and_deltas_are_what_is_new() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    // It has a point at each step.
    live.subscribe_query(1, "vector(time())", WINDOW_MS, STEP_MS).await;
    let snapshot = live.expect(1, "snapshot").await;
    let mut known = aligned(&snapshot["data"]);
    let end_ms = snapshot["data"]["end_ms"].as_i64().unwrap();
    let whole: Vec<i64> = (0..=WINDOW_MS / STEP_MS).map(|back| end_ms - WINDOW_MS + back * STEP_MS).collect();
    assert_eq!(known, whole, "the whole window, at each step");
    let mut seq = snapshot["seq"].as_u64().unwrap();
    for _ in 0..5 {
        let delta = live.expect(1, "delta").await;
        let newer = aligned(&delta["data"]);
        assert_eq!(newer.first(), Some(&(known.last().unwrap() + STEP_MS)), "no point twice and none left out");
        let values = delta["data"]["series"][0]["values"].as_array().unwrap();
        assert!(values.iter().zip(&newer).all(|(value, ms)| value.as_f64().unwrap() * 1000.0 == *ms as f64), "{delta}");
        known.extend(newer);
        assert_eq!(delta["data"]["end_ms"].as_i64(), known.last().copied());
        let newer_seq = delta["seq"].as_u64().unwrap();
        assert!(newer_seq > seq);
        seq = newer_seq;
    }
}

#[tokio::test]
async fn a_series_that_left_the_window_is_named() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    let gone_at = (crate::common::now_ms() / 1000 + 4) as f64;
    live.subscribe_query(1, &format!("vector(1) and (vector(time()) < {gone_at})"), 3_000, STEP_MS).await;
    let snapshot = live.expect(1, "snapshot").await;
    assert!(!times(&snapshot["data"]).is_empty(), "{snapshot}");
    let delta = live.until("a removal", |message| !message["data"]["removed"].is_null()).await;
    assert_eq!(delta["data"]["removed"], json!([{}]));
    let delta = live.expect(1, "delta").await;
    assert_eq!(delta["data"]["series"], json!([]));
    assert!(delta["data"]["removed"].is_null(), "said twice: {delta}");
}

#[tokio::test]
async fn an_instant_query_has_the_newest_value_alone() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    live.send(&json!({"type": "subscribe", "id": 1, "topic": "query", "expr": "vector(time())", "step_ms": STEP_MS, "instant": true}))
        .await;
    let mut last = 0;
    for kind in ["snapshot", "delta", "delta", "delta"] {
        let message = live.expect(1, kind).await;
        let times = aligned(&message["data"]);
        assert_eq!(times.len(), 1, "{message}");
        assert!(times[0] > last, "{message}");
        last = times[0];
    }
}

#[tokio::test]
async fn what_json_has_no_number_for_is_a_word() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    for (id, expr, word) in [(1, "vector(NaN)", "NaN"), (2, "vector(1/0)", "+Inf"), (3, "vector(-1/0)", "-Inf")] {
        live.subscribe_query(id, expr, WINDOW_MS, STEP_MS).await;
        assert_eq!(live.about(id).await["data"]["series"][0]["values"][0], word);
    }
}

#[tokio::test]
async fn after_unsubscribe_nothing_more_comes() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    for id in [1, 2] {
        live.subscribe_query(id, "vector(time())", WINDOW_MS, STEP_MS).await;
        live.expect(id, "snapshot").await;
    }
    live.send(&json!({"type": "unsubscribe", "id": 1})).await;
    // The answer to this comes after the end of the subscription.
    live.subscribe(3, "alerts").await;
    live.expect(3, "snapshot").await;
    for _ in 0..3 {
        let message = live.next().await;
        assert_eq!(message["id"], 2, "{message}");
    }
    // The id is free again, and begins with a snapshot.
    live.subscribe_query(1, "vector(time())", WINDOW_MS, STEP_MS).await;
    live.expect(1, "snapshot").await;
}

#[tokio::test]
async fn a_source_that_stops_is_told_to_those_who_look_and_so_is_its_return() {
    let mut rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=jobs,upstreams").await;
    live.subscribe_query(3, "up", WINDOW_MS, STEP_MS).await;
    live.expect(3, "snapshot").await;
    rig.simulator.program.signal("KILL").await;
    let mut concerned = std::collections::BTreeSet::new();
    while concerned.len() < 2 {
        let status = live.until("stale", |message| message["type"] == "status" && message["fresh"] == false).await;
        assert!(status["since"].as_i64().is_some_and(|since| since > 1_700_000_000_000), "{status}");
        assert!(status["reason"].as_str().is_some_and(|reason| reason.contains("sim")), "{status}");
        concerned.insert(status["id"].as_u64().unwrap());
    }
    assert_eq!(concerned.into_iter().collect::<Vec<_>>(), [1, 3]);
    // A new subscriber is notified too.
    let mut late = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    late.until("stale", |message| message["type"] == "status" && message["fresh"] == false).await;
    let address = rig.simulator.url.trim_start_matches("http://");
    let _simulator = Simulator::start_at(address, "documented", &[]).await;
    for mut live in [live, late] {
        live.until("fresh again", |message| message["type"] == "status" && message["fresh"] == true).await;
    }
}
