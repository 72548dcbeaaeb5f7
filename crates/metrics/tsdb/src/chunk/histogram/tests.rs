use proptest::prelude::*;
use timeseries::{STALE_NAN, histogram::CUSTOM};

use super::*;

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0_u32..10_000).prop_map(f64::from),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => Just(9_007_199_254_740_991.0),
        1 => Just(-9_007_199_254_740_991.0),
        1 => Just(-0.0),
        1 => Just(STALE_NAN),
    ]
}

fn any_buckets() -> impl Strategy<Value = Buckets> {
    prop::collection::btree_map(any::<i32>(), any_number(), 0..12).prop_map(|buckets| buckets.into_iter().collect())
}

prop_compose! {
    fn any_histogram()(
        schema in prop_oneof![4 => -4_i32..=8, 1 => Just(CUSTOM)],
        numbers in (any_number(), any_number(), any_number(), any_number()),
        positive in any_buckets(),
        negative in any_buckets(),
        bounds in prop::collection::vec(any_number(), 0..5),
        hint in 0_u8..4,
    ) -> Histogram {
        let (zero_threshold, zero_count, count, sum) = numbers;
        let reset_hint = hint_of(hint).unwrap();
        Histogram { schema, zero_threshold, zero_count, count, sum, positive, negative, custom_bounds: bounds.into(), reset_hint }
    }
}

/// A series of histograms, some of which have the same buckets as the previous one.
fn any_column() -> impl Strategy<Value = HistogramColumn> {
    prop::collection::vec((any_histogram(), any::<bool>(), any_number(), 1_i64..100_000), 1..60).prop_map(|samples| {
        let mut time = 0;
        let mut column = HistogramColumn::new();
        for (histogram, repeats, number, step) in samples {
            time += step;
            let histogram = match column.last() {
                Some((_, before)) if repeats => {
                    let mut next = Histogram::clone(before);
                    next.positive.iter_mut().for_each(|(_, count)| *count += number);
                    Histogram { count: number, ..next }
                }
                _ => histogram,
            };
            column.push((time, Arc::new(histogram)));
        }
        column
    })
}

/// All numbers of a histogram as bits, so that a NaN equals itself.
fn bits(column: &[(i64, Arc<Histogram>)]) -> Vec<String> {
    let float = |value: &f64| format!("{:x}", value.to_bits());
    let buckets = |buckets: &Buckets| buckets.iter().map(|(at, count)| (*at, float(count))).collect::<Vec<_>>();
    column
        .iter()
        .map(|(time, one)| {
            let numbers = [one.count, one.sum, one.zero_count, one.zero_threshold].map(|value| float(&value));
            let bounds: Vec<_> = one.custom_bounds.iter().map(float).collect();
            let (positive, negative) = (buckets(&one.positive), buckets(&one.negative));
            format!("{time} {} {:?} {numbers:?} {positive:?} {negative:?} {bounds:?}", one.schema, one.reset_hint)
        })
        .collect()
}

proptest! {
    #[test]
    fn every_bit_comes_back(column in any_column()) {
        let mut open = OpenHistograms::default();
        column.iter().for_each(|(time, histogram)| open.push(*time, histogram));
        let sealed = open.seal().unwrap();
        prop_assert_eq!(open.count(), 0);
        prop_assert!(sealed.has_histograms());
        let sealed = SealedChunk::from_bytes(sealed.bytes).unwrap();
        prop_assert_eq!((sealed.first, sealed.last), (column[0].0, column[column.len() - 1].0));
        let mut decoded = HistogramColumn::new();
        sealed.decode_histograms(i64::MIN, i64::MAX, &mut decoded).unwrap();
        prop_assert_eq!(bits(&decoded), bits(&column));
        let (start, end) = (column[column.len() / 3].0, column[column.len() / 2].0);
        decoded.clear();
        sealed.decode_histograms(start, end, &mut decoded).unwrap();
        prop_assert_eq!(bits(&decoded), bits(&column[column.len() / 3..=column.len() / 2]));
    }

    #[test]
    fn damaged_bytes_do_no_harm(column in any_column(), position in any::<prop::sample::Index>(), change in 1_u8..) {
        let sealed = SealedChunk::encode_histograms(&column, 120).remove(0);
        let mut bytes = sealed.bytes.to_vec();
        let position = position.index(bytes.len());
        bytes[position] ^= change;
        if let Ok(chunk) = SealedChunk::from_bytes(bytes.into()) {
            let _ = chunk.decode_histograms(i64::MIN, i64::MAX, &mut HistogramColumn::new());
        }
    }
}

#[test]
fn a_steady_histogram_is_short() {
    let mut column = HistogramColumn::new();
    for at in 0..120_i32 {
        let count = f64::from(at);
        let positive: Buckets = (0..20).map(|index| (index, count * f64::from(index))).collect();
        let histogram =
            Histogram { schema: 3, count: count * 190.0, sum: count * 20.0, positive, ..Histogram::default() };
        column.push((i64::from(at) * 15_000, Arc::new(histogram)));
    }
    let chunks = SealedChunk::encode_histograms(&column, 120);
    let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    assert!(bytes < 120 * 30, "{bytes} bytes for 120 histograms of 20 buckets");
}
