use super::*;

const START: i64 = 1_772_000_000_000;

fn world(seed: u64) -> World {
    World::new(WorldOptions { seed, start_ms: START, ..WorldOptions::default() })
}

fn history(seed: u64, hours: f64) -> (World, Vec<(i64, Vec<f64>)>) {
    let mut world = world(seed);
    let mut steps = Vec::new();
    world.run_history(hours, 15, |time, values| steps.push((time, values.to_vec())));
    (world, steps)
}

fn total(world: &World, values: &[f64], name: &str) -> f64 {
    let table = world.table();
    table.series.iter().zip(values).filter(|(series, _)| series.name == name).map(|(_, value)| value).sum()
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let (first, a) = history(42, 2.0);
    let (second, b) = history(42, 2.0);
    let (_, c) = history(43, 2.0);
    assert_eq!(a, b);
    assert_ne!(a, c);
    let ids = |world: &World| world.jobs().map(|job| (job.id.clone(), job.bytes_transferred())).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
}

#[test]
fn history_in_one_go_is_a_live_run() {
    let (mut past, steps) = history(5, 1.0);
    let mut live = world(5);
    for tick in 1..=(3_600 * 4) {
        live.advance_to(START + tick * TICK_MS + 30);
        live.take_events();
    }
    assert_eq!(steps.len(), 240);
    assert_eq!(steps.last().map(|(time, _)| *time), Some(START + 3_600_000));
    assert_eq!(past.sample(), live.sample());
}

#[test]
fn the_demo_is_lively_and_mostly_healthy() {
    for seed in 1..=8 {
        let (world, steps) = history(seed, 24.0);
        let (_, first) = &steps[200];
        let (_, last) = &steps[steps.len() - 1];
        let grown = |name| total(&world, last, name) - total(&world, first, name);
        let (completed, failed) = (grown("hypersdk_jobs_completed_total"), grown("hypersdk_jobs_failed_total"));
        let success = completed / (completed + failed) * 100.0;
        let a_minute = completed / ((steps.len() - 200) as f64 / 4.0);
        let mut active: Vec<f64> = steps[200..].iter().map(|(_, v)| total(&world, v, "hypersdk_jobs_active")).collect();
        let mut queue: Vec<f64> = steps[200..].iter().map(|(_, v)| total(&world, v, "hypersdk_queue_length")).collect();
        active.sort_by(f64::total_cmp);
        queue.sort_by(f64::total_cmp);
        let memory = steps[200..].iter().map(|(_, v)| v[world.rows.memory]).fold(0.0, f64::max);
        let at = |sorted: &[f64], percent: usize| sorted[(sorted.len() - 1) * percent / 100];
        let cancelled = grown("hypersdk_jobs_cancelled_total");
        println!(
            "seed {seed}: success {success:.1} %, {a_minute:.2}/min, cancelled {cancelled}, active p5 {} p50 {} p95 {}, queue p50 {} p95 {} max {}, memory max {:.2} GB",
            at(&active, 5),
            at(&active, 50),
            at(&active, 95),
            at(&queue, 50),
            at(&queue, 95),
            at(&queue, 100),
            memory / 1e9
        );
        assert!((91.0..98.0).contains(&success), "seed {seed}: success {success}");
        assert!((1.0..3.0).contains(&a_minute), "seed {seed}: {a_minute} a minute");
        assert!((9.0..26.0).contains(&at(&active, 50)), "seed {seed}: {} active", at(&active, 50));
        assert!(at(&queue, 95) <= 70.0 && at(&queue, 100) > 5.0, "seed {seed}: queue {}", at(&queue, 95));
    }
}

#[test]
fn counters_only_grow_and_add_up() {
    let (mut world, steps) = history(9, 6.0);
    let table = world.table();
    for pair in steps.windows(2) {
        for family in table.families.iter().filter(|family| family.kind != MetricKind::Gauge) {
            for row in family.first..family.first + family.len {
                assert!(pair[1].1[row] >= pair[0].1[row], "{:?}", table.series[row]);
            }
        }
    }
    let values = world.sample().to_vec();
    let sum = |name| total(&world, &values, name);
    let ended =
        sum("hypersdk_jobs_completed_total") + sum("hypersdk_jobs_failed_total") + sum("hypersdk_jobs_cancelled_total");
    assert_eq!(sum("hypersdk_jobs_total"), ended);
    assert_eq!(sum("hypersdk_provider_jobs_total"), ended + sum("hypersdk_jobs_active") + sum("hypersdk_jobs_pending"));
    assert_eq!(sum("hypersdk_http_requests_total"), sum("hypersdk_http_response_time_seconds_count"));
    let counts = world.counts();
    assert_eq!(counts.total as f64, sum("hypersdk_provider_jobs_total"));
    assert_eq!((counts.completed + counts.failed + counts.cancelled) as f64, ended);
    assert!(world.finished().count() <= 400 && !world.active().is_empty());
}

#[test]
fn more_jobs_a_minute_means_more_of_everything_but_the_queue() {
    let mut busy = World::new(WorldOptions { jobs_per_minute: 60.0, start_ms: START, ..WorldOptions::default() });
    busy.advance_to(START + 3_600_000);
    let counts = busy.counts();
    assert!(counts.running > 200 && counts.completed > 1_000, "{counts:?}");
    let mut idle = World::new(WorldOptions { jobs_per_minute: 0.0, start_ms: START, ..WorldOptions::default() });
    idle.advance_to(START + 3_600_000);
    assert_eq!(idle.counts(), Counts::default());
}

#[test]
fn a_manual_job_moves_only_when_told_to() {
    let mut world = World::new(WorldOptions { jobs_per_minute: 0.0, start_ms: START, ..WorldOptions::default() });
    let id = world.submit(Submission { manual: true, ..Submission::default() }).unwrap();
    world.advance_to(START + 60_000);
    assert_eq!(world.job(&id).unwrap().status, Status::Pending);
    world.set_percent(&id, 40.0).unwrap();
    world.advance_to(START + 120_000);
    let job = world.job(&id).unwrap();
    assert_eq!((job.status, job.percent().round(), job.phase()), (Status::Running, 40.0, Some("exporting")));
    world.complete(&id).unwrap();
    assert_eq!(world.job(&id).unwrap().percent(), 100.0);
    let events: Vec<String> = world
        .take_events()
        .into_iter()
        .map(|event| match event {
            Event::Status { from, job, .. } => format!("{} {}", from.map_or("new", Status::name), job.status.name()),
            Event::Progress(job) => format!("{:.0}", job.percent()),
            Event::Alert(alert) => alert.name.to_owned(),
        })
        .collect();
    assert_eq!(events, ["new pending", "pending running", "40", "running completed"]);
    assert_eq!(
        world.complete(&id).unwrap_err().to_string(),
        format!("job {id} cannot be completed (status: completed)")
    );
    assert_eq!(world.fail("x", "").unwrap_err().to_string(), "job not found: x");
    assert!(world.submit(Submission { id: Some(id), ..Submission::default() }).is_err());
}

#[test]
fn a_cancel_stops_the_documented_job_and_not_the_coded_one() {
    for (profile, end) in [(Profile::Fleet, Status::Cancelled), (Profile::Daemon, Status::Completed)] {
        let mut world =
            World::new(WorldOptions { jobs_per_minute: 0.0, start_ms: START, profile, ..WorldOptions::default() });
        let submission = Submission { bytes_total: Some(40_000_000_000), running: true, ..Submission::default() };
        let id = world.submit(submission).unwrap();
        world.advance_to(START + 5_000);
        world.cancel(&id).unwrap();
        assert_eq!(world.job(&id).unwrap().status, Status::Cancelled);
        assert_eq!(world.counts().cancelled, 1);
        assert!(world.cancel(&id).is_err());
        world.advance_to(START + 3_600_000);
        assert_eq!(world.job(&id).unwrap().status, end);
        let counts = world.counts();
        assert_eq!((counts.total, counts.completed + counts.cancelled), (1, 1), "{counts:?}");
    }
}

#[test]
fn the_end_of_a_coded_job_overtakes_its_cancel() {
    let profile = Profile::Daemon;
    let mut world =
        World::new(WorldOptions { jobs_per_minute: 0.0, start_ms: START, profile, ..WorldOptions::default() });
    for status in [Status::Completed, Status::Failed] {
        let submission = Submission { manual: true, running: true, ..Submission::default() };
        let id = world.submit(submission).unwrap();
        world.cancel(&id).unwrap();
        assert!(world.job(&id).unwrap().working, "the export goes on");
        assert!(world.cancel(&id).is_err());
        match status {
            Status::Completed => world.complete(&id).unwrap(),
            _ => world.fail(&id, "no room").unwrap(),
        }
        assert_eq!(world.job(&id).unwrap().status, status);
        assert!(world.complete(&id).is_err(), "it ends once");
    }
    let counts = world.counts();
    assert_eq!((counts.completed, counts.failed, counts.cancelled, counts.total), (1, 1, 0, 2));
}

#[test]
fn a_job_can_have_ended_before() {
    let mut world = world(3);
    let before = world.counts();
    let id = world.recall(Submission::default(), End::Failed, 600_000, 90_000).unwrap();
    let job = world.job(&id).unwrap();
    let ended_ms = world.now_ms() - 600_000;
    assert_eq!(
        (job.status, job.started_ms, job.completed_ms),
        (Status::Failed, Some(ended_ms - 90_000), Some(ended_ms))
    );
    assert_eq!(job.duration_seconds(world.now_ms()), 90.0);
    assert_eq!(world.counts().failed, before.failed + 1);
}

#[test]
fn the_coded_daemon_knows_vsphere_only_and_has_no_queue() {
    let mut world = World::new(WorldOptions { start_ms: START, profile: Profile::Daemon, ..WorldOptions::default() });
    world.advance_to(START + 7_200_000);
    assert_eq!(world.counts().pending, 0);
    assert!(world.jobs().all(|job| job.provider == Provider::Vsphere && job.vcenter.is_some()));
}

#[test]
fn a_restart_forgets_everything() {
    let (mut world, _) = history(3, 1.0);
    world.restart();
    assert_eq!((world.counts(), world.uptime_ms(), world.jobs().count()), (Counts::default(), 0, 0));
    assert_eq!(total(&world, world.values.all(), "hypersdk_http_requests_total"), 0.0);
    world.advance_to(world.now_ms() + 600_000);
    assert!(world.counts().total > 3);
}

#[test]
fn a_jump_of_the_clock_is_bounded() {
    let mut world = world(1);
    world.advance_to(START + 400 * 86_400_000);
    assert_eq!(world.now_ms(), START + 400 * 86_400_000);
    world.advance_to(START);
    assert_eq!(world.now_ms(), START + 400 * 86_400_000, "never goes back");
}
