//! Changes of alerts' states, remembered for a month.

use model::live::{AlertState, AlertTransition};
use sqlx::{Row, SqlitePool};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;

/// How long changes are remembered.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Batches that may wait to be written: each evaluation of a group makes at most one.
const QUEUE: usize = 1_024;
/// Changes that are written between two looks for old ones.
const PRUNE_EVERY: usize = 1_000;
/// Most changes in one answer.
pub const MAX_ANSWER: usize = 10_000;

/// The changes so far. A cheap handle.
#[derive(Clone)]
pub struct History {
    pool: SqlitePool,
    queue: mpsc::Sender<Vec<AlertTransition>>,
}

/// Writes what [`History::remember`] was given.
pub struct Writer {
    pool: SqlitePool,
    queue: mpsc::Receiver<Vec<AlertTransition>>,
}

/// Which changes are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// From this time on, in milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Up to this time, included, in milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// Of alerts with this name alone.
    pub name: Option<String>,
    /// Only those by which an alert began to fire, or no longer did.
    pub firing_alone: bool,
    /// At most so many, the youngest.
    pub limit: usize,
}

impl History {
    /// The history in a database, and what writes it.
    #[must_use]
    pub fn new(pool: SqlitePool) -> (Self, Writer) {
        let (queue, received) = mpsc::channel(QUEUE);
        (History { pool: pool.clone(), queue }, Writer { pool, queue: received })
    }

    /// Has changes written. Where the database is slower than alerts change, the newest changes are left out, with a line in the log.
    pub fn remember(&self, changes: Vec<AlertTransition>) {
        if changes.is_empty() {
            return;
        }
        let lost = changes.len();
        if self.queue.try_send(changes).is_err() {
            tracing::warn!(lost, "changes of alerts came faster than they could be remembered");
        }
    }

    /// Changes, youngest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn read(&self, wanted: &Wanted) -> Result<Vec<AlertTransition>, sqlx::Error> {
        let limit = i64::try_from(wanted.limit.min(MAX_ANSWER)).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT at, was, state, alert FROM alert_history \
             WHERE at >= ?1 AND at <= ?2 AND (?3 IS NULL OR name = ?3) \
             AND (?5 = 0 OR was = 'firing' OR state = 'firing') ORDER BY at DESC, id DESC LIMIT ?4",
        )
        .bind(wanted.since_ms.unwrap_or_else(|| now_ms() - KEPT_MS))
        .bind(wanted.until_ms.unwrap_or(i64::MAX))
        .bind(&wanted.name)
        .bind(limit)
        .bind(wanted.firing_alone)
        .fetch_all(&self.pool)
        .await?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let text: String = row.try_get("alert")?;
            let alert = serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let state = |text: String| match text.as_str() {
                "firing" => AlertState::Firing,
                "pending" => AlertState::Pending,
                _ => AlertState::Inactive,
            };
            let (from, to) = (state(row.try_get("was")?), state(row.try_get("state")?));
            changes.push(AlertTransition { at: row.try_get("at")?, from, to, alert });
        }
        Ok(changes)
    }
}

fn word(state: AlertState) -> &'static str {
    match state {
        AlertState::Inactive => "inactive",
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
    }
}

impl Writer {
    /// Writes until the server stops and nothing waits any more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut until_prune = 0_usize;
        loop {
            let changes = tokio::select! {
                changes = self.queue.recv() => changes,
                () = stop.cancelled() => self.queue.try_recv().ok(),
            };
            let Some(changes) = changes else { return };
            if let Err(error) = self.write(&changes).await {
                tracing::warn!(%error, lost = changes.len(), "changes of alerts could not be remembered");
            }
            if until_prune == 0 {
                until_prune = PRUNE_EVERY;
                let old = now_ms() - KEPT_MS;
                let pruned = sqlx::query("DELETE FROM alert_history WHERE at < ?1").bind(old).execute(&self.pool).await;
                if let Err(error) = pruned {
                    tracing::warn!(%error, "old changes of alerts could not be dropped");
                }
            }
            until_prune = until_prune.saturating_sub(changes.len());
        }
    }

    async fn write(&self, changes: &[AlertTransition]) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        for change in changes {
            let text = serde_json::to_string(&change.alert).map_err(|error| sqlx::Error::Encode(error.into()))?;
            sqlx::query(
                "INSERT INTO alert_history (at, source, name, was, state, alert) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .bind(change.at)
            .bind(&change.alert.source)
            .bind(&change.alert.name)
            .bind(word(change.from))
            .bind(word(change.to))
            .bind(text)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }
}
