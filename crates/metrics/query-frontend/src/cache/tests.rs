use model::frame::{Labels, Series};

use super::*;

const STEP: i64 = 10;
const AGE: i64 = 100_000;
const BRIEFLY: i64 = 1_000;
const AGES: Ages = Ages { firm_ms: AGE, brief_ms: BRIEFLY };

/// All steps up to a time are settled, and no later ones.
fn until(until_ms: i64) -> Settled {
    Settled { until_ms, firm_until_ms: until_ms }
}

fn key(query: &str) -> Key {
    Key { engine: "e".into(), scope: String::new(), query: query.into(), step_ms: STEP }
}

/// An extent with a series whose values are its times plus `shift`.
#[allow(clippy::cast_precision_loss)]
fn extent(start_ms: i64, end_ms: i64, shift: f64) -> Extent {
    let timestamps: Vec<i64> = (start_ms..=end_ms).step_by(10).collect();
    let values = timestamps.iter().map(|timestamp| *timestamp as f64 + shift).collect();
    let labels = Labels::from([("a".into(), "b".into())]).into();
    Extent { start_ms, end_ms, series: vec![Series { labels, timestamps, values }], infos: Vec::new() }
}

fn cache() -> Cache {
    Cache::new(1 << 20, AGES)
}

/// The result of a lookup whose gaps are filled with values shifted by `shift`.
fn whole(lookup: &Lookup, span: StepRange, shift: f64) -> Extent {
    let mut parts: Vec<Extent> = lookup.known.clone();
    parts.extend(lookup.missing.iter().map(|(start, end)| extent(*start, *end, shift)));
    parts.sort_by_key(|part| part.start_ms);
    Extent::join(span.0, span.1, parts)
}

#[test]
fn only_the_tail_is_missing_of_a_window_that_moved() {
    let mut cache = cache();
    let key = key("up");
    assert_eq!(cache.look_up(&key, (0, 100), 0), Lookup { known: vec![], missing: vec![(0, 100)] });
    cache.keep(&key, &extent(0, 100, 0.0), until(80), 0);
    let lookup = cache.look_up(&key, (20, 120), 0);
    assert_eq!(lookup.missing, [(90, 120)], "what is not settled is asked for again");
    assert_eq!(lookup.known, [extent(20, 80, 0.0)]);
    assert_eq!(whole(&lookup, (20, 120), 0.0), extent(20, 120, 0.0));
    cache.keep(&key, &extent(90, 120, 0.0), until(110), 0);
    assert_eq!(cache.look_up(&key, (0, 110), 0), Lookup { known: vec![extent(0, 110, 0.0)], missing: vec![] });
}

#[test]
fn holes_are_asked_for_one_by_one_and_many_as_one() {
    let mut cache = cache();
    let key = key("up");
    for start in [0, 40, 80] {
        cache.keep(&key, &extent(start, start + 10, 0.0), until(1_000), 0);
    }
    let lookup = cache.look_up(&key, (0, 90), 0);
    assert_eq!(lookup.missing, [(20, 30), (60, 70)]);
    assert_eq!(whole(&lookup, (0, 90), 0.0), extent(0, 90, 0.0));
    for start in [120, 160] {
        cache.keep(&key, &extent(start, start + 10, 0.0), until(1_000), 0);
    }
    let lookup = cache.look_up(&key, (0, 200), 0);
    assert_eq!(lookup.missing, [(20, 200)]);
    assert_eq!(whole(&lookup, (0, 200), 0.0), extent(0, 200, 0.0));
}

#[test]
fn the_newer_answer_holds_where_two_know_a_step() {
    let mut cache = cache();
    let key = key("up");
    cache.keep(&key, &extent(0, 50, 0.0), until(1_000), 0);
    cache.keep(&key, &extent(20, 70, 0.5), until(1_000), 0);
    let lookup = cache.look_up(&key, (0, 70), 0);
    assert_eq!(lookup.known[0].series[0].values, [0.0, 10.0, 20.5, 30.5, 40.5, 50.5, 60.5, 70.5]);
}

#[test]
fn series_that_come_and_go_are_put_together() {
    let mut cache = cache();
    let key = key("up");
    let mut first = extent(0, 20, 0.0);
    first.infos.push("a note".into());
    let mut second = extent(30, 50, 0.0);
    second.series[0].labels = Labels::from([("a".into(), "a".into())]).into();
    cache.keep(&key, &first, until(1_000), 0);
    cache.keep(&key, &second, until(1_000), 0);
    cache.keep(&key, &Extent { start_ms: 60, end_ms: 90, ..Extent::default() }, until(1_000), 0);
    let lookup = cache.look_up(&key, (0, 90), 0);
    assert!(lookup.missing.is_empty(), "steps without points are known too");
    let known = Extent::join(0, 90, lookup.known);
    assert_eq!(known.series.len(), 2);
    assert_eq!((known.series[0].timestamps[0], known.series[1].timestamps[0]), (30, 0), "sorted by labels");
    assert_eq!(known.infos, ["a note"]);
    let later = cache.look_up(&key, (30, 50), 0);
    assert_eq!(later.known[0].series.len(), 1);
}

#[test]
fn keys_do_not_mix() {
    let mut cache = cache();
    cache.keep(&key("up"), &extent(0, 50, 0.0), until(1_000), 0);
    for other in [
        key("down"),
        Key { engine: "f".into(), ..key("up") },
        Key { scope: "a=\"b\"".into(), ..key("up") },
        Key { step_ms: 5, ..key("up") },
    ] {
        assert!(cache.look_up(&other, (0, 50), 0).known.is_empty(), "{other:?}");
    }
}

#[test]
fn what_was_not_used_for_longest_goes_first_and_the_bytes_hold() {
    let room = extent(0, 1_000, 0.0).bytes() * 5;
    let mut cache = Cache::new(room, AGES);
    for name in ["a", "b", "c"] {
        cache.keep(&key(name), &extent(0, 1_000, 0.0), until(2_000), 0);
    }
    assert!(!cache.look_up(&key("a"), (0, 10), 0).known.is_empty());
    for name in ["d", "e"] {
        cache.keep(&key(name), &extent(0, 1_000, 0.0), until(2_000), 0);
        assert!(cache.bytes() <= room, "{} of {room}", cache.bytes());
    }
    assert!(!cache.look_up(&key("a"), (0, 10), 0).known.is_empty());
    assert!(cache.look_up(&key("b"), (0, 10), 0).known.is_empty());
    // An extent larger than the whole cache does not evict anything.
    cache.keep(&key("f"), &extent(0, 100_000, 0.0), until(200_000), 0);
    assert!(cache.look_up(&key("f"), (0, 10), 0).known.is_empty());
    assert!(!cache.look_up(&key("a"), (0, 10), 0).known.is_empty());
}

#[test]
fn what_is_old_is_asked_for_again() {
    let mut cache = cache();
    let key = key("up");
    cache.keep(&key, &extent(0, 50, 0.0), until(1_000), 0);
    cache.keep(&key, &extent(60, 90, 0.0), until(1_000), AGE);
    assert_eq!(cache.look_up(&key, (0, 90), AGE).missing, []);
    assert_eq!(cache.look_up(&key, (0, 90), AGE + 1).missing, [(0, 90)], "joined with what is old");
    cache.keep(&key, &extent(0, 90, 0.0), until(1_000), AGE + 1);
    assert_eq!(cache.look_up(&key, (0, 90), AGE + 2).missing, []);
}

#[test]
fn nothing_settled_or_no_room_keeps_nothing() {
    let mut cache = cache();
    cache.keep(&key("up"), &extent(100, 200, 0.0), until(99), 0);
    assert_eq!(cache.bytes(), 0);
    let mut none = Cache::new(0, AGES);
    none.keep(&key("up"), &extent(0, 200, 0.0), until(1_000), 0);
    assert_eq!(none.bytes(), 0);
}

#[test]
fn what_is_empty_or_lacks_a_series_or_is_young_is_believed_for_a_moment_only() {
    let mut cache = cache();
    cache.keep(&key("empty"), &Extent { start_ms: 0, end_ms: 90, ..Extent::default() }, until(1_000), 0);
    assert_eq!(cache.look_up(&key("empty"), (0, 90), BRIEFLY).missing, []);
    assert_eq!(cache.look_up(&key("empty"), (0, 90), BRIEFLY + 1).missing, [(0, 90)]);

    // A second series without points from 30 to 50.
    let mut holed = extent(0, 90, 0.0);
    let mut other = holed.series[0].clone();
    std::sync::Arc::make_mut(&mut other.labels).insert("c".into(), "d".into());
    let has_point = |time: &i64| !(30..=50).contains(time);
    let (timestamps, values) = other.points().filter(|(time, _)| has_point(time)).unzip();
    holed.series.push(Series { timestamps, values, ..other });
    cache.keep(&key("hole"), &holed, until(1_000), 0);
    assert_eq!(whole(&cache.look_up(&key("hole"), (0, 90), BRIEFLY), (0, 90), 0.0), holed);
    assert_eq!(cache.look_up(&key("hole"), (0, 90), BRIEFLY + 1).missing, [(30, 50)]);

    let settled = Settled { until_ms: 80, firm_until_ms: 40 };
    cache.keep(&key("young"), &extent(0, 90, 0.0), settled, 0);
    assert_eq!(cache.look_up(&key("young"), (0, 90), BRIEFLY).missing, [(90, 90)]);
    assert_eq!(cache.look_up(&key("young"), (0, 90), BRIEFLY + 1).missing, [(50, 90)]);
    // A repeated query restarts the lifetime.
    cache.keep(&key("young"), &extent(50, 90, 0.5), settled, BRIEFLY + 1);
    assert_eq!(cache.look_up(&key("young"), (0, 80), 2 * BRIEFLY).missing, []);
}

#[test]
fn what_is_got_again_takes_the_place_of_what_was_known() {
    let mut cache = cache();
    let key = key("up");
    cache.keep(&key, &extent(0, 90, 0.0), until(1_000), 0);
    cache.keep(&key, &Extent { start_ms: 30, end_ms: 50, ..Extent::default() }, until(1_000), 0);
    let lookup = cache.look_up(&key, (0, 90), 0);
    assert!(lookup.missing.is_empty());
    let times = &Extent::join(0, 90, lookup.known).series[0].timestamps;
    assert_eq!(*times, [0, 10, 20, 60, 70, 80, 90]);
}
