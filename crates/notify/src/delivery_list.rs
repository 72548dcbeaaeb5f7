//! The messages in the outbox and those that left it, as lists show them, and what is sent again.

use access::Scope;
use labels::Fingerprint;
use model::clock::now_ms;
use serde::Serialize;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Notifier, new_id, outbox::Outbox};

/// A message as in the API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryInfo {
    /// ID; JSON receivers get it in a header.
    pub id: String,
    /// Name of the receiver.
    pub receiver: String,
    /// `webhook`, `slack`, `discord`, `pagerduty`, `email`, or `hook` for the short form.
    pub kind: String,
    /// Subject, on one line.
    pub subject: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// Number of attempts.
    pub attempts: i64,
    /// When it was created.
    pub created_at: i64,
    /// Time of the next attempt, while it is pending.
    pub next_at: Option<i64>,
    /// When it was delivered or given up.
    pub done_at: Option<i64>,
    /// HTTP status of the last attempt.
    pub status: Option<i64>,
    /// Error of the last attempt.
    pub error: Option<String>,
    /// The alerts it is about.
    pub alerts: Vec<String>,
}

/// Filter for the list of messages.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only messages in this state.
    pub state: Option<String>,
    /// Only messages for this receiver.
    pub receiver: Option<String>,
    /// Only messages about this alert.
    pub alert: Option<Fingerprint>,
    /// Maximum number of messages.
    pub limit: i64,
}

impl Notifier {
    /// The latest deliveries about an alert that `scope` may see. A delivery is about all alerts of its group, so a
    /// token that sees only some alerts sees no deliveries.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn told_of(
        &self,
        scope: &Scope,
        alert: Fingerprint,
        limit: i64,
    ) -> Result<Vec<DeliveryInfo>, sqlx::Error> {
        if !scope.is_all() {
            return Ok(Vec::new());
        }
        self.deliveries(&DeliveryFilter { alert: Some(alert), limit, ..DeliveryFilter::default() }).await
    }

    /// Lists deliveries, newest first.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryInfo>, sqlx::Error> {
        self.0.outbox.list(filter).await
    }

    /// Sends a message that was given up once more, under a new ID, which is returned; `None` if no such message
    /// exists.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn send_again(&self, id: &str) -> Result<Option<String>, sqlx::Error> {
        let new_id = new_id();
        let is_there = self.0.outbox.send_again(id, &new_id, now_ms()).await?;
        self.0.worker_wake.notify_one();
        Ok(is_there.then_some(new_id))
    }
}

impl Outbox {
    /// Lists messages, newest first.
    pub(crate) async fn list(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryInfo>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT *, (SELECT group_concat(fingerprint) FROM (SELECT fingerprint FROM delivery_alerts a
                        WHERE a.seq = deliveries.seq LIMIT 100)) AS alerts
             FROM deliveries WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR receiver = ?2)
             AND (?3 IS NULL OR seq IN (SELECT seq FROM delivery_alerts WHERE fingerprint = ?3))
             ORDER BY seq DESC LIMIT ?4",
        )
        .bind(&filter.state)
        .bind(&filter.receiver)
        .bind(filter.alert.map(|alert| alert.to_string()))
        .bind(filter.limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(info).collect()
    }

    /// Appends a message that was given up to its lane again, under a new ID. False if there is no such message.
    pub(crate) async fn send_again(&self, id: &str, new_id: &str, now_ms: i64) -> Result<bool, sqlx::Error> {
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let copied = sqlx::query(
            "INSERT INTO deliveries (id, receiver, kind, place, lane, subject, body, state, created_at, next_at)
             SELECT ?, receiver, kind, place, lane, subject, body, 'pending', ?, ? FROM deliveries
             WHERE id = ? AND state = 'dead' AND body IS NOT NULL",
        )
        .bind(new_id)
        .bind(now_ms)
        .bind(now_ms)
        .bind(id)
        .execute(&mut *write)
        .await?;
        if copied.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO delivery_alerts (fingerprint, seq) SELECT fingerprint, ? FROM delivery_alerts
             WHERE seq = (SELECT seq FROM deliveries WHERE id = ?)",
        )
        .bind(copied.last_insert_rowid())
        .bind(id)
        .execute(&mut *write)
        .await?;
        sqlx::query("DELETE FROM deliveries WHERE id = ?").bind(id).execute(&mut *write).await?;
        write.commit().await?;
        Ok(true)
    }
}

fn info(row: &SqliteRow) -> Result<DeliveryInfo, sqlx::Error> {
    let state: String = row.try_get("state")?;
    let alerts: Option<String> = row.try_get("alerts")?;
    let next_at: i64 = row.try_get("next_at")?;
    Ok(DeliveryInfo {
        id: row.try_get("id")?,
        receiver: row.try_get("receiver")?,
        kind: row.try_get("kind")?,
        subject: row.try_get("subject")?,
        attempts: row.try_get("attempts")?,
        created_at: row.try_get("created_at")?,
        next_at: (state == "pending").then_some(next_at),
        done_at: row.try_get("done_at")?,
        status: row.try_get("status")?,
        error: row.try_get("error")?,
        alerts: alerts.map(|alerts| alerts.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        state,
    })
}
