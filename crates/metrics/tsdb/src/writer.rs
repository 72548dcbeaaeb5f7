//! The one writer: samples and metadata into the log's queue, then into memory ([`append`]). It waits for no disk.

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

/// What only one thread at a time may do.
#[derive(Debug)]
pub(crate) struct Writer {
    options: StoreOptions,
    /// Where appends to times are noted that somebody has read.
    late: Arc<LateLog>,
    /// `None` if nothing is kept beyond the process.
    journal: Option<Journalled>,
    /// Series of the samples of a batch; a buffer.
    ids: Vec<SeriesId>,
    /// The samples of a batch; a buffer.
    entries: Vec<Entry>,
    /// Bytes of the last append in the log.
    usual_bytes: usize,
}

/// Where appends are written down.
#[derive(Debug)]
struct Journalled {
    frames: Journal,
    log: Arc<Log>,
}

/// A checkpoint of one moment.
pub(crate) struct Cut {
    /// What a log begins with that goes on from there.
    pub(crate) content: Vec<u8>,
    /// The place in the log.
    pub(crate) at: Position,
}

impl Writer {
    /// A writer that writes down what it does in a log that has said nothing yet, or nowhere.
    pub(crate) fn new(options: StoreOptions, log: Option<Arc<Log>>, late: Arc<LateLog>) -> Self {
        let out_of_order_ms = millis(options.out_of_order);
        let journal = log.map(|log| Journalled { frames: Journal::new(out_of_order_ms), log });
        Writer { options, late, journal, ids: Vec::new(), entries: Vec::new(), usual_bytes: 0 }
    }

    /// Sets what is said about metric families.
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

    /// What a log would have to begin with to go on from now, without changing anything.
    pub(crate) fn copy(&self, head: &RwLock<Head>) -> Option<Vec<u8>> {
        Some(self.journal.as_ref()?.frames.checkpoint(&head.read()))
    }

    /// The same, and what is appended from now on builds on it.
    pub(crate) fn cut(&mut self, head: &RwLock<Head>) -> Option<Cut> {
        let journal = self.journal.as_mut()?;
        let head = head.read();
        let content = journal.frames.checkpoint(&head);
        journal.frames.build_on_checkpoint(&head);
        Some(Cut { content, at: journal.log.end() })
    }
}
