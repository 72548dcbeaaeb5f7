//! The SQLite database of the data directory: all stored state except series.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Name of the file in the data directory.
pub const FILE: &str = "hyperscope.db";

/// How long a write waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of connections: most reads are served from memory, so that few are needed.
const CONNECTIONS: u32 = 4;

/// All migrations, in order. A released migration never changes.
const STEPS: [(i64, &str, &str); 8] = [
    (1, "tokens", include_str!("../migrations/0001_tokens.sql")),
    (2, "matchers", include_str!("../migrations/0002_matchers.sql")),
    (3, "alert_history", include_str!("../migrations/0003_alert_history.sql")),
    (4, "notifications", include_str!("../migrations/0004_notifications.sql")),
    (5, "alert_history_by_alert", include_str!("../migrations/0005_alert_history_by_alert.sql")),
    (6, "roles", include_str!("../migrations/0006_roles.sql")),
    (7, "sessions", include_str!("../migrations/0007_sessions.sql")),
    (8, "untold", include_str!("../migrations/0008_untold.sql")),
];

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The data directory cannot be created.
    #[error("cannot make the data directory {}: {reason}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// It was written by a newer version.
    #[error(
        "{} was written by a newer hyperscope (its format is {found}, this one knows up to {known}): use that version, or another data directory",
        file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its format.
        found: i64,
        /// The latest format that this version supports.
        known: i64,
    },
    /// It cannot be opened or migrated.
    #[error("cannot open {}: {reason}", file.display())]
    Open {
        /// The database.
        file: PathBuf,
        /// SQLite's error.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Opens the database of `data_dir`; creates and migrates it if necessary.
///
/// # Errors
///
/// The directory or file cannot be created or read, is not a database, or has a newer format.
pub async fn open(data_dir: &Path) -> Result<SqlitePool, DatabaseError> {
    make_private_directory(data_dir)
        .map_err(|reason| DatabaseError::Directory { directory: data_dir.to_owned(), reason })?;
    let file = data_dir.join(FILE);
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let failed = |reason: Box<dyn std::error::Error + Send + Sync>| DatabaseError::Open { file: file.clone(), reason };
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_with(options)
        .await
        .map_err(|error| failed(error.into()))?;
    match migrator(&STEPS).run(&pool).await {
        Ok(()) => Ok(pool),
        Err(MigrateError::VersionMissing(found)) => {
            let known = STEPS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
            Err(DatabaseError::Newer { file, found, known })
        }
        Err(error) => Err(failed(error.into())),
    }
}

fn migrator(steps: &[(i64, &'static str, &'static str)]) -> Migrator {
    let step = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
    };
    Migrator::with_migrations(steps.iter().map(step).collect())
}

/// Creates a directory that only its owner may enter. An existing one keeps its permissions.
fn make_private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tokens_and_sessions_of_before_outlive_the_change_of_roles() {
        let directory = tempfile::TempDir::new().unwrap();
        let options = SqliteConnectOptions::new().filename(directory.path().join(FILE)).create_if_missing(true);
        let before = SqlitePoolOptions::new().connect_with(options.foreign_keys(true)).await.unwrap();
        migrator(&STEPS[..5]).run(&before).await.unwrap();
        let made = "INSERT INTO tokens (id, name, role, hash, dashboards, created_at, matchers) \
                    VALUES ('t', 'wall', 'kiosk', zeroblob(32), 'a,b', 7, 'x=\"y\"'); \
                    INSERT INTO sessions (hash, token_id, created_at) VALUES (zeroblob(32), 't', 8)";
        sqlx::raw_sql(made).execute(&before).await.unwrap();
        before.close().await;

        let pool = open(directory.path()).await.unwrap();
        let token: (String, String, String, i64) =
            sqlx::query_as("SELECT role, dashboards, matchers, created_at FROM tokens").fetch_one(&pool).await.unwrap();
        assert_eq!(token, ("kiosk".to_owned(), "a,b".to_owned(), "x=\"y\"".to_owned(), 7));
        let sessions = async || -> i64 {
            sqlx::query_scalar("SELECT count(*) FROM sessions WHERE token_id = 't'").fetch_one(&pool).await.unwrap()
        };
        assert_eq!(sessions().await, 1);
        sqlx::query("UPDATE tokens SET role = 'scrape'").execute(&pool).await.unwrap();
        sqlx::query("DELETE FROM tokens").execute(&pool).await.unwrap();
        assert_eq!(sessions().await, 0, "a session goes with its token");
    }
}
