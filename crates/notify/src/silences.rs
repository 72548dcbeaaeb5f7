//! Silences and acknowledgements, stored in our database, or silences in the Alertmanager if one is configured.

use alertmanager::silence::{Silence, SilenceState, WrongSilence};
use labels::Fingerprint;
use model::clock::now_ms;
use serde::Serialize;
use sqlx::{Row, sqlite::SqliteRow};

use crate::{Notifier, alertmanager_client::ClientError, outbox::Outbox};

/// Retention of expired silences.
const KEPT_MS: i64 = 5 * 86_400_000;
/// Maximum number of silences.
const MAX_SILENCES: usize = 10_000;
/// Maximum memory of the silences, including their compiled regular expressions, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// Why a silence or an acknowledgement was rejected.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// The silence is invalid.
    #[error(transparent)]
    Wrong(#[from] WrongSilence),
    /// The limit of silences is reached.
    #[error("the limit of silences is reached: expire some")]
    TooMany,
    /// There is no such alert.
    #[error("no alert of that fingerprint fires")]
    NoAlert,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The request to the Alertmanager failed.
    #[error(transparent)]
    Alertmanager(#[from] ClientError),
    /// No random ID is available.
    #[error("no random number is available")]
    Random,
}

/// An acknowledgement of an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Acknowledgement {
    /// Name of the token.
    pub who: String,
    /// Comment.
    pub comment: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
}

impl Notifier {
    /// All silences, including those that expired in the last few days.
    ///
    /// # Errors
    ///
    /// The Alertmanager that stores them does not answer.
    pub async fn silences(&self) -> Result<Vec<Silence>, SilenceError> {
        match &self.0.alertmanagers {
            Some(alertmanagers) => Ok(alertmanagers.silences().await?),
            None => Ok(self.0.dispatcher().silences.all().cloned().collect()),
        }
    }

    /// The silence with this ID.
    ///
    /// # Errors
    ///
    /// It does not exist, or the Alertmanager that stores it does not answer.
    pub async fn silence(&self, id: &str) -> Result<Silence, SilenceError> {
        let found = self.silences().await?.into_iter().find(|silence| silence.id == id);
        Ok(found.ok_or_else(|| WrongSilence::Unknown(id.to_owned()))?)
    }

    /// Creates a silence, or replaces the one with its ID if the ID is not empty; returns the stored silence. As in
    /// Alertmanager, an expired silence, or one whose matchers change, is replaced by a new silence.
    ///
    /// # Errors
    ///
    /// It is invalid, its ID does not exist, or it cannot be stored.
    pub async fn put_silence(&self, mut silence: Silence) -> Result<Silence, SilenceError> {
        let now_ms = now_ms();
        silence.updated_at_ms = now_ms;
        // Limits an end in the far future to the last time that can be formatted.
        silence.ends_at_ms = silence.ends_at_ms.min(jiff::Timestamp::MAX.as_second() * 1_000);
        silence.check(now_ms)?;
        if let Some(alertmanagers) = &self.0.alertmanagers {
            silence.id = alertmanagers.put_silence(&silence).await?;
            alertmanagers.note_silence(silence.clone());
            return Ok(silence);
        }
        let before = if silence.id.is_empty() {
            silence.starts_at_ms = silence.starts_at_ms.max(now_ms);
            None
        } else {
            Some(self.silence(&silence.id).await?)
        };
        if !self.has_room(&silence) {
            // Expired silences make room first.
            self.forget_expired(now_ms).await?;
            if !self.has_room(&silence) {
                return Err(SilenceError::TooMany);
            }
        }
        let is_other = before
            .as_ref()
            .is_some_and(|before| before.state(now_ms) == SilenceState::Expired || before.matchers != silence.matchers);
        if let Some(before) = before.as_ref().filter(|_| is_other) {
            self.end(before.clone(), now_ms).await?;
        }
        if before.is_none() || is_other {
            silence.id = new_id()?;
            silence.starts_at_ms = silence.starts_at_ms.max(now_ms);
        } else if let Some(before) = before.filter(|before| before.state(now_ms) == SilenceState::Active) {
            // The start of an active silence cannot change.
            silence.starts_at_ms = before.starts_at_ms;
        }
        self.0.outbox.put_silence(&silence).await?;
        self.0.dispatcher().silences.put(silence.clone());
        self.0.muting.note();
        Ok(silence)
    }

    /// Ends a silence now. An expired one does not change.
    ///
    /// # Errors
    ///
    /// The ID does not exist, or the change cannot be stored.
    pub async fn expire_silence(&self, id: &str) -> Result<Silence, SilenceError> {
        let mut silence = self.silence(id).await?;
        if silence.state(now_ms()) == SilenceState::Expired {
            return Ok(silence);
        }
        if let Some(alertmanagers) = &self.0.alertmanagers {
            alertmanagers.expire_silence(id).await?;
            silence.ends_at_ms = silence.ends_at_ms.min(now_ms());
            alertmanagers.note_silence(silence.clone());
            return Ok(silence);
        }
        self.end(silence, now_ms()).await
    }

    async fn end(&self, mut silence: Silence, now_ms: i64) -> Result<Silence, SilenceError> {
        if silence.state(now_ms) == SilenceState::Expired {
            return Ok(silence);
        }
        // As in Alertmanager, also for a pending one.
        silence.starts_at_ms = silence.starts_at_ms.min(now_ms);
        silence.ends_at_ms = now_ms;
        silence.updated_at_ms = now_ms;
        self.0.outbox.put_silence(&silence).await?;
        self.0.dispatcher().silences.put(silence.clone());
        self.0.muting.note();
        self.forget_expired(now_ms - KEPT_MS).await?;
        Ok(silence)
    }

    /// Whether a new or changed silence is within the limits.
    fn has_room(&self, silence: &Silence) -> bool {
        let dispatcher = self.0.dispatcher();
        let others = dispatcher.silences.all().filter(|one| one.id != silence.id);
        let (count, bytes) = others.fold((0, silence.size()), |(count, bytes), one| (count + 1, bytes + one.size()));
        count < MAX_SILENCES && bytes <= MAX_BYTES
    }

    /// Removes silences that ended before a time, in milliseconds since the Unix epoch.
    async fn forget_expired(&self, before_ms: i64) -> Result<(), SilenceError> {
        let dropped = self.0.dispatcher().silences.drop_expired(before_ms);
        for id in dropped {
            self.0.outbox.drop_silence(&id).await?;
        }
        Ok(())
    }

    /// The acknowledgement of an alert, if any.
    #[must_use]
    pub fn acknowledgement(&self, fingerprint: Fingerprint) -> Option<Acknowledgement> {
        self.0.acknowledged().get(&fingerprint).cloned()
    }

    /// Acknowledges a firing alert until it resolves.
    ///
    /// # Errors
    ///
    /// The alert does not fire, another firing started meanwhile, or the database fails.
    pub async fn acknowledge(
        &self,
        fingerprint: Fingerprint,
        who: &str,
        comment: &str,
    ) -> Result<Acknowledgement, SilenceError> {
        let at = now_ms();
        let seen = self.all_alerts().into_iter().find(|alert| alert.fingerprint == fingerprint);
        let seen_ms = seen.ok_or(SilenceError::NoAlert)?.starts_at_ms;
        let acknowledgement = Acknowledgement { who: who.to_owned(), comment: comment.to_owned(), at };
        self.0.outbox.put_acknowledgement(fingerprint, &acknowledgement).await?;
        let is_of_this_firing = {
            let dispatcher = self.0.dispatcher();
            // While we wrote to the database, this firing may have ended and another one started that the user has not
            // seen.
            let is_of_this_firing = match dispatcher.alert(fingerprint) {
                Some(known) => known.starts_at_ms <= at || known.starts_at_ms == seen_ms,
                None => self.0.alertmanagers.is_some(),
            };
            if is_of_this_firing {
                self.0.acknowledged().insert(fingerprint, acknowledgement.clone());
            }
            is_of_this_firing
        };
        if !is_of_this_firing {
            self.0.outbox.drop_acknowledgement(fingerprint, at).await?;
            return Err(SilenceError::NoAlert);
        }
        self.0.muting.note();
        Ok(acknowledgement)
    }

    /// Removes an acknowledgement; false if there was none.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn unacknowledge(&self, fingerprint: Fingerprint) -> Result<bool, SilenceError> {
        self.0.outbox.drop_acknowledgement(fingerprint, i64::MAX).await?;
        let was_given = self.0.acknowledged().remove(&fingerprint).is_some();
        self.0.muting.note();
        Ok(was_given)
    }
}

/// A new ID in the format of Alertmanager.
fn new_id() -> Result<String, SilenceError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| SilenceError::Random)?;
    let number = u128::from_be_bytes(bytes);
    // Version 4, variant 1 (RFC 9562).
    let number = (number & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let text = format!("{number:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

impl Outbox {
    pub(crate) async fn silences(&self) -> Result<Vec<Silence>, sqlx::Error> {
        let rows = sqlx::query("SELECT * FROM silences").fetch_all(&self.pool).await?;
        rows.iter().map(silence).collect()
    }

    async fn put_silence(&self, silence: &Silence) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT OR REPLACE INTO silences (id, matchers, starts_at, ends_at, created_by, comment, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&silence.id)
        .bind(silence.matchers.to_string())
        .bind(silence.starts_at_ms)
        .bind(silence.ends_at_ms)
        .bind(&silence.created_by)
        .bind(&silence.comment)
        .bind(silence.updated_at_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn drop_silence(&self, id: &str) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM silences WHERE id = ?").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn acknowledgements(&self) -> Result<Vec<(Fingerprint, Acknowledgement)>, sqlx::Error> {
        let rows = sqlx::query("SELECT * FROM acknowledgements").fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                let fingerprint: String = row.try_get("fingerprint")?;
                let fingerprint = fingerprint.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
                let (who, comment) = (row.try_get("who")?, row.try_get("comment")?);
                Ok((fingerprint, Acknowledgement { who, comment, at: row.try_get("at")? }))
            })
            .collect()
    }

    async fn put_acknowledgement(&self, of: Fingerprint, given: &Acknowledgement) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT OR REPLACE INTO acknowledgements (fingerprint, who, comment, at) VALUES (?, ?, ?, ?)")
            .bind(of.to_string())
            .bind(&given.who)
            .bind(&given.comment)
            .bind(given.at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Deletes the acknowledgement of an alert if it was made at or before this time.
    async fn drop_acknowledgement(&self, of: Fingerprint, given_ms: i64) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM acknowledgements WHERE fingerprint = ? AND at <= ?")
            .bind(of.to_string())
            .bind(given_ms)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn silence(row: &SqliteRow) -> Result<Silence, sqlx::Error> {
    let matchers: String = row.try_get("matchers")?;
    Ok(Silence {
        id: row.try_get("id")?,
        matchers: matchers
            .parse()
            .map_err(|error: alertmanager::matcher::WrongMatcher| sqlx::Error::Decode(error.into()))?,
        starts_at_ms: row.try_get("starts_at")?,
        ends_at_ms: row.try_get("ends_at")?,
        created_by: row.try_get("created_by")?,
        comment: row.try_get("comment")?,
        updated_at_ms: row.try_get("updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alertmanager::alert::PostableAlert;
    use telemetry::Telemetry;
    use tempfile::TempDir;

    use super::*;
    use crate::Options;

    /// A notifier with a database, and an alert that fires since the given time.
    async fn with_alert(starts_at_ms: i64) -> (TempDir, Notifier, PostableAlert, Fingerprint) {
        let directory = tempfile::tempdir().unwrap();
        let pool = database::open(directory.path()).await.unwrap();
        let (notifier, _) =
            Notifier::open(pool, Options::default(), &[], "http://localhost", Telemetry::default(), None)
                .await
                .unwrap();
        let labels = [("alertname".to_owned(), "A".to_owned())].into();
        let fires = PostableAlert { labels, starts_at_ms: Some(starts_at_ms), ..PostableAlert::default() };
        let fingerprint = Fingerprint::of(&fires.labels);
        notifier.0.take_in(vec![fires.clone()]);
        (directory, notifier, fires, fingerprint)
    }

    /// Posts that end one firing and start the next.
    fn next_firing(fires: &PostableAlert, ends_at_ms: i64, starts_at_ms: i64) -> Vec<PostableAlert> {
        let over = PostableAlert { ends_at_ms: Some(ends_at_ms), ..fires.clone() };
        vec![over, PostableAlert { starts_at_ms: Some(starts_at_ms), ..fires.clone() }]
    }

    async fn stored(notifier: &Notifier) -> Vec<i64> {
        notifier.0.outbox.acknowledgements().await.unwrap().into_iter().map(|(_, given)| given.at).collect()
    }

    #[tokio::test]
    async fn a_firing_that_is_acknowledged_while_it_is_taken_in_stays_so() {
        let begun_ms = now_ms() - 60_000;
        let (_directory, notifier, fires, fingerprint) = with_alert(begun_ms).await;
        let given = notifier.acknowledge(fingerprint, "ops", "").await.unwrap();
        // The firing started before the acknowledgement, although its post arrives later.
        let entry = notifier.0.take_in(next_firing(&fires, given.at - 20, given.at - 10));
        assert_eq!((entry.unacknowledged.len(), notifier.acknowledgement(fingerprint)), (0, Some(given.clone())));

        // The next firing starts after it: nobody has acknowledged that one.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let next_ms = now_ms();
        let entry = notifier.0.take_in(next_firing(&fires, next_ms - 1, next_ms));
        assert_eq!(
            (&entry.unacknowledged, notifier.acknowledgement(fingerprint)),
            (&vec![(fingerprint, given.at)], None)
        );
        // Somebody acknowledges it before the entry is stored.
        let again = notifier.acknowledge(fingerprint, "ops", "").await.unwrap();
        notifier.0.outbox.save(&entry, now_ms()).await.unwrap();
        assert_eq!(stored(&notifier).await, [again.at], "as after a restart");
        assert_eq!(notifier.acknowledgement(fingerprint), Some(again));
    }

    #[tokio::test]
    async fn a_firing_that_begins_while_an_acknowledgement_is_written_is_not_acknowledged() {
        let (_directory, notifier, fires, fingerprint) = with_alert(now_ms() - 60_000).await;
        let busy = notifier.0.outbox.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let acknowledging = {
            let notifier = notifier.clone();
            tokio::spawn(async move { notifier.acknowledge(fingerprint, "ops", "").await })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        let next_ms = now_ms();
        notifier.0.take_in(next_firing(&fires, next_ms - 1, next_ms));
        busy.rollback().await.unwrap();
        assert!(matches!(acknowledging.await.unwrap(), Err(SilenceError::NoAlert)));
        assert_eq!((notifier.acknowledgement(fingerprint), stored(&notifier).await), (None, vec![]));
    }
}
