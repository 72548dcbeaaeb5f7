//! Writes a daemon's counters and reads them back as a query engine would.

use std::collections::BTreeMap;

use model::job::JobStatus;
use timeseries::is_stale_marker;

use super::*;
use crate::jobs::What;

const BOOT_MS: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// The stored series of one daemon.
#[derive(Default)]
struct Shelf(BTreeMap<Labels, Vec<(i64, f64)>>);

impl Shelf {
    /// Stores points like a store, which rejects a sample that is not newer than the last one of its series.
    fn put(&mut self, points: Vec<Point>) {
        for point in points {
            let series = self.0.entry(point.labels.clone()).or_default();
            let newest = series.last().map_or(i64::MIN, |(time, _)| *time);
            assert!(point.timestamp_ms > newest, "back to {} from {newest}: {:?}", point.timestamp_ms, point.labels);
            series.push((point.timestamp_ms, point.value));
        }
    }

    fn series(&self, name: &str, label: (&str, &str)) -> &[(i64, f64)] {
        let is_it = |labels: &&Labels| labels.metric_name() == name && labels.get(label.0) == label.1;
        self.0.iter().find(|(labels, _)| is_it(labels)).map_or(&[], |(_, series)| series)
    }

    /// The increase of a counter between two times, from its last values up to each of them, like `increase` with an
    /// anchored range.
    fn rise(&self, name: &str, label: (&str, &str), start_ms: i64, end_ms: i64) -> f64 {
        let samples = self.series(name, label).iter().filter(|(_, value)| !is_stale_marker(*value));
        let inside = samples.filter(|(time, _)| *time > start_ms - 300_000 && *time <= end_ms);
        let values: Vec<(i64, f64)> = inside.copied().collect();
        let first = values.iter().rposition(|(time, _)| *time <= start_ms).unwrap_or(0);
        values[first..]
            .windows(2)
            .map(|pair| if pair[1].1 < pair[0].1 { pair[1].1 } else { pair[1].1 - pair[0].1 })
            .sum()
    }

    fn stored(&self) -> Vec<Stored> {
        let newest = self.0.iter().map(|(labels, series)| Stored {
            labels: labels.clone(),
            at_ms: series.last().unwrap().0,
            value: series.iter().rev().find(|(_, value)| !is_stale_marker(*value)).unwrap().1,
        });
        newest.collect()
    }
}

const VSPHERE: (&str, &str) = ("provider", "vsphere");
const COMPLETED: &str = "hypersdk_jobs_completed_total";

fn deriver() -> Deriver {
    Deriver::new(TargetLabels::new([("daemon", "d")]), 15 * DAY_MS)
}

fn job(created_ms: i64, seconds: i64, status: JobStatus) -> [Step; 2] {
    let provider = || "vsphere".to_owned();
    let at_ms = created_ms + seconds * 1000;
    #[allow(clippy::cast_precision_loss)]
    let what = What::Ended { job_type: None, status, seconds: Some(seconds as f64) };
    [
        Step::Change(Change { at_ms: created_ms, provider: provider(), what: What::Submitted }),
        Step::Change(Change { at_ms, provider: provider(), what }),
    ]
}

fn news(steps: impl IntoIterator<Item = Step>) -> News {
    News {
        steps: steps.into_iter().collect(),
        levels: BTreeMap::new(),
        numbers: Some(Numbers { http_requests: Some(40.0), ..Numbers::default() }),
        start_ms: Some(BOOT_MS),
    }
}

fn write(deriver: &mut Deriver, shelf: &mut Shelf, mut news: News, now_ms: i64, due: Due) {
    let (mut points, present) = (Vec::new(), HashSet::new());
    deriver.take(&mut news, now_ms);
    while deriver.count(now_ms, &present, &mut points) {
        shelf.put(std::mem::take(&mut points));
    }
    deriver.measure(&news, now_ms, due, &present, &mut points);
    shelf.put(points);
}

#[test]
fn jobs_that_ended_before_we_came_count_when_they_ended() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let now_ms = BOOT_MS + 10 * 3_600_000;
    let steps =
        [job(BOOT_MS + 3_600_000, 3, JobStatus::Completed), job(BOOT_MS + 2 * 3_600_000, 900, JobStatus::Failed)];
    write(&mut deriver, &mut shelf, news(steps.concat()), now_ms, Due::All);
    let completed = shelf.series(COMPLETED, VSPHERE);
    assert_eq!(completed[0], (BOOT_MS, 0.0), "it begins with zero when the daemon started");
    let ended_ms = BOOT_MS + 3_603_000;
    assert!(completed.contains(&(ended_ms - 1, 0.0)) && completed.contains(&(ended_ms, 1.0)), "{completed:?}");
    assert!(
        completed.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 240_000),
        "an engine that looks back finds it everywhere"
    );
    for (start_ms, rise) in [(now_ms - DAY_MS, 1.0), (ended_ms - 1, 1.0), (ended_ms, 0.0), (now_ms - 3_600_000, 0.0)] {
        assert_eq!(shelf.rise(COMPLETED, VSPHERE, start_ms, now_ms), rise, "from {start_ms}");
    }
    assert_eq!(shelf.rise("hypersdk_jobs_failed_total", VSPHERE, now_ms - DAY_MS, now_ms), 1.0);
    assert_eq!(shelf.rise("hypersdk_jobs_total", ("status", "failed"), now_ms - DAY_MS, now_ms), 1.0);
    assert_eq!(shelf.rise("hypersdk_provider_jobs_total", VSPHERE, now_ms - DAY_MS, now_ms), 2.0);
    for (le, rise) in [("2", 0.0), ("4", 1.0), ("1024", 2.0), ("+Inf", 2.0)] {
        let buckets = "hypersdk_job_duration_seconds_bucket";
        assert_eq!(shelf.rise(buckets, ("le", le), now_ms - DAY_MS, now_ms), rise, "{le}");
    }
    assert_eq!(shelf.rise("hypersdk_http_requests_total", ("", ""), now_ms - DAY_MS, now_ms), 40.0);
}

#[test]
fn a_job_that_ends_while_we_listen_counts_at_its_time_and_at_once() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let now_ms = BOOT_MS + 60_000;
    write(&mut deriver, &mut shelf, news(job(BOOT_MS, 1, JobStatus::Completed)), now_ms, Due::All);
    write(&mut deriver, &mut shelf, news(job(BOOT_MS, 63, JobStatus::Completed)), now_ms + 4_000, Due::Changed);
    assert_eq!(shelf.series(COMPLETED, VSPHERE).last(), Some(&(BOOT_MS + 63_000, 2.0)));
    // One job ended before the last written sample, and one has a clock ahead of ours.
    write(&mut deriver, &mut shelf, news(job(BOOT_MS, 20, JobStatus::Completed)), now_ms + 5_000, Due::Changed);
    assert_eq!(shelf.series(COMPLETED, VSPHERE).last(), Some(&(BOOT_MS + 63_001, 3.0)));
    write(&mut deriver, &mut shelf, news(job(BOOT_MS, 900, JobStatus::Completed)), now_ms + 6_000, Due::Changed);
    assert_eq!(shelf.series(COMPLETED, VSPHERE).last(), Some(&(now_ms + 6_000, 4.0)));
    write(&mut deriver, &mut shelf, news([]), now_ms + 15_000, Due::All);
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, now_ms - DAY_MS, now_ms + 15_000), 4.0);
}

#[test]
fn our_own_restart_counts_nothing_twice_and_nothing_away() {
    let mut shelf = Shelf::default();
    let steps = [job(BOOT_MS, 10, JobStatus::Completed), job(BOOT_MS, 50, JobStatus::Completed)];
    let stop_ms = BOOT_MS + 60_000;
    write(&mut deriver(), &mut shelf, news(steps.concat()), stop_ms, Due::All);

    // The daemon lists them again, with one that ended while we were not connected and one that was reported too late.
    let all =
        [steps.concat(), job(BOOT_MS, 400, JobStatus::Completed).into(), job(BOOT_MS, 59, JobStatus::Completed).into()];
    let mut again = deriver();
    again.resume(shelf.stored());
    let now_ms = BOOT_MS + 600_000;
    write(&mut again, &mut shelf, news(all.concat()), now_ms, Due::All);
    let completed = shelf.series(COMPLETED, VSPHERE);
    assert_eq!(completed.iter().filter(|(_, value)| *value == 0.0).count(), 2, "no second zero: {completed:?}");
    assert!(
        completed.contains(&(BOOT_MS + 400_000 - 1, 3.0)) && completed.contains(&(BOOT_MS + 400_000, 4.0)),
        "{completed:?}"
    );
    assert!(completed.windows(2).all(|pair| pair[0].1 <= pair[1].1), "never falling: {completed:?}");
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, BOOT_MS - 1, now_ms), 4.0);
    assert_eq!(shelf.rise("hypersdk_http_requests_total", ("", ""), BOOT_MS - 1, now_ms), 40.0);

    // Jobs that the daemon dropped meanwhile stay counted.
    let mut third = deriver();
    third.resume(shelf.stored());
    write(&mut third, &mut shelf, news(job(BOOT_MS, 700, JobStatus::Completed)), BOOT_MS + 800_000, Due::All);
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, BOOT_MS - 1, BOOT_MS + 800_000), 5.0);
}

#[test]
fn a_restart_of_the_daemon_begins_with_zero() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let now_ms = BOOT_MS + 60_000;
    write(&mut deriver, &mut shelf, news(job(BOOT_MS, 10, JobStatus::Completed)), now_ms, Due::All);
    let start_ms = BOOT_MS + 90_000;
    // Reported in whole seconds, so before the start.
    let steps = [vec![Step::NewLife { start_ms }], job(start_ms - 400, 1, JobStatus::Completed).into()].concat();
    write(&mut deriver, &mut shelf, news(steps), start_ms + 5_000, Due::Changed);
    let completed = shelf.series(COMPLETED, VSPHERE);
    assert!(completed.contains(&(start_ms, 0.0)), "{completed:?}");
    assert_eq!(completed.last(), Some(&(start_ms + 600, 1.0)));
    write(&mut deriver, &mut shelf, news([]), start_ms + 15_000, Due::All);
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, BOOT_MS - 1, start_ms + 15_000), 2.0);
    assert_eq!(shelf.rise("hypersdk_provider_jobs_total", VSPHERE, BOOT_MS - 1, start_ms + 15_000), 2.0);
    assert_eq!(shelf.rise("hypersdk_http_requests_total", ("", ""), BOOT_MS - 1, start_ms + 15_000), 80.0);

    // The same while our server was down.
    let mut again = super::Deriver::new(TargetLabels::new([("daemon", "d")]), 15 * DAY_MS);
    again.resume(shelf.stored());
    let start_ms = BOOT_MS + 3_600_000;
    let told = News { start_ms: Some(start_ms), ..news(job(start_ms, 1, JobStatus::Completed)) };
    write(&mut again, &mut shelf, told, start_ms + 60_000, Due::All);
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, BOOT_MS - 1, start_ms + 60_000), 3.0);
}

#[test]
fn what_ended_before_anything_is_stored_is_where_a_counter_begins() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let now_ms = BOOT_MS + 40 * DAY_MS;
    let steps = [job(BOOT_MS, 10, JobStatus::Completed), job(now_ms - DAY_MS, 10, JobStatus::Completed)];
    write(&mut deriver, &mut shelf, news(steps.concat()), now_ms, Due::All);
    let completed = shelf.series(COMPLETED, VSPHERE);
    assert_eq!(completed[0], (now_ms - 15 * DAY_MS, 1.0));
    assert_eq!(completed.last(), Some(&(now_ms, 2.0)));
}

#[test]
fn ten_thousand_jobs_come_in_batches() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let now_ms = BOOT_MS + DAY_MS;
    let steps = (0..10_000).flat_map(|number| job(BOOT_MS + number * 8_000, 5 + number % 3_000, JobStatus::Completed));
    let mut news = news(steps);
    let (mut points, present, mut batches) = (Vec::new(), HashSet::new(), 0);
    deriver.take(&mut news, now_ms);
    while deriver.count(now_ms, &present, &mut points) {
        assert!(points.len() < 2 * MOST_POINTS);
        shelf.put(std::mem::take(&mut points));
        batches += 1;
    }
    deriver.measure(&news, now_ms, Due::All, &present, &mut points);
    shelf.put(points);
    assert!(batches > 1);
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, BOOT_MS - 1, now_ms), 10_000.0);
}

#[test]
fn gauges_step_with_the_feed_and_what_the_daemon_shows_itself_is_left_out() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let levels = |active| BTreeMap::from([("vsphere".to_owned(), Levels { active, pending: 0 })]);
    write(&mut deriver, &mut shelf, News { levels: levels(3), ..news([]) }, BOOT_MS + 1_000, Due::All);
    for (second, active) in [(2, 3), (3, 5), (4, 5)] {
        write(
            &mut deriver,
            &mut shelf,
            News { levels: levels(active), ..news([]) },
            BOOT_MS + second * 1_000,
            Due::Changed,
        );
    }
    assert_eq!(shelf.series("hypersdk_jobs_active", VSPHERE), [(BOOT_MS + 1_000, 3.0), (BOOT_MS + 3_000, 5.0)]);

    let present = HashSet::from(["hypersdk_jobs_active".to_owned(), COMPLETED.to_owned()]);
    let mut points = Vec::new();
    let mut more = News { levels: levels(7), ..news(job(BOOT_MS, 1, JobStatus::Completed)) };
    deriver.take(&mut more, BOOT_MS + 5_000);
    deriver.count(BOOT_MS + 5_000, &present, &mut points);
    deriver.measure(&more, BOOT_MS + 5_000, Due::All, &present, &mut points);
    let written = points.iter().filter(|point| !is_stale_marker(point.value));
    assert!(written.map(|point| point.labels.metric_name()).all(|name| !present.contains(name)));
}

#[test]
fn what_ends_after_the_last_word_counts_when_it_ended() {
    let (mut deriver, mut shelf) = (deriver(), Shelf::default());
    let heard_ms = BOOT_MS + 60_000;
    write(&mut deriver, &mut shelf, news(job(BOOT_MS, 10, JobStatus::Completed)), heard_ms, Due::All);
    let mut points = Vec::new();
    deriver.end(&mut points);
    deriver.end(&mut points);
    assert!(points.iter().all(|point| point.timestamp_ms == heard_ms + 1 && is_stale_marker(point.value)));
    let marked: HashSet<&Labels> = points.iter().map(|point| &point.labels).collect();
    assert_eq!((marked.len(), points.len()), (shelf.0.len(), shelf.0.len()), "each once");
    shelf.put(points);
    // Connected again, with two jobs that ended before we noticed the loss of connection.
    let steps = [job(BOOT_MS, 61, JobStatus::Completed), job(BOOT_MS, 63, JobStatus::Completed)];
    write(&mut deriver, &mut shelf, news(steps.concat()), heard_ms + 40_000, Due::All);
    let completed = shelf.series(COMPLETED, VSPHERE);
    for (second, count) in [(61, 2.0), (63, 3.0)] {
        assert!(completed.contains(&(BOOT_MS + second * 1_000, count)), "{completed:?}");
    }
    assert_eq!(shelf.rise(COMPLETED, VSPHERE, BOOT_MS - 1, heard_ms + 40_000), 3.0);
}
