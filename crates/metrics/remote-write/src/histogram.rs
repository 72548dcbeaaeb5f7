//! Converts native histograms between the protocol's spans and deltas and sparse buckets.

use timeseries::histogram::{Buckets, CUSTOM, Histogram, ResetHint};

use crate::{
    DecodeError,
    wire::{Field, Message, zigzag},
};

/// The coarsest and the finest exponential schema.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// A decoded histogram message.
#[derive(Debug, Default)]
struct Wire {
    is_float: bool,
    count_int: u64,
    zero_count_int: u64,
    histogram: Histogram,
    timestamp_ms: i64,
    positive: WireBuckets,
    negative: WireBuckets,
}

#[derive(Debug, Default)]
struct WireBuckets {
    /// Offset and length.
    spans: Vec<(i32, u32)>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// A histogram with its time. The inner error is about an invalid histogram in a valid message. `budget` is the number
/// of buckets that may still be decoded; it is reduced.
pub(crate) fn read(mut message: Message, budget: &mut usize) -> Result<Result<(i64, Histogram), String>, DecodeError> {
    let mut wire = Wire::default();
    let mut custom_bounds = Vec::new();
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => wire.count_int = field.varint(&message)?,
            2 => {
                wire.is_float = true;
                wire.histogram.count = field.double(&message)?;
            }
            3 => wire.histogram.sum = field.double(&message)?,
            4 => wire.histogram.schema = sint32(field, &message)?,
            5 => wire.histogram.zero_threshold = field.double(&message)?,
            6 => wire.zero_count_int = field.varint(&message)?,
            7 => wire.histogram.zero_count = field.double(&message)?,
            8 => wire.negative.add_span(field, &message, budget)?,
            9 => deltas(field, &message, &mut wire.negative.deltas)?,
            10 => doubles(field, &message, &mut wire.negative.counts)?,
            11 => wire.positive.add_span(field, &message, budget)?,
            12 => deltas(field, &message, &mut wire.positive.deltas)?,
            13 => doubles(field, &message, &mut wire.positive.counts)?,
            14 => wire.histogram.reset_hint = reset_hint(field.varint(&message)?),
            15 => wire.timestamp_ms = field.int64(&message)?,
            16 => doubles(field, &message, &mut custom_bounds)?,
            _ => {}
        }
    }
    wire.histogram.custom_bounds = custom_bounds.into();
    Ok(wire.checked())
}

impl Wire {
    #[allow(clippy::cast_precision_loss, reason = "counts are computed with as floating point, in Prometheus too")]
    fn checked(mut self) -> Result<(i64, Histogram), String> {
        let is_float = self.is_float;
        if !is_float {
            self.histogram.count = self.count_int as f64;
            self.histogram.zero_count = self.zero_count_int as f64;
        }
        let mut histogram = self.histogram;
        if histogram.is_stale_marker() {
            let sum = histogram.sum;
            return Ok((self.timestamp_ms, Histogram { sum, ..Histogram::default() }));
        }
        histogram.positive = self.positive.sparse(is_float)?;
        histogram.negative = self.negative.sparse(is_float)?;
        if histogram.schema == CUSTOM {
            check_custom(&histogram)?;
        } else if !SCHEMAS.contains(&histogram.schema) {
            return Err(format!("the histogram has the schema {}, which does not exist", histogram.schema));
        } else if !histogram.custom_bounds.is_empty() {
            return Err("the histogram has bounds of its own, but not their schema".to_owned());
        }
        let negative = histogram.count < 0.0 || histogram.zero_count < 0.0;
        if negative || histogram.zero_threshold.is_nan() || histogram.zero_threshold < 0.0 {
            return Err("the histogram has a negative count or zero threshold".to_owned());
        }
        let buckets = histogram.positive.iter().chain(&histogram.negative).map(|(_, count)| count);
        let in_buckets = histogram.zero_count + buckets.sum::<f64>();
        // NaN observations are counted, but in no bucket.
        let is_consistent = if histogram.sum.is_nan() {
            in_buckets <= histogram.count
        } else {
            in_buckets.to_bits() == histogram.count.to_bits() || in_buckets == histogram.count
        };
        if !is_float && !is_consistent {
            return Err(format!("the histogram counts {}, but its buckets {in_buckets}", histogram.count));
        }
        Ok((self.timestamp_ms, histogram))
    }
}

fn check_custom(histogram: &Histogram) -> Result<(), String> {
    if histogram.zero_count != 0.0 || histogram.zero_threshold != 0.0 || !histogram.negative.is_empty() {
        return Err("a histogram with bounds of its own has negative or zero buckets".to_owned());
    }
    let bounds = &histogram.custom_bounds;
    let is_rising = bounds.windows(2).all(|pair| matches!(pair, [before, after] if before < after));
    if !is_rising || bounds.iter().any(|bound| bound.is_nan() || *bound == f64::INFINITY) {
        return Err("the histogram's bounds do not rise, or are infinite".to_owned());
    }
    let last = histogram.positive.last().map_or(0, |(index, _)| *index);
    let first = histogram.positive.first().map_or(0, |(index, _)| *index);
    if first < 0 || usize::try_from(last).is_ok_and(|last| last > bounds.len()) {
        return Err("the histogram has buckets beyond its bounds".to_owned());
    }
    Ok(())
}

impl WireBuckets {
    fn add_span(&mut self, field: Field, message: &Message, budget: &mut usize) -> Result<(), DecodeError> {
        let mut span = field.message(message)?;
        let (mut offset, mut length) = (0, 0);
        while let Some((number, field)) = span.next_field()? {
            match number {
                1 => offset = sint32(field, &span)?,
                2 => {
                    let value = field.varint(&span)?;
                    length =
                        u32::try_from(value).map_err(|_| span.malformed("a span longer than there are buckets"))?;
                }
                _ => {}
            }
        }
        let cost = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1);
        *budget = budget.checked_sub(cost).ok_or(DecodeError::TooManyBuckets(crate::Limits::MAX_BUCKETS))?;
        self.spans.push((offset, length));
        Ok(())
    }

    /// The non-empty buckets.
    #[allow(clippy::cast_precision_loss, reason = "counts are computed with as floating point, in Prometheus too")]
    fn sparse(&self, is_float: bool) -> Result<Buckets, String> {
        let mut absolute = 0_i64;
        let counts: Vec<f64> = if is_float {
            self.counts.clone()
        } else {
            let mut counts = Vec::with_capacity(self.deltas.len());
            for delta in &self.deltas {
                absolute = absolute.checked_add(*delta).ok_or("the histogram counts more than is possible")?;
                counts.push(absolute as f64);
            }
            counts
        };
        if counts.iter().any(|count| *count < 0.0) {
            return Err("the histogram has a bucket with a negative count".to_owned());
        }
        let wanted: u64 = self.spans.iter().map(|(_, length)| u64::from(*length)).sum();
        if u64::try_from(counts.len()) != Ok(wanted) {
            return Err(format!("the histogram's spans are for {wanted} buckets, but there are {}", counts.len()));
        }
        let mut buckets = Buckets::new();
        let mut counts = counts.into_iter();
        let mut index = 0_i32;
        for (position, (offset, length)) in self.spans.iter().enumerate() {
            if position > 0 && *offset < 0 {
                return Err("the histogram's spans overlap".to_owned());
            }
            index = index.checked_add(*offset).ok_or("the histogram's spans reach too far")?;
            for _ in 0..*length {
                if let Some(count) = counts.next().filter(|count| *count != 0.0) {
                    buckets.push((index, count));
                }
                index = index.checked_add(1).ok_or("the histogram's spans reach too far")?;
            }
        }
        Ok(buckets)
    }
}

fn sint32(field: Field, message: &Message) -> Result<i32, DecodeError> {
    i32::try_from(zigzag(field.varint(message)?)).map_err(|_| message.malformed("an integer of more than 32 bits"))
}

fn deltas(field: Field, message: &Message, to: &mut Vec<i64>) -> Result<(), DecodeError> {
    if let Field::Varint(value) = field {
        to.push(zigzag(value));
        return Ok(());
    }
    let mut packed = field.message(message)?;
    while !packed.is_empty() {
        to.push(zigzag(packed.varint()?));
    }
    Ok(())
}

fn doubles(field: Field, message: &Message, to: &mut Vec<f64>) -> Result<(), DecodeError> {
    if let Field::Fixed64(bits) = field {
        to.push(f64::from_bits(bits));
        return Ok(());
    }
    let mut packed = field.message(message)?;
    while !packed.is_empty() {
        to.push(packed.double()?);
    }
    Ok(())
}

fn reset_hint(number: u64) -> ResetHint {
    match number {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}
