//! What the payloads of frames are: labels, samples, unsealed series.

use promql::labels::Labels;

use super::FileNumber;
use crate::{
    chunk::{Columns, SealedChunk},
    head::Entry,
    postings::SeriesId,
    series::Series,
    varint::{Cursor, length, put_bytes, put_float, put_signed, put_varint},
};

/// The format that this version writes.
pub(crate) const FORMAT_VERSION: u64 = 1;

/// A file's first frame: the version of its format and, if it was made of other files, the numbers of those.
pub(crate) fn put_header(out: &mut Vec<u8>, replaces: &[FileNumber]) {
    put_varint(out, FORMAT_VERSION);
    put_varint(out, length(replaces));
    replaces.iter().for_each(|number| put_varint(out, u64::from(number.get())));
}

/// Version of the format that a header tells.
pub(crate) fn header_version(payload: &[u8]) -> Option<u64> {
    Cursor::new(payload).varint()
}

/// The files that a file takes the place of.
pub(crate) fn header_replaces(payload: &[u8]) -> Option<Vec<FileNumber>> {
    let mut cursor = Cursor::new(payload);
    let _version = cursor.varint()?;
    let count = cursor.varint()?;
    (0..count).map(|_| FileNumber::new(cursor.u32()?)).collect()
}

/// A series' number in this file, its labels and, where it matters for what follows in the file, its newest sample until then.
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

/// Samples, each as differences to the one before.
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
    // A sample takes three bytes at least, so the count of a damaged payload asks for no more than that.
    let mut entries = Vec::with_capacity(count.min(payload.len() / 3));
    let (mut id, mut time) = (0_i64, 0_i64);
    for _ in 0..count {
        id = id.checked_add(cursor.signed()?)?;
        time = time.wrapping_add(cursor.signed()?);
        entries.push(Entry { id: SeriesId::try_from(id).ok()?, time, value: cursor.float()? });
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

/// The samples of a series that are in no sealed chunk.
pub(crate) fn put_unsealed(out: &mut Vec<u8>, id: SeriesId, series: &Series) {
    put_varint(out, u64::from(id));
    let mut open = Columns::default();
    // A chunk in memory that does not decode would be a fault of ours; what it yields is what there is.
    let _ = series.open.snapshot().decode(&mut open);
    let mut late = Columns::default();
    series.late.iter().for_each(|(time, value)| late.push(*time, *value));
    for columns in [open, late] {
        put_bytes(out, SealedChunk::encode(&columns).as_ref().map_or(&[], |chunk| &*chunk.bytes));
    }
}

/// Reads what [`put_unsealed`] wrote: the series' number, the open chunk's samples, the late ones.
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
