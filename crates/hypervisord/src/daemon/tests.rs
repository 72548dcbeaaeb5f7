//! Messages, answers and times, and the events and states that follow.

use std::time::Duration;

use model::upstream::UpstreamState;

use super::TICK;
use crate::{
    detect::Dialect,
    script::{Script, now, profile},
};

fn metrics(jobs: &str) -> String {
    format!(r#"{{"type":"metrics","data":{{"raw":{{"uptime_seconds":60,"goroutines":7,"recent_jobs":[{jobs}]}}}}}}"#)
}

fn running(id: &str, percent: u32) -> String {
    format!(
        r#"{{"id":"{id}","status":"running","progress":{percent},"created_at":"2026-03-01T08:59:00Z","start_time":"2026-03-01T08:59:01Z"}}"#
    )
}

fn completed(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"completed","progress":100,"created_at":"2026-03-01T08:59:00Z",
        "start_time":"2026-03-01T08:59:01Z","end_time":"2026-03-01T09:00:02Z"}}"#
    )
}

/// Ticks from one second to another; returns the events with their seconds.
fn ticks(script: &mut Script, from: u32, to: u32) -> Vec<String> {
    let mut events = Vec::new();
    for tick in from * 10..to * 10 {
        let second = f64::from(tick) / 10.0;
        script.daemon.tick(now(second));
        events.extend(script.events().into_iter().map(|event| format!("{second} {event}")));
    }
    events
}

#[test]
fn a_message_becomes_events_of_jobs_process_and_status_in_this_order() {
    let mut script = Script::new();
    assert_eq!(script.daemon.status().state, UpstreamState::Connecting);
    script.daemon.recognised(profile(Dialect::Stock, None), now(0.0));
    assert_eq!(script.events(), ["connecting"]);
    script.daemon.socket_opened(now(0.1));
    assert!(script.events().is_empty(), "open, but nothing came");
    let first = format!("{},{}", running("a", 10), completed("b"));
    let mut events = script.message(0.2, &metrics(&first));
    events[..2].sort();
    assert_eq!(events, ["a running", "b completed", "system", "live"]);
    assert_eq!(script.message(1.2, &metrics(&format!("{},{}", running("a", 11), completed("b")))), ["a 11%"]);
    // Too early for an event: it follows at a tick.
    assert!(script.message(1.5, &metrics(&format!("{},{}", running("a", 12), completed("b")))).is_empty());
    assert_eq!(ticks(&mut script, 2, 4), ["2.1 a 12%"]);
    assert_eq!(script.message(4.0, &metrics(&format!("{},{}", completed("a"), completed("b")))), ["a completed"]);
    assert_eq!(script.message(6.0, r#"{"type":"heartbeat","data":{}}"#), [""; 0]);
    let alert = r#"{"type":"alert.fired","data":{"name":"A"}}"#;
    assert_eq!(script.message(6.0, alert), ["A fires at d"]);
    assert_eq!(script.message(6.0, &alert.replace("fired", "resolved")), ["A resolved at d"]);
}

#[test]
fn states_follow_from_the_age_of_data_and_the_socket() {
    let mut script = Script::new();
    script.recognise_stock(0.0);
    script.daemon.socket_opened(now(0.0));
    script.message(0.0, &metrics(&running("a", 10)));
    assert!(script.daemon.has_spoken());
    assert_eq!(ticks(&mut script, 0, 9), ["5.1 stale"], "open, but silent");
    assert_eq!(script.message(9.0, &metrics(&running("a", 10))), ["system", "live"]);
    script.daemon.socket_failed("the live socket was closed", true, now(10.0));
    assert_eq!(script.events(), ["live: the live socket was closed"], "its data is still good");
    assert_eq!(ticks(&mut script, 10, 20), ["14.2 stale: the live socket was closed"]);
    script.daemon.socket_failed("refused", false, now(20.0));
    assert_eq!(script.events(), ["down: refused"]);
    script.daemon.socket_opened(now(21.0));
    assert_eq!((script.events().as_slice(), script.daemon.status().reconnects), (&["down: refused".to_owned()][..], 1));
    assert_eq!(script.message(21.5, &metrics(&running("a", 10))), ["system", "live"]);
    script.daemon.feed_failed("the live socket: a message is not JSON, password=hunter2x", now(22.0));
    assert_eq!(script.events(), ["live: the live socket: a message is not JSON, password=***"]);
    assert_eq!(script.message(23.0, &metrics(&running("a", 10))), ["live"]);
}

#[test]
fn a_daemon_that_never_answers_is_down_at_the_first_failure() {
    let mut script = Script::new();
    assert!(ticks(&mut script, 0, 3).is_empty());
    assert!(!script.daemon.has_spoken());
    script.daemon.socket_failed("cannot reach http://h:8080/status: refused", false, now(3.0));
    assert_eq!(script.events(), ["down: cannot reach http://h:8080/status: refused"]);
    assert!(script.daemon.has_spoken(), "up is 0");
}

#[test]
fn a_profile_is_valid_for_a_minute_unless_the_socket_cannot_be_opened() {
    let mut script = Script::new();
    assert!(script.daemon.detection(now(0.0)).is_some());
    script.daemon.recognised(profile(Dialect::Documented, None), now(1.0));
    assert!(script.daemon.detection(now(61.0)).is_none());
    assert!(script.daemon.detection(now(61.1)).is_some());
    script.daemon.socket_opened(now(2.0));
    script.daemon.socket_failed("it broke", true, now(3.0));
    assert!(script.daemon.detection(now(3.5)).is_none(), "it was good enough to open it");
    script.daemon.socket_failed("it does not open", true, now(4.0));
    assert!(script.daemon.detection(now(4.5)).is_some());
}

#[test]
fn silence_counts_from_the_last_message_of_this_socket() {
    let seconds = Duration::from_secs;
    let mut script = Script::new();
    script.recognise_stock(0.0);
    assert_eq!((script.daemon.longest_silence(), script.daemon.silent_at(seconds(2))), (seconds(15), seconds(17)));
    script.message(5.0, &metrics(""));
    assert_eq!(script.daemon.silent_at(seconds(2)), seconds(20));
    assert_eq!(script.daemon.silent_at(seconds(30)), seconds(45), "that was another socket");
    script.message(6.0, r#"{"type":"system.metrics","data":{"cpu_percent":1}}"#);
    assert_eq!(script.daemon.silent_at(seconds(2)), seconds(36), "one that sends events may be silent for longer");
}

#[test]
fn a_cancelled_job_that_stays_silent_has_stopped_at_last() {
    let mut script = Script::new();
    script.recognise_stock(0.0);
    script.daemon.socket_opened(now(0.0));
    script.message(0.0, &metrics(&running("a", 10)));
    let poll = script.daemon.next_poll(now(1.0)).unwrap();
    let poll = script.answer(1.0, poll, Some("{}")).unwrap();
    let jobs = r#"{"jobs":[{"definition":{"id":"a"},"status":"cancelled","progress":{"export_method":"ctl"},
        "updated_at":"2026-03-01T09:00:01Z","completed_at":"2026-03-01T09:00:01Z"}]}"#;
    assert!(script.answer(1.0, poll, Some(jobs)).is_none());
    assert!(script.daemon.job("a").unwrap().cancel_requested, "stock daemons go on");
    let mut second = 2.0;
    while script.daemon.job("a").unwrap().cancel_requested {
        second += TICK.as_secs_f64();
        script.daemon.tick(now(second));
        assert!(second < 700.0);
    }
    assert!(second > 601.0, "{second}");
    assert!(script.events().contains(&"a cancelled".to_owned()));
}
