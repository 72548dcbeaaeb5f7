//! The page's samples in the browser's database, where the bundle wants that and the browser allows it.

use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use idb::{Database, DatabaseEvent, Error, Factory, KeyRange, ObjectStoreParams, Transaction, TransactionMode};
use js_sys::Uint8Array;
use standalone::Block;
use wasm_bindgen::{JsCast, JsValue};

use crate::{
    engine::{Engine, now_ms},
    page,
};

/// Name of the database of a daemon, before its address.
const NAME: &str = "hyperscope-history-1";
/// The blocks, by their begin.
const BLOCKS: &str = "blocks";
/// How often the newest samples are written, in milliseconds.
const WRITE_EVERY_MS: u32 = 30_000;

/// The blocks of one daemon.
pub(crate) struct KeptHistory(Database);

impl KeptHistory {
    /// Opens the database of the daemon at an address. `None` if the browser has none for this page, as in a private
    /// window.
    pub(crate) async fn open(daemon: &str) -> Option<Self> {
        open(daemon).await.map(KeptHistory).map_err(|error| not_kept(&error)).ok()
    }

    /// All blocks, oldest first. Empty if they cannot be read.
    pub(crate) async fn blocks(&self) -> Vec<Vec<u8>> {
        let found = self.read().await.inspect_err(not_kept).unwrap_or_default();
        found.into_iter().filter_map(|value| Some(value.dyn_into::<Uint8Array>().ok()?.to_vec())).collect()
    }

    async fn read(&self) -> Result<Vec<JsValue>, Error> {
        let transaction = self.0.transaction(&[BLOCKS], TransactionMode::ReadOnly)?;
        let found = transaction.object_store(BLOCKS)?.get_all(None, None)?.await?;
        transaction.await?;
        Ok(found)
    }

    async fn write(&self, blocks: &[Block], oldest_ms: i64) -> Result<(), Error> {
        let transaction: Transaction = self.0.transaction(&[BLOCKS], TransactionMode::ReadWrite)?;
        let store = transaction.object_store(BLOCKS)?;
        let older = KeyRange::upper_bound(&key(oldest_ms), Some(true))?;
        store.delete(older)?.await?;
        for Block { begin_ms, bytes } in blocks {
            match bytes {
                Some(bytes) => {
                    store.put(&Uint8Array::from(bytes.as_slice()), Some(&key(*begin_ms)))?.await?;
                }
                None => store.delete(key(*begin_ms))?.await?,
            }
        }
        transaction.commit()?.await?;
        Ok(())
    }
}

/// Writes the newest samples at intervals, until that fails.
pub(crate) async fn keep(engine: Rc<Engine>, history: KeptHistory) {
    let mut since_ms = now_ms();
    loop {
        TimeoutFuture::new(WRITE_EVERY_MS).await;
        let begin_ms = now_ms();
        let (blocks, oldest_ms) = engine.with(|standalone| standalone.blocks(since_ms, begin_ms));
        if let Err(error) = history.write(&blocks, oldest_ms).await {
            return not_kept(&error);
        }
        since_ms = begin_ms;
    }
}

async fn open(daemon: &str) -> Result<Database, Error> {
    let mut request = Factory::new()?.open(&format!("{NAME} {daemon}"), Some(1))?;
    request.on_upgrade_needed(|event| {
        if let Ok(database) = event.database() {
            // If it fails, so does each transaction.
            let _ = database.create_object_store(BLOCKS, ObjectStoreParams::new());
        }
    });
    request.await
}

/// A key: times are numbers that a browser holds exactly.
#[allow(clippy::cast_precision_loss)] // times of this era
fn key(ms: i64) -> JsValue {
    JsValue::from_f64(ms as f64)
}

fn not_kept(error: &Error) {
    page::inform(&format!("the history of this page is not kept over a reload: {error}"));
}
