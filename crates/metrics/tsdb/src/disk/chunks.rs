//! Chunk files: sealed chunks, written once from front to end, then only read.

use std::{
    collections::HashSet,
    fs::{self, File},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use labels::Labels;

use super::{
    device::{Device, Request},
    directory::sync_parent,
    frame::{Kind, frame_at, put_frame},
    positioned::FileExt,
    record::{put_chunk, put_header, put_series, read_chunk},
};
use crate::{error::FileError, postings::SeriesId};

/// Number in the file's name.
pub(crate) type FileNumber = NonZeroU32;

/// A file of this size is finished.
const FILE_BYTES: u32 = 32 * 1_024 * 1_024;
/// A file that spans this much time is finished if it is large enough, so that retention can remove it.
const FILE_SPAN_MS: i64 = 6 * 3_600 * 1_000;
/// Minimum size of a file that is finished because of its span.
const WORTH_A_FILE_BYTES: u32 = 1_024 * 1_024;

/// Location of a chunk: its frame, including the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub(crate) file: FileNumber,
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
}

/// A readable chunk file.
#[derive(Debug)]
pub(crate) struct ChunkFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    pub(crate) bytes: u64,
    /// Time of the oldest sample.
    pub(crate) first: i64,
    /// Time of the newest sample.
    pub(crate) last: i64,
    /// Whether it is a result of compaction; its chunks are then sorted by series.
    pub(crate) compacted: bool,
}

impl ChunkFile {
    /// Reads a chunk; an error of kind `InvalidData` means that it is damaged.
    pub(crate) fn read(&self, place: ChunkPlace) -> std::io::Result<Arc<[u8]>> {
        let damaged = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        let mut frame = vec![0; usize::try_from(place.bytes).map_err(|_| damaged())?];
        self.file.read_exact_at(&mut frame, u64::from(place.offset))?;
        match frame_at(&frame) {
            Some((Kind::Chunk, payload)) => {
                let (_, chunk) = read_chunk(payload).ok_or_else(damaged)?;
                Ok(chunk.into())
            }
            _ => Err(damaged()),
        }
    }
}

/// A sealed chunk to write.
pub(crate) struct NewChunk<'a> {
    pub(crate) id: SeriesId,
    pub(crate) labels: &'a Labels,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) bytes: &'a [u8],
}

impl NewChunk<'_> {
    /// The frame of the labels, which must precede the chunk and be in the file only once, and the frame of the chunk.
    pub(crate) fn frames(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut labelled, mut framed) = (Vec::new(), Vec::new());
        put_frame(&mut labelled, Kind::Series, |out| put_series(out, self.id, self.labels, None));
        put_frame(&mut framed, Kind::Chunk, |out| put_chunk(out, self.id, self.bytes));
        (labelled, framed)
    }
}

/// The header of a chunk file; after a compaction it lists the replaced files.
pub(crate) fn file_header(replaces: &[FileNumber]) -> Vec<u8> {
    let mut header = Vec::new();
    put_frame(&mut header, Kind::Header, |out| put_header(out, replaces));
    header
}

/// Writes chunk files one after the other.
#[derive(Debug)]
pub(crate) struct ChunkWriter {
    directory: PathBuf,
    device: Arc<Device>,
    next_number: FileNumber,
    current: Option<Growing>,
}

/// The file that is being written.
#[derive(Debug)]
struct Growing {
    number: FileNumber,
    path: PathBuf,
    file: Arc<File>,
    bytes: u32,
    /// Series whose labels are in the file.
    defined: HashSet<SeriesId>,
    span: Option<(i64, i64)>,
    unsynced: bool,
}

/// Result of a write: the current file, and the locations of the chunks in order.
pub(crate) struct Written {
    pub(crate) number: FileNumber,
    pub(crate) file: ChunkFile,
    pub(crate) places: Vec<ChunkPlace>,
}

impl ChunkWriter {
    /// A writer whose first file gets this number.
    pub(crate) fn new(directory: PathBuf, next_number: FileNumber, device: Arc<Device>) -> Self {
        ChunkWriter { directory, device, next_number, current: None }
    }

    /// Writes chunks into one file. On an error none of them is considered written.
    pub(crate) fn write(&mut self, chunks: &[NewChunk]) -> Result<Written, FileError> {
        if self.current.as_ref().is_some_and(Growing::is_finished) {
            self.finish()?;
        }
        let growing = match self.current.take() {
            Some(growing) => growing,
            None => {
                let (number, path) = self.reserve();
                self.device.ask(Request::Write, &path, || start_file(number, &path))?
            }
        };
        let growing = self.current.insert(growing);

        let mut buffer = Vec::new();
        let mut places = Vec::with_capacity(chunks.len());
        let mut new = Vec::new();
        let mut span = growing.span;
        for chunk in chunks {
            let (labelled, framed) = chunk.frames();
            if growing.defined.insert(chunk.id) {
                new.push(chunk.id);
                buffer.extend_from_slice(&labelled);
            }
            let from = buffer.len();
            buffer.extend_from_slice(&framed);
            places.push((from, buffer.len() - from));
            let (first, last) = span.unwrap_or((chunk.first, chunk.last));
            span = Some((first.min(chunk.first), last.max(chunk.last)));
        }
        let end = growing.bytes;
        let written = self.device.ask(Request::Write, &growing.path, || {
            growing.file.write_all_at(&buffer, u64::from(end))?;
            let places = places.iter().map(|(from, bytes)| {
                let offset = u32::try_from(*from).ok().and_then(|from| from.checked_add(end))?;
                Some(ChunkPlace { file: growing.number, offset, bytes: u32::try_from(*bytes).ok()? })
            });
            let places = places.collect::<Option<Vec<_>>>();
            let bytes = u32::try_from(buffer.len()).ok().and_then(|added| end.checked_add(added));
            Ok(places.zip(bytes).ok_or(std::io::ErrorKind::FileTooLarge)?)
        });
        match written {
            Ok((places, bytes)) => {
                growing.bytes = bytes;
                growing.span = span;
                growing.unsynced = true;
                let (first, last) = span.unwrap_or_default();
                let (path, file) = (growing.path.clone(), growing.file.clone());
                let file = ChunkFile { path, file, bytes: u64::from(bytes), first, last, compacted: false };
                Ok(Written { number: growing.number, file, places })
            }
            Err(error) => {
                new.iter().for_each(|id| {
                    growing.defined.remove(id);
                });
                if let Err(cut) = growing.file.set_len(u64::from(end)) {
                    tracing::warn!(path = %growing.path.display(), error = %cut, "cannot cut off an incomplete write");
                }
                Err(error)
            }
        }
    }

    /// Syncs everything to disk.
    pub(crate) fn sync(&mut self) -> Result<(), FileError> {
        if let Some(growing) = self.current.as_mut().filter(|growing| growing.unsynced) {
            self.device.ask(Request::Sync, &growing.path, || growing.file.sync_data())?;
            growing.unsynced = false;
        }
        Ok(())
    }

    /// Number of the file that is being written.
    pub(crate) fn growing(&self) -> Option<FileNumber> {
        self.current.as_ref().map(|growing| growing.number)
    }

    /// Reserves a number and a path for a file that compaction writes.
    pub(crate) fn reserve(&mut self) -> (FileNumber, PathBuf) {
        let number = self.next_number;
        self.next_number = self.next_number.saturating_add(1);
        (number, self.path_of(number))
    }

    fn path_of(&self, number: FileNumber) -> PathBuf {
        self.directory.join(format!("{number:08}.chunks"))
    }

    /// Finishes the current file, so that the next write starts a new one.
    pub(crate) fn finish(&mut self) -> Result<(), FileError> {
        self.sync()?;
        self.current = None;
        Ok(())
    }
}

impl Growing {
    fn is_finished(&self) -> bool {
        let long = self.span.is_some_and(|(first, last)| last.saturating_sub(first) >= FILE_SPAN_MS);
        self.bytes >= FILE_BYTES || (long && self.bytes >= WORTH_A_FILE_BYTES)
    }
}

/// Creates a chunk file with its header.
fn start_file(number: FileNumber, path: &Path) -> std::io::Result<Growing> {
    let header = file_header(&[]);
    let file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    if let Err(error) = file.write_all_at(&header, 0).and_then(|()| sync_parent(path)) {
        // Without its header it would be reported as damaged.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    let bytes = u32::try_from(header.len()).unwrap_or(0);
    Ok(Growing {
        number,
        path: path.to_owned(),
        file: Arc::new(file),
        bytes,
        defined: HashSet::new(),
        span: None,
        unsynced: false,
    })
}
