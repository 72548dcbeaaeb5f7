//! Encodes a request as a body.

use labels::Labels;
use timeseries::histogram::{Buckets, Histogram, ResetHint};

use crate::{Request, TimeSeries};

/// Compresses a message in Snappy's block format.
///
/// # Errors
///
/// It exceeds the format's limit of 4 GiB.
pub fn compress(message: &[u8]) -> Result<Vec<u8>, snap::Error> {
    snap::raw::Encoder::new().compress_vec(message)
}

/// A request as `prometheus.WriteRequest`. Histograms have float counts.
#[must_use]
pub fn encode(request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    for series in &request.series {
        put_bytes(&mut out, 1, &encode_series(series));
    }
    for family in &request.families {
        let mut message = Vec::new();
        put_varint_field(&mut message, 1, family.kind as u64);
        for (number, text) in [(2, &family.name), (4, &family.help), (5, &family.unit)] {
            put_bytes(&mut message, number, text.as_bytes());
        }
        put_bytes(&mut out, 3, &message);
    }
    out
}

fn encode_series(series: &TimeSeries) -> Vec<u8> {
    let mut out = Vec::new();
    put_labels(&mut out, &series.labels);
    for (time, value) in &series.samples {
        let mut sample = Vec::new();
        put_double(&mut sample, 1, *value);
        put_varint_field(&mut sample, 2, time.cast_unsigned());
        put_bytes(&mut out, 2, &sample);
    }
    for exemplar in &series.exemplars {
        let mut message = Vec::new();
        put_labels(&mut message, &exemplar.labels);
        put_double(&mut message, 2, exemplar.value);
        put_varint_field(&mut message, 3, exemplar.timestamp_ms.cast_unsigned());
        put_bytes(&mut out, 3, &message);
    }
    for (time, histogram) in &series.histograms {
        put_bytes(&mut out, 4, &encode_histogram(*time, histogram));
    }
    out
}

fn encode_histogram(time: i64, histogram: &Histogram) -> Vec<u8> {
    let mut out = Vec::new();
    put_double(&mut out, 2, histogram.count);
    put_double(&mut out, 3, histogram.sum);
    put_varint_field(&mut out, 4, zigzag(i64::from(histogram.schema)));
    put_double(&mut out, 5, histogram.zero_threshold);
    put_double(&mut out, 7, histogram.zero_count);
    put_buckets(&mut out, (8, 10), &histogram.negative);
    put_buckets(&mut out, (11, 13), &histogram.positive);
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    };
    put_varint_field(&mut out, 14, hint);
    put_varint_field(&mut out, 15, time.cast_unsigned());
    put_doubles(&mut out, 16, histogram.custom_bounds.iter().copied());
    out
}

/// Spans and counts with these field numbers. Each bucket after a gap starts a span.
fn put_buckets(out: &mut Vec<u8>, (spans, counts): (u64, u64), buckets: &Buckets) {
    let mut found: Vec<(i32, u64)> = Vec::new();
    let mut next = 0;
    for (index, _) in buckets {
        match found.last_mut() {
            Some((_, length)) if *index == next => *length += 1,
            _ => found.push((index.saturating_sub(next), 1)),
        }
        next = index.saturating_add(1);
    }
    for (offset, length) in found {
        let mut span = Vec::new();
        put_varint_field(&mut span, 1, zigzag(i64::from(offset)));
        put_varint_field(&mut span, 2, length);
        put_bytes(out, spans, &span);
    }
    put_doubles(out, counts, buckets.iter().map(|(_, count)| *count));
}

fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    for (name, value) in labels.iter() {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(out, 1, &label);
    }
}

fn put_doubles(out: &mut Vec<u8>, number: u64, values: impl Iterator<Item = f64>) {
    let packed: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
    if !packed.is_empty() {
        put_bytes(out, number, &packed);
    }
}

fn put_double(out: &mut Vec<u8>, number: u64, value: f64) {
    put_varint(out, number << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn put_varint_field(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
