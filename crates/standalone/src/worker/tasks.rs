//! The worker's other tasks: requests to the daemon, scrapes, and what is due by time.

use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use hypervisord::{
    collector::{CHANGES_APART, FIRST_PATIENCE},
    daemon::{Daemon, TICK},
    poll::POLL_LOOK,
};
use scrape::Ticker;
use standalone::SCRAPE_INTERVAL;

use crate::engine::{Engine, now_ms};

/// How often a wait looks whether something is to be done earlier, in milliseconds.
const LOOK_MS: u32 = 100;

/// Sends the requests that the daemon's state asks for, one after another.
pub(crate) async fn poll(engine: Rc<Engine>) {
    loop {
        let due = engine.at() + POLL_LOOK;
        while engine.at() < due && !engine.take_has_requests() {
            TimeoutFuture::new(LOOK_MS).await;
        }
        let mut next = engine.change(|daemon, now| daemon.next_poll(now));
        while let Some(poll) = next {
            let answer = engine.client().send(&poll.request).await;
            let polled = answer.and_then(|answer| poll.read(engine.client().endpoint(), &answer));
            next = engine.change(|daemon, now| daemon.polled(poll, polled, now));
        }
    }
}

/// Writes samples: at each scrape tick, and what changed in between.
pub(crate) async fn collect(engine: Rc<Engine>) {
    let begun = engine.at();
    while engine.at() < begun + FIRST_PATIENCE && !engine.read(Daemon::has_spoken) {
        TimeoutFuture::new(LOOK_MS).await;
    }
    let now = engine.now();
    engine.with(|standalone| standalone.begin_collecting(now));
    let mut ticker = Ticker::new(SCRAPE_INTERVAL);
    let mut next_changes = engine.at();
    loop {
        let due_ms = ticker.due(now_ms());
        if now_ms() >= due_ms {
            ticker.done();
            scrape(&engine, due_ms).await;
        } else if engine.at() >= next_changes && engine.take_has_samples() {
            engine.collect(|collector, daemon, now| collector.changes(daemon, now.ms));
            next_changes = engine.at() + CHANGES_APART;
        }
        TimeoutFuture::new(LOOK_MS).await;
    }
}

async fn scrape(engine: &Engine, at_ms: i64) {
    let detection = engine.collect(|collector, daemon, _| collector.probe(daemon, at_ms)).flatten();
    if let Some(detection) = detection
        && let Ok(profile) = engine.client().detect(detection).await
    {
        engine.change(|daemon, now| daemon.probed(profile, now));
    }
    let Some(tick) = engine.collect(|collector, daemon, _| collector.begin(daemon, at_ms)) else { return };
    let answer = match &tick.request {
        Some(request) => {
            let start = engine.at();
            let answer = engine.client().send(request).await;
            Some((answer, engine.at().saturating_sub(start)))
        }
        None => None,
    };
    engine.collect(|collector, daemon, now| {
        let scrape =
            answer.map(|(answer, duration)| collector.read(&tick, engine.client().endpoint(), answer, duration));
        collector.finish(daemon, tick, scrape, now);
    });
}

/// Does what is due by time: stale data, rules, queries, words on what is wrong.
pub(crate) async fn advance(engine: Rc<Engine>) {
    loop {
        engine.change(Daemon::tick);
        engine.with(|standalone| standalone.advance(now_ms()));
        engine.tell_notices();
        TimeoutFuture::new(u32::try_from(TICK.as_millis()).unwrap_or(LOOK_MS)).await;
    }
}
