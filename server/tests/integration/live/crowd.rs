//! Many subscribers to the same query, one of which is too slow.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio_tungstenite::{
    MaybeTlsStream, client_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    common::{EngineStub, Live, PATIENCE, Server, TOKEN},
    live::{Rig, times},
};

const STEP_MS: i64 = 1_000;
/// Subscriptions of the slow client.
const KEPT: u64 = 5;

#[tokio::test]
async fn however_many_look_a_query_is_evaluated_once_a_step() {
    let stub = EngineStub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    let expr = "sum(looked_at)";
    let mut crowd = Vec::new();
    for number in 0..30 {
        let mut live = if number % 2 == 0 { Live::open(&server).await } else { Live::open_binary(&server).await };
        live.subscribe_query(1, expr, 20_000, STEP_MS).await;
        live.expect(1, "snapshot").await;
        crowd.push(live);
    }
    let mut ends = BTreeSet::new();
    for live in &mut crowd {
        for _ in 0..4 {
            ends.insert(live.expect(1, "delta").await["data"]["end_ms"].as_i64().unwrap());
        }
    }
    let asked = stub.asked("query_range", expr);
    let asked_for: BTreeSet<&str> = asked
        .iter()
        .map(|pairs| pairs.iter().find(|(name, _)| name == "end").map(|(_, value)| value.as_str()).unwrap())
        .collect();
    assert_eq!(asked.len(), asked_for.len(), "a step was asked for twice");
    assert!(ends.len() <= asked.len() && asked.len() < 30, "{} requests, {} steps", asked.len(), ends.len());
    // After the first one, requests are for new steps only.
    for pairs in &asked[1..] {
        let second = |wanted: &str| -> f64 {
            pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.parse().unwrap()).unwrap()
        };
        assert!(second("end") - second("start") < 10.0, "the window again: {pairs:?}");
    }
    drop(crowd);
}

#[tokio::test]
async fn a_slow_reader_delays_nobody_and_gets_the_whole_again() {
    let rig = Rig::start().await;
    let everything = r#"{__name__=~".+"}"#;
    let window_ms = 3_000;
    let mut slow = slow_reader(&rig.server).await;
    for id in 1..=200 {
        slow.subscribe_query(id, everything, window_ms, STEP_MS).await;
    }

    // While it reads nothing, another client gets each step.
    let mut quick = Live::open(&rig.server).await;
    quick.subscribe_query(1, everything, window_ms, STEP_MS).await;
    let mut end_ms = quick.expect(1, "snapshot").await["data"]["end_ms"].as_i64().unwrap();
    for _ in 0..8 {
        let delta = quick.expect(1, "delta").await;
        let steps: BTreeSet<i64> = times(&delta["data"]).into_iter().collect();
        // A rule's samples arrive after the evaluation of the step that reads them; the step is then sent again.
        let next = match delta["data"]["replaces"][0].as_i64() {
            Some(again_from) => again_from.min(end_ms + STEP_MS),
            None => end_ms + STEP_MS,
        };
        assert_eq!(steps.first(), Some(&next), "a step was left out");
        end_ms = delta["data"]["end_ms"].as_i64().unwrap();
    }

    // Then it reads, and unsubscribes from some. No subscription may continue after a gap: a snapshot comes first.
    for id in KEPT + 1..=200 {
        slow.send(&json!({"type": "unsubscribe", "id": id})).await;
    }
    let mut ends: BTreeMap<u64, i64> = BTreeMap::new();
    let mut snapshots: BTreeMap<u64, usize> = BTreeMap::new();
    let caught_up = async {
        while (1..=KEPT).any(|id| ends.get(&id).is_none_or(|known| *known < end_ms)) {
            let message = slow.next().await;
            let Some(id) = message["id"].as_u64() else { continue };
            let Some(end_ms) = message["data"]["end_ms"].as_i64() else { continue };
            if message["type"] == "snapshot" {
                *snapshots.entry(id).or_default() += 1;
            } else {
                let first = times(&message["data"]).into_iter().min().unwrap();
                let known = ends[&id];
                assert!(first <= known + STEP_MS, "subscription {id} goes on at {first} after {known}");
            }
            ends.insert(id, end_ms);
        }
    };
    tokio::time::timeout(PATIENCE, caught_up).await.expect("it catches up");
    assert!((1..=KEPT).any(|id| snapshots[&id] > 1), "nobody lost anything: the test is too small");
}

/// A client with small kernel buffers, so that the server soon has to wait.
async fn slow_reader(server: &Server) -> Live {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let mut request = format!("ws://{}/ws", server.address).into_client_request().unwrap();
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap());
    let (socket, _) = client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
    Live { socket, hello: Value::Null, protocol: None }
}
