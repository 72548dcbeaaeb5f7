//! History of alert state changes, retained for a month.

use std::{collections::VecDeque, sync::Arc};

use access::Restricted;
use dashboards::annotations::{FiringChange, FiringChanges};
use model::{
    clock::now_ms,
    live::{ALERT_HISTORY_MS, Alert, AlertState, AlertTransition},
};
use parking_lot::Mutex;
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::past::PastLists;

/// Retention of changes.
const KEPT_MS: i64 = ALERT_HISTORY_MS;
/// Maximum number of batches waiting to be written: each evaluation of a group creates at most one.
const QUEUE: usize = 1_024;
/// Number of written changes between two removals of old ones.
const PRUNE_EVERY: usize = 1_000;
/// Maximum number of changes in one response.
pub const MAX_ANSWER: usize = 10_000;
/// Number of latest starts and ends of firing that are cached in memory: each dashboard page shows them on its charts.
const AT_HAND: usize = 2_000;
const MINUTE_MS: i64 = 60_000;
/// Maximum number of changes to read for an earlier time range; the latest ones are used.
const MOST_READ: usize = 2_000;

/// The history. Cheap to clone.
#[derive(Clone)]
pub struct History {
    pool: SqlitePool,
    queue: mpsc::Sender<Vec<AlertTransition>>,
    /// Oldest first.
    firing: Arc<Mutex<VecDeque<FiringChange>>>,
    pub(crate) past: Arc<PastLists>,
    /// When the database was created, in milliseconds since the Unix epoch.
    made_ms: i64,
}

/// Writes the changes passed to [`History::remember`].
pub struct Writer {
    pool: SqlitePool,
    queue: mpsc::Receiver<Vec<AlertTransition>>,
}

/// Filter for changes.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only changes at or after this time, in milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Only changes at or before this time, in milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// Only changes of alerts with this name.
    pub name: Option<String>,
    /// Maximum number; the latest are returned.
    pub limit: usize,
}

impl History {
    /// Opens the history in a database; returns it with its writer.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn open(pool: SqlitePool) -> Result<(Self, Writer), sqlx::Error> {
        let rows = sqlx::query(
            "SELECT at, was, state, alert FROM alert_history WHERE (was = 'firing') <> (state = 'firing') \
             ORDER BY at DESC, id DESC LIMIT ?1",
        )
        .bind(i64::try_from(AT_HAND).unwrap_or(i64::MAX))
        .fetch_all(&pool)
        .await?;
        let changes: Vec<AlertTransition> = rows.iter().map(change).collect::<Result<_, _>>()?;
        let made = sqlx::query("SELECT CAST(strftime('%s', min(installed_on)) AS INTEGER) FROM _sqlx_migrations");
        let made_secs: Option<i64> = made.fetch_one(&pool).await?.try_get(0)?;
        let firing = Arc::new(Mutex::new(changes.iter().rev().filter_map(FiringChange::of).collect()));
        let (queue, received) = mpsc::channel(QUEUE);
        let made_ms = made_secs.unwrap_or_default().saturating_mul(1_000);
        let history = History { pool: pool.clone(), queue, firing, past: Arc::default(), made_ms };
        Ok((history, Writer { pool, queue: received }))
    }

    /// Enqueues changes for the writer. If the database is too slow, the newest changes are dropped and a warning is
    /// logged.
    pub fn remember(&self, changes: Vec<AlertTransition>) {
        if changes.is_empty() {
            return;
        }
        let mut firing = self.firing.lock();
        firing.extend(changes.iter().filter_map(FiringChange::of));
        let surplus = firing.len().saturating_sub(AT_HAND);
        firing.drain(..surplus);
        drop(firing);
        let lost = changes.len();
        if self.queue.try_send(changes).is_err() {
            tracing::warn!(lost, "the database is too slow: dropped changes of alerts");
        }
    }

    /// Start of the history, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn begins_ms(&self) -> i64 {
        self.made_ms.max(now_ms().saturating_sub(KEPT_MS))
    }

    /// Starts and ends of firing from `start_ms` on (milliseconds since the Unix epoch), oldest first; only the latest
    /// if there are too many. If the cache in memory does not reach back to `start_ms`, returns only changes up to
    /// `end_ms`: alerts that fire at the start have a start there, and alerts that fire at the end have no end.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn firing_in(&self, start_ms: i64, end_ms: i64) -> Result<FiringChanges, sqlx::Error> {
        if let Some(changes) = self.firing_at_hand(start_ms) {
            return Ok(changes);
        }
        // Time ranges move with the clock; rounding to a minute lets viewers share the result.
        let start_ms = start_ms.saturating_sub(start_ms.rem_euclid(MINUTE_MS));
        let before = self.alerts_at(start_ms, MAX_ANSWER).await?;
        let began = |alert: &Alert| FiringChange {
            at: alert.fired_at.unwrap_or(start_ms),
            began: true,
            alert: Arc::new(alert.clone()),
        };
        let mut changes: Vec<_> = before.firing().map(began).collect();
        let rows = sqlx::query(
            "SELECT at, was, state, alert FROM alert_history \
             WHERE at > ?1 AND at <= ?2 AND (was = 'firing') <> (state = 'firing') ORDER BY at DESC, id DESC LIMIT ?3",
        )
        .bind(start_ms)
        .bind(end_ms)
        .bind(i64::try_from(MOST_READ).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let read: Vec<AlertTransition> = rows.iter().map(change).collect::<Result<_, _>>()?;
        changes.extend(read.iter().rev().filter_map(FiringChange::of));
        Ok(FiringChanges { changes, until_ms: Some(end_ms) })
    }

    /// The same if the cache in memory has all of it; does not query the database.
    #[must_use]
    pub fn firing_at_hand(&self, start_ms: i64) -> Option<FiringChanges> {
        let firing = self.firing.lock();
        let is_whole = firing.len() < AT_HAND || firing.front().is_some_and(|oldest| oldest.at < start_ms);
        is_whole.then(|| FiringChanges {
            changes: firing.iter().filter(|change| change.at >= start_ms).cloned().collect(),
            until_ms: None,
        })
    }

    /// Changes, latest first.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn read(&self, wanted: &HistoryFilter) -> Result<Restricted<Vec<AlertTransition>>, sqlx::Error> {
        let limit = i64::try_from(wanted.limit.min(MAX_ANSWER)).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT at, was, state, alert FROM alert_history \
             WHERE at >= ?1 AND at <= ?2 AND (?3 IS NULL OR name = ?3) ORDER BY at DESC, id DESC LIMIT ?4",
        )
        .bind(wanted.since_ms.unwrap_or_else(|| now_ms() - KEPT_MS))
        .bind(wanted.until_ms.unwrap_or(i64::MAX))
        .bind(&wanted.name)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(Restricted::new(rows.iter().map(change).collect::<Result<_, _>>()?))
    }

    /// The last change of each alert at or before a time (milliseconds since the Unix epoch), for alerts that were then
    /// pending or firing: firing ones first, then latest first, at most `most`.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn last_of_each(&self, at_ms: i64, most: usize) -> Result<Vec<AlertTransition>, sqlx::Error> {
        // Jumps from alert to alert in the index, and from each to its last change, so that no other rows are read.
        let rows = sqlx::query(
            "WITH RECURSIVE alerts (fingerprint) AS ( \
                 SELECT min(fingerprint) FROM alert_history \
                 UNION ALL \
                 SELECT (SELECT min(fingerprint) FROM alert_history WHERE fingerprint > alerts.fingerprint) \
                 FROM alerts WHERE alerts.fingerprint IS NOT NULL \
             ) \
             SELECT last.at, last.was, last.state, last.alert FROM alerts JOIN alert_history AS last ON last.id = ( \
                 SELECT id FROM alert_history AS one \
                 WHERE one.fingerprint = alerts.fingerprint AND one.at >= ?1 AND one.at <= ?2 \
                 ORDER BY one.at DESC, one.id DESC LIMIT 1 \
             ) \
             WHERE last.state <> 'inactive' ORDER BY last.state = 'firing' DESC, last.at DESC LIMIT ?3",
        )
        .bind(now_ms() - KEPT_MS)
        .bind(at_ms)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(change).collect()
    }
}

fn change(row: &SqliteRow) -> Result<AlertTransition, sqlx::Error> {
    let text: String = row.try_get("alert")?;
    let alert = serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let state = |text: String| match text.as_str() {
        "firing" => AlertState::Firing,
        "pending" => AlertState::Pending,
        _ => AlertState::Inactive,
    };
    let (from, to) = (state(row.try_get("was")?), state(row.try_get("state")?));
    Ok(AlertTransition { at: row.try_get("at")?, from, to, alert })
}

fn word(state: AlertState) -> &'static str {
    match state {
        AlertState::Inactive => "inactive",
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
    }
}

impl Writer {
    /// Writes until the server stops and the queue is empty.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut until_prune = 0_usize;
        loop {
            let changes = tokio::select! {
                changes = self.queue.recv() => changes,
                () = stop.cancelled() => self.queue.try_recv().ok(),
            };
            let Some(changes) = changes else { return };
            if let Err(error) = self.write(&changes).await {
                tracing::warn!(%error, lost = changes.len(), "cannot store changes of alerts");
            }
            if until_prune == 0 {
                until_prune = PRUNE_EVERY;
                let old = now_ms() - KEPT_MS;
                let pruned = sqlx::query("DELETE FROM alert_history WHERE at < ?1").bind(old).execute(&self.pool).await;
                if let Err(error) = pruned {
                    tracing::warn!(%error, "cannot remove old changes of alerts");
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

#[cfg(test)]
mod tests {

    use super::*;

    fn change(at: i64, from: AlertState, to: AlertState) -> AlertTransition {
        let alert = Alert { name: format!("at {at}"), state: to, ..Alert::default() };
        AlertTransition { at, from, to, alert }
    }

    fn times(history: &History, since_ms: i64) -> Vec<(i64, bool)> {
        let at_hand = history.firing_at_hand(since_ms).unwrap();
        at_hand.changes.into_iter().map(|change| (change.at, change.began)).collect()
    }

    #[tokio::test]
    async fn begins_and_ends_of_firing_are_at_hand_at_once_and_after_a_restart() {
        use AlertState::{Firing, Inactive, Pending};
        let directory = tempfile::tempdir().unwrap();
        let pool = database::open(directory.path()).await.unwrap();
        let (history, writer) = History::open(pool.clone()).await.unwrap();
        let begin = now_ms();
        history.remember(vec![change(begin, Inactive, Pending), change(begin + 1, Pending, Firing)]);
        history.remember(vec![change(begin + 2, Firing, Inactive), change(begin + 3, Pending, Inactive)]);
        assert_eq!(times(&history, begin), [(begin + 1, true), (begin + 2, false)]);

        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await;
        let (restarted, _) = History::open(pool).await.unwrap();
        assert_eq!(times(&restarted, begin), [(begin + 1, true), (begin + 2, false)]);
        assert_eq!(times(&restarted, begin + 2), [(begin + 2, false)]);

        let many = (0..).take(2 * AT_HAND).map(|after| change(begin + 10 + after, Inactive, Firing)).collect();
        restarted.remember(many);
        assert!(restarted.firing_at_hand(begin).is_none(), "the oldest have made room");
        let youngest = times(&restarted, begin + 11 + i64::try_from(AT_HAND).unwrap());
        assert_eq!(
            (youngest.len(), youngest.last()),
            (AT_HAND - 1, Some(&(begin + 9 + 2 * i64::try_from(AT_HAND).unwrap(), true)))
        );
    }

    #[tokio::test]
    async fn what_is_no_longer_at_hand_is_read() {
        use AlertState::{Firing, Inactive, Pending};
        let directory = tempfile::tempdir().unwrap();
        let pool = database::open(directory.path()).await.unwrap();
        let (history, writer) = History::open(pool.clone()).await.unwrap();
        let hour = |number: i64| (now_ms() / MINUTE_MS - 60 * (10 - number)) * MINUTE_MS;
        let of = |name: &str, at: i64, from, to| {
            let alert = Alert { fingerprint: name.into(), fired_at: Some(hour(1)), ..change(at, from, to).alert };
            AlertTransition { at, from, to, alert }
        };
        let mut changes = vec![
            of("a", hour(1), Pending, Firing),
            of("b", hour(3), Pending, Firing),
            of("a", hour(4), Firing, Inactive),
            of("b", hour(6), Firing, Inactive),
        ];
        changes.extend((0..).take(AT_HAND).map(|after| of("c", hour(7) + after, Inactive, Firing)));
        history.remember(changes);
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await;
        let FiringChanges { changes, until_ms } = history.firing_in(hour(2), hour(5)).await.unwrap();
        let found: Vec<_> =
            changes.iter().map(|change| (&*change.alert.fingerprint, change.at, change.began)).collect();
        // It fired at the start; the other one still fires at the end.
        assert_eq!(found, [("a", hour(1), true), ("b", hour(3), true), ("a", hour(4), false)]);
        assert_eq!(until_ms, Some(hour(5)));
    }
}
