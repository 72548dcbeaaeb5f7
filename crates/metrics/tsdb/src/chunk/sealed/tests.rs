use proptest::prelude::*;
use timeseries::STALE_NAN;

use super::*;
use crate::chunk::OpenChunk;

fn bits(columns: &Columns) -> Vec<(i64, u64)> {
    columns.iter().map(|(time, value)| (time, value.to_bits())).collect()
}

fn both_ways(columns: &Columns) -> usize {
    let mut open = OpenChunk::default();
    columns.iter().for_each(|(time, value)| open.push(time, value));
    let mut from_open = Columns::default();
    open.snapshot().decode(&mut from_open).unwrap();
    assert_eq!(bits(columns), bits(&from_open));

    let sealed = open.seal().unwrap();
    assert_eq!(open.count(), 0);
    let again = SealedChunk::from_bytes(sealed.bytes.clone()).unwrap();
    assert_eq!(again, sealed);
    let mut from_sealed = Columns::default();
    sealed.decode(i64::MIN, i64::MAX, &mut from_sealed).unwrap();
    assert_eq!(bits(columns), bits(&from_sealed));
    sealed.bytes.len()
}

fn steady(values: impl IntoIterator<Item = f64>) -> Columns {
    let mut columns = Columns::default();
    for (value, step) in values.into_iter().zip(0..) {
        columns.push(1_700_000_000_000 + step * 15_000, value);
    }
    columns
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => any::<u64>().prop_map(f64::from_bits),
        3 => (-1_000_000_i32..1_000_000).prop_map(|cents| f64::from(cents) / 100.0),
        3 => any::<u32>().prop_map(f64::from),
        1 => Just(STALE_NAN),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-0.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_bit_comes_back(steps in prop::collection::vec((1_i64..100_000, any_value()), 1..300), start in -1_000_i64..2_000_000_000_000) {
        let mut time = start;
        let mut columns = Columns::default();
        for (step, value) in steps {
            columns.push(time, value);
            time += step;
        }
        both_ways(&columns);
    }

    #[test]
    fn decimal_gauges_come_back(cents in prop::collection::vec(-100_000_i32..100_000, 1..200)) {
        both_ways(&steady(cents.into_iter().map(|cents| f64::from(cents) / 100.0)));
    }

    #[test]
    fn times_at_the_ends_of_the_range_come_back(mut times in prop::collection::btree_set(any::<i64>(), 1..50)) {
        times.insert(i64::MIN);
        times.insert(i64::MAX);
        let mut columns = Columns::default();
        times.into_iter().for_each(|time| columns.push(time, 1.5));
        both_ways(&columns);
    }

    #[test]
    fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(chunk) = SealedChunk::from_bytes(bytes.into()) {
            let _ = chunk.decode(0, i64::MAX, &mut Columns::default());
        }
    }

    #[test]
    fn a_flipped_bit_never_panics(position in 0_usize..4_000, cents in prop::collection::vec(-100_000_i32..100_000, 100..120)) {
        let mut open = OpenChunk::default();
        steady(cents.into_iter().map(f64::from)).iter().for_each(|(time, value)| open.push(time, value));
        let mut bytes = open.seal().unwrap().bytes.to_vec();
        let position = position % (bytes.len() * 8);
        bytes[position / 8] ^= 1 << (position % 8);
        if let Ok(chunk) = SealedChunk::from_bytes(bytes.into()) {
            let _ = chunk.decode(0, i64::MAX, &mut Columns::default());
        }
    }
}

#[test]
fn steady_series_are_small() {
    let constant = both_ways(&steady(std::iter::repeat_n(1.0, 120)));
    assert!(constant <= 32, "constant: {constant}");
    let counter = both_ways(&steady((0..120).map(|step| f64::from(step * 15 + (step * 7) % 5))));
    assert!(counter <= 100, "counter: {counter}");
    let percent = both_ways(&steady((0..120).map(|step| f64::from((step * 7_919) % 10_000) / 100.0)));
    assert!(percent <= 260, "percent: {percent}");
}

#[test]
fn a_stale_marker_does_not_spoil_the_decimal_form() {
    let mut values: Vec<f64> = (0..119).map(f64::from).collect();
    values.push(STALE_NAN);
    let size = both_ways(&steady(values));
    assert!(size <= 60, "{size}");
}

#[test]
fn decoding_clips_to_the_range() {
    let sealed = SealedChunk::encode(&steady((0..10).map(f64::from))).unwrap();
    let mut columns = Columns::default();
    columns.push(5, 0.5);
    sealed.decode(1_700_000_015_000, 1_700_000_030_000, &mut columns).unwrap();
    assert_eq!(columns.values, [0.5, 1.0, 2.0]);
    sealed.decode(0, 1, &mut columns).unwrap();
    assert_eq!(columns.values.len(), 3);
}
