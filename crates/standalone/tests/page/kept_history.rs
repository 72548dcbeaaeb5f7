//! A reload of a page that keeps its history: charts and counters go on where they were.

use hypervisord::detect::Dialect;

use crate::rig::{Rig, START_MS, frame, metrics, query, running};

fn completed(id: &str, end: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"completed","created_at":"2026-11-20T09:00:10Z","start_time":"2026-11-20T09:00:10Z","end_time":"{end}"}}"#
    )
}

#[test]
fn charts_go_on_after_a_reload() {
    let mut before = Rig::connected(Dialect::Stock, None, 1.0);
    for second in [15_u32, 30, 45, 60] {
        let ended = completed("a", "2026-11-20T09:00:40Z");
        let jobs = if second < 45 { vec![running("a", 10)] } else { vec![ended] };
        before.say(f64::from(second), &metrics(&jobs, second));
        before.scrape(f64::from(second), None);
    }
    let (blocks, oldest_ms) = before.page.blocks(START_MS, START_MS + 60_000);
    assert_eq!(blocks.len(), 1);
    assert_eq!(oldest_ms, START_MS - 6 * 3_600_000);
    let kept: Vec<Vec<u8>> = blocks.into_iter().map(|block| block.bytes.unwrap()).collect();

    let mut after = Rig::after(&kept, 70.0);
    after.connect_daemon(Dialect::Stock, None, 71.0);
    after.say(71.0, &metrics(&[completed("a", "2026-11-20T09:00:40Z")], 75));
    after.scrape(75.0, None);
    after.subscribe(1, query("hypersdk_goroutines"), 76.0);
    let messages = after.messages();
    let points: Vec<_> = frame(&messages).unwrap().series[0].points().collect();
    let expected = [15_i64, 30, 45, 60, 75].map(|second| {
        #[allow(clippy::cast_precision_loss)] // small
        (START_MS + second * 1_000, second as f64)
    });
    assert_eq!(points, expected);
    after.subscribe(2, query("sum(hypersdk_jobs_completed_total)"), 76.0);
    let messages = after.messages();
    let last = frame(&messages).unwrap().series[0].values.last().copied();
    assert_eq!(last, Some(1.0), "a job that was counted is not counted again");
}
