//! The documented events, with all their fields.

use serde_json::{Value, json};

use crate::{common::Live, live::Rig};

fn members(data: &Value) -> Vec<&str> {
    data.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_life_of_a_job_is_told() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    live.expect(1, "snapshot").await;
    let job = rig.simulator.submit("db-07 nightly").await;

    let new = live.job_event("job.status", &job).await;
    assert_eq!((&new["type"], &new["id"]), (&json!("event"), &json!(1)));
    assert!(new["seq"].is_u64() && new["ts"].as_i64().is_some_and(|ts| ts > 1_700_000_000_000), "{new}");
    for member in ["job_id", "daemon", "name", "from", "status", "timestamp"] {
        assert!(members(&new["data"]).contains(&member), "{member}: {new}");
    }
    assert_eq!(new["data"]["daemon"], "sim");
    assert_eq!(new["data"]["name"], "db-07 nightly");
    assert_eq!(new["data"]["from"], Value::Null);
    assert_eq!(new["data"]["status"], "pending");
    assert_eq!(new["data"]["job"]["id"], *job);

    rig.simulator.change(&job, "progress?percent=42.5").await;
    let progress = live.job_event("job.progress", &job).await;
    let expected = [
        "bytes_total",
        "bytes_transferred",
        "daemon",
        "eta_seconds",
        "job_id",
        "name",
        "percent",
        "rate_bytes_per_second",
    ];
    let mut found = members(&progress["data"]);
    found.sort_unstable();
    assert_eq!(found, expected);
    let progress = match progress["data"]["percent"].as_f64() {
        Some(percent) if percent > 0.0 => progress,
        _ => {
            live.until("42.5 %", |message| message["event"] == "job.progress" && message["data"]["percent"] == 42.5)
                .await
        }
    };
    assert_eq!(progress["data"]["percent"], 42.5);
    assert_eq!(progress["data"]["bytes_total"], 1_000_000_000);

    rig.simulator.change(&job, "fail?error=disk%20full").await;
    let failed = live
        .until("the failure", |message| message["event"] == "job.status" && message["data"]["status"] == "failed")
        .await;
    assert_eq!(failed["data"]["from"], "running");
    assert_eq!(failed["data"]["job"]["error"], "disk full");
    let again = rig.server.json(&format!("/api/jobs/sim/{job}")).await;
    assert_eq!(again["job"]["status"], "failed", "{again}");
}

#[tokio::test]
async fn metrics_of_the_process_come_by_themselves() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=system").await;
    live.expect(1, "snapshot").await;
    let event = live.expect(1, "event").await;
    assert_eq!(event["event"], "system.metrics");
    let data = &event["data"];
    assert_eq!(data["daemon"], "sim");
    assert!(data["cpu_percent"].as_f64().is_some_and(|cpu| (0.0..=100.0).contains(&cpu)), "{data}");
    assert!(data["memory_bytes"].as_f64().is_some_and(|bytes| bytes > 1e6), "{data}");
    assert!(data["goroutines"].as_f64().is_some_and(|count| count > 0.0), "{data}");
    assert!(data["connections"].as_f64().is_some_and(|count| count >= 0.0), "{data}");
}

#[tokio::test]
async fn a_source_that_changes_is_an_event() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=upstreams").await;
    let snapshot = live.expect(1, "snapshot").await;
    let source = &snapshot["data"]["upstreams"][0];
    assert_eq!((&source["name"], &source["state"]), (&json!("sim"), &json!("live")));
    // The faults stay active: a socket that is back before the next poll would leave the source live.
    for kind in ["refuse_upgrade", "drop_socket"] {
        rig.simulator.fault(&json!({"kind": kind})).await;
    }
    let event = live
        .until("not live", |message| message["event"] == "upstream.status" && message["data"]["state"] != "live")
        .await;
    assert_eq!(event["data"]["name"], "sim");
    rig.simulator.heal().await;
    let event = live.until("live again", |message| message["data"]["state"] == "live").await;
    assert!(event["data"]["reconnects"].as_u64().is_some_and(|times| times >= 1), "{event}");
}
