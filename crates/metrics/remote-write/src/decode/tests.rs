use timeseries::{
    STALE_NAN,
    histogram::{CUSTOM, Histogram, ResetHint},
};

use super::*;

fn series(pairs: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    TimeSeries { labels: Labels::new(pairs.iter().copied()), samples: samples.to_vec(), ..TimeSeries::default() }
}

fn round_trip(request: &Request) -> Request {
    let body = crate::compress(&crate::encode(request)).unwrap();
    decode(&decompress(&body, Limits::default()).unwrap(), Limits::default()).unwrap()
}

/// A field with bytes, for messages that the encoder would not write.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    out.extend(bytes);
    out
}

fn label(name: &str, value: &str) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
}

#[test]
fn what_is_sent_is_read() {
    let mut first = series(&[("__name__", "up"), ("job", "ä b")], &[(0, 1.0), (15_000, f64::NAN), (-5, -0.0)]);
    first.exemplars.push(Exemplar { labels: Labels::new([("trace_id", "abc")]), value: 0.5, timestamp_ms: 7 });
    let request = Request {
        series: vec![first, series(&[("__name__", "a.b/c")], &[(i64::MAX, f64::INFINITY)])],
        families: vec![Family {
            name: "up".to_owned(),
            kind: FamilyKind::Gauge,
            help: "Whether it is up.".to_owned(),
            unit: "bool".to_owned(),
        }],
        ..Request::default()
    };
    let read = round_trip(&request);
    assert_eq!(read.families, request.families);
    assert_eq!(read.series[0].labels, request.series[0].labels);
    assert_eq!(read.series[0].exemplars, request.series[0].exemplars);
    assert_eq!(read.series[1], request.series[1]);
    assert_eq!(read.series[0].samples[2].1.to_bits(), (-0.0_f64).to_bits());
}

#[test]
fn a_staleness_marker_keeps_its_bits() {
    let read =
        round_trip(&Request { series: vec![series(&[("__name__", "a")], &[(1, STALE_NAN)])], ..Request::default() });
    assert_eq!(read.series[0].samples[0].1.to_bits(), STALE_NAN.to_bits());
}

#[test]
fn labels_are_put_in_order_and_wrong_ones_told() {
    let good = field(1, &[label("job", "x"), label("__name__", "up"), label("empty", "")].concat());
    let twice = field(1, &[label("__name__", "up"), label("a", "1"), label("a", "2")].concat());
    let nameless = field(1, &label("job", "x"));
    let empty = field(1, &[label("__name__", "up"), label("", "x")].concat());
    let request = decode(&[good, twice, nameless, empty].concat(), Limits::default()).unwrap();
    assert_eq!(request.series.len(), 1);
    assert_eq!(request.series[0].labels.to_string(), r#"{__name__="up", job="x"}"#);
    assert_eq!(request.rejected, 3);
    let first = request.first_rejected.unwrap().to_string();
    assert!(first.contains("\"a\" is there twice") && first.contains("__name__=\"up\""), "{first}");
}

#[test]
fn what_is_no_message_is_told() {
    for (bytes, what) in [
        (&b"\xff"[..], "integer"),
        (b"\x0a\x05ab", "beyond the end"),
        (b"\x0f", "unknown type"),
        (b"\x00\x00", "number 0"),
        (b"\x08\x01", "message"),
        (b"\x0a\x06\x0a\x04\x0a\x02\xff\xfe", "UTF-8"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "integer"),
    ] {
        let error = decode(bytes, Limits::default()).unwrap_err().to_string();
        assert!(error.contains(what), "{bytes:x?}: {error}");
    }
    assert!(matches!(decompress(b"\xff\xff\xff", Limits::default()), Err(DecodeError::Compression(_))));
    let small = Limits { decompressed_bytes: 10, ..Limits::default() };
    let body = crate::compress(&[0; 11]).unwrap();
    assert_eq!(decompress(&body, small), Err(DecodeError::TooLarge { size: 11, limit: 10 }));
}

#[test]
fn histograms_keep_their_buckets() {
    let exponential = Histogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 2.0,
        count: 13.0,
        sum: 18.5,
        positive: vec![(-3, 1.0), (-2, 2.0), (5, 4.0)],
        negative: vec![(0, 1.0), (7, 3.0)],
        reset_hint: ResetHint::Gauge,
        ..Histogram::default()
    };
    let custom = Histogram {
        schema: CUSTOM,
        count: 3.0,
        sum: 4.0,
        positive: vec![(0, 1.0), (2, 2.0)],
        custom_bounds: [0.5, 1.0].into(),
        ..Histogram::default()
    };
    let stale = Histogram { sum: STALE_NAN, ..Histogram::default() };
    let mut one = series(&[("__name__", "h")], &[]);
    one.histograms = vec![(0, Arc::new(exponential.clone())), (1, Arc::new(custom.clone())), (2, Arc::new(stale))];
    let read = round_trip(&Request { series: vec![one], ..Request::default() });
    assert_eq!(*read.series[0].histograms[0].1, exponential);
    assert_eq!(*read.series[0].histograms[1].1, custom);
    assert!(read.series[0].histograms[2].1.is_stale_marker());
}

/// `count_int`, sum, schema 0, and positive spans with deltas.
fn integer_histogram(count: u8, spans: &[(u8, u8)], deltas: &[u8]) -> Vec<u8> {
    let mut histogram = vec![1 << 3, count];
    for (offset, length) in spans {
        histogram.extend(field(11, &[1 << 3, *offset, 2 << 3, *length]));
    }
    histogram.extend(field(12, deltas));
    histogram.extend([15 << 3, 9]);
    field(1, &[label("__name__", "h"), field(4, &histogram)].concat())
}

#[test]
fn deltas_of_integer_histograms_are_added_up() {
    // Deltas 1, 1, -2 and offsets -1, 2 in zigzag encoding.
    let request = decode(&integer_histogram(3, &[(1, 2), (4, 1)], &[2, 2, 3]), Limits::default()).unwrap();
    let (time, histogram) = &request.series[0].histograms[0];
    assert_eq!(*time, 9);
    // The third bucket is empty.
    assert_eq!(histogram.positive, [(-1, 1.0), (0, 2.0)]);
    assert_eq!(histogram.count, 3.0);
}

#[test]
fn histograms_that_contradict_themselves_are_left_out() {
    for (bytes, reason) in [
        (integer_histogram(4, &[(0, 2)], &[2, 2]), "counts 4"),
        (integer_histogram(3, &[(0, 3)], &[2, 2]), "for 3 buckets"),
        (integer_histogram(0, &[(0, 1)], &[1]), "negative count"),
        (integer_histogram(3, &[(0, 1), (1, 1)], &[2, 2]), "overlap"),
    ] {
        let request = decode(&bytes, Limits::default()).unwrap();
        assert_eq!((request.rejected, request.series[0].histograms.len()), (1, 0));
        let told = request.first_rejected.unwrap().to_string();
        assert!(told.contains(reason), "{told}");
    }
    // A long declared span needs no memory.
    let long = [&[1 << 3, 0][..], &[2 << 3, 0xff, 0xff, 0xff, 0x7f][..]].concat();
    let bytes = field(1, &[label("__name__", "h"), field(4, &field(11, &long))].concat());
    assert!(matches!(decode(&bytes, Limits::default()), Err(DecodeError::TooManyBuckets(_))));
}

#[test]
fn empty_objects_are_bounded_before_they_are_made() {
    let limits = Limits { object_bytes: 1 << 20, ..Limits::default() };
    let refused = DecodeError::TooManyObjects(1 << 20);
    // An empty field: its number with wire type 2, and its length.
    let empty = |number: u8, count: usize| [number << 3 | 2, 0].repeat(count);
    assert_eq!(decode(&empty(3, 1_000_000), limits).unwrap_err(), refused, "families");
    assert_eq!(decode(&empty(1, 1_000_000), limits).unwrap_err(), refused, "series");
    for (what, number) in [("labels", 1), ("samples", 2), ("exemplars", 3), ("histograms", 4)] {
        let inside = empty(number, 20_000);
        // Lengths are varints: seven bits per byte, the lowest first; this one has three.
        let [low, middle, high] = [0, 7, 14].map(|shift| u8::try_from(inside.len() >> shift & 0x7f).unwrap());
        let varint = [low | 0x80, middle | 0x80, high];
        let body = [&[1 << 3 | 2][..], &varint, &inside].concat();
        assert_eq!(decode(&body, limits).unwrap_err(), refused, "{what}");
        assert!(decode(&body, Limits { object_bytes: 64 << 20, ..limits }).is_ok(), "{what}");
    }
}
