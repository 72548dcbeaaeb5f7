//! Daemons that answer something else than daemons do: a sentence each, and the rest goes on.

use std::time::Instant;

use hypervisord::detect::{Detection, Dialect, Next};
use model::live::{ServerMessage, SnapshotData, Topic};
use scrape::Response;

use crate::rig::{Rig, metrics, now, running};

/// Jobs that the page has, by its own list.
fn jobs(rig: &mut Rig, second: f64) -> Vec<String> {
    rig.messages();
    rig.page.connect(now(second).ms);
    rig.subscribe(1, Topic::Jobs, second);
    let list = rig.messages().into_iter().find_map(|message| match message {
        ServerMessage::Snapshot { data: SnapshotData::Jobs { jobs }, .. } => Some(jobs),
        _ => None,
    });
    list.unwrap().into_iter().map(|job| job.id).collect()
}

#[test]
fn garbage_is_said_and_the_next_message_is_read() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    assert!(rig.page.notices().is_empty());
    for broken in ["<html>", "{\"type\":\"metrics\",\"data\":{\"raw\":{", "\u{0}"] {
        rig.say(2.0, broken);
        let notices = rig.page.notices();
        assert_eq!(notices.len(), 1, "{broken:?}");
        assert!(
            notices[0].starts_with("The daemon is connected, but not all is well: the live socket: "),
            "{notices:?}"
        );
        rig.say(3.0, &metrics(&[running("a", 10)], 7));
        assert!(rig.page.notices().is_empty(), "after {broken:?}");
        assert_eq!(jobs(&mut rig, 3.0), ["a"]);
    }
}

#[test]
fn another_dialect_in_the_middle_is_read_too() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    rig.say(2.0, &metrics(&[running("a", 10)], 7));
    rig.say(3.0, r#"{"type":"job.status","timestamp":"2026-11-20T09:00:03Z","data":{"job_id":"b","name":"b","provider":"kvm",
        "region":"r","job_type":"export","vm_path":"/b","from":null,"status":"running","error":null,"timestamp":"2026-11-20T09:00:03Z"}}"#);
    rig.say(3.0, r#"{"type":"metrics","data":{"raw":[1,2]}}"#);
    let mut found = jobs(&mut rig, 3.0);
    found.sort();
    assert_eq!(found, ["a", "b"]);
    rig.say(4.0, &metrics(&[running("a", 20)], 7));
    assert!(rig.page.notices().is_empty(), "{:?}", rig.page.notices());
}

#[test]
fn what_is_no_daemon_is_said() {
    for (status, kind, body, words) in [
        (200, "text/html", "<!doctype html><p>It works.", "answered with an HTML page: this is not a hypervisord"),
        (500, "text/plain", "internal error", "answered HTTP 500: internal error"),
        (
            200,
            "application/json",
            "{\"version\":\"0.0.1\",\"total_",
            "answered with something that is not a hypervisord",
        ),
        (200, "application/json", "{}", "its status has neither total_jobs nor uptime"),
    ] {
        let mut rig = Rig::new();
        let endpoint = rig.page.endpoint().clone();
        let mut detection: Detection = rig.page.daemon().detection(now(0.0)).unwrap();
        let failed = loop {
            let Next::Request(request) = detection.next() else { panic!("{body} is taken for a daemon") };
            let response = Response { status, content_type: Some(kind.to_owned()), body: body.into() };
            if let Err(error) = detection.answered(&endpoint, endpoint.read(&request.path, response)) {
                break error;
            }
        };
        rig.cut(1.0, &failed.to_string(), failed.is_reached());
        let notices = rig.page.notices();
        assert!(notices[0].starts_with("No data from the daemon: "), "{notices:?}");
        assert!(notices[0].contains(words), "{notices:?}");
        rig.connect_daemon(Dialect::Stock, None, 2.0);
        assert!(rig.page.notices().is_empty());
    }
}

#[test]
fn a_clock_that_is_off_by_a_day_is_said_and_times_are_ours() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    for second in 2_u32..20 {
        let stamp = format!("2026-11-21T09:00:{second:02}Z");
        let job = r#"{"id":"a","status":"running","progress":5,"created_at":"2026-11-21T08:59:00Z","start_time":"2026-11-21T08:59:00Z"}"#;
        let text = metrics(&[job.to_owned()], 7).replacen('{', &format!(r#"{{"timestamp":"{stamp}","#), 1);
        rig.say(f64::from(second), &text);
    }
    let notices = rig.page.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with("The daemon's clock is 24 hours ahead of this computer's"), "{notices:?}");
    let job = rig.page.daemon().job("a").unwrap();
    let started_ms = job.started_at.unwrap();
    assert!((started_ms - (now(0.0).ms - 60_000)).abs() < 3_000, "{started_ms}");
}

#[test]
fn ten_thousand_jobs_are_all_there_and_each_message_is_quick() {
    const JOBS: usize = 10_000;
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    let list = |percent| -> Vec<String> { (0..JOBS).map(|number| running(&format!("j{number}"), percent)).collect() };
    rig.say(2.0, &metrics(&list(10), 7));
    rig.scrape(2.0, None);
    assert_eq!(jobs(&mut rig, 3.0).len(), JOBS);
    let ended = |number| {
        format!(
            r#"{{"id":"e{number}","status":"completed","created_at":"2026-11-20T08:00:00Z","start_time":"2026-11-20T08:00:00Z","end_time":"2026-11-20T08:{:02}:{:02}Z"}}"#,
            number / 60 % 60,
            number % 60
        )
    };
    let mut with_past = list(11);
    with_past.extend((0..3_000).map(ended));
    rig.say(3.0, &metrics(&with_past, 7));
    rig.scrape(3.5, None);
    assert_eq!(rig.page.notices(), [""; 0], "a long past is many samples, not many series");
    let begin = Instant::now();
    for second in 3_u32..6 {
        rig.say(f64::from(second), &metrics(&list(second), 7));
        rig.pass(second, second + 1);
    }
    let each = begin.elapsed() / 3;
    println!("a message with {JOBS} jobs, all of them changed: {each:?} in this build");
    // A debug build; the page's is some times quicker.
    assert!(each.as_secs() < 5, "{each:?}");
}

#[test]
fn a_metric_with_too_many_series_is_left_out_and_the_others_are_kept() {
    let mut rig = Rig::connected(Dialect::Custom, Some("/metrics"), 1.0);
    let series = |name: &str, count: u32| -> String {
        (0..count).map(|number| format!("{name}{{endpoint=\"/jobs/{number}\"}} 1\n")).collect()
    };
    let page = format!("{}process_open_fds 7\n", series("hypersdk_api_requests_total", 2_100));
    rig.scrape(15.0, Some(&page));
    let too_much =
        "hypersdk_api_requests_total has more than 2000 series, which is too much for a page: it is not shown.";
    assert_eq!(rig.page.notices(), [too_much]);
    let mut found = |metric: &str| {
        let frame = rig.get(&format!("/api/frame?query={metric}&end_ms=1795165215000&step_ms=15000"), 15.0);
        frame["series"].as_array().map(Vec::len)
    };
    assert_eq!(found("process_open_fds"), Some(1));
    assert_eq!(found("hypersdk_goroutines"), Some(1));
    assert_eq!(found("hypersdk_api_requests_total"), Some(0), "a part of it would give wrong sums");

    // Many metrics with many series each.
    let page: String = (0..6).map(|number| series(&format!("hypersdk_metric_{number}"), 1_900)).collect();
    rig.scrape(30.0, Some(&page));
    let full = "The daemon has more than the 10000 series that a page keeps: some charts lack data.";
    assert_eq!(rig.page.notices(), [too_much, full]);
    assert_eq!(rig.page.store_stats().series, 10_000);
}
