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
