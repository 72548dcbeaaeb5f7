//! Faults on request.

mod common;

use std::time::Duration;

use common::{get, next_of, next_text, open, post, request, start, start_with};
use daemon_sim::{Dialect, Fault, FaultKind, SimOptions, Simulator};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn a_dropped_socket_ends_without_a_close_frame_and_can_be_opened_again() {
    let simulator = start(Dialect::Stock).await;
    let mut socket = open(simulator.addr(), "/ws", &[]).await.unwrap();
    next_of(&mut socket, "status").await;
    assert_eq!(post(simulator.addr(), "/sim/fault", r#"{"kind":"drop_socket"}"#).await.status, 204);
    while next_text(&mut socket).await.is_some() {}
    let mut socket = open(simulator.addr(), "/ws", &[]).await.unwrap();
    next_of(&mut socket, "metrics").await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn garbage_is_one_message_that_is_no_json() {
    let simulator = start(Dialect::Documented).await;
    let mut socket = open(simulator.addr(), "/ws", &[]).await.unwrap();
    next_of(&mut socket, "system.metrics").await;
    simulator.inject(Fault::new(FaultKind::Garbage, 0.0));
    let mut bad = 0;
    for _ in 0..20 {
        let text = next_text(&mut socket).await.unwrap();
        bad += usize::from(serde_json::from_str::<serde_json::Value>(&text).is_err());
    }
    assert_eq!(bad, 1);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_huge_frame_is_as_large_as_asked() {
    let simulator = start(Dialect::Stock).await;
    let mut socket = open(simulator.addr(), "/ws", &[]).await.unwrap();
    next_of(&mut socket, "jobs").await;
    assert_eq!(post(simulator.addr(), "/sim/fault", r#"{"kind":"huge_frame","bytes":3000000}"#).await.status, 204);
    loop {
        let text = next_text(&mut socket).await.unwrap();
        if text.contains("padding") {
            assert_eq!(text.len(), 3_000_000);
            break;
        }
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn silence_sends_nothing_until_it_is_over() {
    let simulator = start(Dialect::Stock).await;
    simulator.inject(Fault::new(FaultKind::Silence, 0.0));
    let mut socket = open(simulator.addr(), "/ws", &[]).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1_600), next_text(&mut socket)).await.is_err());
    assert_eq!(request(simulator.addr(), "DELETE /sim/fault", &[], "").await.unwrap().status, 204);
    next_of(&mut socket, "metrics").await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn answers_fail_come_late_or_are_refused() {
    let simulator = start_with(SimOptions { faults: vec!["http_500".parse().unwrap()], ..SimOptions::default() }).await;
    let addr = simulator.addr();
    assert_eq!(get(addr, "/health").await.status, 500);
    let state = get(addr, "/sim/state").await.json();
    assert_eq!(state["faults"][0], "http_500");
    simulator.heal();
    simulator.inject(Fault { delay_ms: Some(300), ..Fault::new(FaultKind::Slow, 60.0) });
    let begin = std::time::Instant::now();
    assert_eq!(get(addr, "/health").await.status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    simulator.heal();
    simulator.inject(Fault::new(FaultKind::RefuseUpgrade, 60.0));
    assert_eq!(open(addr, "/ws", &[]).await.err(), Some(503));
    assert_eq!(post(addr, "/sim/fault", r#"{"kind":"explode"}"#).await.status, 400);
    simulator.shutdown().await;
}

#[tokio::test]
async fn answers_are_a_web_page_or_half_of_what_they_were() {
    let simulator = start(Dialect::Stock).await;
    let addr = simulator.addr();
    let whole = get(addr, "/jobs/query?all=true").await;
    simulator.inject(Fault::new(FaultKind::HalfJson, 60.0));
    let half = get(addr, "/jobs/query?all=true").await;
    assert_eq!(half.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&half.body).is_err());
    assert!(half.body.len() > whole.body.len() / 3, "{} of {}", half.body.len(), whole.body.len());
    next_of(&mut open(addr, "/ws", &[]).await.unwrap(), "metrics").await;
    simulator.heal();
    simulator.inject(Fault::new(FaultKind::Html, 60.0));
    assert!(get(addr, "/status").await.text().starts_with("<!doctype html>"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_restart_empties_it_and_refuses_connections_for_a_while() {
    let simulator = start(Dialect::Stock).await;
    let addr = simulator.addr();
    let mut socket = open(addr, "/ws", &[]).await.unwrap();
    next_of(&mut socket, "jobs").await;
    assert!(get(addr, "/status").await.json()["total_jobs"].as_u64().unwrap() > 10);
    let mut kept = TcpStream::connect(addr).await.unwrap();
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(kept.read_buf(&mut Vec::new()).await.unwrap() > 0);
    simulator.inject(Fault::new(FaultKind::Restart, 1.0));
    while next_text(&mut socket).await.is_some() {}
    let rest = tokio::time::timeout(Duration::from_secs(1), kept.read_to_end(&mut Vec::new())).await;
    assert!(rest.is_ok(), "a connection without a request is closed too");
    assert!(request(addr, "GET /status", &[], "").await.is_none(), "down");
    let status = loop {
        match request(addr, "GET /status", &[], "").await {
            Some(answer) => break answer.json(),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert!(status["total_jobs"].as_u64().unwrap() <= 3, "{status}");
    simulator.shutdown().await;
}

#[tokio::test]
async fn shutdown_ends_every_connection_and_frees_the_port() {
    let simulator = start(Dialect::Documented).await;
    let addr = simulator.addr();
    let mut socket = open(addr, "/ws", &[]).await.unwrap();
    next_of(&mut socket, "system.metrics").await;
    assert_eq!(simulator.sockets(), 1);
    tokio::time::timeout(Duration::from_secs(5), simulator.shutdown()).await.expect("ends in time");
    while next_text(&mut socket).await.is_some() {}
    let again = Simulator::start(SimOptions { listen: addr, ..SimOptions::default() }).await.unwrap();
    let refused = Simulator::start(SimOptions { listen: addr, ..SimOptions::default() }).await.unwrap_err();
    assert!(refused.to_string().contains(&addr.to_string()));
    again.shutdown().await;
}
