//! The three dialects of a daemon.

use collect::CancelError;
use daemon_sim::{Dialect, SimOptions};
use model::{job::JobStatus, live::Event, upstream::UpstreamState};

use crate::link::world::{World, admin, daemon, manual_job, quick, quiet_sim, sim, url, with_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_end_to_end() {
    let simulator = quiet_sim(Dialect::Documented).await;
    let mut world = World::to(&url(&simulator));
    world.state(UpstreamState::Live).await;
    let detail = world.upstreams.statuses()[0].detail.clone().unwrap();
    assert!(detail.starts_with("documented dialect"), "{detail}");

    let id = manual_job(&simulator).await;
    let started = world.transition(&id, JobStatus::Running).await;
    assert_eq!((&*started.daemon, &*started.name), ("sim", "manual"));
    admin(&simulator, &format!("/sim/jobs/{id}/progress?percent=42.5"), "").await;
    let progress = world
        .event("progress", |event| match event {
            Event::JobProgress(progress) if progress.job_id == id && progress.percent >= Some(42.5) => {
                Some(progress.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!(progress.bytes_total, Some(1_000_000_000));
    admin(&simulator, &format!("/sim/jobs/{id}/complete"), "").await;
    let done = world.transition(&id, JobStatus::Completed).await;
    assert_eq!((done.from, done.job.percent, done.job.eta_seconds), (Some(JobStatus::Running), Some(100.0), None));
    assert!(done.job.completed_at >= done.job.started_at && done.job.started_at.is_some(), "{:?}", done.job);

    world.event("system.metrics", |event| matches!(event, Event::SystemMetrics(_)).then_some(())).await;
    assert!(world.upstreams.system()[0].memory_bytes > Some(0.0));

    // Its own metrics are scraped, with the labels of the target; nothing is derived in addition.
    let labels = [("daemon", "sim"), ("job", "hypersdk"), ("instance", &*simulator.addr().to_string())];
    world.sample("up", &labels, |value| value == 1.0).await;
    world.sample("scrape_samples_scraped", &labels, |value| value > 50.0).await;
    world.sample("hypersdk_jobs_active", &labels, |_| true).await;
    world.sample("hypersdk_http_response_time_seconds_bucket", &labels, |_| true).await;
    world.assert_no_series_twice();
    assert!(world.memory.metadata.lock().unwrap().iter().any(|one| one.name == "hypersdk_jobs_completed_total"));
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_end_to_end() {
    let simulator = sim(SimOptions { dialect: Dialect::Stock, jobs_per_minute: 30.0, ..SimOptions::default() }).await;
    let mut world = World::to(&url(&simulator));
    world.state(UpstreamState::Live).await;
    let detail = world.upstreams.statuses()[0].detail.clone().unwrap();
    assert!(detail.starts_with("stock dialect"), "{detail}");
    world.until("jobs", |world| (!world.upstreams.jobs().is_empty()).then_some(())).await;
    let jobs = world.upstreams.jobs();
    assert!(jobs.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at), "sorted, youngest first");
    assert!(jobs.iter().all(|job| job.status != JobStatus::Completed || job.percent == Some(100.0)));
    assert!(jobs.iter().all(|job| job.created_at.is_some()));

    // Series are derived, because there is no page to scrape. Counters start with the jobs at the first connection.
    let labels = [("daemon", "sim"), ("job", "hypersdk")];
    world.sample("up", &labels, |value| value == 1.0).await;
    let completed = world.sample("hypersdk_jobs_completed_total", &labels, |_| true).await;
    world.sample("hypersdk_memory_bytes", &labels, |value| value > 0.0).await;
    world.sample("hypersdk_http_requests_total", &labels, |value| value > 0.0).await;
    assert_eq!(world.value("hypersdk_cpu_usage", &labels), None, "absent is not zero");

    let id = manual_job(&simulator).await;
    world.transition(&id, JobStatus::Running).await;
    admin(&simulator, &format!("/sim/jobs/{id}/complete"), "").await;
    let done = world.transition(&id, JobStatus::Completed).await;
    assert_eq!((done.from, done.job.percent), (Some(JobStatus::Running), Some(100.0)));
    world.sample("hypersdk_jobs_completed_total", &labels, |value| value > completed).await;
    world.sample("hypersdk_job_duration_seconds_count", &labels, |value| value > 0.0).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_needs_its_key_and_adds_what_its_page_lacks() {
    let simulator = sim(SimOptions {
        dialect: Dialect::Custom,
        api_key: Some("k3y-of-the-daemon".into()),
        ..SimOptions::default()
    })
    .await;
    let strangers = World::to(&url(&simulator));
    let error = strangers.error("refuses access").await;
    assert!(error.contains("API key"), "{error}");
    strangers.end().await;

    let world = World::start(vec![with_key("sim", &url(&simulator), "k3y-of-the-daemon")], Vec::new(), quick());
    world.state(UpstreamState::Live).await;
    let detail = world.upstreams.statuses()[0].detail.clone().unwrap();
    assert!(detail.starts_with("custom dialect"), "{detail}");
    let labels = [("daemon", "sim")];
    world.sample("hypersdk_api_requests_total", &labels, |value| value > 0.0).await;
    world.sample("hypersdk_jobs_active", &labels, |_| true).await;
    world.sample("hypersdk_jobs_completed_total", &labels, |_| true).await;
    world.assert_no_series_twice();
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_is_told_as_the_daemon_means_it() {
    for dialect in [Dialect::Documented, Dialect::Stock] {
        let simulator = quiet_sim(dialect).await;
        let mut world = World::to(&url(&simulator));
        world.state(UpstreamState::Live).await;
        let id = manual_job(&simulator).await;
        world.transition(&id, JobStatus::Running).await;
        let answer = world.upstreams.cancel("sim", &id).await.unwrap();
        assert!(answer.accepted, "{answer:?}");
        let cancelled = world.transition(&id, JobStatus::Cancelled).await;
        assert_eq!(cancelled.job.cancel_requested, dialect == Dialect::Stock, "{dialect:?}");
        let again = world.upstreams.cancel("sim", &id).await.unwrap();
        assert!(!again.accepted && again.message.is_some(), "{again:?}");
        assert!(matches!(world.upstreams.cancel("sim", "nobody").await, Err(CancelError::UnknownJob { .. })));
        assert!(matches!(world.upstreams.cancel("other", &id).await, Err(CancelError::UnknownDaemon(_))));

        let detail = world.upstreams.job_detail("sim", &id).await.unwrap();
        assert!(detail.log_error.is_none() && !detail.log.is_empty(), "{detail:?}");
        assert!(world.upstreams.job_detail("sim", "nobody").await.is_none());
        world.end().await;
        simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_daemons_at_once() {
    let first = sim(SimOptions { seed: 3, ..SimOptions::default() }).await;
    let second = sim(SimOptions { seed: 4, dialect: Dialect::Stock, ..SimOptions::default() }).await;
    let daemons = vec![daemon("one", &url(&first)), daemon("two", &url(&second))];
    let world = World::start(daemons, Vec::new(), quick());
    world
        .until("jobs of both", |world| {
            let jobs = world.upstreams.jobs();
            ["one", "two"].iter().all(|name| jobs.iter().any(|job| job.daemon == *name)).then_some(())
        })
        .await;
    for name in ["one", "two"] {
        world.sample("up", &[("daemon", name)], |value| value == 1.0).await;
        world.sample("hypersdk_jobs_active", &[("daemon", name)], |_| true).await;
    }
    let names: Vec<_> = world.upstreams.statuses().into_iter().map(|status| status.name).collect();
    assert_eq!(names, ["one", "two"]);
    world.end().await;
    first.shutdown().await;
    second.shutdown().await;
}
