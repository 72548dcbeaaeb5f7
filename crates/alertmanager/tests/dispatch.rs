//! Hours of alerts, with notifications in the order and at the times of Alertmanager.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test fails by panicking.

use std::{path::Path, sync::Arc};

use alertmanager::{
    alert::{Alert, Labels, PostableAlert},
    config::{Config, file::ConfigFile},
    dispatch::{Dispatcher, LogChange, LogEntry, LogKey, Notification},
    silence::Silence,
};
use labels::Fingerprint;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

const USUAL: &str = "
route: {receiver: team, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: team, webhook_configs: [{url: 'http://x'}]}]
";

fn config(text: &str) -> Arc<Config> {
    let file: ConfigFile = serde_saphyr::from_str(text).unwrap();
    Arc::new(file.check(Path::new("/")).unwrap())
}

fn labels(text: &str) -> Labels {
    text.split(',').map(|pair| pair.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// A post that resolves an alert which started at 0.
fn ended(names: &str, now_ms: i64) -> PostableAlert {
    PostableAlert { labels: labels(names), starts_at_ms: Some(0), ends_at_ms: Some(now_ms), ..PostableAlert::default() }
}

/// A dispatcher and its current time.
struct World {
    dispatcher: Dispatcher,
    now: i64,
    logged: Vec<(LogKey, LogEntry)>,
    /// The log change of the last notification.
    last_change: Option<LogChange>,
}

impl World {
    fn new(text: &str) -> Self {
        World { dispatcher: Dispatcher::new(config(text)), now: 0, logged: Vec::new(), last_change: None }
    }

    fn fire(&mut self, names: &str) {
        self.post(names, None);
    }

    fn resolve(&mut self, names: &str) {
        self.post(names, Some(self.now));
    }

    fn post(&mut self, names: &str, ends_at_ms: Option<i64>) {
        // Long enough that it does not end by itself within a test.
        let ends_at_ms = ends_at_ms.unwrap_or(self.now + 100 * HOUR);
        let posted = PostableAlert {
            labels: labels(names),
            ends_at_ms: Some(ends_at_ms),
            starts_at_ms: Some(self.now.min(ends_at_ms)),
            ..PostableAlert::default()
        };
        self.dispatcher.ingest([posted], self.now);
    }

    /// Gives up the last notification.
    fn give_up(&mut self) {
        self.dispatcher.take_back(self.last_change.as_ref().unwrap());
    }

    /// Advances the time to `until`; returns the notifications with their times.
    fn until(&mut self, until: i64) -> Vec<(i64, String)> {
        let mut sent = Vec::new();
        while let Some(wake) = self.dispatcher.next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            let tick = self.dispatcher.tick(self.now);
            self.logged.extend(tick.logged);
            if let Some(last) = tick.notifications.last() {
                self.last_change.clone_from(&last.log);
            }
            sent.extend(tick.notifications.iter().map(|notification| (self.now / SECOND, shown(notification))));
        }
        self.now = until;
        sent
    }
}

/// `receiver kind: +firing -resolved`, by the values of label `i` or else the name.
fn shown(notification: &Notification) -> String {
    let alerts: Vec<String> = notification
        .alerts
        .iter()
        .map(|(alert, is_resolved)| {
            format!(
                "{}{}",
                if *is_resolved { '-' } else { '+' },
                alert.labels.get("i").map_or(alert.name(), String::as_str)
            )
        })
        .collect();
    format!("{}{}: {}", notification.receiver, notification.integration, alerts.join(" "))
}

fn sent(expected: &[(i64, &str)]) -> Vec<(i64, String)> {
    expected.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
}

#[test]
fn a_group_waits_then_tells_news_at_its_interval_and_repeats() {
    let mut world = World::new(USUAL);
    world.fire("alertname=a,i=1");
    assert_eq!(world.until(10 * SECOND), []);
    world.fire("alertname=a,i=2");
    assert_eq!(world.until(MINUTE), sent(&[(30, "team0: +1 +2")]), "one message for both, 30 s after the first");
    world.fire("alertname=a,i=3");
    assert_eq!(world.until(10 * MINUTE), sent(&[(330, "team0: +1 +2 +3")]), "news at the interval");
    assert_eq!(world.until(HOUR), [], "nothing new");
    world.resolve("alertname=a,i=2");
    assert_eq!(world.until(HOUR + 10 * MINUTE), sent(&[(3_630, "team0: +1 -2 +3")]), "the end of one");
    assert_eq!(world.until(6 * HOUR), sent(&[(18_330, "team0: +1 +3")]), "again after four hours");
    world.resolve("alertname=a,i=1");
    world.resolve("alertname=a,i=3");
    assert_eq!(world.until(7 * HOUR), sent(&[(21_630, "team0: -1 -3")]), "all over");
    assert_eq!((world.dispatcher.next_wake(), world.dispatcher.firing(world.now).len()), (None, 0), "nothing is kept");
}

#[test]
fn what_is_over_before_it_was_told_of_is_not_told() {
    let mut world = World::new(USUAL);
    world.fire("alertname=a,i=1");
    world.until(10 * SECOND);
    world.resolve("alertname=a,i=1");
    assert_eq!(world.until(HOUR), []);
}

#[test]
fn one_that_is_not_told_of_again_ends_by_itself() {
    let mut world = World::new(USUAL);
    world.post("alertname=a,i=1", Some(2 * MINUTE));
    assert_eq!(world.until(HOUR), sent(&[(30, "team0: +1"), (330, "team0: -1")]));
}

#[test]
fn routes_are_taken_in_order_and_go_on_where_they_say_so() {
    let mut world = World::new(
        "
route:
  receiver: rest
  group_wait: 0s
  routes:
  - {match: {team: db}, receiver: db, continue: true}
  - {match_re: {severity: 'crit.*'}, receiver: pager, group_by: ['...'], routes: [{matchers: ['env!=prod'], receiver: rest}]}
  - {matchers: [severity=info], receiver: silent}
receivers: [{name: rest, webhook_configs: [{url: 'http://x'}]}, {name: db, webhook_configs: [{url: 'http://x'}]}, {name: pager, webhook_configs: [{url: 'http://x'}]}, {name: silent}]
",
    );
    for names in [
        "i=1,team=db,severity=critical,env=prod",
        "i=2,severity=critical,env=prod",
        "i=3,severity=critical",
        "i=4,severity=info",
        "i=5,a=b",
    ] {
        world.fire(names);
    }
    let mut heard: Vec<String> = world.until(SECOND).into_iter().map(|(_, text)| text).collect();
    heard.sort();
    assert_eq!(heard, ["db0: +1", "pager0: +1", "pager0: +2", "rest0: +3", "rest0: +5"]);
}

#[test]
fn an_alert_that_fires_keeps_others_quiet_and_two_of_both_sides_do_not_each_other() {
    let mut world = World::new(&format!(
        "{USUAL}
inhibit_rules:
- {{source_match: {{severity: critical}}, target_match: {{severity: warning}}, equal: [host, none]}}
- {{source_match: {{both: 'yes'}}, target_match: {{both: 'yes'}}}}
"
    ));
    world.fire("alertname=a,i=w1,severity=warning,host=1");
    world.fire("alertname=a,i=w2,severity=warning,host=2");
    world.fire("alertname=b,i=c1,severity=critical,host=1");
    world.fire("alertname=c,i=b1,both=yes");
    world.fire("alertname=c,i=b2,both=yes");
    assert_eq!(world.until(MINUTE), sent(&[(30, "team0: +w2"), (30, "team0: +c1"), (30, "team0: +b1 +b2")]));
    let status = world.dispatcher.status(&labels("alertname=a,i=w1,severity=warning,host=1"), world.now);
    assert_eq!(status.inhibited_by, [Fingerprint::of(&labels("alertname=b,i=c1,severity=critical,host=1"))]);
    world.resolve("alertname=b,i=c1,severity=critical,host=1");
    assert_eq!(world.until(6 * MINUTE), sent(&[(330, "team0: +w1 +w2"), (330, "team0: -c1")]));
}

#[test]
fn what_an_alert_will_inhibit_is_known_before_it_is_taken_in() {
    let rule = "inhibit_rules: [{source_match: {severity: critical}, target_match: {severity: warning}}]";
    let mut world = World::new(&format!("{USUAL}{rule}\n"));
    let posted = |ends_at_ms| PostableAlert {
        labels: labels("alertname=b,severity=critical"),
        starts_at_ms: Some(0),
        ends_at_ms: Some(ends_at_ms),
        ..PostableAlert::default()
    };
    let lesser = labels("alertname=a,severity=warning");
    world.dispatcher.foresee(&[posted(-1)], 0);
    assert!(world.dispatcher.inhibitors(&lesser, 0).is_empty(), "one that is over");
    world.dispatcher.foresee(&[posted(HOUR)], 0);
    assert_eq!(world.dispatcher.inhibitors(&lesser, 0).len(), 1);
    assert!(world.dispatcher.inhibitors(&lesser, MINUTE).is_empty(), "one that nobody took in");
    world.dispatcher.ingest([posted(HOUR)], 0);
    world.dispatcher.foresee(&[posted(MINUTE)], MINUTE);
    assert!(world.dispatcher.inhibitors(&lesser, MINUTE).is_empty());
}

#[test]
fn silences_hold_for_their_time() {
    let mut world = World::new(USUAL);
    world.dispatcher.silences.put(Silence {
        id: "s".into(),
        matchers: "i=~\"1|2\"".parse().unwrap(),
        starts_at_ms: 0,
        ends_at_ms: 7 * MINUTE,
        created_by: "op".into(),
        comment: "maintenance".into(),
        updated_at_ms: 0,
    });
    assert_eq!(world.dispatcher.silences.next_change(0), Some(7 * MINUTE));
    assert_eq!(world.dispatcher.silences.next_change(7 * MINUTE), None);
    world.fire("alertname=a,i=1");
    world.fire("alertname=a,i=3");
    assert_eq!(world.until(MINUTE), sent(&[(30, "team0: +3")]));
    assert_eq!(world.dispatcher.status(&labels("alertname=a,i=1"), world.now).silenced_by, ["s"]);
    assert_eq!(world.until(20 * MINUTE), sent(&[(630, "team0: +1 +3")]), "once it is over");
}

#[test]
fn mute_and_active_times_hold_a_route_quiet() {
    let mut world = World::new(
        "
route:
  receiver: a
  group_wait: 0s
  group_interval: 1h
  routes: [{receiver: m, matchers: [r=m], mute_time_intervals: [night]}, {receiver: n, matchers: [r=n], active_time_intervals: [night]}]
receivers: [{name: a}, {name: m, webhook_configs: [{url: 'http://x'}]}, {name: n, webhook_configs: [{url: 'http://x'}]}]
time_intervals: [{name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}]
",
    );
    world.fire("i=1,r=m");
    world.fire("i=2,r=n");
    assert_eq!(world.dispatcher.status(&labels("i=1,r=m"), 0).muted_by, ["night"]);
    let night_is_over = [
        (0, "n0: +2"),
        (5 * 3_600, "n0: +2"),
        (6 * 3_600, "m0: +1"),
        (11 * 3_600, "m0: +1"),
        (16 * 3_600, "m0: +1"),
        (21 * 3_600, "m0: +1"),
    ];
    assert_eq!(world.until(23 * HOUR), sent(&night_is_over), "then every four hours, at the next full hour after");
}

#[test]
fn send_resolved_is_each_integrations_own() {
    let mut world = World::new(
        "
route: {receiver: a, group_wait: 0s}
receivers: [{name: a, webhook_configs: [{url: 'http://x', send_resolved: false}, {url: 'http://y'}]}]
",
    );
    world.fire("i=1");
    assert_eq!(world.until(0), sent(&[(0, "a0: +1"), (0, "a1: +1")]));
    world.resolve("i=1");
    assert_eq!(world.until(HOUR), sent(&[(300, "a1: -1")]));
    world.fire("i=1");
    assert_eq!(world.until(HOUR), sent(&[(3_600, "a0: +1"), (3_600, "a1: +1")]), "the next time is news to both");
}

#[test]
fn after_a_restart_nothing_is_told_twice_and_nothing_is_lost() {
    let mut before = World::new(USUAL);
    before.fire("alertname=a,i=1");
    before.fire("alertname=b,i=2");
    before.until(MINUTE);
    before.fire("alertname=c,i=3");
    let kept: Vec<Alert> = before.dispatcher.firing(before.now).iter().map(|alert| (**alert).clone()).collect();

    let mut after = World::new(USUAL);
    after.now = 10 * MINUTE;
    after.dispatcher.restore_log(before.logged);
    after.dispatcher.restore_alerts(kept, after.now, 15 * MINUTE);
    assert_eq!(after.until(10 * MINUTE), sent(&[(600, "team0: +3")]), "the one that nobody knew of, at once");
    after.resolve("alertname=b,i=2");
    assert_eq!(after.until(20 * MINUTE), sent(&[(900, "team0: -2")]), "the end of one, at the next interval");
}

#[test]
fn what_was_given_up_is_told_again_at_the_next_interval_and_only_then() {
    let mut world = World::new(USUAL);
    world.fire("alertname=a,i=1");
    assert_eq!(world.until(MINUTE), sent(&[(30, "team0: +1")]));
    world.give_up();
    assert_eq!(world.until(6 * MINUTE), sent(&[(330, "team0: +1")]));
    world.give_up();
    world.fire("alertname=a,i=2");
    assert_eq!(world.until(11 * MINUTE), sent(&[(630, "team0: +1 +2")]), "with the news");
    assert_eq!(world.until(HOUR), [], "it came");

    // Giving up a repeat restores the previous log entry: the resolution is notified.
    assert_eq!(world.until(5 * HOUR), sent(&[(4 * 3_600 + 930, "team0: +1 +2")]));
    world.give_up();
    world.resolve("alertname=a,i=1");
    world.resolve("alertname=a,i=2");
    assert_eq!(world.until(6 * HOUR), sent(&[(18_030, "team0: -1 -2")]));
    // Nothing of it fires any more: the resolution is not retried forever.
    world.give_up();
    assert_eq!(world.until(20 * HOUR), []);
    world.fire("alertname=a,i=1");
    assert_eq!(world.until(21 * HOUR), sent(&[(72_030, "team0: +1")]));
}

#[test]
fn what_was_given_up_is_not_told_again_after_something_newer() {
    let mut world = World::new(USUAL);
    world.fire("alertname=a,i=1");
    world.until(MINUTE);
    let first = world.last_change.clone();
    world.fire("alertname=a,i=2");
    assert_eq!(world.until(6 * MINUTE), sent(&[(330, "team0: +1 +2")]));
    world.last_change = first;
    world.give_up();
    assert_eq!(world.until(HOUR), []);
    // A resolution among others is given up: alerts that still fire are sent again.
    world.resolve("alertname=a,i=2");
    assert_eq!(world.until(HOUR + 2 * MINUTE), sent(&[(3_630, "team0: +1 -2")]));
    world.give_up();
    assert_eq!(world.until(2 * HOUR), sent(&[(3_930, "team0: +1")]));
}

#[test]
fn a_restart_is_no_end_of_what_fired_for_long() {
    // Posted each minute with an end four minutes ahead: stored as first posted.
    let mut before = World::new(USUAL);
    let mut kept = Vec::new();
    for minute in 0..30 {
        before.until(minute * MINUTE);
        let lasting = ["a", "b"].map(|name| PostableAlert {
            labels: labels(&format!("alertname={name}")),
            starts_at_ms: Some(0),
            ends_at_ms: Some(before.now + 4 * MINUTE),
            ..PostableAlert::default()
        });
        kept.extend(before.dispatcher.ingest(lasting, before.now).changed);
    }
    assert_eq!(kept.len(), 2, "not kept again");
    // This one resolves, and the server stops before the notification.
    before.post("alertname=c", Some(40 * MINUTE));
    before.until(30 * MINUTE);
    kept.extend(before.dispatcher.ingest([ended("alertname=c", before.now)], before.now).changed);

    let mut after = World::new(USUAL);
    after.now = 31 * MINUTE;
    after.dispatcher.restore_log(before.logged);
    let grace_until_ms = after.now + 5 * MINUTE;
    after.dispatcher.restore_alerts(kept.iter().map(|alert| (**alert).clone()), after.now, grace_until_ms);
    assert_eq!(after.until(after.now), sent(&[(1_860, "team0: -c")]), "what ended has ended");
    assert_eq!(after.dispatcher.firing(after.now).len(), 2);
    let again = PostableAlert {
        labels: labels("alertname=a"),
        starts_at_ms: Some(after.now),
        ends_at_ms: Some(HOUR + HOUR),
        ..PostableAlert::default()
    };
    let ingested = after.dispatcher.ingest([again], after.now);
    assert!(ingested.fired.is_empty() && ingested.changed.is_empty(), "it goes on: {ingested:?}");
    assert_eq!(after.until(HOUR), sent(&[(36 * 60, "team0: -b")]), "the one that nobody sent of again ends");
}

#[test]
fn after_a_long_stop_nobody_is_told_of_what_nobody_confirms() {
    let mut before = World::new(USUAL);
    let lasting = ["a", "b"].map(|name| PostableAlert {
        labels: labels(&format!("alertname={name}")),
        starts_at_ms: Some(0),
        ends_at_ms: Some(4 * MINUTE),
        ..PostableAlert::default()
    });
    let kept = before.dispatcher.ingest(lasting, 0).changed;
    before.until(3 * MINUTE);

    let mut after = World::new(USUAL);
    after.now = 100 * HOUR;
    after.dispatcher.restore_log(before.logged);
    let grace_until_ms = after.now + 5 * MINUTE;
    after.dispatcher.restore_alerts(kept.iter().map(|alert| (**alert).clone()), after.now, grace_until_ms);
    assert_eq!(after.until(after.now + MINUTE), []);
    let again = PostableAlert {
        labels: labels("alertname=a"),
        starts_at_ms: Some(0),
        ends_at_ms: Some(200 * HOUR),
        ..PostableAlert::default()
    };
    after.dispatcher.ingest([again], after.now);
    let sent = after.until(after.now + 20 * MINUTE);
    assert!(sent.iter().any(|(_, sent)| sent.contains("+a")), "what goes on is sent again: {sent:?}");
    assert!(sent.iter().all(|(_, sent)| !sent.contains("+b")), "the other is over: {sent:?}");
}

#[test]
fn another_configuration_does_not_tell_again() {
    let mut world = World::new(USUAL);
    world.fire("alertname=a,i=1");
    world.until(MINUTE);
    world.dispatcher.reload(config(USUAL), world.now);
    assert_eq!(world.until(HOUR), []);
    assert!(world.dispatcher.next_wake().is_some());
}

#[test]
fn ten_thousand_alerts_of_one_group_are_one_message() {
    let mut world = World::new(USUAL);
    for i in 0..10_000 {
        world.fire(&format!("alertname=a,i={i}"));
    }
    let sent = world.until(MINUTE);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.matches('+').count(), 10_000);
}

#[test]
fn alerts_are_bounded_by_what_they_take_and_give_it_back() {
    let mut world = World::new(USUAL);
    let posted = |number: usize, bytes: usize, ends_at_ms: i64| PostableAlert {
        labels: labels(&format!("alertname=a{number}")),
        annotations: Labels::from([("summary".to_owned(), "x".repeat(bytes))]),
        starts_at_ms: Some(0),
        ends_at_ms: Some(ends_at_ms),
        ..PostableAlert::default()
    };
    let large = (0..4_000).map(|number| posted(number, 30_000, HOUR));
    let ingested = world.dispatcher.ingest(large, 0);
    let taken = ingested.fired.len();
    assert!((2_000..2_500).contains(&taken) && ingested.dropped.len() == 4_000 - taken, "{taken}");
    // Updates of known alerts are still accepted; a smaller one makes room for others.
    assert!(world.dispatcher.ingest([posted(0, 30_000, HOUR)], 1).dropped.is_empty());
    assert!(world.dispatcher.ingest((0..10).map(|number| posted(number, 1, HOUR)), 2).dropped.is_empty());
    assert!(world.dispatcher.ingest([posted(9_000, 30_000, HOUR)], 3).dropped.is_empty());
    assert_eq!(world.dispatcher.ingest([posted(9_001, 40_000, HOUR)], 4).refused.len(), 1, "too long alone");
    // Resolved alerts make room once they were notified.
    world.until(2 * HOUR);
    assert_eq!(
        world.dispatcher.ingest((0..2_000).map(|number| posted(number, 30_000, 9 * HOUR)), world.now).dropped.len(),
        0
    );
}
