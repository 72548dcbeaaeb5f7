//! Reconnecting after a lost connection.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use crate::{
    common::{Live, Server},
    live::{Rig, times},
};

fn resume(boot_id: &Value, seq: u64) -> Value {
    json!({"type": "resume", "boot_id": boot_id, "seq": seq})
}

#[tokio::test]
async fn what_was_missed_is_delivered_once() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    let snapshot = live.expect(1, "snapshot").await;
    assert_eq!(snapshot["data"]["jobs"], json!([]));
    let seen = rig.simulator.submit("seen").await;
    let mut seq = live.job_event("job.status", &seen).await["seq"].as_u64().unwrap();
    live.subscribe_query(2, "vector(time())", 60_000, 1_000).await;
    let frame = live.about(2).await;
    seq = seq.max(frame["seq"].as_u64().unwrap());
    let end_ms = frame["data"]["end_ms"].as_i64().unwrap();
    let boot_id = live.hello["boot_id"].clone();
    drop(live);

    // A second client shows when the server has received everything.
    let mut witness = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    let missed = rig.simulator.submit("missed").await;
    witness.job_event("job.status", &missed).await;
    rig.simulator.change(&missed, "complete").await;
    witness.until("the end", |message| message["data"]["status"] == "completed").await;

    let mut back = Live::open(&rig.server).await;
    assert_eq!(back.hello["boot_id"], boot_id);
    back.send(&resume(&boot_id, seq)).await;
    back.subscribe(1, "jobs").await;
    back.subscribe_query(2, "vector(time())", 60_000, 1_000).await;
    let (mut statuses, mut steps) = (Vec::new(), Vec::new());
    while statuses.last().is_none_or(|status| status != "completed") || steps.len() < 2 {
        let message = back.next().await;
        assert_ne!(message["type"], "snapshot", "what is known is not sent again: {message}");
        assert!(message["seq"].is_null() || message["seq"].as_u64().unwrap() > seq, "{message}");
        if message["event"] == "job.status" {
            assert_eq!(message["data"]["job_id"], *missed, "seen before: {message}");
            statuses.push(message["data"]["status"].as_str().unwrap().to_owned());
        }
        if message["type"] == "delta" {
            steps.extend(times(&message["data"]));
        }
    }
    assert_eq!(statuses.first().unwrap(), "pending");
    assert_eq!(steps[0], end_ms + 1_000, "the first step after the last one seen");
    assert!(steps.windows(2).all(|pair| pair[0] + 1_000 == pair[1]), "{steps:?}");
}

#[tokio::test]
async fn much_that_was_missed_is_made_good_as_well() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    let seq = live.expect(1, "snapshot").await["seq"].as_u64().unwrap();
    let boot_id = live.hello["boot_id"].clone();
    drop(live);
    let mut witness = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    // More events than the queue of a socket holds.
    let mut all = BTreeSet::new();
    for number in 0..110 {
        let job = rig.simulator.submit(&format!("job {number}")).await;
        rig.simulator.change(&job, "complete").await;
        all.insert(job);
    }
    let last = all.iter().next_back().unwrap().clone();
    witness
        .until("the last end", |message| message["data"]["job_id"] == *last && message["data"]["status"] == "completed")
        .await;
    let mut back = Live::open(&rig.server).await;
    back.send(&resume(&boot_id, seq)).await;
    back.subscribe(1, "jobs").await;
    let mut completed = BTreeSet::new();
    while completed != all {
        let message = back.about(1).await;
        let whole = message["data"]["jobs"].as_array().cloned().unwrap_or_default();
        let known = whole.iter().chain(message["data"]["job"].as_object().map(|_| &message["data"]["job"]));
        completed
            .extend(known.filter(|job| job["status"] == "completed").map(|job| job["id"].as_str().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn what_was_not_held_before_begins_whole() {
    let rig = Rig::start().await;
    let (held, new) = ("vector(1)", "vector(2)");
    // Another client subscribes to both for a while.
    let mut other = Live::open(&rig.server).await;
    for (id, expr) in [(1, held), (2, new)] {
        other.subscribe_query(id, expr, 30_000, 1_000).await;
        other.expect(id, "snapshot").await;
    }
    let mut live = Live::open(&rig.server).await;
    live.subscribe_query(1, held, 30_000, 1_000).await;
    let seq = live.expect(1, "snapshot").await["seq"].as_u64().unwrap();
    let boot_id = live.hello["boot_id"].clone();
    drop(live);

    let mut back = Live::open(&rig.server).await;
    back.send(&resume(&boot_id, seq)).await;
    back.subscribe_query(1, held, 30_000, 1_000).await;
    for _ in 0..7 {
        back.expect(1, "delta").await;
    }
    // A page that is opened now.
    back.subscribe_query(2, new, 30_000, 1_000).await;
    let first = back.expect(2, "snapshot").await;
    assert!(times(&first["data"]).len() > 25, "{first}");
}

#[tokio::test]
async fn another_run_of_the_server_begins_again() {
    let rig = Rig::start().await;
    let mut live = Live::open_at(&rig.server, "/ws?topics=jobs").await;
    let seq = live.expect(1, "snapshot").await["seq"].as_u64().unwrap();
    let boot_id = live.hello["boot_id"].clone();
    let data_dir = Arc::clone(&rig.server.data_dir);
    let (status, _) = rig.server.stop().await;
    assert!(status.success());

    let daemon = rig.simulator.named("sim");
    let server = Server::start("serve", data_dir, &["--daemon-url", &daemon]).await;
    let mut back = Live::open(&server).await;
    assert_ne!(back.hello["boot_id"], boot_id);
    back.send(&resume(&boot_id, seq + 1_000_000)).await;
    back.subscribe(1, "jobs").await;
    back.expect(1, "snapshot").await;
    // A number that this run has not reached yet has no meaning either.
    let own_boot_id = back.hello["boot_id"].clone();
    back.send(&resume(&own_boot_id, seq + 1_000_000)).await;
    back.subscribe(2, "jobs").await;
    back.expect(2, "snapshot").await;
}
