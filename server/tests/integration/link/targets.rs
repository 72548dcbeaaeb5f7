//! Plain Prometheus endpoints, and invalid pages.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use collect::{Options, ScrapeTarget, Upstreams};
use model::upstream::UpstreamState;
use timeseries::is_stale_marker;

use crate::link::world::{World, daemon, quick};

/// Serves these pages in turn, the last one forever.
async fn serve(pages: Vec<(&'static str, &'static str)>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let page = move || {
        let index = count.fetch_add(1, Ordering::Relaxed).min(pages.len() - 1);
        let (content_type, page) = pages[index];
        async move { (StatusCode::OK, [(CONTENT_TYPE, content_type)], page).into_response() }
    };
    let app = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{addr}/metrics")
}

fn target(url: &str) -> ScrapeTarget {
    ScrapeTarget {
        name: "node".to_owned(),
        url: url.parse().unwrap(),
        interval: None,
        labels: vec![("site".to_owned(), "berlin".to_owned())],
    }
}

const TEXT: &str = "text/plain; version=0.0.4";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_scraped_and_series_that_end_are_marked() {
    let url = serve(vec![
        (TEXT, "# TYPE a gauge\na{job=\"own\",password=\"geheim\"} 1\nb 2 1700000000000\nc 3\n"),
        (TEXT, "# TYPE a gauge\na{job=\"own\",password=\"geheim\"} 5\n"),
    ])
    .await;
    let world = World::start(Vec::new(), vec![target(&url)], quick());
    world
        .sample("a", &[("job", "node"), ("exported_job", "own"), ("site", "berlin"), ("password", "***")], |value| {
            value == 5.0
        })
        .await;
    world.sample("c", &[], is_stale_marker).await;
    assert_eq!(world.value("b", &[]), Some(2.0), "a sample with a time of its own is not marked");
    world.sample("up", &[("job", "node")], |value| value == 1.0).await;
    assert_eq!(world.upstreams.statuses()[0].state, UpstreamState::Live);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_read_says_where() {
    let open_metrics = "application/openmetrics-text; version=1.0.0";
    let limits = Options { scrape_body_limit: 10_000, scrape_sample_limit: 100, ..quick() };
    let many: &'static str = Box::leak("a 1\n".repeat(101).into_boxed_str());
    let large: &'static str = Box::leak("# words\n".repeat(2000).into_boxed_str());
    for (content_type, page, message) in [
        (TEXT, "a 1\nb one\n", "line 2, column 3: expected a number"),
        (open_metrics, "a 1\n", "cut off"),
        ("text/html", "<html></html>", "HTML"),
        ("application/json", "{}", "none of metrics"),
        (TEXT, many, "more than 100 samples"),
        (TEXT, large, "larger than 10000 bytes"),
    ] {
        let url = serve(vec![(content_type, page)]).await;
        let world = World::start(Vec::new(), vec![target(&url)], limits);
        world.error(message).await;
        world.sample("up", &[("job", "node")], |value| value == 0.0).await;
        assert_eq!(world.upstreams.statuses()[0].state, UpstreamState::Down);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_cannot_work_are_refused() {
    let start = |daemons| {
        let (events, _) = tokio::sync::broadcast::channel(1);
        let memory = Arc::new(crate::link::world::Memory::default());
        let outlets = collect::Sinks { events, samples: memory.clone(), stored: memory, metadata: Arc::new(()) };
        Upstreams::start(daemons, Vec::new(), outlets, quick(), Default::default(), Default::default())
            .err()
            .unwrap()
            .to_string()
    };
    assert!(start(vec![daemon("a", "http://h:1"), daemon("a", "http://h:2")]).contains("two sources are named"));
    assert!(start(vec![daemon("a", "ftp://h")]).contains("http://"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_that_were_in_trouble_at_first_are_found_later() {
    const STATUS: &str = r#"{"version":"0.0.1","uptime":"1h","total_jobs":0,"timestamp":"2026-03-01T10:00:00Z"}"#;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let metrics = move || {
        let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if is_first {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            } else {
                ([(CONTENT_TYPE, TEXT)], "hypersdk_active_jobs 7\n").into_response()
            }
        }
    };
    let app = Router::new()
        .route("/status", get(|| async { STATUS }))
        .route("/jobs/query", axum::routing::post(|| async { r#"{"jobs":null,"total":0}"# }))
        .route("/metrics", get(metrics));
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let world = World::to(&format!("http://{addr}"));
    world.state(UpstreamState::Polling).await;
    world.sample("hypersdk_active_jobs", &[("daemon", "sim")], |value| value == 7.0).await;
    world.end().await;
    server.abort();
}
