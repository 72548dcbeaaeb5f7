//! A killed server loses no more than the last scrape.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::common::{Server, Simulator, TOKEN, body, eventually, now_ms, series, with_body};
use remote_write::TimeSeries;
use serde_json::Value;
use tempfile::TempDir;
use timeseries::histogram::Histogram;

/// Samples by series: time in milliseconds and value as text.
type Samples = BTreeMap<String, Vec<(i64, String)>>;

/// All stored samples of the daemon's series.
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
    // A regular stop loses nothing.
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
    let secret = crate::common::token(server.data_dir.path(), &["create", "--name", "kept", "--role", "viewer"]).await;
    let data_dir = server.kill().await;
    let server = Server::start("serve", data_dir, &[]).await;
    let answer = crate::common::client().get(server.url("/api/session")).bearer_auth(&secret).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let session: Value = answer.json().await.unwrap();
    assert_eq!(session["name"], "kept", "{session}");
}

/// How much older than the other samples a late sample is.
const LATE_MS: i64 = 59_500;

/// One remote write: floats, a native histogram, and a late sample.
fn written(start: i64, number: i64) -> Vec<TimeSeries> {
    let (time, value) = (start + number * 1_000, number as f64);
    let mut all: Vec<TimeSeries> = (0..30)
        .map(|series_number: i32| series("written", &[("series", &series_number.to_string())], &[(time, value)]))
        .collect();
    all.push(series("late", &[], &[(time, value), (time - LATE_MS, -value)]));
    let histogram =
        Histogram { count: value + 1.0, sum: value / 4.0, positive: vec![(2, value + 1.0)], ..Histogram::default() };
    let histograms = vec![(time, Arc::new(histogram))];
    all.push(TimeSeries { histograms, ..series("distribution", &[], &[]) });
    all
}

/// All samples of the series with this name and these labels, in a range that ends when everything is written.
async fn stored(server: &Server, selector: &str, end: i64) -> Value {
    let query = [("query", format!("{selector}[2h]")), ("time", (end / 1_000).to_string())];
    let answer: Value = server.get("/api/v1/query").query(&query).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "success", "{answer}");
    answer["data"]["result"][0].clone()
}

/// Checks that the requests before `count` are stored completely.
async fn check_written(server: &Server, start: i64, count: i64) {
    let end = start + (count + 600) * 1_000;
    for selector in [r#"written{series="0"}"#, r#"written{series="29"}"#, "late"] {
        let found = points(&stored(server, selector, end).await["values"]);
        for number in 0..count {
            let time = start + number * 1_000;
            assert!(found.contains(&(time, number.to_string())), "{selector} of request {number} of {count}");
            let late = (time - LATE_MS, if number == 0 { "-0".to_owned() } else { (-number).to_string() });
            assert!(selector != "late" || found.contains(&late), "the late sample of request {number} of {count}");
        }
    }
    let found = stored(server, "distribution", end).await;
    let histograms = found["histograms"].as_array().unwrap();
    for number in 0..count {
        let (time, count) = ((start + number * 1_000) / 1_000, (number + 1).to_string());
        let is_it = |pair: &&Value| pair[0].as_f64() == Some(time as f64);
        let histogram = histograms.iter().find(is_it).unwrap_or_else(|| panic!("the histogram of request {number}"));
        assert_eq!(histogram[1]["count"], count.as_str());
    }
}

#[tokio::test]
async fn what_was_written_remotely_and_acknowledged_survives_a_kill() {
    let data_dir = Arc::new(TempDir::new().unwrap());
    let start = (now_ms() / 1_000 - 3_600) * 1_000;
    let acknowledged = Arc::new(AtomicI64::new(0));
    for round in 0..6_i64 {
        let server = Server::start("serve", Arc::clone(&data_dir), &[]).await;
        let before = acknowledged.load(Ordering::SeqCst);
        if round > 0 {
            check_written(&server, start, before).await;
        }
        let (count, url) = (Arc::clone(&acknowledged), server.url("/api/v1/write"));
        let writing = tokio::spawn(async move {
            let client = crate::common::client();
            for number in before.. {
                let request = client.post(&url).bearer_auth(TOKEN);
                match with_body(request, body(written(start, number))).send().await {
                    Ok(answer) if answer.status() == 204 => count.store(number + 1, Ordering::SeqCst),
                    Ok(answer) => panic!("{}: {:?}", answer.status(), answer.text().await),
                    Err(_) => return,
                }
            }
        });
        eventually("some writes", async || {
            (acknowledged.load(Ordering::SeqCst) >= before + 20 + 7 * round).then_some(())
        })
        .await;
        server.kill().await;
        writing.await.unwrap();
    }
    // Then the end of the newest file is lost, as after a power cut.
    let logs = data_dir.path().join("store/log");
    let log = std::fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let length = std::fs::metadata(&log).unwrap().len();
    std::fs::File::options().write(true).open(&log).unwrap().set_len(length - 5).unwrap();
    let server = Server::start("serve", data_dir, &[]).await;
    // Only the last request, or the last sample of our own metrics, is lost.
    check_written(&server, start, acknowledged.load(Ordering::SeqCst) - 1).await;
    let told = server.text("/metrics").await;
    assert!(told.contains("\nhyperscope_store_damages 1\n"), "{told}");
}
