//! A scripted daemon, and the points that are written about it.

use timeseries::is_stale_marker;

use super::*;
use crate::{
    detect::{Dialect, Next},
    script::{START_MS, Script, now, profile},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const PAGE: &str = "hypersdk_jobs_active{provider=\"vsphere\"} 2\nhypersdk_cpu_usage 12\n";

fn feed(goroutines: u32, jobs: &str) -> String {
    format!(
        r#"{{"type":"metrics","timestamp":"2026-03-01T09:00:00Z","data":{{"raw":{{"uptime_seconds":60,"goroutines":{goroutines},"recent_jobs":[{jobs}]}}}}}}"#
    )
}

fn completed(id: &str, end: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"completed","created_at":"2026-03-01T08:59:10Z","start_time":"2026-03-01T08:59:10Z","end_time":"{end}"}}"#
    )
}

fn collector(script: &Script, stored: Vec<Stored>) -> Collector {
    let (labels, redactor) = (target_labels("h:8080", script.daemon.name()), Arc::default());
    Collector::new(labels, PageLimits::default(), redactor, stored, DAY, START_MS)
}

/// A tick at a second of the script; `page` is the answer to the request, if there is one. Returns all points.
fn tick(collector: &mut Collector, script: &mut Script, second: f64, page: Option<&str>) -> Vec<Point> {
    let tick = collector.begin(&mut script.daemon, now(second).ms);
    assert_eq!(tick.request.is_some(), page.is_some());
    let scrape = page.map(|body| {
        let response = scrape::Response { status: 200, content_type: None, body: body.into() };
        let answer = script.endpoint.read("/metrics", response);
        collector.read(&tick, &script.endpoint, answer, Duration::from_millis(250))
    });
    collector.finish(&mut script.daemon, tick, scrape, now(second));
    std::iter::from_fn(|| collector.next_batch()).flatten().collect()
}

fn changes(collector: &mut Collector, script: &mut Script, second: f64) -> Vec<Point> {
    collector.changes(&mut script.daemon, now(second).ms);
    std::iter::from_fn(|| collector.next_batch()).flatten().collect()
}

/// Milliseconds of the script and value of each point of a series; stale markers have no value.
fn series(points: &[Point], name: &str) -> Vec<(i64, Option<f64>)> {
    let own = points.iter().filter(|point| point.labels.metric_name() == name);
    own.map(|point| (point.timestamp_ms - START_MS, Some(point.value).filter(|value| !is_stale_marker(*value))))
        .collect()
}

#[test]
fn a_daemon_without_metrics_is_up_while_its_feed_is_fresh() {
    let mut script = Script::new();
    let mut collector = collector(&script, Vec::new());
    assert_eq!(collector.take_metadata().map(|metadata| metadata.is_empty()), Some(false));
    assert_eq!(collector.take_metadata(), None);
    let points = tick(&mut collector, &mut script, 0.0, None);
    assert_eq!((series(&points, "up"), points.len()), (vec![(0, Some(0.0))], 1));

    script.recognise_stock(1.0);
    script.daemon.socket_opened(now(1.0));
    script.message(2.0, &feed(7, &completed("a", "2026-03-01T08:59:40Z")));
    let points = changes(&mut collector, &mut script, 2.1);
    assert_eq!(series(&points, "up"), [(2_100, Some(1.0))], "at once, not at the next tick");
    assert_eq!(series(&points, "hypersdk_goroutines"), [(2_100, Some(7.0))]);
    let count = series(&points, "hypersdk_jobs_completed_total");
    assert_eq!(count, [(-60_000, Some(0.0)), (-20_001, Some(0.0)), (-20_000, Some(1.0)), (2_100, Some(1.0))]);
    assert!(points.iter().all(|point| point.labels.get("instance") == "h:8080" && point.labels.get("daemon") == "d"));

    assert!(changes(&mut collector, &mut script, 2.6).is_empty(), "nothing changed");
    script.message(3.0, &feed(8, &completed("a", "2026-03-01T08:59:40Z")));
    let points = changes(&mut collector, &mut script, 3.1);
    assert_eq!(points.len(), 1, "only what changed");
    assert_eq!(series(&points, "hypersdk_goroutines"), [(3_100, Some(8.0))]);
    let points = tick(&mut collector, &mut script, 4.0, None);
    assert_eq!(series(&points, "up"), [(4_000, Some(1.0))]);
    assert_eq!(series(&points, "hypersdk_goroutines"), [(4_000, Some(8.0))]);
}

#[test]
fn series_end_after_the_last_message_and_go_on_with_the_next() {
    let mut script = Script::new();
    let mut collector = collector(&script, Vec::new());
    script.recognise_stock(0.0);
    script.daemon.socket_opened(now(0.0));
    script.message(0.0, &feed(7, &completed("a", "2026-03-01T08:59:40Z")));
    tick(&mut collector, &mut script, 0.0, None);
    script.message(1.0, &feed(7, &completed("a", "2026-03-01T08:59:40Z")));
    // The socket is silent, which is not noticed yet: the values are known until the last message.
    let points = tick(&mut collector, &mut script, 4.0, None);
    assert_eq!(series(&points, "hypersdk_goroutines"), [(1_000, Some(7.0))]);
    script.daemon.tick(now(8.0));
    let points = changes(&mut collector, &mut script, 8.1);
    assert_eq!((series(&points, "up"), points.len()), (vec![(8_100, Some(0.0))], 1));
    let points = tick(&mut collector, &mut script, 9.0, None);
    assert_eq!(series(&points, "hypersdk_goroutines"), [(1_001, None)]);
    assert_eq!(tick(&mut collector, &mut script, 14.0, None).len(), 1, "once");

    // A job ended meanwhile: it counts at its own time.
    let jobs = [completed("a", "2026-03-01T08:59:40Z"), completed("b", "2026-03-01T09:00:06Z")].join(",");
    script.message(20.0, &feed(7, &jobs));
    let points = changes(&mut collector, &mut script, 20.1);
    assert!(series(&points, "hypersdk_jobs_completed_total").contains(&(6_000, Some(2.0))));
    assert_eq!(series(&points, "up"), [(20_100, Some(1.0))]);
}

#[test]
fn what_a_page_shows_is_not_derived() {
    let mut script = Script::new();
    let mut collector = collector(&script, Vec::new());
    collector.take_metadata();
    script.daemon.recognised(profile(Dialect::Custom, Some("/metrics")), now(0.0));
    script.daemon.socket_opened(now(0.0));
    script.message(0.0, &feed(7, ""));
    let points = tick(&mut collector, &mut script, 1.0, Some(PAGE));
    assert_eq!(series(&points, "hypersdk_jobs_active"), [(1_000, Some(2.0))]);
    assert_eq!(series(&points, "hypersdk_goroutines"), [(1_000, Some(7.0))], "what it lacks is");
    assert_eq!(series(&points, "scrape_samples_scraped"), [(1_000, Some(2.0))]);
    let names: Vec<_> = collector.take_metadata().unwrap().into_iter().map(|family| family.name).collect();
    assert_eq!(names, ["hypersdk_jobs_active", "hypersdk_cpu_usage"]);
    assert_eq!(script.daemon.status().scrape_duration_seconds, Some(0.25));
    script.events();

    let points = tick(&mut collector, &mut script, 2.0, Some("5"));
    assert_eq!(
        (series(&points, "up"), series(&points, "hypersdk_cpu_usage")),
        (vec![(2_000, Some(0.0))], vec![(2_000, None)])
    );
    let [event] = &script.events()[..] else { panic!("one event") };
    assert!(event.starts_with("live: the scrape failed: http://h:8080/metrics: "), "{event}");

    // Without a feed, the state of the process is that of the page.
    script.daemon.socket_failed("it broke", true, now(3.0));
    script.daemon.tick(now(9.0));
    script.events();
    tick(&mut collector, &mut script, 10.0, Some(PAGE));
    assert_eq!(script.daemon.system().and_then(|system| system.cpu_percent), Some(12.0));
    assert!(script.events().contains(&"system".to_owned()));
}

#[test]
fn metrics_that_may_come_are_probed_for_while_it_is_connected() {
    let mut script = Script::new();
    let mut collector = collector(&script, Vec::new());
    let unsure = crate::detect::Profile { may_have_metrics: true, ..profile(Dialect::Stock, None) };
    script.daemon.recognised(unsure, now(0.0));
    assert!(collector.probe(&script.daemon, now(20.0).ms).is_none(), "not connected");
    script.message(20.0, &feed(7, ""));
    let detection = collector.probe(&script.daemon, now(20.0).ms).unwrap();
    let Next::Request(request) = detection.next() else { panic!("it asks") };
    assert_eq!(request.path, "/api/v1/metrics");
    assert!(collector.probe(&script.daemon, now(25.0).ms).is_none(), "not all the time");
    assert!(collector.probe(&script.daemon, now(30.0).ms).is_some());
    script.daemon.probed(profile(Dialect::Custom, Some("/metrics")), now(31.0));
    assert_eq!(series(&tick(&mut collector, &mut script, 35.0, Some(PAGE)), "up"), [(35_000, Some(1.0))]);
}

#[test]
fn a_driver_that_starts_later_continues_from_the_stored_samples() {
    let mut script = Script::new();
    script.recognise_stock(0.0);
    script.message(0.0, &feed(7, &completed("a", "2026-03-01T08:59:40Z")));
    let mut first = collector(&script, Vec::new());
    let points = tick(&mut first, &mut script, 0.0, None);
    let newest = points.iter().filter(|point| point.labels.metric_name() == "hypersdk_jobs_completed_total");
    let newest = newest.max_by_key(|point| point.timestamp_ms).unwrap();
    let stored = Stored { labels: newest.labels.clone(), at_ms: newest.timestamp_ms, value: newest.value };

    let mut script = Script::new();
    script.recognise_stock(60.0);
    let jobs = [completed("a", "2026-03-01T08:59:40Z"), completed("b", "2026-03-01T09:00:30Z")].join(",");
    script.message(60.0, &feed(7, &jobs).replace("09:00:00Z", "09:01:00Z").replace(":60,", ":120,"));
    let mut second = collector(&script, vec![stored]);
    let points = tick(&mut second, &mut script, 60.0, None);
    let count = series(&points, "hypersdk_jobs_completed_total");
    assert_eq!(count, [(29_999, Some(1.0)), (30_000, Some(2.0)), (60_000, Some(2.0))], "nothing is counted twice");
}
