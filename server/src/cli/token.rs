//! `hyperscope token`: works on the data directory, with or without a running server.

use std::path::PathBuf;

use access::{Actor, NewToken, TokenInfo, TokenStore};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use model::{clock::now_ms, range::DurationMs, role::Role};

use super::{ConfigFile, logging, say};
use crate::config::{LogFormat, Options, Period, default_data_dir};

const MINUTE_MS: i64 = 60_000;

/// `hyperscope token`
#[derive(Debug, Args)]
pub(super) struct TokenCommand {
    #[command(subcommand)]
    action: Action,
    /// The server's data directory [default: that of `serve`]
    #[arg(long, env = "HYPERSCOPE_DATA_DIR", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// The server's configuration file, to read the data directory from
    #[arg(long, env = "HYPERSCOPE_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a token; its secret is printed to stdout once and never shown again
    Create(Create),
    /// List all tokens, without their secrets
    List,
    /// Remove the expiry of a token, for example of the first one that a server created and printed
    Keep {
        /// ID as in the list
        id: String,
    },
    /// Revoke a token and its sessions permanently
    Revoke {
        /// ID as in the list
        id: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Name of the person or program that will use it
    #[arg(long)]
    name: String,
    /// Role: viewer reads, kiosk reads its dashboards, operator also cancels jobs and silences alerts, admin also
    /// manages tokens and dashboards, ingest only writes samples, scrape only reads /metrics and /federate
    #[arg(long, value_name = "viewer|kiosk|operator|admin|ingest|scrape")]
    role: Role,
    /// Lifetime, for example 30d [default: unlimited]
    #[arg(long, value_name = "DURATION")]
    expires: Option<Period>,
    /// UIDs of the dashboards of a kiosk token
    #[arg(long, value_name = "UID", value_delimiter = ',')]
    dashboards: Vec<String>,
    /// Matcher that each visible series must match, for example provider="aws"; repeatable, all must match
    #[arg(long = "match", value_name = "MATCHER")]
    matchers: Vec<String>,
}

impl TokenCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        logging::init(LogFormat::Text);
        let given = Options { data_dir: self.data_dir, ..Options::default() };
        let data_dir = ConfigFile { path: self.config }.under(given)?.data_dir.unwrap_or_else(default_data_dir);
        let is_new = !data_dir.join(database::FILE).exists();
        if is_new && !matches!(self.action, Action::Create(_)) {
            bail!("there are no tokens in {}: name the server's data directory with --data-dir", data_dir.display());
        }
        let store = TokenStore::open(&data_dir).await?;
        match self.action {
            Action::Create(create) => create.run(&store).await,
            Action::List => list(&store).await,
            Action::Keep { id } => {
                store.keep(&id).await?;
                Actor::command_line().did(access::Action::KeepToken, &id, "");
                say(format_args!("kept {id}")).context("stdout")
            }
            Action::Revoke { id } => {
                store.revoke(&id).await?;
                Actor::command_line().did(access::Action::RevokeToken, &id, "");
                say(format_args!("revoked {id}")).context("stdout")
            }
        }
    }
}

impl Create {
    async fn run(self, store: &TokenStore) -> anyhow::Result<()> {
        if self.matchers.iter().any(|matcher| matcher.trim().is_empty()) {
            bail!("--match is empty: write for example --match 'provider=\"aws\"', or leave it out for all series");
        }
        let lasts = |Period(period)| now_ms().saturating_add(i64::try_from(period.as_millis()).unwrap_or(i64::MAX));
        let new = NewToken {
            name: self.name,
            role: self.role,
            expires_at: self.expires.map(lasts),
            dashboards: self.dashboards,
            matchers: self.matchers.join(","),
        };
        let (token, secret) = store.create(new).await?;
        Actor::command_line().did(access::Action::CreateToken, &token.id, &token.words());
        say(secret.expose()).context("stdout")
    }
}

async fn list(store: &TokenStore) -> anyhow::Result<()> {
    let now_ms = now_ms();
    let head = ["ID", "NAME", "ROLE", "STATE", "CREATED", "EXPIRES", "DASHBOARDS", "MATCH"].map(str::to_owned);
    let rows: Vec<_> =
        std::iter::once(head).chain(store.list(now_ms).await?.iter().map(|token| row(token, now_ms))).collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        say(cells.join("  ").trim_end()).context("stdout")?;
    }
    Ok(())
}

fn row(token: &TokenInfo, now_ms: i64) -> [String; 8] {
    let state = match token {
        TokenInfo { revoked_at: Some(_), .. } => "revoked",
        TokenInfo { expires_at: Some(at), .. } if *at <= now_ms => "expired",
        _ => "valid",
    };
    [
        token.id.clone(),
        token.name.clone(),
        token.role.name().to_owned(),
        state.to_owned(),
        distance(Some(token.created_at), now_ms),
        distance(token.expires_at, now_ms),
        token.dashboards.join(","),
        token.matchers.clone(),
    ]
}

/// The distance from `now_ms` to `at_ms`, in minutes precision.
fn distance(at_ms: Option<i64>, now_ms: i64) -> String {
    let Some(at_ms) = at_ms else { return "never".to_owned() };
    let apart_ms = now_ms.abs_diff(at_ms).min(i64::MAX.unsigned_abs()).cast_signed();
    let apart = match DurationMs(apart_ms - apart_ms % MINUTE_MS) {
        DurationMs(0) => "under 1m".to_owned(),
        apart => apart.to_string(),
    };
    if at_ms > now_ms { format!("in {apart}") } else { format!("{apart} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_distance() {
        assert_eq!(distance(None, 0), "never");
        assert_eq!(distance(Some(90 * MINUTE_MS + 5), 0), "in 1h30m");
        assert_eq!(distance(Some(0), 30_000), "under 1m ago");
        assert_eq!(distance(Some(i64::MIN), i64::MAX).split_once('d').map(|(days, _)| days), Some("106751991167"));
    }
}
