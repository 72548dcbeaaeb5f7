//! Daemons with faults, and servers that are no daemon.

use std::time::Duration;

use axum::{Router, response::Html, routing::any};
use daemon_sim::{Dialect, SimOptions};
use model::{job::JobStatus, live::Event, upstream::UpstreamState};
use timeseries::is_stale_marker;

use crate::link::world::{World, admin, daemon, manual_job, quick, quiet_sim, sim, url};

const BOTH: [Dialect; 2] = [Dialect::Documented, Dialect::Stock];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_socket_is_opened_again_and_nothing_is_lost() {
    for dialect in BOTH {
        let simulator = quiet_sim(dialect).await;
        let mut world = World::to(&url(&simulator));
        world.state(UpstreamState::Live).await;
        let id = manual_job(&simulator).await;
        world.transition(&id, JobStatus::Running).await;
        // During the fault the jobs come by polling.
        admin(&simulator, "/sim/fault", r#"{"kind":"drop_socket","seconds":3}"#).await;
        world.state(UpstreamState::Polling).await;
        admin(&simulator, &format!("/sim/jobs/{id}/fail?error=disk%20full"), "").await;
        let failed = world.transition(&id, JobStatus::Failed).await;
        assert_eq!(failed.job.error.as_deref(), Some("disk full"));
        // During the fault a new socket may send a message before it is closed: the source is live, and fails again
        // immediately.
        world
            .until("live and well", |world| {
                let status = &world.upstreams.statuses()[0];
                (status.state == UpstreamState::Live && status.error.is_none()).then_some(())
            })
            .await;
        assert!(world.upstreams.statuses()[0].reconnects > 0);
        world.end().await;
        simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_socket_gives_way_to_polling() {
    let simulator = quiet_sim(Dialect::Stock).await;
    let mut world = World::to(&url(&simulator));
    world.state(UpstreamState::Live).await;
    admin(&simulator, "/sim/fault", r#"{"kind":"silence","seconds":8}"#).await;
    world.state(UpstreamState::Polling).await;
    let id = manual_job(&simulator).await;
    world.transition(&id, JobStatus::Running).await;
    world.error("silent").await;
    world.state(UpstreamState::Live).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_told_and_survived() {
    for dialect in BOTH {
        let simulator = quiet_sim(dialect).await;
        let mut world = World::to(&url(&simulator));
        world.state(UpstreamState::Live).await;
        admin(&simulator, "/sim/fault", r#"{"kind":"garbage","seconds":3}"#).await;
        world.error("not JSON").await;
        let id = manual_job(&simulator).await;
        world.transition(&id, JobStatus::Running).await;
        world.until("well again", |world| world.upstreams.statuses()[0].error.is_none().then_some(())).await;
        world.end().await;
        simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_messages_are_taken_up_to_the_limit() {
    let simulator = quiet_sim(Dialect::Stock).await;
    let world = World::to(&url(&simulator));
    world.state(UpstreamState::Live).await;
    admin(&simulator, "/sim/fault", r#"{"kind":"huge_frame","bytes":20000000}"#).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.state(UpstreamState::Live).await;
    assert_eq!(world.upstreams.statuses()[0].reconnects, 0);
    world.end().await;

    let options = collect::Options { message_limit: 1 << 20, ..quick() };
    let world = World::start(vec![daemon("sim", &url(&simulator))], Vec::new(), options);
    world.state(UpstreamState::Live).await;
    admin(&simulator, "/sim/fault", r#"{"kind":"huge_frame","bytes":20000000}"#).await;
    world.until("opened again", |world| (world.upstreams.statuses()[0].reconnects > 0).then_some(())).await;
    world.state(UpstreamState::Live).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_500_are_told_and_end_the_series() {
    let simulator = quiet_sim(Dialect::Documented).await;
    let world = World::to(&url(&simulator));
    world.sample("hypersdk_goroutines", &[], |value| value > 0.0).await;
    admin(&simulator, "/sim/fault", r#"{"kind":"http_500","seconds":3}"#).await;
    world.sample("up", &[], |value| value == 0.0).await;
    world.sample("hypersdk_goroutines", &[], is_stale_marker).await;
    world.error("500").await;
    world.sample("up", &[], |value| value == 1.0).await;
    world.sample("hypersdk_goroutines", &[], |value| value > 0.0).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_its_jobs_are_history() {
    for dialect in BOTH {
        let simulator = quiet_sim(dialect).await;
        let mut world = World::to(&url(&simulator));
        world.state(UpstreamState::Live).await;
        let id = manual_job(&simulator).await;
        world.transition(&id, JobStatus::Running).await;
        admin(&simulator, "/sim/fault", r#"{"kind":"restart","seconds":1}"#).await;
        let lost = world
            .event("a historic job", |event| match event {
                Event::JobStatus(transition) if transition.job_id == id && transition.job.historic => {
                    Some(transition.job.clone())
                }
                _ => None,
            })
            .await;
        assert_eq!((lost.rate_bytes_per_second, lost.eta_seconds), (None, None));
        world.until("opened again", |world| (world.upstreams.statuses()[0].reconnects > 0).then_some(())).await;
        world.state(UpstreamState::Live).await;
        assert!(world.upstreams.job("sim", &id).unwrap().historic);
        let next = manual_job(&simulator).await;
        world.transition(&next, JobStatus::Running).await;
        world.end().await;
        simulator.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_socket_leaves_polling() {
    let simulator = sim(SimOptions { dialect: Dialect::Stock, ..SimOptions::default() }).await;
    admin(&simulator, "/sim/fault", r#"{"kind":"refuse_upgrade"}"#).await;
    let world = World::to(&url(&simulator));
    world.state(UpstreamState::Polling).await;
    world.until("jobs", |world| (!world.upstreams.jobs().is_empty()).then_some(())).await;
    world.error("503").await;
    world.sample("hypersdk_jobs_active", &[], |_| true).await;
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_socket_the_page_of_metrics_tells_how_the_process_is() {
    let simulator = quiet_sim(Dialect::Documented).await;
    admin(&simulator, "/sim/fault", r#"{"kind":"refuse_upgrade"}"#).await;
    let world = World::to(&url(&simulator));
    world.state(UpstreamState::Polling).await;
    let known = |world: &World| world.upstreams.system().into_iter().next();
    let system = world.until("system metrics", known).await;
    assert!(system.memory_bytes > Some(0.0) && system.goroutines > Some(0.0), "{system:?}");
    world.end().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_not_there_is_down_and_found_when_it_comes() {
    let first = quiet_sim(Dialect::Stock).await;
    let addr = first.addr();
    let world = World::to(&url(&first));
    world.state(UpstreamState::Live).await;
    world.sample("hypersdk_goroutines", &[], |value| value > 0.0).await;
    first.shutdown().await;
    world.state(UpstreamState::Down).await;
    let error = world.upstreams.statuses()[0].error.clone().unwrap();
    assert!(error.contains(&addr.to_string()), "{error}");
    world.sample("up", &[], |value| value == 0.0).await;
    world.sample("hypersdk_goroutines", &[], is_stale_marker).await;
    let second = sim(SimOptions { listen: addr, dialect: Dialect::Stock, ..SimOptions::default() }).await;
    world.state(UpstreamState::Live).await;
    world.sample("hypersdk_goroutines", &[], |value| value > 0.0).await;
    world.end().await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_daemon_is_said_to_be_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = Router::new()
        .route("/json/status", any(|| async { axum::Json(serde_json::json!({"hello": "world"})) }))
        .fallback(any(|| async { Html("<!doctype html><title>Shop</title>") }));
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let world = World::to(&format!("http://{addr}"));
    let error = world.error("HTML").await;
    assert!(error.contains("check the address"), "{error}");
    assert_eq!(world.upstreams.statuses()[0].state, UpstreamState::Down);
    world.end().await;
    let world = World::to(&format!("http://{addr}/json"));
    world.error("neither total_jobs nor uptime").await;
    world.end().await;
    server.abort();
}
