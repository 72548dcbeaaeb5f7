use super::{super::change::What, *};

const START_MS: i64 = 1_700_000_000_000;

fn table(most_ended: usize) -> JobTable {
    JobTable::new("d", Rules { cancelled_is_final: false, most_ended })
}

fn at(seconds: i64) -> Moment {
    let now_ms = START_MS + seconds * 1000;
    Moment { now_ms, daemon_ms: now_ms }
}

fn job(id: &str, status: JobStatus) -> JobUpdate {
    JobUpdate { id: id.to_owned(), status: Some(status), created_at: Some(START_MS), ..JobUpdate::default() }
}

fn percent(id: &str, percent: f64) -> JobUpdate {
    JobUpdate { percent: Some(percent), ..job(id, JobStatus::Running) }
}

fn transitions(outcome: &Outcome) -> Vec<(String, Option<JobStatus>, JobStatus)> {
    let found = outcome.events.iter().filter_map(|event| match event {
        Event::JobStatus(change) => Some((change.job_id.clone(), change.from, change.status)),
        _ => None,
    });
    found.collect()
}

fn progress(events: &[Event]) -> Vec<Option<f64>> {
    let found = events.iter().filter_map(|event| match event {
        Event::JobProgress(progress) => Some(progress.percent),
        _ => None,
    });
    found.collect()
}

#[test]
fn only_what_changes_is_told() {
    let mut table = table(100);
    let list = || vec![job("a", JobStatus::Pending), percent("b", 10.0)];
    let mut first = transitions(&table.replace(list(), &[], Listing::Full, at(0), false));
    first.sort();
    assert_eq!(first, [("a".into(), None, JobStatus::Pending), ("b".into(), None, JobStatus::Running)]);
    assert!(
        table
            .replace(list(), &[], Listing::Full, at(2), false)
            .events
            .iter()
            .all(|event| matches!(event, Event::JobProgress(_)))
    );
    let outcome =
        table.replace(vec![job("a", JobStatus::Running), percent("b", 10.0)], &[], Listing::Full, at(3), false);
    assert_eq!(transitions(&outcome), [("a".into(), Some(JobStatus::Pending), JobStatus::Running)]);
    assert_eq!(table.job("a").unwrap().started_at, Some(START_MS + 3000));
}

#[test]
fn percent_never_falls_and_ends_at_100() {
    let mut table = table(100);
    table.update(vec![percent("a", 60.0)], at(0));
    table.update(vec![percent("a", 0.0)], at(1));
    assert_eq!(table.job("a").unwrap().percent, Some(60.0));
    table.update(vec![JobUpdate { percent: Some(0.0), ..job("a", JobStatus::Completed) }], at(2));
    assert_eq!(table.job("a").unwrap().percent, Some(100.0));
}

#[test]
fn a_tool_that_tells_no_percentage_has_none() {
    let mut table = table(100);
    for (id, tool) in [("a", "govc"), ("b", "web"), ("c", "ctl")] {
        table.update(vec![JobUpdate { export_method: Some(tool.into()), ..percent(id, 0.0) }], at(0));
    }
    let percents: Vec<_> = ["a", "b", "c"].map(|id| table.job(id).unwrap().percent).into();
    assert_eq!(percents, [None, None, Some(0.0)]);
}

#[test]
fn progress_goes_out_once_a_second_and_the_last_of_it_does_too() {
    let mut table = table(100);
    table.update(vec![percent("a", 1.0)], at(0));
    let step = |table: &mut JobTable, value, milliseconds| {
        let now_ms = START_MS + milliseconds;
        progress(&table.update(vec![percent("a", value)], Moment { now_ms, daemon_ms: now_ms }).events)
    };
    assert_eq!(step(&mut table, 2.0, 100), [Some(2.0)]);
    assert_eq!(step(&mut table, 3.0, 300), []);
    assert_eq!(step(&mut table, 4.0, 500), []);
    assert_eq!(progress(&table.tick(START_MS + 600)), []);
    assert_eq!(progress(&table.tick(START_MS + 1100)), [Some(4.0)]);
    assert_eq!(progress(&table.tick(START_MS + 3000)), []);
}

#[test]
fn rate_and_time_left_come_from_the_bytes() {
    let mut table = table(100);
    for second in 0..5_u32 {
        let update = JobUpdate {
            bytes_transferred: Some(u64::from(second) * 100),
            bytes_total: Some(1000),
            ..job("a", JobStatus::Running)
        };
        table.update(vec![update], at(i64::from(second)));
    }
    let job = table.job("a").unwrap();
    assert_eq!((job.rate_bytes_per_second, job.eta_seconds, job.percent), (Some(100.0), Some(6.0), Some(40.0)));
}

#[test]
fn a_time_in_whole_seconds_does_not_replace_the_exact_one() {
    let mut table = table(100);
    let created = |created_at| JobUpdate { created_at: Some(created_at), ..job("a", JobStatus::Running) };
    for (reported, known) in [(START_MS, START_MS), (START_MS + 345, START_MS + 345), (START_MS, START_MS + 345)] {
        table.update(vec![created(reported)], at(0));
        assert_eq!(table.job("a").unwrap().created_at, Some(known));
    }
    table.update(vec![created(START_MS + 5000)], at(0));
    assert_eq!(table.job("a").unwrap().created_at, Some(START_MS + 5000));
}

#[test]
fn an_answer_that_comes_late_changes_nothing() {
    let mut table = table(100);
    table.update(vec![JobUpdate { updated_at: Some(START_MS + 9000), ..job("a", JobStatus::Completed) }], at(9));
    let late = JobUpdate { updated_at: Some(START_MS + 8000), ..percent("a", 50.0) };
    assert!(table.update(vec![late], at(10)).events.is_empty());
    assert_eq!(table.job("a").unwrap().status, JobStatus::Completed);
}

#[test]
fn a_cancel_is_a_request_until_the_job_ends() {
    let mut table = table(100);
    table.update(vec![percent("a", 5.0)], at(0));
    let outcome = table.cancel_accepted("a", at(1));
    assert_eq!(transitions(&outcome), [("a".into(), Some(JobStatus::Running), JobStatus::Running)]);
    assert!(table.job("a").unwrap().cancel_requested);
    table.update(vec![job("a", JobStatus::Cancelled)], at(2));
    assert!(table.job("a").unwrap().cancel_requested);
    let ended = table.update(vec![job("a", JobStatus::Completed)], at(60));
    assert_eq!(transitions(&ended), [("a".into(), Some(JobStatus::Cancelled), JobStatus::Completed)]);
    assert!(table.job("a").unwrap().cancel_requested, "the row shows the request");

    let cancelled = |id: &str, tool: &str| JobUpdate {
        updated_at: Some(START_MS),
        export_method: Some(tool.to_owned()),
        ..job(id, JobStatus::Cancelled)
    };
    table.update(vec![cancelled("b", "ctl"), cancelled("mute", "web")], at(0));
    assert!(table.settle_cancelled(at(60)).events.is_empty());
    assert_eq!(transitions(&table.settle_cancelled(at(700))).len(), 1);
    assert!(!table.job("b").unwrap().cancel_requested);
    assert!(table.job("mute").unwrap().cancel_requested, "its silence proves nothing");
}

/// The counted ends.
fn ends(outcomes: &[Outcome]) -> Vec<JobStatus> {
    let changes = outcomes.iter().flat_map(|outcome| &outcome.changes);
    let ends = changes.filter_map(|change| match &change.what {
        What::Ended { status, .. } => Some(*status),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_job_whose_end_overtakes_its_cancel_counts_once() {
    for end in [JobStatus::Completed, JobStatus::Failed] {
        let mut table = table(100);
        table.update(vec![percent("a", 5.0)], at(0));
        let outcome = [
            table.cancel_accepted("a", at(1)),
            table.update(vec![job("a", JobStatus::Cancelled)], at(2)),
            table.update(vec![job("a", end)], at(60)),
            table.update(vec![job("a", end)], at(61)),
        ];
        assert_eq!(ends(&outcome), [end]);
        assert_eq!((table.job("a").unwrap().status, table.job("a").unwrap().cancel_requested), (end, true));
    }
    let mut table = table(100);
    let quiet = JobUpdate { export_method: Some("ctl".to_owned()), ..job("a", JobStatus::Cancelled) };
    let settled = table.update(vec![JobUpdate { updated_at: Some(START_MS), ..quiet }], at(7000));
    assert_eq!(ends(&[settled]), [JobStatus::Cancelled], "stopped long before we came");
    assert_eq!(ends(&[table.update(vec![job("a", JobStatus::Completed)], at(7001))]), [], "counted already");
}

#[test]
fn a_job_that_goes_on_after_its_cancel_is_at_work() {
    let mut table = table(100);
    table.update(vec![percent("a", 5.0)], at(0));
    table.update(vec![job("a", JobStatus::Cancelled)], at(1));
    assert_eq!(table.levels()["vsphere"], Levels { active: 1, pending: 0 });
    table.replace(Vec::new(), &[], Listing::Full, at(2), true);
    let job = table.job("a").unwrap();
    assert!(job.historic && !job.cancel_requested, "it ended with its process");
}

#[test]
fn an_end_without_its_time_waits_for_the_message_that_tells_it() {
    let mut table = table(100);
    table.update(vec![percent("a", 5.0)], at(0));
    let sketch = vec![job("a", JobStatus::Completed), job("b", JobStatus::Failed), percent("c", 1.0)];
    let outcome = table.replace(sketch, &[], Listing::Sketch, at(100), false);
    assert_eq!(ends(&[outcome]), []);
    assert!(!table.is_filled() && table.job("b").is_none() && table.job("c").is_some());
    let ended = |id: &str, status| JobUpdate { completed_at: Some(START_MS + 40_000), ..job(id, status) };
    let list = vec![ended("a", JobStatus::Completed), ended("b", JobStatus::Failed), percent("c", 1.0)];
    let outcome = table.replace(list, &[], Listing::Full, at(101), false);
    let times: Vec<i64> = outcome
        .changes
        .iter()
        .filter(|change| matches!(change.what, What::Ended { .. }))
        .map(|change| change.at_ms)
        .collect();
    assert_eq!(times, [START_MS + 40_000; 2]);
}

#[test]
fn a_life_is_new_if_none_of_its_jobs_was_there_before() {
    let mut table = table(100);
    table.replace(vec![percent("a", 5.0)], &[], Listing::Full, at(0), false);
    assert!(!table.replace(vec![percent("a", 5.0)], &[], Listing::Full, at(1), true).is_new_life, "they survived");
    let another = JobUpdate { created_at: Some(START_MS + 9_000), ..job("a", JobStatus::Completed) };
    let outcome = table.replace(vec![another], &[], Listing::Full, at(10), true);
    assert!(outcome.is_new_life);
    assert_eq!(outcome.changes.len(), 2, "submitted and ended: another job of the same id");
}

#[test]
fn too_many_jobs_are_counted_all_the_same() {
    let mut table = table(10);
    let list = (0..1000).map(|number| job(&number.to_string(), JobStatus::Completed)).collect();
    let outcome = [table.replace(list, &[], Listing::Full, at(0), false)];
    assert_eq!((ends(&outcome).len(), table.jobs().count()), (1000, 10));
}

#[test]
fn missing_jobs_become_history_and_come_back() {
    let mut table = table(100);
    table.replace(vec![percent("a", 5.0), percent("b", 5.0)], &[], Listing::Full, at(0), false);
    table.replace(vec![percent("b", 5.0)], &[], Listing::Full, at(1), false);
    assert!(!table.job("a").unwrap().historic, "a list and an event may have crossed");
    let outcome = table.replace(vec![percent("b", 5.0)], &[], Listing::Full, at(5), false);
    assert_eq!(transitions(&outcome).len(), 1);
    assert!(table.job("a").unwrap().historic);
    assert_eq!(table.levels()["vsphere"], Levels { active: 1, pending: 0 });
    table.replace(vec![job("a", JobStatus::Pending)], &[], Listing::Full, at(6), true);
    assert!(table.job("b").unwrap().historic && !table.job("a").unwrap().historic);
    assert_eq!(table.job("a").unwrap().status, JobStatus::Pending, "another job of that id, after a restart");
}

#[test]
fn history_is_bounded_and_what_was_dropped_stays_so() {
    let mut table = table(2);
    let list = || {
        let ended = (0..6_i64).map(|age| JobUpdate {
            created_at: Some(START_MS - age * 1000),
            ..job(&format!("ended-{age}"), JobStatus::Completed)
        });
        ended.chain([percent("running", 5.0)]).collect::<Vec<_>>()
    };
    let first = table.replace(list(), &[], Listing::Full, at(0), false);
    assert_eq!(ends(std::slice::from_ref(&first)).len(), 6);
    let mut kept: Vec<_> = table.jobs().map(|job| &*job.id).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["ended-0", "ended-1", "running"]);
    assert_eq!(transitions(&first).len(), 3, "what is dropped at once is not reported");
    let second = table.replace(list(), &[], Listing::Full, at(1), false);
    assert!(second.changes.is_empty() && transitions(&second).is_empty());
    let third = table.update(vec![job("new", JobStatus::Failed)], at(2));
    assert!(third.events.iter().any(|event| matches!(event, Event::JobRemoved(key) if key.job_id == "ended-1")));
}

#[test]
fn the_end_of_a_job_is_told_even_if_it_is_dropped_for_it() {
    let mut table = table(1);
    let young = JobUpdate { created_at: Some(START_MS + 1), ..job("young", JobStatus::Completed) };
    table.replace(vec![young, percent("old", 5.0), percent("other", 5.0)], &[], Listing::Full, at(0), false);
    let outcome = table.update(vec![job("old", JobStatus::Failed)], at(1));
    assert_eq!(transitions(&outcome), [("old".into(), Some(JobStatus::Running), JobStatus::Failed)]);
    assert!(matches!(outcome.events.last(), Some(Event::JobRemoved(key)) if key.job_id == "old"));
}
