//! Tokens and sessions in the database.

use std::path::Path;

use database::DatabaseError;
use model::clock::now_ms;
use redact::Secret;
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};

use crate::{
    NewToken, TokenInfo,
    secret::{self, Hash, NoRandomness},
    session::SessionOrigin,
};

/// Maximum number of sessions per token; a further login ends the oldest.
const SESSIONS_PER_TOKEN: i64 = 1_000;
/// Maximum number of ended tokens in a list.
const ENDED_LISTED: i64 = 1_000;
/// ID of the token whose secret the operator chose. Random IDs contain no `-`.
const CHOSEN_ID: &str = "first-token-chosen";
/// ID of the token that was created and printed at the first start.
pub const PRINTED_ID: &str = "first-token-printed";

/// Why an operation on tokens failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The request is invalid.
    #[error("{0}")]
    Invalid(String),
    /// There is no such token, or it is already revoked.
    #[error("there is no token {0:?}, or it was revoked before")]
    Unknown(String),
    /// There is no such valid token.
    #[error("there is no token {0:?}, or it has ended: make another one")]
    Ended(String),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] DatabaseError),
    /// The database failed.
    #[error("the database of tokens failed: {0}")]
    Database(#[from] sqlx::Error),
    /// No secret could be created.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// A valid token, as loaded into the cache.
pub struct StoredToken {
    pub hash: Hash,
    pub info: TokenInfo,
}

/// A valid session, as loaded into the cache.
pub struct StoredSession {
    pub hash: Hash,
    pub token_id: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub used_at: i64,
    pub origin: SessionOrigin,
}

/// Tokens and sessions in the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TokenStore {
    pool: SqlitePool,
}

impl TokenStore {
    /// On an open database.
    #[must_use]
    pub fn new(pool: SqlitePool) -> Self {
        TokenStore { pool }
    }

    /// Opens the database of a data directory.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Ok(TokenStore { pool: database::open(data_dir).await? })
    }

    /// Creates a token. Its secret is returned and not stored.
    ///
    /// # Errors
    ///
    /// The properties are invalid, or the database fails.
    pub async fn create(&self, new: NewToken) -> Result<(TokenInfo, Secret), StoreError> {
        let now_ms = now_ms();
        new.check(now_ms)?;
        let secret = secret::new_token()?;
        let info = TokenInfo {
            id: secret::random_text::<9>()?.replace('-', "a").replace('_', "b"),
            name: new.name,
            role: new.role,
            dashboards: new.dashboards,
            matchers: new.matchers.trim().to_owned(),
            created_at: now_ms,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        sqlx::query(
            "INSERT INTO tokens (id, name, role, hash, dashboards, matchers, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&info.id)
        .bind(&info.name)
        .bind(info.role.name())
        .bind(Hash::of(secret.expose()).as_bytes())
        .bind(info.dashboards.join(","))
        .bind(&info.matchers)
        .bind(info.created_at)
        .bind(info.expires_at)
        .execute(&self.pool)
        .await?;
        Ok((info, secret))
    }

    /// All tokens that are valid at `now_ms`, and the 1000 that ended last. Oldest first.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn list(&self, now_ms: i64) -> Result<Vec<TokenInfo>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM tokens WHERE (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)) OR id IN
             (SELECT id FROM tokens WHERE revoked_at IS NOT NULL OR expires_at <= ?1
              ORDER BY COALESCE(revoked_at, expires_at) DESC LIMIT ?2)
             ORDER BY created_at, id",
        )
        .bind(now_ms)
        .bind(ENDED_LISTED)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(token(row)?.info)).collect()
    }

    /// The newest tokens that are valid at `now_ms`, at most `most`, and how many are valid in all.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn newest(&self, now_ms: i64, most: u32) -> Result<(Vec<TokenInfo>, u64), StoreError> {
        let rows = sqlx::query(
            "SELECT *, COUNT(*) OVER () AS valid FROM tokens
             WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
             ORDER BY created_at DESC, id DESC LIMIT ?",
        )
        .bind(now_ms)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let valid: i64 = rows.first().map_or(Ok(0), |row| row.try_get("valid"))?;
        let tokens = rows.iter().map(|row| Ok(token(row)?.info)).collect::<Result<_, StoreError>>()?;
        Ok((tokens, u64::try_from(valid).unwrap_or(0)))
    }

    /// Revokes a token and ends its sessions.
    ///
    /// # Errors
    ///
    /// There is no such token, or the database fails.
    pub async fn revoke(&self, id: &str) -> Result<(), StoreError> {
        let done = sqlx::query("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(now_ms())
            .bind(id)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Unknown(id.to_owned()));
        }
        sqlx::query("DELETE FROM sessions WHERE token_id = ?").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// Removes the expiry of a token.
    ///
    /// # Errors
    ///
    /// There is no such token, it has already expired, or the database fails.
    pub async fn keep(&self, id: &str) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE tokens SET expires_at = NULL
             WHERE id = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)",
        )
        .bind(id)
        .bind(now_ms())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 { Err(StoreError::Ended(id.to_owned())) } else { Ok(()) }
    }

    /// Whether no token was ever created.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(sqlx::query("SELECT 1 FROM tokens LIMIT 1").fetch_optional(&self.pool).await?.is_none())
    }

    /// Makes `secret` the admin token that the operator chose. If another one was chosen before, that one and its
    /// sessions end.
    pub async fn set_chosen(&self, secret: &Secret) -> Result<(), StoreError> {
        let hash = Hash::of(secret.expose());
        let mut change = self.pool.begin().await?;
        sqlx::query("DELETE FROM tokens WHERE id = ? AND (hash <> ? OR revoked_at IS NOT NULL)")
            .bind(CHOSEN_ID)
            .bind(hash.as_bytes())
            .execute(&mut *change)
            .await?;
        sqlx::query(
            "INSERT INTO tokens (id, name, role, hash, created_at) VALUES (?, ?, 'admin', ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(CHOSEN_ID)
        .bind("first token, chosen by the operator")
        .bind(hash.as_bytes())
        .bind(now_ms())
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(())
    }

    /// Creates the first admin token, which expires at `expires_at`, or gives it a new secret; existing sessions stay.
    pub async fn set_printed(&self, expires_at: Option<i64>) -> Result<Secret, StoreError> {
        let secret = secret::new_token()?;
        sqlx::query(
            "INSERT INTO tokens (id, name, role, hash, created_at, expires_at) VALUES (?, ?, 'admin', ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, revoked_at = NULL, expires_at = excluded.expires_at",
        )
        .bind(PRINTED_ID)
        .bind("first token, printed at the start")
        .bind(Hash::of(secret.expose()).as_bytes())
        .bind(now_ms())
        .bind(expires_at)
        .execute(&self.pool)
        .await?;
        Ok(secret)
    }

    /// Starts a session of a token in place of the sessions `replaced`, and returns its secret. Removes expired sessions too.
    pub async fn start_session(
        &self,
        token_id: &str,
        expires_at: Option<i64>,
        origin: &SessionOrigin,
        replaced: &[Hash],
    ) -> Result<Secret, StoreError> {
        let (now_ms, secret) = (now_ms(), secret::new_session()?);
        let mut change = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (hash, token_id, created_at, expires_at, used_at, address, browser)
             VALUES (?1, ?2, ?3, ?4, ?3, ?5, ?6)",
        )
        .bind(Hash::of(secret.expose()).as_bytes())
        .bind(token_id)
        .bind(now_ms)
        .bind(expires_at)
        .bind(&origin.address)
        .bind(&origin.browser)
        .execute(&mut *change)
        .await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at <= ?").bind(now_ms).execute(&mut *change).await?;
        sqlx::query(
            "DELETE FROM sessions WHERE token_id = ?1 AND hash NOT IN
             (SELECT hash FROM sessions WHERE token_id = ?1 ORDER BY created_at DESC LIMIT ?2)",
        )
        .bind(token_id)
        .bind(SESSIONS_PER_TOKEN)
        .execute(&mut *change)
        .await?;
        for hash in replaced {
            sqlx::query("DELETE FROM sessions WHERE hash = ?").bind(hash.as_bytes()).execute(&mut *change).await?;
        }
        change.commit().await?;
        Ok(secret)
    }

    /// Ends the session with this hash, if there is one.
    pub async fn end_session(&self, hash: &Hash) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE hash = ?").bind(hash.as_bytes()).execute(&self.pool).await?;
        Ok(())
    }

    /// Stores when sessions were last used, and removes sessions that were not used since `idle_since`, except those of
    /// kiosks.
    pub async fn note_use(&self, used: &[(Hash, i64)], idle_since: i64) -> Result<(), StoreError> {
        let mut change = self.pool.begin().await?;
        for (hash, used_at) in used {
            sqlx::query("UPDATE sessions SET used_at = ? WHERE hash = ?")
                .bind(used_at)
                .bind(hash.as_bytes())
                .execute(&mut *change)
                .await?;
        }
        sqlx::query(
            "DELETE FROM sessions WHERE used_at < ?
             AND token_id NOT IN (SELECT id FROM tokens WHERE role = 'kiosk')",
        )
        .bind(idle_since)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(())
    }

    /// All tokens and sessions that are valid at `now_ms`.
    pub async fn usable(&self, now_ms: i64) -> Result<(Vec<StoredToken>, Vec<StoredSession>), StoreError> {
        // In one transaction, so that no session is read without its token.
        let mut reading = self.pool.begin().await?;
        let tokens =
            sqlx::query("SELECT * FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)")
                .bind(now_ms)
                .fetch_all(&mut *reading)
                .await?;
        let sessions = sqlx::query("SELECT * FROM sessions WHERE expires_at IS NULL OR expires_at > ?")
            .bind(now_ms)
            .fetch_all(&mut *reading)
            .await?;
        let tokens = tokens.iter().map(token).collect::<Result<_, _>>()?;
        let sessions = sessions.iter().map(session).collect::<Result<_, _>>()?;
        Ok((tokens, sessions))
    }

    /// Detects changes made through other connections.
    pub async fn watch(&self) -> Result<ChangeWatch, StoreError> {
        Ok(ChangeWatch { connection: self.pool.acquire().await?, version: 0 })
    }
}

/// Detects changes of the database by any other connection, of this process or another.
#[derive(Debug)]
pub struct ChangeWatch {
    connection: sqlx::pool::PoolConnection<sqlx::Sqlite>,
    version: i64,
}

impl ChangeWatch {
    /// Whether it was changed since the last call; true at first.
    pub async fn has_changed(&mut self) -> Result<bool, StoreError> {
        let version: i64 = sqlx::query("PRAGMA data_version").fetch_one(&mut *self.connection).await?.try_get(0)?;
        Ok(std::mem::replace(&mut self.version, version) != version)
    }
}

/// Parses a row of `tokens`.
fn token(row: &SqliteRow) -> Result<StoredToken, StoreError> {
    let role: String = row.try_get("role")?;
    let dashboards: String = row.try_get("dashboards")?;
    Ok(StoredToken {
        hash: hash(row)?,
        info: TokenInfo {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            role: role.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            dashboards: dashboards.split(',').filter(|uid| !uid.is_empty()).map(str::to_owned).collect(),
            matchers: row.try_get("matchers")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
        },
    })
}

/// Parses a row of `sessions`.
fn session(row: &SqliteRow) -> Result<StoredSession, StoreError> {
    Ok(StoredSession {
        hash: hash(row)?,
        token_id: row.try_get("token_id")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        used_at: row.try_get("used_at")?,
        origin: SessionOrigin { address: row.try_get("address")?, browser: row.try_get("browser")? },
    })
}

fn hash(row: &SqliteRow) -> Result<Hash, StoreError> {
    let bytes: &[u8] = row.try_get("hash")?;
    Hash::from_stored(bytes).ok_or_else(|| StoreError::Database(sqlx::Error::Decode("a hash has not 32 bytes".into())))
}
