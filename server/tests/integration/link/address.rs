//! Daemons that are not at the root of a host: behind a path, a login, TLS.

use axum::{
    Json, Router,
    extract::ws::{Message, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::get,
};
use model::{job::JobStatus, upstream::UpstreamState};

use crate::link::world::World;

const STATUS: &str = r#"{"version":"0.0.1","uptime":"1h","total_jobs":1,"timestamp":"2026-03-01T10:00:00Z"}"#;
const METRICS: &str = r#"{"type":"metrics","timestamp":"2026-03-01T10:00:01Z","data":{"raw":{"uptime_seconds":3601,
    "recent_jobs":[{"id":"a","name":"web","status":"running","progress":5}]}}}"#;

/// `user:pa ss` in base 64.
fn is_logged_in(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|value| value == "Basic dXNlcjpwYSBzcw==")
}

async fn status(headers: HeaderMap) -> Response {
    if is_logged_in(&headers) { STATUS.into_response() } else { StatusCode::UNAUTHORIZED.into_response() }
}

async fn socket(headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if !is_logged_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    upgrade.on_upgrade(|mut socket| async move {
        while socket.send(Message::Text(METRICS.into())).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_path_and_a_login() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let daemon = Router::new().route("/status", get(status)).route("/ws", get(socket));
    let app = Router::new().nest("/hyper/v", daemon).fallback(|| async { Json("nothing here") });
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    let world = World::to(&format!("http://user:pa%20ss@{addr}/hyper/v/"));
    world.state(UpstreamState::Live).await;
    let job = world.until("the job", |world| world.upstreams.job("sim", "a")).await;
    assert_eq!((job.status, job.percent), (JobStatus::Running, Some(5.0)));
    world.end().await;

    let world = World::to(&format!("http://user:wrong-one@{addr}/hyper/v"));
    let error = world.error("refuses access").await;
    assert!(!error.contains("wrong-one") && !error.contains("user"), "{error}");
    world.end().await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_port_asked_for_tls_is_down_with_a_reason() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, Router::new()).await.unwrap() });
    let world = World::to(&format!("https://{addr}"));
    let error = world.error("cannot reach https://").await;
    assert_eq!(world.upstreams.statuses()[0].state, UpstreamState::Down, "{error}");
    world.end().await;
    server.abort();
}
