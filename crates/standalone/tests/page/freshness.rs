//! Whether data is old, as the page is told: for what it watches, and for what it begins to watch meanwhile.

use hypervisord::detect::Dialect;
use model::live::{ServerMessage, Topic};

use crate::rig::{Rig, metrics, query, running, statuses};

#[test]
fn data_becomes_old_when_the_daemon_is_away_and_fresh_when_it_is_back() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    rig.subscribe(1, Topic::Jobs, 1.0);
    rig.subscribe(2, query("hypersdk_goroutines"), 1.0);
    rig.subscribe(3, Topic::Alerts, 1.0);
    rig.subscribe(4, Topic::System, 1.0);
    assert_eq!(statuses(&rig.messages()), []);

    rig.cut(2.0, "the live socket was closed by the daemon", true);
    rig.pass(2, 5);
    assert_eq!(statuses(&rig.messages()), [], "what is shown is good for some seconds");
    rig.cut(5.0, "cannot reach http://h:8080/status: refused", false);
    rig.pass(5, 9);
    let messages = rig.messages();
    assert_eq!(statuses(&messages), [(1, false), (2, false), (4, false)], "alerts are of this page itself");
    let reason = messages.iter().find_map(|message| match message {
        ServerMessage::Status { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(
        reason.as_deref(),
        Some("hypervisord is down: cannot reach http://h:8080/status: refused"),
        "in a server's words"
    );

    // Another page of the same daemon, and a panel that was out of sight.
    rig.page.connect(crate::rig::now(10.0).ms);
    rig.subscribe(1, Topic::Jobs, 10.0);
    rig.subscribe(2, query("hypersdk_goroutines"), 10.0);
    rig.subscribe(3, Topic::Alerts, 10.0);
    let messages = rig.messages();
    assert_eq!(statuses(&messages), [(1, false), (2, false)]);
    let kinds = messages.iter().filter_map(|message| match message {
        ServerMessage::Snapshot { id: 1, .. } => Some("jobs"),
        ServerMessage::Status { id: 1, .. } => Some("old"),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["jobs", "old"], "after the list, which the page takes for fresh");

    rig.connect_daemon(Dialect::Stock, None, 12.0);
    assert_eq!(statuses(&rig.messages()), [(1, true), (2, true)]);
}

#[test]
fn a_result_that_comes_whole_while_data_is_old_stays_marked() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    rig.say(1.0, &metrics(&[running("a", 10)], 7));
    rig.scrape(1.0, None);
    // Its values depend on the window, so that each step comes whole.
    rig.subscribe(1, query("hypersdk_goroutines @ end()"), 2.0);
    rig.cut(3.0, "refused", false);
    rig.pass(3, 10);
    rig.messages();
    rig.pass(10, 40);
    let messages = rig.messages();
    let whole = messages.iter().filter(|message| matches!(message, ServerMessage::Snapshot { id: 1, .. })).count();
    assert!(whole >= 1, "{messages:?}");
    assert_eq!(statuses(&messages), vec![(1, false); whole]);
}

#[test]
fn a_daemon_that_answers_polls_is_not_away() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    rig.subscribe(1, Topic::Jobs, 1.0);
    rig.cut(2.0, "the live socket cannot be opened", true);
    let endpoint = rig.page.endpoint().clone();
    for second in [2.5, 4.5, 6.5, 8.5] {
        let at = crate::rig::now(second);
        let (mut next, _) = rig.page.change(at, |daemon| daemon.next_poll(at));
        while let Some(poll) = next {
            let body = r#"{"jobs":[],"total":0}"#.into();
            let answer = endpoint.read(&poll.request.path, scrape::Response { status: 200, content_type: None, body });
            let polled = answer.and_then(|answer| poll.read(&endpoint, &answer));
            (next, _) = rig.page.change(at, |daemon| daemon.polled(poll, polled, at));
        }
        let whole = second.floor();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small
        rig.pass(whole as u32 + 1, whole as u32 + 2);
    }
    assert_eq!(statuses(&rig.messages()), []);
    assert_eq!(rig.page.notices().len(), 1, "but that there is no socket is said");
}
