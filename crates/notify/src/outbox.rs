//! The notifier's tables in the database: messages to deliver, finished messages, and the notifier's state.

use std::collections::{HashMap, HashSet};

use alertmanager::{
    alert::Alert,
    dispatch::{LogChange, LogEntry, LogKey},
    hook::EventName,
};
use labels::Fingerprint;
use serde::Serialize;
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

/// Maximum number of queued messages; more are given up at once, and listed as such.
const MAX_PENDING: i64 = 50_000;
/// Retention of delivered messages.
const KEPT_DELIVERED_MS: i64 = 7 * 86_400_000;
/// Retention of messages that were given up.
const KEPT_DEAD_MS: i64 = 30 * 86_400_000;
/// Retention of the last event sent for each job.
const KEPT_JOBS_MS: i64 = 30 * 86_400_000;
/// Maximum number of finished rows in `deliveries`.
const KEPT_DONE: i64 = 20_000;

/// A message to deliver.
#[derive(Debug, Clone)]
pub(crate) struct NewDelivery {
    pub id: String,
    pub receiver: String,
    pub kind: String,
    pub place: usize,
    pub lane: String,
    pub subject: String,
    /// The message, or why it could not be built: it is then listed as dead.
    pub body: Result<String, String>,
    pub alerts: Vec<Fingerprint>,
    /// Its change of the notification log, if any.
    pub log: Option<LogChange>,
}

/// A message that was given up.
#[derive(Debug, PartialEq)]
pub(crate) struct GivenUp {
    pub receiver: String,
    pub reason: String,
    /// The change of the notification log that was undone, if any.
    pub taken_back: Option<LogChange>,
}

/// Changes to store in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub deliveries: Vec<NewDelivery>,
    pub logged: Vec<(LogKey, LogEntry)>,
    /// Each with whether webhooks were notified that it fires.
    pub alerts: Vec<(Alert, bool)>,
    pub forgotten: Vec<Fingerprint>,
    /// Acknowledgements that ended: alert and time of the acknowledgement. A later acknowledgement stays.
    pub unacknowledged: Vec<(Fingerprint, i64)>,
    /// Daemon, job and event.
    pub jobs: Vec<(String, String, EventName)>,
}

impl Entry {
    pub(crate) fn is_empty(&self) -> bool {
        let Entry { deliveries, logged, alerts, forgotten, unacknowledged, jobs } = self;
        let is_quiet = deliveries.is_empty() && logged.is_empty() && jobs.is_empty();
        is_quiet && alerts.is_empty() && forgotten.is_empty() && unacknowledged.is_empty()
    }
}

/// A queued message, without its body.
#[derive(Debug, Clone)]
pub(crate) struct QueuedDelivery {
    pub seq: i64,
    pub id: String,
    pub receiver: String,
    pub kind: String,
    pub place: usize,
    pub lane: String,
    pub attempts: u32,
    pub created_at: i64,
    pub next_at: i64,
}

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Delivered,
    Pending { next_at: i64 },
    Dead,
}

/// The tables. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    pub pool: SqlitePool,
}

impl Outbox {
    /// Stores an entry in one transaction; returns its messages that were given up at once.
    pub(crate) async fn save(&self, entry: &Entry, now_ms: i64) -> Result<Vec<GivenUp>, sqlx::Error> {
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (alert, is_notified) in &entry.alerts {
            sqlx::query("INSERT OR REPLACE INTO known_alerts (fingerprint, alert, is_told) VALUES (?, ?, ?)")
                .bind(alert.fingerprint.to_string())
                .bind(json(alert)?)
                .bind(*is_notified)
                .execute(&mut *write)
                .await?;
        }
        for fingerprint in &entry.forgotten {
            let known = sqlx::query("DELETE FROM known_alerts WHERE fingerprint = ?");
            known.bind(fingerprint.to_string()).execute(&mut *write).await?;
        }
        for (fingerprint, given_ms) in &entry.unacknowledged {
            let acknowledged = sqlx::query("DELETE FROM acknowledgements WHERE fingerprint = ? AND at <= ?");
            acknowledged.bind(fingerprint.to_string()).bind(given_ms).execute(&mut *write).await?;
        }
        for (key, logged) in &entry.logged {
            sqlx::query("INSERT OR REPLACE INTO notification_log (key, entry, expires_at) VALUES (?, ?, ?)")
                .bind(json(key)?)
                .bind(json(logged)?)
                .bind(logged.expires_at_ms)
                .execute(&mut *write)
                .await?;
        }
        for (daemon, job, event) in &entry.jobs {
            sqlx::query("INSERT OR REPLACE INTO told_jobs (daemon, job, event, at) VALUES (?, ?, ?, ?)")
                .bind(daemon)
                .bind(job)
                .bind(event.name())
                .bind(now_ms)
                .execute(&mut *write)
                .await?;
        }
        let waiting: i64 = match entry.deliveries.is_empty() {
            true => 0,
            false => {
                let count = sqlx::query("SELECT count(*) FROM deliveries WHERE state = 'pending'");
                count.fetch_one(&mut *write).await?.try_get(0)?
            }
        };
        let mut given_up = Vec::new();
        for (number, delivery) in (1_i64..).zip(&entry.deliveries) {
            let fits = waiting.saturating_add(number) <= MAX_PENDING;
            let error = match &delivery.body {
                Err(error) => Some(error.clone()),
                Ok(_) if !fits => Some(format!("{MAX_PENDING} messages wait already")),
                Ok(_) => None,
            };
            let done = sqlx::query(
                "INSERT INTO deliveries (id, receiver, kind, place, lane, subject, body, state, created_at, next_at, done_at, error,
                                         log_key, logged_at, log_before)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&delivery.id)
            .bind(&delivery.receiver)
            .bind(&delivery.kind)
            .bind(i64::try_from(delivery.place).unwrap_or(i64::MAX))
            .bind(&delivery.lane)
            .bind(&delivery.subject)
            .bind(delivery.body.as_deref().ok())
            .bind(if error.is_none() { "pending" } else { "dead" })
            .bind(now_ms)
            .bind(now_ms)
            .bind(error.is_some().then_some(now_ms))
            .bind(&error)
            .bind(delivery.log.as_ref().map(|log| json(&log.key)).transpose()?)
            .bind(delivery.log.as_ref().map(|log| log.at_ms))
            .bind(delivery.log.as_ref().and_then(|log| log.before.as_ref()).map(json).transpose()?)
            .execute(&mut *write)
            .await?;
            for fingerprint in &delivery.alerts {
                sqlx::query("INSERT OR IGNORE INTO delivery_alerts (fingerprint, seq) VALUES (?, ?)")
                    .bind(fingerprint.to_string())
                    .bind(done.last_insert_rowid())
                    .execute(&mut *write)
                    .await?;
            }
            if let Some(reason) = error {
                let taken_back = take_back(&mut write, done.last_insert_rowid()).await?;
                given_up.push(GivenUp { receiver: delivery.receiver.clone(), reason, taken_back });
            }
        }
        write.commit().await?;
        Ok(given_up)
    }

    /// Queued messages after `seq`, in order.
    pub(crate) async fn pending_after(&self, seq: i64) -> Result<Vec<QueuedDelivery>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT seq, id, receiver, kind, place, lane, attempts, created_at, next_at FROM deliveries
             WHERE state = 'pending' AND seq > ? ORDER BY seq",
        )
        .bind(seq)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(ticket).collect()
    }

    /// The body of a message.
    pub(crate) async fn body(&self, seq: i64) -> Result<Option<String>, sqlx::Error> {
        let row = sqlx::query("SELECT body FROM deliveries WHERE seq = ?").bind(seq).fetch_optional(&self.pool).await?;
        row.map_or(Ok(None), |row| row.try_get(0))
    }

    /// Stores the result of an attempt. If the message is given up, its change of the notification log is undone;
    /// returns that change.
    pub(crate) async fn tried(
        &self,
        ticket: &QueuedDelivery,
        state: &State,
        status: Option<u16>,
        error: Option<&str>,
        now_ms: i64,
    ) -> Result<Option<LogChange>, sqlx::Error> {
        let (word, next_at, done_at) = match state {
            State::Delivered => ("delivered", now_ms, Some(now_ms)),
            State::Pending { next_at } => ("pending", *next_at, None),
            State::Dead => ("dead", now_ms, Some(now_ms)),
        };
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE deliveries SET state = ?1, attempts = ?2, next_at = ?3, done_at = ?4, status = ?5, error = ?6,
             body = CASE WHEN ?1 = 'delivered' THEN NULL ELSE body END,
             log_before = CASE WHEN ?1 = 'delivered' THEN NULL ELSE log_before END WHERE seq = ?7",
        )
        .bind(word)
        .bind(i64::from(ticket.attempts))
        .bind(next_at)
        .bind(done_at)
        .bind(status.map(i64::from))
        .bind(error)
        .bind(ticket.seq)
        .execute(&mut *write)
        .await?;
        let taken_back = match state {
            State::Dead => take_back(&mut write, ticket.seq).await?,
            State::Delivered | State::Pending { .. } => None,
        };
        write.commit().await?;
        Ok(taken_back)
    }

    /// Removes old rows.
    pub(crate) async fn prune(&self, now_ms: i64) -> Result<(), sqlx::Error> {
        for (delete, before) in [
            ("DELETE FROM deliveries WHERE state = 'delivered' AND done_at < ?", now_ms - KEPT_DELIVERED_MS),
            ("DELETE FROM deliveries WHERE state = 'dead' AND done_at < ?", now_ms - KEPT_DEAD_MS),
            ("DELETE FROM notification_log WHERE expires_at < ?", now_ms),
            ("DELETE FROM told_jobs WHERE at < ?", now_ms - KEPT_JOBS_MS),
            (
                "DELETE FROM deliveries WHERE state <> 'pending' AND seq <= (SELECT max(seq) FROM deliveries) - ?",
                KEPT_DONE,
            ),
        ] {
            sqlx::query(delete).bind(before).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// The notification log.
    pub(crate) async fn log(&self) -> Result<Vec<(LogKey, LogEntry)>, sqlx::Error> {
        let rows = sqlx::query("SELECT key, entry FROM notification_log").fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((from_json(row, "key")?, from_json(row, "entry")?))).collect()
    }

    /// Known alerts, and those of them that webhooks were notified of.
    pub(crate) async fn alerts(&self) -> Result<(Vec<Alert>, HashSet<Fingerprint>), sqlx::Error> {
        let rows = sqlx::query("SELECT alert, is_told FROM known_alerts").fetch_all(&self.pool).await?;
        let (mut alerts, mut notified) = (Vec::with_capacity(rows.len()), HashSet::new());
        for row in &rows {
            let alert: Alert = from_json(row, "alert")?;
            if row.try_get("is_told")? {
                notified.insert(alert.fingerprint);
            }
            alerts.push(alert);
        }
        Ok((alerts, notified))
    }

    /// The last event sent for each job.
    pub(crate) async fn notified_jobs(&self) -> Result<HashMap<(String, String), String>, sqlx::Error> {
        let rows = sqlx::query("SELECT daemon, job, event FROM told_jobs").fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?))).collect()
    }
}

/// Undoes the change of the notification log by message `seq`, which is given up, unless a newer message changed the
/// entry since; returns the undone change. Removes messages of the same group that were given up before and contain no
/// other alerts, because this one repeated them.
async fn take_back(write: &mut SqliteConnection, seq: i64) -> Result<Option<LogChange>, sqlx::Error> {
    let row = sqlx::query("SELECT log_key, logged_at, log_before FROM deliveries WHERE seq = ?")
        .bind(seq)
        .fetch_one(&mut *write)
        .await?;
    let Some(key) = row.try_get::<Option<String>, _>("log_key")? else { return Ok(None) };
    let before = match row.try_get::<Option<String>, _>("log_before")? {
        Some(_) => Some(from_json(&row, "log_before")?),
        None => None,
    };
    let change = LogChange { key: from_json(&row, "log_key")?, at_ms: row.try_get("logged_at")?, before };
    for forget in [
        "UPDATE deliveries SET log_before = NULL WHERE log_key = ? AND seq = ?",
        // Earlier messages without other alerts: this one repeated them.
        "DELETE FROM deliveries WHERE log_key = ?1 AND seq < ?2 AND state = 'dead' AND NOT EXISTS (
             SELECT 1 FROM delivery_alerts AS earlier WHERE earlier.seq = deliveries.seq
             AND earlier.fingerprint NOT IN (SELECT fingerprint FROM delivery_alerts WHERE seq = ?2))",
    ] {
        sqlx::query(forget).bind(&key).bind(seq).execute(&mut *write).await?;
    }
    let entry = sqlx::query("SELECT entry FROM notification_log WHERE key = ?").bind(&key).fetch_optional(&mut *write);
    let Some(entry) = entry.await? else { return Ok(None) };
    let failed: LogEntry = from_json(&entry, "entry")?;
    if !change.made(&failed) {
        return Ok(None);
    }
    match change.undone(&failed) {
        Some(before) => {
            let update = sqlx::query("UPDATE notification_log SET entry = ? WHERE key = ?");
            update.bind(json(&before)?).bind(&key).execute(&mut *write).await?
        }
        None => sqlx::query("DELETE FROM notification_log WHERE key = ?").bind(&key).execute(&mut *write).await?,
    };
    Ok(Some(change))
}

fn ticket(row: &SqliteRow) -> Result<QueuedDelivery, sqlx::Error> {
    let place: i64 = row.try_get("place")?;
    let attempts: i64 = row.try_get("attempts")?;
    Ok(QueuedDelivery {
        seq: row.try_get("seq")?,
        id: row.try_get("id")?,
        receiver: row.try_get("receiver")?,
        kind: row.try_get("kind")?,
        place: usize::try_from(place).unwrap_or(usize::MAX),
        lane: row.try_get("lane")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        created_at: row.try_get("created_at")?,
        next_at: row.try_get("next_at")?,
    })
}

fn json<T: Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn from_json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeliveryFilter;

    #[tokio::test]
    async fn what_is_given_up_counts_as_told_no_more_unless_something_newer_was_told() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox { pool: database::open(directory.path()).await.unwrap() };
        let key = LogKey {
            group: "{}:{}#0".to_owned(),
            receiver: "ops".to_owned(),
            kind: alertmanager::config::Kind::Webhook,
            integration: 0,
        };
        let entry = |at_ms: i64| {
            let expires_at_ms = at_ms + 1_000;
            LogEntry { firing: vec![Fingerprint(1)], resolved: Vec::new(), at_ms, expires_at_ms }
        };
        let notify = async |at_ms: i64, before: Option<LogEntry>, alert: u64| {
            let log = LogChange { key: key.clone(), at_ms, before };
            let delivery = NewDelivery {
                id: format!("d{at_ms}"),
                receiver: "ops".to_owned(),
                kind: "webhook".to_owned(),
                place: 0,
                lane: "l".to_owned(),
                subject: String::new(),
                body: Ok("{}".to_owned()),
                alerts: vec![Fingerprint(alert)],
                log: Some(log.clone()),
            };
            let logged = vec![(key.clone(), entry(at_ms))];
            let entry = Entry { deliveries: vec![delivery], logged, ..Entry::default() };
            assert_eq!(outbox.save(&entry, at_ms).await.unwrap(), []);
            (outbox.pending_after(0).await.unwrap().pop().unwrap(), log)
        };
        let dead =
            async |ticket: &QueuedDelivery| outbox.tried(ticket, &State::Dead, Some(401), Some("no"), 9).await.unwrap();
        let logged = async || outbox.log().await.unwrap().into_iter().map(|(_, entry)| entry).collect::<Vec<_>>();

        let (first, change) = notify(10, None, 1).await;
        assert_eq!(dead(&first).await, Some(change));
        assert_eq!(logged().await, []);
        let (second, _) = notify(20, None, 1).await;
        let (third, change) = notify(30, Some(entry(20)), 1).await;
        assert_eq!(dead(&second).await, None);
        assert_eq!(logged().await, [entry(30)], "something newer was sent");
        assert_eq!(dead(&third).await, Some(change));
        assert_eq!(
            logged().await,
            [LogEntry { at_ms: i64::MIN, expires_at_ms: 1_030, ..entry(20) }],
            "the previous entry"
        );
        let listed = outbox.list(&DeliveryFilter { limit: 9, ..DeliveryFilter::default() }).await.unwrap();
        assert_eq!(listed.len(), 1, "one is listed for all with the same alerts: {listed:?}");

        let (fourth, _) = notify(40, Some(entry(20)), 1).await;
        outbox.tried(&fourth, &State::Delivered, Some(200), None, 50).await.unwrap();
        assert_eq!(logged().await, [entry(40)]);

        let (fifth, _) = notify(60, Some(entry(40)), 2).await;
        dead(&fifth).await;
        let listed = outbox.list(&DeliveryFilter { limit: 9, ..DeliveryFilter::default() }).await.unwrap();
        assert_eq!(listed.len(), 3, "a message about another alert stays: {listed:?}");
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_built_is_listed_as_dead_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox { pool: database::open(directory.path()).await.unwrap() };
        let delivery = |id: &str, body: Result<String, String>| NewDelivery {
            id: id.to_owned(),
            receiver: "ops".to_owned(),
            kind: "webhook".to_owned(),
            place: 0,
            lane: id.to_owned(),
            subject: "1 firing, 0 resolved: Up".to_owned(),
            body,
            alerts: Vec::new(),
            log: None,
        };
        let deliveries = vec![delivery("a", Ok("{}".to_owned())), delivery("b", Err("no such integration".to_owned()))];
        let entry = Entry { deliveries, ..Entry::default() };
        let reason = "no such integration".to_owned();
        let given_up = GivenUp { receiver: "ops".to_owned(), reason, taken_back: None };
        assert_eq!(outbox.save(&entry, 5).await.unwrap(), [given_up]);
        let listed = outbox.list(&DeliveryFilter { limit: 9, ..DeliveryFilter::default() }).await.unwrap();
        let shown: Vec<_> = listed.iter().map(|one| (&*one.id, &*one.state, one.error.as_deref())).collect();
        assert_eq!(shown, [("b", "dead", Some("no such integration")), ("a", "pending", None)]);
        assert_eq!(outbox.pending_after(0).await.unwrap().len(), 1, "nobody tries to send it");
        assert!(!outbox.send_again("b", "c", 6).await.unwrap(), "there is nothing to send");
    }
}
