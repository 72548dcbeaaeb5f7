//! The coded daemon, unmodified and embedded, over real sockets.

mod common;

use std::collections::HashSet;

use common::{get, next_of, next_text, open, post, raw_frames, request, start, start_with};
use daemon_sim::{Dialect, SimOptions, VCENTER_PASSWORD};
use serde_json::Value;

#[tokio::test]
async fn the_socket_sends_status_jobs_and_metrics_each_second() {
    let simulator = start(Dialect::Stock).await;
    let mut socket = open(simulator.addr(), "/ws", &[]).await.unwrap();
    let status = next_of(&mut socket, "status").await;
    assert!(status["data"]["total_jobs"].as_u64().unwrap() > 10);
    let jobs = next_text(&mut socket).await.unwrap();
    assert!(jobs.ends_with('\n') && jobs.contains(VCENTER_PASSWORD) && !jobs.contains('&'), "{}", &jobs[..200]);
    let jobs: Value = serde_json::from_str(&jobs).unwrap();
    assert!(jobs["timestamp"].as_str().unwrap().ends_with("+01:00"));
    assert_eq!(jobs["data"]["jobs"][0].as_object().unwrap().len(), 4);

    let (first, second) = (next_of(&mut socket, "metrics").await, next_of(&mut socket, "metrics").await);
    let raw = &first["data"]["raw"];
    assert_eq!(
        (&raw["cpu_usage"], &raw["system_health"], &raw["alerts"]),
        (&0.into(), &"healthy".into(), &Value::Array(vec![]))
    );
    assert_eq!((&raw["queue_length"], &raw["websocket_clients"]), (&status["data"]["total_jobs"], &1.into()));
    let ids = |message: &Value| -> Vec<String> {
        message["data"]["raw"]["recent_jobs"].as_array().unwrap().iter().map(|job| job["id"].to_string()).collect()
    };
    assert_eq!(ids(&first).len() as u64, raw["queue_length"].as_u64().unwrap(), "every job");
    assert_ne!(ids(&first), ids(&second), "in another order each time");
    assert_eq!(ids(&first).into_iter().collect::<HashSet<_>>(), ids(&second).into_iter().collect::<HashSet<_>>());
    let text = first.to_string();
    assert!(
        !text.contains(VCENTER_PASSWORD)
            && raw["recent_jobs"].as_array().unwrap().iter().all(|job| job["provider"] == "vsphere")
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn long_messages_come_in_fragments() {
    let simulator = start(Dialect::Stock).await;
    let frames = raw_frames(simulator.addr(), 12).await;
    assert!(frames[0].is_final && frames[0].opcode == 1, "status is short");
    assert_eq!((frames[1].is_final, frames[1].opcode, frames[1].payload.len()), (false, 1, 1_024));
    assert!(frames[2..10].iter().all(|frame| frame.opcode == 0 && frame.payload.len() == 1_024));
    simulator.shutdown().await;
}

#[tokio::test]
async fn errors_come_in_both_kinds() {
    let simulator = start(Dialect::Stock).await;
    let addr = simulator.addr();
    for (head, status, text) in [
        ("GET /metrics", 404, "404 page not found\n"),
        ("GET /api/v1/status", 404, "404 page not found\n"),
        ("DELETE /status", 405, "method not allowed\n"),
        ("GET /jobs/submit", 405, "method not allowed\n"),
        ("POST /health", 405, "method not allowed\n"),
        ("PUT /api/login", 405, "method not allowed\n"),
        ("GET /libvirt/stats", 400, "missing domain name\n"),
    ] {
        let answer = request(addr, head, &[], "").await.unwrap();
        assert_eq!((answer.status, answer.text()), (status, text), "{head}");
        assert!(
            answer.header("content-type").starts_with("text/plain") && answer.header("allow").is_empty(),
            "{head} {answer:?}"
        );
    }
    for (head, body, status, text) in [
        ("GET /jobs/none", "", 404, "job not found: none"),
        ("GET /jobs/", "", 400, "job ID required"),
        ("POST /jobs/submit", "{}", 400, "failed to parse jobs: invalid JSON format"),
        ("GET /webhooks", "", 503, "webhooks not enabled"),
    ] {
        let answer = request(addr, head, &[("Content-Type", "application/json")], body).await.unwrap();
        assert_eq!((answer.status, &answer.json()["error"]), (status, &text.into()), "{head}");
        assert!(answer.json()["timestamp"].as_str().unwrap().ends_with("+01:00"));
    }
    assert_eq!(request(addr, "HEAD /health", &[], "").await.unwrap().status, 405);
    let moved = get(addr, "/jobs").await;
    assert_eq!((moved.status, moved.header("location")), (301, "/jobs/"));
    assert_eq!(get(addr, "/").await.header("location"), "/web/dashboard/");
    assert!(post(addr, "/jobs/query", "").await.json()["error"].as_str().unwrap().starts_with("invalid request: "));
    simulator.shutdown().await;
}

#[tokio::test]
async fn eta_of_a_running_job_closes_the_connection() {
    let simulator =
        start_with(SimOptions { dialect: Dialect::Stock, jobs_per_minute: 0.0, ..SimOptions::default() }).await;
    let addr = simulator.addr();
    let submitted = post(
        addr,
        "/jobs/submit",
        r#"{"vm_path":"/DC1/vm/a","export_method":"ctl","name":"a","vcenter":{"server":"v","password":"own"}}"#,
    )
    .await
    .json();
    let id = submitted["job_ids"][0].as_str().unwrap();
    assert_eq!(submitted["rejected"], 0);
    simulator.with_world(|world| world.set_percent(id, 50.0)).unwrap();
    assert!(request(addr, &format!("GET /jobs/eta/{id}"), &[], "").await.is_none(), "no answer");
    let job = get(addr, &format!("/jobs/{id}")).await.json();
    assert_eq!(
        (&job["definition"]["vcenter"]["password"], &job["progress"]["percent_complete"]),
        (&"own".into(), &50.0.into())
    );
    assert_eq!((&job["progress"]["bytes_transferred"], job["definition"].get("provider")), (&0.into(), None));

    let cancelled = post(addr, "/jobs/cancel", &format!(r#"{{"job_ids":["{id}"]}}"#)).await.json();
    assert_eq!(cancelled["cancelled"][0], id);
    assert_eq!(get(addr, &format!("/jobs/{id}")).await.json()["status"], "cancelled");
    let again = post(addr, "/jobs/cancel", &format!(r#"{{"job_ids":["{id}"]}}"#)).await.json();
    assert_eq!(again["errors"][id], format!("job {id} cannot be cancelled (status: cancelled)"));
    assert_eq!(get(addr, &format!("/jobs/eta/{id}")).await.json()["eta"]["message"], "Job already cancelled");
    simulator.with_world(|world| world.advance_to(world.now_ms() + 7_200_000));
    assert_eq!(get(addr, &format!("/jobs/{id}")).await.json()["status"], "completed", "the export went on");
    simulator.shutdown().await;
}

#[tokio::test]
async fn an_empty_daemon_has_null_lists() {
    let simulator =
        start_with(SimOptions { dialect: Dialect::Stock, jobs_per_minute: 0.0, ..SimOptions::default() }).await;
    assert_eq!(get(simulator.addr(), "/jobs/query").await.json()["jobs"], Value::Null);
    assert_eq!(get(simulator.addr(), "/api/workflow/jobs").await.json()["jobs"], Value::Null);
    let yaml = request(
        simulator.addr(),
        "POST /jobs/submit",
        &[("Content-Type", "text/yaml")],
        "jobs:\n  - vm_path: /DC1/vm/y\n    id: own-id\n",
    )
    .await
    .unwrap();
    assert_eq!(yaml.json()["job_ids"][0], "own-id");
    let twice = post(simulator.addr(), "/jobs/submit", r#"[{"vm_path":"/x","id":"own-id"}]"#).await;
    assert_eq!((twice.status, &twice.json()["rejected"]), (200, &1.into()));
    simulator.shutdown().await;
}

#[tokio::test]
async fn custom_checks_key_session_and_origin() {
    let options = SimOptions { dialect: Dialect::Custom, api_key: Some("k3y".to_owned()), ..SimOptions::default() };
    let simulator = start_with(options.clone()).await;
    let addr = simulator.addr();
    assert_eq!((get(addr, "/health").await.status, get(addr, "/status").await.status), (200, 401));
    let key = [("X-API-Key", "k3y")];
    assert_eq!(request(addr, "GET /status", &key, "").await.unwrap().status, 200);
    assert_eq!(request(addr, "GET /status", &[("Authorization", "Bearer k3y")], "").await.unwrap().status, 200);
    let token = post(addr, "/api/login", r#"{"username":"root","password":"anything"}"#).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let session = format!("Bearer {token}");
    assert_eq!(request(addr, "GET /status", &[("Authorization", &session)], "").await.unwrap().status, 200);
    assert_eq!(open(addr, "/ws", &[("Authorization", &session)]).await.err(), Some(401));
    assert_eq!(open(addr, "/ws", &[("Authorization", "Bearer k3y")]).await.err(), Some(401));
    assert_eq!(open(addr, "/ws", &[("X-API-Key", "k3y"), ("Origin", "http://evil.example")]).await.err(), Some(403));
    assert!(open(addr, "/ws", &[("X-API-Key", "k3y"), ("Origin", "http://localhost:8080")]).await.is_ok());
    assert!(open(addr, "/ws?api_key=k3y", &[]).await.is_ok());
    simulator.shutdown().await;

    let simulator = start_with(SimOptions { api_key: Some(String::new()), ..options }).await;
    assert_eq!(open(simulator.addr(), "/ws", &[("X-API-Key", "")]).await.err(), Some(500));
    simulator.shutdown().await;
}

#[tokio::test]
async fn custom_metrics_have_the_codes_names() {
    let simulator = start(Dialect::Custom).await;
    let metrics = get(simulator.addr(), "/metrics").await;
    let text = metrics.text();
    assert!(text.contains("status_code=\"OK\"") && text.contains("\nhypersdk_active_jobs 0\n"));
    assert!(
        text.contains(
            "hypersdk_api_request_duration_seconds_bucket{endpoint=\"/health\",method=\"GET\",le=\"0.005\"} "
        )
    );
    assert!(text.contains("hypersdk_build_info{go_version=\"go1.24\",version=\"0.0.1\"} 1"));
    assert!(
        !text.contains("hypersdk_jobs_total") && !text.contains("hypersdk_job_duration_seconds"),
        "never updated, so absent"
    );
    assert!(text.lines().any(|line| line.contains("endpoint=\"/jobs/") && line.matches('-').count() >= 4), "raw ids");
    simulator.shutdown().await;
}
