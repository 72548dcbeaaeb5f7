//! Metrics derived from a daemon's feed, whatever its clock and the number of jobs, and when a daemon counts as up.

use std::collections::HashMap;

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse},
    routing::{get, post},
};
use collect::Options;
use daemon_sim::{
    Dialect, SimOptions, Simulator,
    world::{End, Submission},
};
use model::{job::JobStatus, upstream::UpstreamState};

use crate::link::world::{World, admin, daemon, manual_job, now_ms, quick, quiet_sim, sim, url};

const COMPLETED: &str = "hypersdk_jobs_completed_total";

impl World {
    /// Times and values of a series, which never goes back.
    fn course(&self, name: &str) -> Vec<(i64, f64)> {
        let points = self.memory.points.lock().unwrap();
        let course: Vec<(i64, f64)> = points
            .iter()
            .filter(|point| point.labels.metric_name() == name)
            .map(|point| (point.timestamp_ms, point.value))
            .collect();
        assert!(course.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name} goes back: {course:?}");
        course
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_clock_is_hours_off_is_counted_by_ours() {
    for skew_ms in [-3 * 3_600_000, 3 * 3_600_000_i64] {
        let simulator = sim(SimOptions {
            dialect: Dialect::Stock,
            jobs_per_minute: 0.0,
            start_ms: Some(now_ms() + skew_ms),
            ..SimOptions::default()
        })
        .await;
        let before_ms = now_ms();
        let mut world = World::to(&url(&simulator));
        world.state(UpstreamState::Live).await;
        let id = manual_job(&simulator).await;
        world.transition(&id, JobStatus::Running).await;
        admin(&simulator, &format!("/sim/jobs/{id}/complete"), "").await;
        let done = world.transition(&id, JobStatus::Completed).await;
        let is_now = |time_ms: i64| (before_ms - 3_000..=now_ms() + 3_000).contains(&time_ms);
        assert!(is_now(done.timestamp) && done.job.started_at.is_some_and(is_now), "{done:?}");
        world.sample(COMPLETED, &[], |value| value == 1.0).await;
        let step = world.course(COMPLETED).into_iter().find(|(_, value)| *value == 1.0).unwrap();
        assert!(is_now(step.0), "{skew_ms}: {step:?}");
        world.end().await;
        simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_jobs_at_the_first_contact_are_all_counted() {
    const JOBS: i64 = 4_500;
    let simulator = quiet_sim(Dialect::Stock).await;
    simulator.with_world(|world| {
        for number in 0..JOBS {
            let end = if number % 10 == 0 { End::Failed } else { End::Completed };
            world.recall(Submission::default(), end, 1_000_000 - number * 200, 1_000 + number).unwrap();
        }
    });
    // Fewer are stored, or even fetched one by one.
    let options = Options { most_ended_jobs: 500, ..quick() };
    let world = World::start(vec![daemon("sim", &url(&simulator))], Vec::new(), options);
    world.sample(COMPLETED, &[], |value| value == 4_050.0).await;
    world.sample("hypersdk_jobs_failed_total", &[], |value| value == 450.0).await;
    world.sample("hypersdk_job_duration_seconds_count", &[], |value| value == 4_500.0).await;
    let course = world.course(COMPLETED);
    assert_eq!(course[0].1, 0.0);
    let values: HashMap<u64, i64> = course.iter().rev().map(|(time, value)| (value.to_bits(), *time)).collect();
    // The feed has times in whole seconds, and jobs ended in each second.
    assert!(values.len() > 800, "each at its own time: {}", values.len());
    assert_eq!(world.upstreams.jobs().len(), 500);
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_samples_come_with_the_first_message() {
    let simulator: Simulator = quiet_sim(Dialect::Stock).await;
    manual_job(&simulator).await;
    let options = Options { scrape_interval: std::time::Duration::from_secs(3_600), ..quick() };
    let world = World::start(vec![daemon("sim", &url(&simulator))], Vec::new(), options);
    world.sample("hypersdk_jobs_active", &[], |value| value == 1.0).await;
    assert_eq!(world.course("up").iter().map(|(_, value)| *value).collect::<Vec<_>>(), [1.0], "never down");
    manual_job(&simulator).await;
    world.sample("hypersdk_jobs_active", &[], |value| value == 2.0).await;
    // `up` also changes without a scrape, to down and back.
    for kind in ["http_500", "refuse_upgrade", "drop_socket"] {
        admin(&simulator, "/sim/fault", &format!(r#"{{"kind":"{kind}","seconds":60}}"#)).await;
    }
    world.sample("up", &[], |value| value == 0.0).await;
    manual_job(&simulator).await;
    simulator.heal();
    world.sample("up", &[], |value| value == 1.0).await;
    world.sample("hypersdk_jobs_active", &[], |value| value == 3.0).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_socket_does_not_hide_that_the_scrape_fails() {
    let simulator = sim(SimOptions { dialect: Dialect::Documented, ..SimOptions::default() }).await;
    let world = World::to(&url(&simulator));
    world.sample("up", &[], |value| value == 1.0).await;
    for kind in ["http_500", "refuse_upgrade", "drop_socket"] {
        admin(&simulator, "/sim/fault", &format!(r#"{{"kind":"{kind}","seconds":60}}"#)).await;
    }
    let told = |world: &World| {
        let error = world.upstreams.statuses()[0].error.clone()?;
        error.contains("; the scrape failed").then_some(error)
    };
    world.until("both troubles", told).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_in_the_place_of_metrics_is_no_metrics() {
    const STATUS: &str = r#"{"version":"0.0.1","uptime":"1h","total_jobs":0,"timestamp":"2026-03-01T10:00:00Z"}"#;
    for page in ["<!doctype html><title>Shop</title>", "welcome"] {
        let metrics = move || async move {
            if page.starts_with('<') {
                Html(page).into_response()
            } else {
                (StatusCode::OK, [(CONTENT_TYPE, "text/plain")], page).into_response()
            }
        };
        let app = Router::new()
            .route("/status", get(|| async { STATUS }))
            .route("/jobs/query", post(|| async { r#"{"jobs":null,"total":0}"# }))
            .route("/metrics", get(metrics));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let world = World::to(&format!("http://{address}"));
        world.state(UpstreamState::Polling).await;
        let error = world.error("the scrape failed").await;
        assert!(error.contains("/metrics answered with"), "{error}");
        world.sample("up", &[], |value| value == 0.0).await;
        assert!(world.course("up").iter().all(|(_, value)| *value == 0.0));
        world.end().await;
        server.abort();
    }
}
