//! Decodes a body into a request.

use std::sync::Arc;

use labels::Labels;

use crate::{
    DecodeError, Exemplar, Family, FamilyKind, Rejected, Request, TimeSeries, histogram,
    labels::{Pairs, series_labels},
    wire::{Field, Message},
};

/// Limits of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum decompressed size in bytes.
    pub decompressed_bytes: usize,
    /// Maximum memory of the decoded objects: an empty object has two bytes in a body, but many times that in memory.
    pub object_bytes: usize,
}

impl Limits {
    /// Maximum number of histogram buckets in one request. Spans declare many in a few bytes.
    pub(crate) const MAX_BUCKETS: usize = 4 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Limits { decompressed_bytes: 64 << 20, object_bytes: 256 << 20 }
    }
}

/// Memory of objects until they are stored, in bytes: here and as input of the store.
mod cost {
    pub(super) const SERIES: usize = 192;
    pub(super) const SAMPLE: usize = 64;
    pub(super) const HISTOGRAM: usize = 512;
    pub(super) const EXEMPLAR: usize = 160;
    pub(super) const LABEL: usize = 96;
    pub(super) const FAMILY: usize = 192;
}

/// The remaining memory for objects, checked before each one is created.
struct Room {
    left: usize,
    limit: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.left = self.left.checked_sub(bytes).ok_or(DecodeError::TooManyObjects(self.limit))?;
        Ok(())
    }
}

/// Decompresses a body in Snappy's block format.
///
/// # Errors
///
/// It is not Snappy, or exceeds the limit.
pub fn decompress(body: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    let wrong = |error: snap::Error| DecodeError::Compression(error.to_string());
    let size = snap::raw::decompress_len(body).map_err(wrong)?;
    if size > limits.decompressed_bytes {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        return Err(DecodeError::TooLarge { size, limit: limits.decompressed_bytes });
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(wrong)
}

/// Decodes a decompressed body. Series with invalid labels are skipped and reported in [`Request::first_rejected`].
///
/// # Errors
///
/// It is not a valid message, or exceeds a limit.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Request, DecodeError> {
    let mut room = Room { left: limits.object_bytes, limit: limits.object_bytes };
    let mut request = Request::default();
    let mut budget = Limits::MAX_BUCKETS;
    let mut pairs = Pairs::new();
    let mut message = Message::new(bytes);
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => {
                pairs.clear();
                room.take(cost::SERIES)?;
                read_series(field.message(&message)?, &mut pairs, (&mut budget, &mut room), &mut request)?;
            }
            3 => {
                let family = field.message(&message)?;
                // Its texts are at most as long as the message.
                room.take(cost::FAMILY.saturating_add(family.remaining()))?;
                request.families.push(read_family(family)?);
            }
            _ => {}
        }
    }
    Ok(request)
}

fn read_series<'a>(
    mut message: Message<'a>,
    pairs: &mut Pairs<'a>,
    (buckets, room): (&mut usize, &mut Room),
    request: &mut Request,
) -> Result<(), DecodeError> {
    let mut series = TimeSeries::default();
    let mut wrong = Vec::new();
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => {
                let label = read_label(field, &message)?;
                room.take(cost::LABEL.saturating_add(label.0.len()).saturating_add(label.1.len()))?;
                pairs.push(label);
            }
            2 => {
                room.take(cost::SAMPLE)?;
                series.samples.push(read_sample(field.message(&message)?)?);
            }
            3 => {
                room.take(cost::EXEMPLAR)?;
                series.exemplars.push(read_exemplar(field.message(&message)?, room)?);
            }
            4 => {
                room.take(cost::HISTOGRAM)?;
                match histogram::read(field.message(&message)?, buckets)? {
                    Ok((time, histogram)) => series.histograms.push((time, Arc::new(histogram))),
                    Err(reason) => wrong.push(reason),
                }
            }
            _ => {}
        }
    }
    match series_labels(pairs) {
        Ok(labels) => {
            for reason in wrong {
                request.reject(|| Rejected { series: labels.to_string(), reason });
            }
            series.labels = labels;
            request.series.push(series);
        }
        Err(rejected) => request.reject(|| rejected),
    }
    Ok(())
}

impl Request {
    fn reject(&mut self, rejected: impl FnOnce() -> Rejected) {
        self.rejected += 1;
        self.first_rejected.get_or_insert_with(rejected);
    }
}

fn read_label<'a>(field: Field<'a>, message: &Message) -> Result<(&'a str, &'a str), DecodeError> {
    let mut label = field.message(message)?;
    let (mut name, mut value) = ("", "");
    while let Some((number, field)) = label.next_field()? {
        match number {
            1 => name = field.text(&label)?,
            2 => value = field.text(&label)?,
            _ => {}
        }
    }
    Ok((name, value))
}

fn read_sample(mut message: Message) -> Result<(i64, f64), DecodeError> {
    let (mut time, mut value) = (0, 0.0);
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => value = field.double(&message)?,
            2 => time = field.int64(&message)?,
            _ => {}
        }
    }
    Ok((time, value))
}

fn read_exemplar(mut message: Message, room: &mut Room) -> Result<Exemplar, DecodeError> {
    let mut pairs = Pairs::new();
    let (mut timestamp_ms, mut value) = (0, 0.0);
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => {
                let label = read_label(field, &message)?;
                room.take(cost::LABEL.saturating_add(label.0.len()).saturating_add(label.1.len()))?;
                pairs.push(label);
            }
            2 => value = field.double(&message)?,
            3 => timestamp_ms = field.int64(&message)?,
            _ => {}
        }
    }
    Ok(Exemplar { labels: Labels::new(pairs), value, timestamp_ms })
}

fn read_family(mut message: Message) -> Result<Family, DecodeError> {
    let mut family = Family::default();
    while let Some((number, field)) = message.next_field()? {
        match number {
            1 => family.kind = FamilyKind::of(field.varint(&message)?),
            2 => field.text(&message)?.clone_into(&mut family.name),
            4 => field.text(&message)?.clone_into(&mut family.help),
            5 => field.text(&message)?.clone_into(&mut family.unit),
            _ => {}
        }
    }
    Ok(family)
}

#[cfg(test)]
mod tests;
