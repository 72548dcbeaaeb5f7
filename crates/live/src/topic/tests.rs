use std::collections::HashMap;

use model::{
    frame::{Frame, Series},
    live::{Event, JobKey},
};

use super::*;
use crate::{
    message::Payer,
    queue::{Next, QueueReceiver, queue},
};

fn payer() -> Payer {
    Payer { budget: MemoryBudget::new("live", 1 << 20, 1 << 20), token: "a".into() }
}

fn event(job: &str) -> Option<Content> {
    let event = Event::JobRemoved(JobKey { job_id: job.into(), daemon: "d".into() });
    Some(Content::Event { ts: 0, event })
}

fn seqs(receiver: &mut QueueReceiver) -> Vec<(&'static str, u64)> {
    std::iter::from_fn(|| match receiver.try_next() {
        Some(Next::Update(_, update)) => Some(match update.content {
            Content::Snapshot(_) => ("snapshot", update.seq),
            _ => ("update", update.seq),
        }),
        _ => None,
    })
    .collect()
}

#[test]
fn numbers_rise_in_the_queue_of_a_socket_whatever_the_topics() {
    const TOPICS: usize = 4;
    let sequence = Sequence::default();
    let snapshot = || Some(SnapshotData::Jobs { jobs: Vec::new() });
    let channels: Vec<Channel> = (0..TOPICS).map(|_| Channel::new(sequence.clone(), 16, Box::new(snapshot))).collect();
    for _ in 0..50 {
        let (sender, mut receiver) = queue(payer());
        let ready = std::sync::Barrier::new(TOPICS);
        std::thread::scope(|scope| {
            for (channel, id) in channels.iter().zip(1..) {
                let (sender, ready) = (sender.clone(), &ready);
                scope.spawn(move || {
                    ready.wait();
                    channel.subscribe(sender, id, None);
                    (0..40).for_each(|_| channel.publish(|| event("x")));
                });
            }
        });
        let seen = seqs(&mut receiver);
        assert_eq!(seen.len(), TOPICS * 41);
        assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{seen:?}");
        channels.iter().zip(1..).for_each(|(channel, id)| channel.unsubscribe(&sender, id));
    }
}

#[test]
fn a_subscriber_gets_a_snapshot_and_a_returning_one_what_it_missed() {
    let channel = Channel::new(Sequence::default(), 128, Box::new(|| Some(SnapshotData::Jobs { jobs: Vec::new() })));
    channel.publish(|| event("1"));
    let (sender, mut receiver) = queue(payer());
    channel.subscribe(sender.clone(), 1, None);
    channel.publish(|| event("2"));
    assert_eq!(seqs(&mut receiver), [("snapshot", 1), ("update", 2)]);

    let (late, mut late_receiver) = queue(payer());
    channel.subscribe(late, 1, Some(1));
    assert_eq!(seqs(&mut late_receiver), [("update", 2)]);

    for _ in 0..128 {
        channel.publish(|| event("more"));
    }
    let (later, mut later_receiver) = queue(payer());
    channel.subscribe(later, 1, Some(1));
    assert_eq!(seqs(&mut later_receiver), [("snapshot", 130)]);

    channel.unsubscribe(&sender, 1);
    seqs(&mut receiver);
    channel.publish(|| event("last"));
    assert_eq!(seqs(&mut receiver), []);
}

#[test]
fn what_comes_whole_while_data_is_old_is_said_to_be_old() {
    let channel = Channel::new(Sequence::default(), 16, Box::new(|| Some(SnapshotData::Jobs { jobs: Vec::new() })));
    let (sender, mut receiver) = queue(payer());
    channel.subscribe(sender, 1, None);
    channel.publish_status(Some((7, "the daemon is down".to_owned())));
    seqs(&mut receiver);
    channel.publish_snapshot();
    let reasons: Vec<Option<String>> = std::iter::from_fn(|| match receiver.try_next() {
        Some(Next::Update(_, update)) => Some(match &update.content {
            Content::Status { fresh: false, reason, .. } => Some(reason.clone()),
            _ => None,
        }),
        _ => None,
    })
    .collect();
    assert_eq!(reasons, [None, Some("the daemon is down".to_owned())]);
    channel.publish_status(None);
    channel.publish_snapshot();
    assert_eq!(seqs(&mut receiver).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(), ["update", "snapshot"]);
}

/// A result with `count` series of one point.
fn frame(count: usize) -> Frame {
    let series = |number: usize| {
        let labels = HashMap::from([("number".to_owned(), number.to_string())]);
        Series { labels: Arc::new(labels.into_iter().collect()), timestamps: vec![1], values: vec![1.0] }
    };
    Frame { series: (0..count).map(series).collect(), ..Frame::default() }
}

#[test]
fn an_update_without_room_becomes_a_snapshot_once_there_is_some() {
    let budget = MemoryBudget::new("live", 1 << 20, 1 << 20);
    let account = Account { budget: budget.clone(), payers: Payers::new("a".into()) };
    let whole = frame(100);
    let snapshot = {
        let whole = whole.clone();
        Box::new(move || Some(SnapshotData::Query(whole.clone())))
    };
    let channel = Channel::new(Sequence::default(), 64, snapshot).charged_to(account.clone());
    let (sender, mut receiver) = queue(payer());
    channel.subscribe(sender.clone(), 1, None);
    channel.publish(|| Some(Content::Delta(frame(10))));
    assert_eq!(seqs(&mut receiver), [("snapshot", 0), ("update", 1)]);
    assert!(budget.used() > 0, "the log remembers");

    // Others use all memory, so neither the update nor a snapshot fits.
    channel.forget();
    assert_eq!(budget.used(), 0);
    let all = budget.charge(&"b".into(), budget.limit()).unwrap();
    channel.publish(|| Some(Content::Delta(frame(10))));
    assert!(matches!(receiver.try_next(), Some(Next::Resync(1))));
    channel.resync(&sender, 1);
    let Some(Next::Update(1, message)) = receiver.try_next() else { panic!("nothing was said") };
    assert!(matches!(&message.content, Content::Error { code: "limit", .. }), "{message:?}");
    channel.publish(|| Some(Content::Delta(frame(10))));
    assert_eq!(seqs(&mut receiver), [], "no update over a gap, and the same is not said twice");

    drop(all);
    channel.publish(|| Some(Content::Delta(frame(10))));
    assert_eq!(seqs(&mut receiver).first().map(|(kind, _)| *kind), Some("snapshot"));
    let (late, mut late_receiver) = queue(payer());
    channel.subscribe(late, 1, Some(1));
    assert_eq!(seqs(&mut late_receiver).first().map(|(kind, _)| *kind), Some("snapshot"), "what it missed is gone");
}
