//! The greeting, subscriptions, and rejected subscriptions.

use ciborium::Value as Cbor;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    common::{Live, TOKEN},
    live::Rig,
};

#[tokio::test]
async fn every_form_greets_and_gives_snapshots_of_all_topics() {
    let rig = Rig::start().await;
    rig.simulator.submit("first").await;
    for protocol in [Some("hyperscope.v1.json"), Some("hyperscope.v1.bin"), None] {
        let mut live = Live::try_open(&rig.server, "/ws", protocol, TOKEN).await.unwrap();
        assert_eq!(live.protocol.as_deref(), protocol);
        assert_eq!(live.hello["protocol"], 1);
        assert_eq!(live.hello["role"], "admin");
        assert!(live.hello["boot_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert!(live.hello["version"].is_string());

        for (id, topic) in [(10, "jobs"), (11, "system"), (12, "alerts"), (13, "upstreams")] {
            live.subscribe(id, topic).await;
            let snapshot = live.expect(id, "snapshot").await;
            assert!(snapshot["seq"].is_u64(), "{snapshot}");
            assert!(snapshot["data"][topic].is_array(), "{protocol:?} {topic}: {snapshot}");
        }
        live.subscribe_query(14, "up", 10_000, 1_000).await;
        live.expect(14, "snapshot").await;
        // Its first point may not be there yet.
        let points = live.until("points", |message| message["data"]["series"][0].is_object()).await;
        let series = &points["data"]["series"][0];
        assert_eq!((&points["id"], &series["labels"]["daemon"]), (&json!(14), &json!("sim")), "{points}");
        let columns = [&series["timestamps"], &series["values"]].map(|column| column.as_array().unwrap().len());
        assert!(columns[0] > 0 && columns[0] == columns[1], "{points}");
    }
}

#[tokio::test]
async fn the_binary_form_packs_columns() {
    let rig = Rig::start().await;
    let mut live = Live::open_binary(&rig.server).await;
    live.subscribe_query(1, "vector(42)", 10_000, 1_000).await;
    let Message::Binary(bytes) = live.next_frame().await else { panic!("not binary") };
    let message: Cbor = ciborium::from_reader(bytes.as_ref()).unwrap();
    assert_eq!(member(&message, "type"), &Cbor::from("snapshot"));
    let series = &member(member(&message, "data"), "series").as_array().unwrap()[0];
    let times = member(series, "timestamps").as_bytes().expect("a byte string");
    let values = member(series, "values").as_bytes().expect("a byte string");
    assert_eq!(times.len(), values.len());
    let newest = times.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap())).next_back().unwrap();
    assert!((crate::common::now_ms() - newest).abs() < 60_000, "{newest} is not now");
    let value = values.chunks_exact(8).map(|eight| f64::from_le_bytes(eight.try_into().unwrap())).next_back();
    assert_eq!(value, Some(42.0));
}

fn member<'a>(map: &'a Cbor, name: &str) -> &'a Cbor {
    let entries = map.as_map().expect("a map");
    entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value).expect(name)
}

#[tokio::test]
async fn topics_of_the_url_are_subscribed_in_their_order() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=system,jobs,upstreams,alerts").await;
    for (id, topic) in [(1, "system"), (2, "jobs"), (3, "upstreams"), (4, "alerts")] {
        assert!(live.expect(id, "snapshot").await["data"][topic].is_array());
    }
    // Another id is free.
    live.subscribe(5, "jobs").await;
    live.expect(5, "snapshot").await;

    let refused = Live::try_open(&rig.server, "/ws?topics=jobs,weather", None, TOKEN).await;
    assert_eq!(refused.err(), Some(StatusCode::BAD_REQUEST));
}

#[tokio::test]
async fn what_is_wrong_is_told_by_code_and_the_connection_goes_on() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    let query = |id: u64, expr: &str, window_ms: i64, step_ms: i64| json!({"type": "subscribe", "id": id, "topic": "query", "expr": expr, "window_ms": window_ms, "step_ms": step_ms});
    live.subscribe(1, "jobs").await;
    live.expect(1, "snapshot").await;
    for (message, id, code, words) in [
        (json!({"type": "subscribe", "id": 1, "topic": "system"}), json!(1), "bad_request", "unsubscribe"),
        (json!({"type": "subscribe", "id": 2, "topic": "weather"}), Value::Null, "bad_request", "weather"),
        (json!({"type": "dance"}), Value::Null, "bad_request", "dance"),
        (json!("not an object"), Value::Null, "bad_request", ""),
        (query(2, "sum(", 60_000, 1_000), json!(2), "bad_query", "parse error"),
        (query(2, "no_such_function(up)", 60_000, 1_000), json!(2), "bad_query", "no_such_function"),
        (query(2, "up", 60_000, 999), json!(2), "bad_query", "1000 ms"),
        (query(2, "up", 500, 1_000), json!(2), "bad_query", "window_ms"),
        (query(2, "up", 11_001_000, 1_000), json!(2), "bad_query", "11000"),
    ] {
        live.send(&message).await;
        let answer = live.until("an error", |answer| answer["type"] == "error").await;
        assert_eq!((&answer["id"], &answer["code"]), (&id, &json!(code)), "{message}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{message}: {answer}");
    }
    // The id of a failed subscription is free, and the first subscription continues.
    live.subscribe(2, "system").await;
    live.expect(2, "snapshot").await;
    let job = rig.simulator.submit("after the errors").await;
    assert_eq!(live.job_event("job.status", &job).await["id"], 1);
}

#[tokio::test]
async fn a_socket_has_256_subscriptions() {
    let rig = Rig::start().await;
    let mut live = Live::open(&rig.server).await;
    for id in 1..=256 {
        live.subscribe(id, "alerts").await;
        live.expect(id, "snapshot").await;
    }
    live.subscribe(257, "alerts").await;
    assert_eq!(live.expect(257, "error").await["code"], "limit");
    live.send(&json!({"type": "unsubscribe", "id": 7})).await;
    live.subscribe(257, "alerts").await;
    live.expect(257, "snapshot").await;
}
