//! A server that is killed loses no more than the last scrape.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Clippy takes helpers of tests for something else.

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::{Server, Simulator, eventually};
use serde_json::Value;
use tempfile::TempDir;

/// Samples by series: time in milliseconds and value as text.
type Samples = BTreeMap<String, Vec<(i64, String)>>;

/// All samples of the daemon's series as the store has them.
async fn samples(server: &Server) -> Samples {
    let expr = r#"{__name__=~"hypersdk_.+|up",daemon="sim"}[1h]"#;
    let answer = server.get("/api/v1/query").query(&[("query", expr)]).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["status"], "success", "{answer}");
    let series = answer["data"]["result"].as_array().unwrap();
    series.iter().map(|one| (one["metric"].to_string(), points(&one["values"]))).collect()
}

fn points(values: &Value) -> Vec<(i64, String)> {
    let point = |pair: &Value| {
        let ms = format!("{:.3}", pair[0].as_f64().unwrap()).replace('.', "").parse().unwrap();
        (ms, pair[1].as_str().unwrap().to_owned())
    };
    values.as_array().unwrap().iter().map(point).collect()
}

fn scrapes(samples: &Samples) -> Vec<i64> {
    let up = samples.iter().find(|(series, _)| series.contains(r#""__name__":"up""#));
    up.map(|(_, points)| points.iter().map(|(ms, _)| *ms).collect()).unwrap_or_default()
}

#[tokio::test]
async fn what_was_scraped_before_a_kill_is_there_after_it() {
    let simulator = Simulator::start("documented", &[]).await;
    let daemon = simulator.named("sim");
    let args = ["--daemon-url", daemon.as_str(), "--scrape-interval", "1s"];
    let data_dir = Arc::new(TempDir::new().unwrap());
    let mut before = Samples::new();
    for round in 1..=4 {
        let server = Server::start("serve", Arc::clone(&data_dir), &args).await;
        let known = samples(&server).await;
        let last = scrapes(&before).last().copied().unwrap_or(0);
        for (series, points) in &before {
            let kept = known.get(series).map(Vec::as_slice).unwrap_or_default();
            for point in points.iter().filter(|(ms, _)| *ms < last) {
                assert!(kept.contains(point), "round {round}: {series} lost {point:?} of the scrapes up to {last}");
            }
        }
        let grown = scrapes(&known).len() + 4;
        before = eventually("more scrapes", async || {
            let samples = samples(&server).await;
            (scrapes(&samples).len() >= grown).then_some(samples)
        })
        .await;
        assert!(before.len() > 400, "{} series", before.len());
        server.kill().await;
    }
    // And what is stopped in order loses nothing at all.
    let server = Server::start("serve", Arc::clone(&data_dir), &args).await;
    let whole = samples(&server).await;
    assert!(server.stop().await.0.success());
    let server = Server::start("serve", data_dir, &["--daemon-url", "sim=http://127.0.0.1:9"]).await;
    let known = samples(&server).await;
    for (series, points) in &whole {
        let kept = known.get(series).map(Vec::as_slice).unwrap_or_default();
        assert!(points.iter().all(|point| kept.contains(point)), "{series}: {} of {}", kept.len(), points.len());
    }
}

#[tokio::test]
async fn tokens_survive_a_kill() {
    let server = Server::serve(&[]).await;
    let secret = common::token(server.data_dir.path(), &["create", "--name", "kept", "--role", "viewer"]).await;
    let data_dir = server.kill().await;
    let server = Server::start("serve", data_dir, &[]).await;
    let answer = common::client().get(server.url("/api/session")).bearer_auth(&secret).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let session: Value = answer.json().await.unwrap();
    assert_eq!(session["name"], "kept", "{session}");
}
