//! A server over a real Prometheus instead of its own store: what it shows, also when Prometheus is down.

use crate::common::{Live, Prometheus, Server, Simulator, eventually};
use serde_json::{Value, json};

const RULES: &str =
    "[{ alert: AlwaysThere, expr: 'up >= 0', labels: { severity: warning }, annotations: { summary: It is there } }]";

/// A daemon with three running jobs, a Prometheus that scrapes it, and a server over both.
async fn start() -> (Simulator, Prometheus, Server) {
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    for number in 0..3 {
        let job = simulator.submit(&format!("job {number}")).await;
        simulator.change(&job, "progress?percent=10").await;
    }
    let prometheus = Prometheus::start(&simulator.url, RULES).await;
    eventually("a scrape by Prometheus", async || {
        let answer = prometheus.ask("/api/v1/query?query=sum(hypersdk_jobs_active)").await;
        (answer["data"]["result"][0]["value"][1] == "3").then_some(())
    })
    .await;
    let daemon = simulator.named("sim");
    let server = Server::serve(&["--prometheus-url", &prometheus.url, "--daemon-url", &daemon]).await;
    (simulator, prometheus, server)
}

/// The HTML of a panel.
fn panel<'a>(html: &'a str, id: &str) -> &'a str {
    let start = html.find(&format!("<section id=\"panel-{id}\"")).unwrap_or_else(|| panic!("no panel {id}"));
    html[start..].split("</section>").next().unwrap()
}

#[tokio::test]
async fn pages_and_the_api_show_what_prometheus_has() {
    let (_simulator, prometheus, server) = start().await;
    eventually("a step of the page's range with a value", async || {
        let overview = server.text("/").await;
        let active = panel(&overview, "active-jobs");
        (active.contains(">3<") && active.contains("<svg")).then_some(())
    })
    .await;
    let system = server.text("/system").await;
    assert!(system.matches("<svg").count() > 5);
    assert!(panel(&system, "sources").contains("prometheus"));

    // Passed on: the same answer as Prometheus', for valid and invalid requests.
    let time = crate::common::now_ms() / 1000 - 1;
    let start = time - 60;
    for path in [
        format!("/api/v1/query?query=hypersdk_jobs_active&time={time}"),
        format!("/api/v1/query_range?query=sum(hypersdk_jobs_active)&start={start}&end={time}&step=5"),
        // Combined from parts, because the steps can be cached.
        format!("/api/v1/query_range?query=hypersdk_jobs_active&start={}&end={}&step=5", start / 5 * 5, time / 5 * 5),
        format!("/api/v1/query_range?query=rate(up[10s])%2F3e7&start={}&end={}&step=5", start / 5 * 5, time / 5 * 5),
        "/api/v1/label/provider/values".to_owned(),
        "/api/v1/series?match[]=hypersdk_jobs_active".to_owned(),
        "/api/v1/labels?match[]=up".to_owned(),
        "/api/v1/metadata?metric=hypersdk_jobs_active".to_owned(),
        "/api/v1/status/buildinfo".to_owned(),
        "/api/v1/query?query=sum(".to_owned(),
        "/api/v1/query".to_owned(),
    ] {
        let ours = server.get(&path).send().await.unwrap();
        let theirs = crate::common::client().get(format!("{}{path}", prometheus.url)).send().await.unwrap();
        assert_eq!(ours.status(), theirs.status(), "{path}");
        let (ours, theirs): (Value, Value) = (ours.json().await.unwrap(), theirs.json().await.unwrap());
        assert_eq!(ours, theirs, "{path}");
    }
    let by_post = server.post("/api/v1/query").form(&[("query", "sum(hypersdk_jobs_active)")]).send().await.unwrap();
    let by_post: Value = by_post.json().await.unwrap();
    assert_eq!(by_post["data"]["result"][0]["value"][1], "3");

    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "sum(hypersdk_jobs_active)", 60_000, 1_000).await;
    let snapshot = live.expect(1, "snapshot").await;
    assert_eq!(snapshot["data"]["series"][0]["values"].as_array().unwrap().last(), Some(&json!(3.0)), "{snapshot}");
    live.expect(1, "delta").await;
}

#[tokio::test]
async fn alerts_of_prometheus_are_shown() {
    let (_simulator, _prometheus, server) = start().await;
    let alerts = eventually("the alert", async || {
        let alerts = server.json("/api/alerts").await;
        alerts["alerts"][0].is_object().then_some(alerts)
    })
    .await;
    let alert = &alerts["alerts"][0];
    assert_eq!((&alert["name"], &alert["severity"]), (&json!("AlwaysThere"), &json!("warning")));
    assert_eq!((&alert["state"], &alert["summary"]), (&json!("firing"), &json!("It is there")));
    assert_eq!(alert["value"], 1.0);
    assert!(alert["active_at"].as_i64().is_some_and(|at| at > 1_700_000_000_000), "{alert}");
    assert!(server.text("/").await.contains("AlwaysThere"));
}

#[tokio::test]
async fn a_prometheus_that_dies_is_told_everywhere_and_comes_back() {
    let (_simulator, prometheus, server) = start().await;
    let ready = async || server.get_as_nobody("/ready").send().await.unwrap();
    eventually("readiness", async || (ready().await.status() == 200).then_some(())).await;
    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "sum(hypersdk_jobs_active)", 60_000, 1_000).await;
    live.expect(1, "snapshot").await;
    eventually("the value on a page", async || {
        let html = server.text("/").await;
        panel(&html, "active-jobs").contains(">3<").then_some(())
    })
    .await;

    let stopped = prometheus.kill().await;
    let status = live.until("a status", |message| message["type"] == "status").await;
    assert_eq!((&status["id"], &status["fresh"]), (&json!(1), &json!(false)));
    assert!(status["reason"].as_str().unwrap().contains("cannot be reached"), "{status}");
    let answer = ready().await;
    assert_eq!(answer.status(), 503);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["ready"], false);
    assert!(answer["reasons"][0].as_str().unwrap().contains("prometheus is down"), "{answer}");
    let answer = server.get("/api/v1/query?query=up").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!("unavailable")));
    // A page shows the known values, and that they are old.
    let page = eventually("a stale panel", async || {
        let html = server.text("/").await;
        panel(&html, "active-jobs").contains("cannot be reached").then_some(html)
    })
    .await;
    assert!(panel(&page, "active-jobs").contains(">3<"), "{}", panel(&page, "active-jobs"));
    assert_eq!(server.get_as_nobody("/health").send().await.unwrap().status(), 200);

    let _prometheus = stopped.restart().await;
    live.until("fresh again", |message| message["type"] == "status" && message["fresh"] == true).await;
    live.until("a delta", |message| message["type"] == "delta").await;
    eventually("readiness", async || (ready().await.status() == 200).then_some(())).await;
    eventually("a panel that is current", async || {
        let page = server.text("/").await;
        (!panel(&page, "active-jobs").contains("cannot be reached")).then_some(())
    })
    .await;
}
