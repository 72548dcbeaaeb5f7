//! Marks of alerts on charts: from the time at which one fired, on the panels that show what it reads.

use hypervisord::detect::Dialect;

use crate::rig::{Rig, START_MS, metrics};

#[test]
fn an_alert_is_marked_on_the_chart_of_what_it_reads_while_it_fires_and_after() {
    let mut rig = Rig::connected(Dialect::Stock, None, 1.0);
    let run = |rig: &mut Rig, from: u32, to: u32, goroutines: u32| {
        for second in (from..to).step_by(15) {
            rig.say(f64::from(second), &metrics(&[], goroutines));
            rig.scrape(f64::from(second), None);
            rig.page.advance(START_MS + i64::from(second) * 1_000);
        }
    };
    // It has to last five minutes.
    run(&mut rig, 15, 600, 2_500);
    let marks = |rig: &mut Rig, second: f64| -> Vec<(String, String, Vec<i64>)> {
        let frame = rig.get("/api/dashboards/hypersdk-system/marks?from=now-1h&to=now", second);
        let series = frame["series"].as_array().unwrap().iter();
        let read = |series: &serde_json::Value| {
            let text = |name: &str| series["labels"][name].as_str().unwrap().to_owned();
            let times = series["timestamps"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap() - START_MS);
            (text("panel"), text("alertname"), times.collect())
        };
        series.map(read).filter(|(_, name, _): &(_, String, _)| name == "GoroutineLeak").collect()
    };
    let firing = marks(&mut rig, 600.0);
    assert_eq!(firing, [("goroutines".to_owned(), "GoroutineLeak".to_owned(), vec![315_000])]);
    run(&mut rig, 600, 700, 7);
    let over = marks(&mut rig, 700.0);
    assert_eq!(over, [("goroutines".to_owned(), "GoroutineLeak".to_owned(), vec![315_000, 600_000])]);
    let earlier = rig.get("/api/dashboards/hypersdk-system/marks?from=now-1h&to=now", 60.0);
    assert_eq!(earlier["series"].as_array().map(Vec::len), Some(0), "nothing had fired yet");
}
