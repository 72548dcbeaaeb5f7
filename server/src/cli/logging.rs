//! The log: on stderr, as text or JSON, filtered by `RUST_LOG`.

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::log_fields::{PlainJson, on_one_line};
use crate::config::LogFormat;

/// The default filter: our own events, and problems in libraries. Our crates are listed by name, because a target is a
/// module path.
const DEFAULT_FILTER: &str = "warn,hyperscope=info,audit=info,access=info,alerting=info,budget=info,collect=info,daemon_sim=info,dashboards=info,\
    database=info,datasource=info,hypervisord=info,live=info,notify=info,redact=info,render=info,scrape=info,telemetry=info,tsdb=info";

/// The target at which the WebSocket library logs whole requests at `trace`, including the daemons' keys. Never logged,
/// regardless of `RUST_LOG`.
const REQUESTS: &str = "tungstenite::handshake::client";

/// Starts the log. Only the first call has an effect.
pub(crate) fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => {
            let lines = lines.fmt_fields(on_one_line());
            tracing_subscriber::registry().with(without_requests(filter)).with(lines).try_init()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_writer(|| PlainJson(std::io::stderr()));
            tracing_subscriber::registry().with(without_requests(filter)).with(lines).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("the log is already started");
    }
}

/// Applies `filter`, but never logs requests. A directive in the filter would not work: it would enable less verbose
/// levels of that target.
fn without_requests<S: Subscriber>(filter: EnvFilter) -> impl Layer<S> {
    let is_request = |about: &Metadata| about.target().starts_with(REQUESTS) && *about.level() == Level::TRACE;
    filter.and_then(filter_fn(move |about| !is_request(about)))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn shows(wanted: &str, target: &'static str, level: Level) -> bool {
        let log = tracing_subscriber::registry().with(without_requests(EnvFilter::new(wanted)));
        tracing::subscriber::with_default(log, || match (target, level) {
            (REQUESTS, Level::TRACE) => tracing::enabled!(target: "tungstenite::handshake::client", Level::TRACE),
            (REQUESTS, _) => tracing::enabled!(target: "tungstenite::handshake::client", Level::DEBUG),
            (_, Level::TRACE) => tracing::enabled!(target: "tungstenite::protocol", Level::TRACE),
            _ => tracing::enabled!(target: "tungstenite::protocol", Level::DEBUG),
        })
    }

    #[test]
    fn requests_with_keys_are_not_logged_at_any_level() {
        for wanted in ["trace", "tungstenite=trace", "tungstenite::handshake::client=trace"] {
            assert!(!shows(wanted, REQUESTS, Level::TRACE), "{wanted}");
            assert!(shows(wanted, REQUESTS, Level::DEBUG), "{wanted}");
            assert!(shows(wanted, "tungstenite::protocol", Level::TRACE) != wanted.contains("client"), "{wanted}");
        }
    }

    #[test]
    fn the_socket_library_is_silent_unless_asked_for() {
        for target in [REQUESTS, "tungstenite::protocol"] {
            assert!(!shows(DEFAULT_FILTER, target, Level::DEBUG), "{target}");
        }
    }

    #[test]
    fn every_crate_of_ours_that_logs_is_in_the_usual_filter() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
                let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else {
                    folders.push(path);
                    continue;
                };
                let name = path.file_name().unwrap().to_str().unwrap().replace('-', "_");
                let logs = manifest.split("[dev-dependencies]").next().unwrap().contains("\ntracing");
                assert!(
                    !logs || DEFAULT_FILTER.contains(&format!("{name}=info")),
                    "{name} logs, and its log is not shown"
                );
            }
        }
    }
}
