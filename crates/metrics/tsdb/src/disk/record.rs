//! Encoding of frame payloads: labels, samples, unsealed series.

use std::sync::Arc;

use labels::Labels;
use timeseries::histogram::Histogram;

use super::FileNumber;
use crate::{
    chunk::{Columns, HistogramColumn, SealedChunk, put_histogram, read_histogram},
    head::{Entry, HistogramEntry},
    histograms::Histograms,
    postings::SeriesId,
    series::Series,
    varint::{Cursor, length, put_bytes, put_float, put_signed, put_varint},
};

/// The format version that we write. Version 1 had no native histograms but is otherwise the same, and we read it.
pub(crate) const FORMAT_VERSION: u64 = 2;

/// A file's first frame: the version of its format and, after a compaction, the numbers of the replaced files.
pub(crate) fn put_header(out: &mut Vec<u8>, replaces: &[FileNumber]) {
    put_varint(out, FORMAT_VERSION);
    put_varint(out, length(replaces));
    replaces.iter().for_each(|number| put_varint(out, u64::from(number.get())));
}

/// Version of the format in a header.
pub(crate) fn header_version(payload: &[u8]) -> Option<u64> {
    Cursor::new(payload).varint()
}

/// A log's first frame: like [`put_header`], with the maximum lateness of samples. The log also contains samples that
/// are too late, because it is written before they are checked; after a restart with another setting, replay must reach
/// the same decisions.
pub(crate) fn put_log_header(out: &mut Vec<u8>, out_of_order_ms: i64) {
    put_header(out, &[]);
    put_signed(out, out_of_order_ms);
}

/// The maximum lateness of samples in a log, if its header has it.
pub(crate) fn header_out_of_order(payload: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(payload);
    let _version = cursor.varint()?;
    let replaces = cursor.varint()?;
    (0..replaces).try_for_each(|_| cursor.u32().map(drop))?;
    cursor.signed()
}

/// The files that a file replaces.
pub(crate) fn header_replaces(payload: &[u8]) -> Option<Vec<FileNumber>> {
    let mut cursor = Cursor::new(payload);
    let _version = cursor.varint()?;
    let count = cursor.varint()?;
    (0..count).map(|_| FileNumber::new(cursor.u32()?)).collect()
}

/// A series' number in this file, its labels and, if later frames depend on it, its last sample before them.
pub(crate) fn put_series(out: &mut Vec<u8>, id: SeriesId, labels: &Labels, newest: Option<(i64, f64)>) {
    put_varint(out, u64::from(id));
    put_varint(out, length(labels.pairs()));
    for (name, value) in labels.iter() {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
    if let Some((time, value)) = newest {
        put_signed(out, time);
        put_float(out, value);
    }
}

/// What [`put_series`] writes.
pub(crate) struct SeriesRecord {
    pub(crate) id: SeriesId,
    pub(crate) labels: Labels,
    pub(crate) newest: Option<(i64, f64)>,
}

/// Reads what [`put_series`] wrote.
pub(crate) fn read_series(payload: &[u8]) -> Option<SeriesRecord> {
    let mut cursor = Cursor::new(payload);
    let id = cursor.u32()?;
    let count = cursor.varint()?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push((cursor.text()?, cursor.text()?));
    }
    let newest = if cursor.rest().is_empty() { None } else { Some((cursor.signed()?, cursor.float()?)) };
    Some(SeriesRecord { id, labels: Labels::new(pairs), newest })
}

/// Samples, each as differences to the previous one.
pub(crate) fn put_samples(out: &mut Vec<u8>, entries: &[Entry]) {
    put_varint(out, length(entries));
    let (mut last_id, mut last_time) = (0_i64, 0_i64);
    for entry in entries {
        let id = i64::from(entry.id);
        put_signed(out, id - last_id);
        put_signed(out, entry.time.wrapping_sub(last_time));
        put_float(out, entry.value);
        (last_id, last_time) = (id, entry.time);
    }
}

/// Reads what [`put_samples`] wrote.
pub(crate) fn read_samples(payload: &[u8]) -> Option<Vec<Entry>> {
    let mut cursor = Cursor::new(payload);
    let count = usize::try_from(cursor.varint()?).ok()?;
    // A sample needs at least three bytes, so that a damaged count cannot allocate more than this.
    let mut entries = Vec::with_capacity(count.min(payload.len() / 3));
    let (mut id, mut time) = (0_i64, 0_i64);
    for _ in 0..count {
        id = id.checked_add(cursor.signed()?)?;
        time = time.wrapping_add(cursor.signed()?);
        entries.push(Entry { id: SeriesId::try_from(id).ok()?, time, value: cursor.float()? });
    }
    Some(entries)
}

/// Histograms, as many as fit into `room` bytes but at least one; returns their number.
pub(crate) fn put_histograms(out: &mut Vec<u8>, entries: &[HistogramEntry], room: usize) -> usize {
    let end = out.len().saturating_add(room);
    let (mut last_id, mut last_time) = (0_i64, 0_i64);
    let mut last: Option<&HistogramEntry> = None;
    for (written, entry) in entries.iter().enumerate() {
        if out.len() >= end {
            return written;
        }
        let id = i64::from(entry.id);
        put_signed(out, id - last_id);
        put_signed(out, entry.time.wrapping_sub(last_time));
        put_histogram(out, last.map(|last| &*last.histogram), &entry.histogram);
        (last_id, last_time, last) = (id, entry.time, Some(entry));
    }
    entries.len()
}

/// Reads what [`put_histograms`] wrote.
pub(crate) fn read_histograms(payload: &[u8]) -> Option<Vec<HistogramEntry>> {
    let mut cursor = Cursor::new(payload);
    let mut entries: Vec<HistogramEntry> = Vec::new();
    let (mut id, mut time) = (0_i64, 0_i64);
    while !cursor.rest().is_empty() {
        id = id.checked_add(cursor.signed()?)?;
        time = time.wrapping_add(cursor.signed()?);
        let histogram = read_histogram(&mut cursor, entries.last().map(|last| &*last.histogram))?;
        entries.push(HistogramEntry { id: SeriesId::try_from(id).ok()?, time, histogram: Arc::new(histogram) });
    }
    Some(entries)
}

/// A chunk and the number of its series in this file.
pub(crate) fn put_chunk(out: &mut Vec<u8>, id: SeriesId, chunk: &[u8]) {
    put_varint(out, u64::from(id));
    out.extend_from_slice(chunk);
}

/// Reads what [`put_chunk`] wrote.
pub(crate) fn read_chunk(payload: &[u8]) -> Option<(SeriesId, &[u8])> {
    let mut cursor = Cursor::new(payload);
    Some((cursor.u32()?, cursor.rest()))
}

/// The samples of a series that are not in a sealed chunk.
pub(crate) fn put_unsealed(out: &mut Vec<u8>, id: SeriesId, series: &Series) {
    put_varint(out, u64::from(id));
    let mut open = Columns::default();
    // A chunk in memory that does not decode is a bug; we use the samples before the error.
    let _ = series.open.snapshot().decode(&mut open);
    let mut late = Columns::default();
    series.late.iter().for_each(|(time, value)| late.push(*time, *value));
    for columns in [open, late] {
        put_bytes(out, SealedChunk::encode(&columns).as_ref().map_or(&[], |chunk| &*chunk.bytes));
    }
}

/// The last histogram of a series and, if `unsealed`, those that are not in a sealed chunk.
pub(crate) fn put_unsealed_histograms(out: &mut Vec<u8>, id: SeriesId, histograms: &Histograms, unsealed: bool) {
    put_varint(out, u64::from(id));
    let newest: &[(i64, Arc<Histogram>)] = histograms.newest.as_slice();
    let late: &[(i64, Arc<Histogram>)] = if unsealed { &histograms.late } else { &[] };
    let open = if unsealed { histograms.open.snapshot() } else { None };
    put_bytes(out, open.as_ref().map_or(&[], |chunk| &*chunk.bytes));
    for column in [newest, late] {
        let chunks = SealedChunk::encode_histograms(column, u32::MAX);
        put_varint(out, length(&chunks));
        chunks.iter().for_each(|chunk| put_bytes(out, &chunk.bytes));
    }
}

/// What [`put_unsealed_histograms`] writes.
pub(crate) struct UnsealedHistograms {
    pub(crate) id: SeriesId,
    pub(crate) open: HistogramColumn,
    pub(crate) newest: Option<(i64, Arc<Histogram>)>,
    pub(crate) late: HistogramColumn,
}

/// Reads what [`put_unsealed_histograms`] wrote.
pub(crate) fn read_unsealed_histograms(payload: &[u8]) -> Option<UnsealedHistograms> {
    let mut cursor = Cursor::new(payload);
    let id = cursor.u32()?;
    let add = |bytes: &[u8], column: &mut HistogramColumn| {
        SealedChunk::from_bytes(bytes.into()).ok()?.decode_histograms(i64::MIN, i64::MAX, column).ok()
    };
    let mut open = HistogramColumn::new();
    let bytes = cursor.bytes()?;
    if !bytes.is_empty() {
        add(bytes, &mut open)?;
    }
    let mut column = || {
        let mut column = HistogramColumn::new();
        for _ in 0..cursor.varint()? {
            add(cursor.bytes()?, &mut column)?;
        }
        Some(column)
    };
    let (newest, late) = (column()?, column()?);
    Some(UnsealedHistograms { id, open, newest: newest.into_iter().next(), late })
}

/// Reads what [`put_unsealed`] wrote: the number of the series, the samples of its open chunk, its late samples.
pub(crate) fn read_unsealed(payload: &[u8]) -> Option<(SeriesId, Columns, Columns)> {
    let mut cursor = Cursor::new(payload);
    let id = cursor.u32()?;
    let mut columns = || {
        let bytes = cursor.bytes()?;
        let mut columns = Columns::default();
        if !bytes.is_empty() {
            SealedChunk::from_bytes(bytes.into()).ok()?.decode(i64::MIN, i64::MAX, &mut columns).ok()?;
        }
        Some(columns)
    };
    Some((id, columns()?, columns()?))
}
