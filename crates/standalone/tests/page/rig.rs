//! A page, its daemon and its clock.

use std::{sync::Arc, time::Duration};

use dashboards::DashboardRegistry;
use hypervisord::{
    Now,
    detect::{Dialect, Profile},
    feed::FeedReader,
};
use model::{
    frame::Frame,
    live::{ClientMessage, LiveQuery, ServerMessage, SnapshotData, Topic},
};
use rules::{PlainGroup, RuleFile};
use scrape::Response;
use serde_json::Value;
use standalone::{Answered, PageRequest, Reply, RuleGroups, Site, Standalone};

/// Second 0: 2026-11-20T09:00:00Z.
pub const START_MS: i64 = 1_795_165_200_000;
/// The rules that come with the program.
const RULES: &str = include_str!("../../../../rules/hypersdk.yml");

/// The time of a second.
pub fn now(second: f64) -> Now {
    let at = Duration::from_secs_f64(second);
    Now { ms: START_MS + i64::try_from(at.as_millis()).unwrap(), at }
}

pub struct Rig {
    pub page: Standalone,
    reader: FeedReader,
}

impl Rig {
    pub fn new() -> Self {
        Rig::after(&[], 0.0)
    }

    /// A page that begins at a second with the history of an earlier one.
    pub fn after(history: &[Vec<u8>], second: f64) -> Self {
        let registry = DashboardRegistry::load(None).unwrap();
        let rules = RuleFile::parse(RULES).unwrap();
        let groups = rules.groups.iter().map(|group| PlainGroup::from(&group.value)).collect();
        let site = Site {
            version: "0.0.0".to_owned(),
            links: registry.links_of_all(),
            dashboards: registry.all().cloned().collect(),
            rules: vec![RuleGroups { file: "hypersdk.yml".to_owned(), groups }],
            aliases: dashboards::alias_tables(None).unwrap(),
        };
        let base = "http://h:8080/".parse().unwrap();
        let mut page = Standalone::new(site, base, "boot".to_owned(), history, now(second));
        assert!(page.problems().is_empty(), "{:?}", page.problems());
        page.connect(now(second).ms);
        page.take_messages();
        let reader = FeedReader::new(Arc::clone(page.redactor()));
        Rig { page, reader }
    }

    /// A page whose daemon was recognised and sent its first message.
    pub fn connected(dialect: Dialect, metrics_path: Option<&'static str>, second: f64) -> Self {
        let mut rig = Rig::new();
        rig.connect_daemon(dialect, metrics_path, second);
        rig
    }

    pub fn connect_daemon(&mut self, dialect: Dialect, metrics_path: Option<&'static str>, second: f64) {
        let profile = Profile {
            prefix: "",
            dialect,
            version: None,
            metrics_path,
            metrics_trouble: None,
            may_have_metrics: false,
        };
        let at = now(second);
        self.page.change(at, |daemon| daemon.recognised(profile, at));
        self.page.change(at, |daemon| daemon.socket_opened(at));
        self.say(second, &metrics(&[], 7));
        self.page.begin_collecting(at);
    }

    /// The daemon sends a message. Words on what is wrong with it are kept, as by the worker.
    pub fn say(&mut self, second: f64, text: &str) {
        let (parsed, at) = (self.reader.read(text), now(second));
        self.page.change(at, |daemon| match parsed {
            Ok(incoming) => daemon.receive(incoming, at),
            Err(error) => daemon.feed_failed(&format!("the live socket: {error}"), at),
        });
    }

    /// The socket ends.
    pub fn cut(&mut self, second: f64, reason: &str, is_reached: bool) {
        let at = now(second);
        self.page.change(at, |daemon| daemon.socket_failed(reason, is_reached, at));
    }

    /// Time passes, in ticks.
    pub fn pass(&mut self, from: u32, to: u32) {
        for tick in from * 10..to * 10 {
            let at = now(f64::from(tick) / 10.0);
            self.page.change(at, |daemon| daemon.tick(at));
            if tick % 10 == 0 {
                self.page.advance(at.ms);
            }
        }
    }

    /// A scrape tick. `text` is the page of metrics, if the daemon has one.
    pub fn scrape(&mut self, second: f64, text: Option<&str>) {
        let at = now(second);
        let (tick, _) = self.page.collect(at, |collector, daemon| collector.begin(daemon, at.ms)).unwrap();
        let endpoint = self.page.endpoint().clone();
        let answer = tick.request.as_ref().map(|request| {
            let body = text.expect("a page is asked for").into();
            endpoint.read(&request.path, Response { status: 200, content_type: None, body })
        });
        self.page.collect(at, |collector, daemon| {
            let scrape = answer.map(|answer| collector.read(&tick, &endpoint, answer, Duration::from_millis(20)));
            collector.finish(daemon, tick, scrape, at);
        });
    }

    pub fn subscribe(&mut self, id: u64, topic: Topic, second: f64) {
        self.page.receive(ClientMessage::Subscribe { id, topic }, now(second).ms);
    }

    /// The messages for the page since the last call.
    pub fn messages(&mut self) -> Vec<ServerMessage> {
        self.page.take_messages()
    }

    /// An answer to a GET request of the page.
    pub fn get(&mut self, path: &str, second: f64) -> Value {
        let request = PageRequest { is_post: false, path: path.to_owned() };
        let Answered::Reply(Reply { status, body }) = self.page.answer(&request, now(second)) else {
            panic!("{path} needs the daemon")
        };
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// A live query over ten minutes, in steps of 15 s.
pub fn query(expr: &str) -> Topic {
    Topic::Query(LiveQuery { expr: expr.to_owned(), window_ms: 600_000, step_ms: 15_000, instant: false, engine: None })
}

/// A message of the stock daemon with all its jobs.
pub fn metrics(jobs: &[String], goroutines: u32) -> String {
    format!(
        r#"{{"type":"metrics","data":{{"raw":{{"uptime_seconds":60,"goroutines":{goroutines},"memory_usage":1000000,"recent_jobs":[{}]}}}}}}"#,
        jobs.join(",")
    )
}

/// A running job in such a message.
pub fn running(id: &str, percent: u32) -> String {
    format!(
        r#"{{"id":"{id}","name":"job {id}","status":"running","progress":{percent},"created_at":"2026-11-20T08:59:00Z","start_time":"2026-11-20T08:59:01Z"}}"#
    )
}

/// Subscription and whether it is fresh, of each status among messages.
pub fn statuses(messages: &[ServerMessage]) -> Vec<(u64, bool)> {
    let status = |message: &ServerMessage| match message {
        ServerMessage::Status { id, fresh, .. } => Some((*id, *fresh)),
        _ => None,
    };
    messages.iter().filter_map(status).collect()
}

/// The last whole frame among messages.
pub fn frame(messages: &[ServerMessage]) -> Option<&Frame> {
    messages.iter().rev().find_map(|message| match message {
        ServerMessage::Snapshot { data: SnapshotData::Query(frame), .. } => Some(frame),
        _ => None,
    })
}
