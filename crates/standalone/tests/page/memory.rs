//! Six hours at full resolution: what the page holds after them.

use std::time::Instant;

use daemon_sim::{SimOptions, TextFormat, world::World, write_metrics};
use hypervisord::detect::Dialect;
use model::live::{ServerMessage, Topic};

use crate::rig::{Rig, START_MS, metrics, now, query, running};

const HOURS: f64 = 6.0;
/// What a page may hold, in bytes.
const MOST_BYTES: usize = 60_000_000;
/// What a worker without samples takes: its program, its stack, dashboards and rules.
const REST_BYTES: usize = 12_000_000;

#[test]
fn six_hours_of_all_series_fit_and_older_samples_go() {
    let mut world: World = SimOptions::default().world(START_MS);
    let table = world.table();
    let mut rig = Rig::connected(Dialect::Documented, Some("/api/v1/metrics"), 1.0);
    rig.subscribe(1, query("sum by (provider) (hypersdk_jobs_active)"), 1.0);
    rig.subscribe(2, Topic::Jobs, 1.0);
    let begin = Instant::now();
    let mut sent = 0_usize;
    let mut after_six_hours = None;
    // Half an hour more, in which the oldest samples have to go.
    world.run_history(HOURS + 0.5, 15, |time_ms, values| {
        #[allow(clippy::cast_precision_loss)] // small
        let second = (time_ms - START_MS) as f64 / 1_000.0;
        let jobs: Vec<String> = (0..20).map(|number| running(&format!("j{number}"), 10)).collect();
        rig.say(second, &metrics(&jobs, 7));
        rig.scrape(second, Some(&write_metrics(&table, values, TextFormat::Prometheus)));
        let at = now(second);
        rig.page.change(at, |daemon| daemon.tick(at));
        rig.page.advance(time_ms);
        sent += rig.messages().iter().filter(|message| matches!(message, ServerMessage::Delta { .. })).count();
        if second <= HOURS * 3_600.0 {
            after_six_hours = Some(rig.page.store_stats());
        }
    });
    let (stats, last) = (after_six_hours.unwrap(), rig.page.store_stats());
    println!(
        "after 6 h: {} series, {} samples, {} bytes in the store; after 6.5 h {} bytes; {:?} in this build",
        stats.series,
        stats.samples,
        stats.memory_bytes,
        last.memory_bytes,
        begin.elapsed()
    );
    assert!(stats.series > 400, "{stats:?}");
    assert!(stats.samples > 400 * 1_440, "each series each 15 s: {stats:?}");
    assert!(sent > 1_400, "{sent}");
    assert!(stats.memory_bytes + REST_BYTES <= MOST_BYTES, "{stats:?}");
    assert!(last.memory_bytes <= stats.memory_bytes + stats.memory_bytes / 5, "{last:?} after {stats:?}");
}
