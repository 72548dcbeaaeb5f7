//! The writer: samples and metadata go into the log's queue, then into memory ([`append`]). It does not wait for the
//! disk.

mod append;

use std::sync::Arc;

use parking_lot::RwLock;

use crate::{
    disk::{Journal, Log, log::Position},
    head::{Entry, Head},
    late::LateLog,
    metadata::{MAX_FAMILIES, Metadata},
    options::{StoreOptions, millis},
    postings::SeriesId,
};

/// State that only one thread at a time may change.
#[derive(Debug)]
pub(crate) struct Writer {
    options: StoreOptions,
    /// Records appends to times that had already been read.
    late: Arc<LateLog>,
    /// `None` for a store in memory only.
    journal: Option<Journalled>,
    /// Series of the samples in a batch; a reused buffer.
    ids: Vec<SeriesId>,
    /// Samples of a batch; a reused buffer.
    entries: Vec<Entry>,
    /// Size of the last append in the log, in bytes.
    usual_bytes: usize,
}

/// The log and its encoder.
#[derive(Debug)]
struct Journalled {
    frames: Journal,
    log: Arc<Log>,
}

/// A checkpoint of one moment.
pub(crate) struct Cut {
    /// Start of a log that continues from there.
    pub(crate) content: Vec<u8>,
    /// Position in the log.
    pub(crate) at: Position,
}

impl Writer {
    /// A writer with an empty log, or without a log.
    pub(crate) fn new(options: StoreOptions, log: Option<Arc<Log>>, late: Arc<LateLog>) -> Self {
        let out_of_order_ms = millis(options.out_of_order);
        let journal = log.map(|log| Journalled { frames: Journal::new(out_of_order_ms), log });
        Writer { options, late, journal, ids: Vec::new(), entries: Vec::new(), usual_bytes: 0 }
    }

    /// Sets metadata of metric families.
    pub(crate) fn set_metadata(&mut self, head: &RwLock<Head>, families: &[(String, Metadata)]) {
        let changed: Vec<&(String, Metadata)> = {
            let head = head.read();
            let mut room = MAX_FAMILIES.saturating_sub(head.metadata.len());
            families
                .iter()
                .filter(|(family, about)| match head.metadata.get(family) {
                    Some(known) => known != about,
                    None => {
                        let fits = room > 0;
                        room = room.saturating_sub(1);
                        fits
                    }
                })
                .collect()
        };
        if changed.is_empty() {
            return;
        }
        if let Some(journal) = &self.journal {
            let mut frames = Vec::new();
            Journal::put_metadata(&mut frames, changed.iter().map(|(family, about)| (family.as_str(), about)));
            journal.log.queue(frames);
        }
        let mut head = head.write();
        for (family, about) in changed {
            head.metadata.insert(family.clone(), about.clone());
        }
    }

    /// The start of a log that continues from now; changes nothing.
    pub(crate) fn copy(&self, head: &RwLock<Head>) -> Option<Vec<u8>> {
        Some(self.journal.as_ref()?.frames.checkpoint(&head.read()))
    }

    /// The same, and later appends depend on it.
    pub(crate) fn cut(&mut self, head: &RwLock<Head>) -> Option<Cut> {
        let journal = self.journal.as_mut()?;
        let head = head.read();
        let content = journal.frames.checkpoint(&head);
        journal.frames.build_on_checkpoint(&head);
        Some(Cut { content, at: journal.log.end() })
    }
}
