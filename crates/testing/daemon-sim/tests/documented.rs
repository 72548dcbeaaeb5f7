//! The documented dialect over real sockets.

#![allow(clippy::expect_used)] // A test fails by panicking.

mod common;

use std::{collections::HashSet, io::Read};

use common::{get, next_of, open, post, request, start, start_with};
use daemon_sim::{Dialect, SimOptions, VCENTER_PASSWORD};
use serde_json::Value;

fn keys(value: &Value) -> HashSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn progress_and_system_metrics_arrive_with_every_key() {
    let simulator = start(Dialect::Documented).await;
    for path in ["/ws", "/api/v1/ws"] {
        let mut socket = open(simulator.addr(), path, &[]).await.unwrap();
        let system = next_of(&mut socket, "system.metrics").await;
        assert_eq!(keys(&system), HashSet::from(["type", "timestamp", "data"]));
        assert_eq!(
            keys(&system["data"]),
            HashSet::from(["cpu_percent", "memory_bytes", "memory", "goroutines", "connections", "websocket_clients"])
        );
        assert!(system["timestamp"].as_str().unwrap().ends_with('Z'));
        let progress = next_of(&mut socket, "job.progress").await;
        assert_eq!(
            keys(&progress["data"]),
            HashSet::from([
                "job_id",
                "name",
                "provider",
                "region",
                "job_type",
                "vm_path",
                "percent",
                "bytes_transferred",
                "bytes_total",
                "rate_bytes_per_second",
                "eta_seconds"
            ])
        );
        assert!(progress["data"]["bytes_total"].as_u64().unwrap() >= 8_000_000_000);
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_caused_change_is_told_at_once() {
    let simulator = start_with(SimOptions { jobs_per_minute: 0.0, ..SimOptions::default() }).await;
    let addr = simulator.addr();
    let mut socket = open(addr, "/ws", &[]).await.unwrap();
    next_of(&mut socket, "system.metrics").await;
    let created =
        post(addr, "/sim/jobs", r#"{"name":"bench","provider":"azure","job_type":"backup","bytes_total":1000}"#).await;
    assert_eq!(created.status, 201);
    let id = created.json()["job_id"].as_str().unwrap().to_owned();

    let pending = next_of(&mut socket, "job.status").await;
    assert_eq!((&pending["data"]["from"], &pending["data"]["status"]), (&Value::Null, &"pending".into()));
    assert_eq!(
        keys(&pending["data"]),
        HashSet::from([
            "job_id",
            "name",
            "provider",
            "region",
            "job_type",
            "vm_path",
            "from",
            "status",
            "error",
            "timestamp"
        ])
    );
    assert_eq!(next_of(&mut socket, "job.status").await["data"]["status"], "running");

    assert_eq!(post(addr, &format!("/sim/jobs/{id}/progress?percent=42.5"), "").await.status, 204);
    let progress = loop {
        let progress = next_of(&mut socket, "job.progress").await;
        if progress["data"]["percent"] != 0.0 {
            break progress;
        }
    };
    assert_eq!(progress["data"]["percent"], 42.5);
    assert_eq!(progress["data"]["bytes_transferred"], 425);
    assert_eq!((&progress["data"]["provider"], &progress["data"]["job_type"]), (&"azure".into(), &"backup".into()));

    assert_eq!(post(addr, &format!("/sim/jobs/{id}/fail?error=disk%20full"), "").await.status, 204);
    let failed = next_of(&mut socket, "job.status").await;
    assert_eq!((&failed["data"]["status"], &failed["data"]["error"]), (&"failed".into(), &"disk full".into()));
    assert_eq!(post(addr, &format!("/sim/jobs/{id}/complete"), "").await.status, 409);
    assert_eq!(post(addr, "/sim/jobs/nope/complete", "").await.status, 404);
    assert_eq!(post(addr, "/sim/jobs", r#"{"provider":"ibm"}"#).await.status, 400);
    simulator.shutdown().await;
}

#[tokio::test]
async fn metrics_have_the_canonical_series_in_each_form() {
    let simulator = start(Dialect::Documented).await;
    let addr = simulator.addr();
    let plain = get(addr, "/api/v1/metrics").await;
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for name in [
        "hypersdk_jobs_active{provider=\"vsphere\"}",
        "hypersdk_jobs_total{job_type=\"export\",provider=\"aws\",status=\"completed\"}",
        "hypersdk_job_duration_seconds_bucket{le=\"8192\",provider=\"kvm\"}",
        "hypersdk_http_requests_total{method=\"GET\",path=\"/jobs/{id}\",status=\"200\"}",
        "hypersdk_http_response_time_seconds_bucket{le=\"0.005\",method=\"GET\",path=\"/health\"}",
        "hypersdk_http_errors_total",
        "hypersdk_memory_bytes",
        "hypersdk_memory_bytes{type=\"sys\"}",
        "hypersdk_cpu_usage",
        "hypersdk_goroutines",
        "hypersdk_websocket_clients",
        "hypersdk_websocket_connections",
        "hypersdk_connections{kind=\"pool_max\"}",
        "hypersdk_provider_jobs_failed{provider=\"gcp\"}",
        "hypersdk_export_bytes_total{provider=\"openstack\"}",
    ] {
        assert!(
            plain.text().lines().any(|line| line.rsplit_once(' ').is_some_and(|(series, _)| series == name)),
            "{name}"
        );
    }
    let open = request(
        addr,
        "GET /metrics",
        &[("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), ("Accept-Encoding", "gzip")],
        "",
    )
    .await
    .unwrap();
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(open.header("content-encoding"), "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(open.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text.ends_with("# EOF\n"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn rest_answers_with_and_without_the_prefix() {
    let simulator = start(Dialect::Documented).await;
    let addr = simulator.addr();
    for prefix in ["", "/api/v1"] {
        assert_eq!(get(addr, &format!("{prefix}/health")).await.json()["status"], "healthy");
        let status = get(addr, &format!("{prefix}/status")).await.json();
        assert!(
            status["total_jobs"].as_u64().unwrap() > 10 && status["uptime"].as_str().unwrap().starts_with("30m"),
            "{status}"
        );
        let all = get(addr, &format!("{prefix}/jobs/query?all=true")).await.json();
        let jobs = all["jobs"].as_array().unwrap();
        assert_eq!(jobs.len() as u64, all["total"].as_u64().unwrap());
        let running = get(addr, &format!("{prefix}/jobs/query?status=running&limit=3")).await.json();
        assert!((1..=3).contains(&running["jobs"].as_array().unwrap().len()));
        let first = &running["jobs"][0];
        assert_eq!((&first["status"], &first["definition"]["provider"]), (&"running".into(), &first["provider"]));
        let id = first["definition"]["id"].as_str().unwrap();
        for route in ["", "progress/", "logs/", "eta/"] {
            assert_eq!(get(addr, &format!("{prefix}/jobs/{route}{id}")).await.status, 200, "{route}");
        }
        let cancelled =
            post(addr, &format!("{prefix}/jobs/cancel"), &format!(r#"{{"job_ids":["{id}","x"]}}"#)).await.json();
        assert_eq!((&cancelled["cancelled"][0], &cancelled["errors"]["x"]), (&id.into(), &"job not found: x".into()));
        assert_eq!(get(addr, &format!("{prefix}/jobs/{id}")).await.json()["status"], "cancelled");
        let submitted =
            post(addr, &format!("{prefix}/jobs/submit"), r#"{"vm_path":"/DC/vm/x","provider":"kvm"}"#).await.json();
        assert_eq!(submitted["accepted"], 1);
        let id = submitted["job_ids"][0].as_str().unwrap();
        assert_eq!(get(addr, &format!("{prefix}/jobs/{id}")).await.json()["provider"], "kvm");
        assert_eq!(get(addr, &format!("{prefix}/jobs/none")).await.status, 404);
    }
    let all = get(addr, "/jobs/query?all=true").await;
    assert!(all.text().contains(VCENTER_PASSWORD), "a vSphere job carries its password, as the real one does");
    assert_eq!(get(addr, "/nothing").await.status, 404);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_key_is_asked_for_before_the_upgrade() {
    let simulator = start_with(SimOptions { api_key: Some("k3y".to_owned()), ..SimOptions::default() }).await;
    let addr = simulator.addr();
    assert_eq!(get(addr, "/health").await.status, 200);
    assert_eq!(get(addr, "/status").await.status, 401);
    assert_eq!(get(addr, "/api/v1/metrics").await.status, 401);
    assert_eq!(get(addr, "/status?api_key=k3y").await.status, 200);
    assert_eq!(request(addr, "GET /status", &[("Authorization", "Bearer k3y")], "").await.unwrap().status, 200);
    assert_eq!(open(addr, "/ws", &[]).await.err(), Some(401));
    assert_eq!(open(addr, "/ws", &[("X-API-Key", "wrong")]).await.err(), Some(401));
    for headers in [&[("X-API-Key", "k3y")][..], &[("Authorization", "Bearer k3y")][..]] {
        assert!(open(addr, "/ws", headers).await.is_ok());
    }
    assert!(open(addr, "/api/v1/ws?token=k3y", &[]).await.is_ok());
    simulator.shutdown().await;
}

#[tokio::test]
async fn history_goes_on_live() {
    let options = SimOptions { start_ms: Some(1_772_355_600_000), ..SimOptions::default() };
    let mut world = options.world(1_772_355_600_000 - 3_600_000);
    let mut steps = 0;
    world.run_history(1.0, 15, |_, _| steps += 1);
    let running: Vec<String> = world.active().iter().map(|job| job.id.clone()).collect();
    let table = world.table();
    let row = table.series.iter().position(|series| series.name == "hypersdk_http_errors_total").unwrap();
    let before = world.sample()[row];
    assert_eq!((steps, running.is_empty()), (240, false));

    let simulator = daemon_sim::Simulator::start_with(options, world).await.unwrap();
    let all = get(simulator.addr(), "/jobs/query?all=true").await.json();
    let ids: HashSet<&str> =
        all["jobs"].as_array().unwrap().iter().map(|job| job["definition"]["id"].as_str().unwrap()).collect();
    assert!(running.iter().all(|id| ids.contains(id.as_str())));
    assert!(all["timestamp"].as_str().unwrap().starts_with("2026-03-01T09:00:"));
    let text = get(simulator.addr(), "/metrics").await;
    let after: f64 =
        text.text().lines().find_map(|line| line.strip_prefix("hypersdk_http_errors_total ")).unwrap().parse().unwrap();
    assert!(after >= before);
    simulator.shutdown().await;
}
