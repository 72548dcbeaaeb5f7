//! The log: on stderr, as text or JSON, as much as `RUST_LOG` says.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise: what we do, and what goes wrong below us.
const DEFAULT_FILTER: &str = "warn,hyperscope=info,daemon_sim=info,store=info,audit=info";

/// Where the socket library writes whole requests at `trace`, with the daemons' keys in them. Not to be had, whatever `RUST_LOG` says.
const NO_REQUESTS: &str = "tungstenite::handshake::client=debug";

/// Starts the log. Only the first call counts.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let filter = without_requests(filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
}

fn without_requests(filter: EnvFilter) -> EnvFilter {
    match NO_REQUESTS.parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => EnvFilter::new(DEFAULT_FILTER),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn requests_with_keys_are_not_logged_at_any_level() {
        for wanted in ["trace", "tungstenite=trace", "tungstenite::handshake::client=trace"] {
            let log = tracing_subscriber::fmt().with_env_filter(without_requests(EnvFilter::new(wanted))).finish();
            tracing::subscriber::with_default(log, || {
                assert!(!tracing::enabled!(target: "tungstenite::handshake::client", Level::TRACE), "{wanted}");
                assert!(tracing::enabled!(target: "tungstenite::protocol", Level::TRACE) != wanted.contains("client"));
            });
        }
    }
}
