//! The settings of each component, from the configuration of the server.

use std::time::Duration;

use alerting::BuiltInRules;
use datasource::QueryLimits;
use tsdb::StoreOptions;

use super::Mode;
use crate::config::{Config, DaemonConfig};

/// The URL for links in messages.
pub(super) fn external_url(config: &Config, listener: &std::net::TcpListener) -> anyhow::Result<String> {
    Ok(match &config.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("{}://{}", if config.tls.is_some() { "https" } else { "http" }, listener.local_addr()?),
    })
}

/// Scrape interval of a demo, short so that it moves.
const DEMO_INTERVAL: Duration = Duration::from_secs(5);

/// Interval between two scrapes of a source, and of our own metrics.
pub(super) fn scrape_interval(config: &Config, mode: Mode) -> Duration {
    match mode {
        Mode::Serve => config.scrape.interval,
        Mode::Demo => config.scrape.interval.min(DEMO_INTERVAL),
    }
}

/// Rules to evaluate, and their settings.
pub(super) fn rule_settings(config: &Config, mode: Mode, external_url: &str) -> alerting::Settings {
    let is_wanted = config.rules_builtin.unwrap_or(mode == Mode::Demo || !config.daemons.is_empty());
    alerting::Settings {
        files: config.rules.clone(),
        built_in: match (is_wanted, mode) {
            (false, _) => BuiltInRules::None,
            (true, Mode::Serve) => BuiltInRules::Daemons,
            (true, Mode::Demo) => BuiltInRules::Demo,
        },
        off: config.rules_off.clone(),
        interval: match mode {
            Mode::Serve => config.evaluation_interval,
            Mode::Demo => config.evaluation_interval.min(DEMO_INTERVAL),
        },
        context: rules::EvalContext {
            external_labels: labels::Labels::new(config.external_labels.clone()),
            external_url: external_url.to_owned(),
        },
    }
}

/// Settings of the store.
pub(crate) fn store_options(config: &Config) -> StoreOptions {
    StoreOptions {
        retention: config.retention,
        max_disk_bytes: config.retention_bytes,
        out_of_order: config.out_of_order_window,
        max_series: config.max_series,
        ..StoreOptions::default()
    }
}

/// Settings of images.
pub(super) fn picture_options(config: &Config) -> render::Options {
    render::Options {
        longest_wait: config.limits.read_wait,
        most_pixels: u64::try_from(config.limits.picture_pixels).unwrap_or(u64::MAX),
    }
}

/// Settings of connections to daemons.
pub(super) fn collect_options(config: &Config, mode: Mode) -> collect::Options {
    collect::Options {
        scrape_interval: scrape_interval(config, mode),
        call_timeout: config.scrape.timeout,
        env_proxy: config.daemon_env_proxy,
        stored: config.retention,
        ..collect::Options::default()
    }
}

/// How to connect to a daemon.
pub(super) fn daemon(config: &DaemonConfig) -> collect::DaemonConfig {
    collect::DaemonConfig {
        name: config.name.clone(),
        url: config.url.clone(),
        key: config.key.as_ref().map(|key| collect::ApiKey::new(key.expose())),
    }
}

/// Limits of a query.
pub(super) fn query_limits(config: &Config) -> QueryLimits {
    QueryLimits {
        timeout: config.limits.query_time,
        max_points_per_series: config.limits.points,
        max_series: config.limits.series,
        max_response_bytes: config.limits.response_bytes,
    }
}

/// Settings of the notifier. A demo without Alertmanagers sends to pages that show what it would have sent.
pub(super) fn notify_options(config: &Config, mode: Mode) -> notify::Options {
    match mode {
        Mode::Demo if config.alertmanagers.is_empty() => notify::demo_options(config.notify.clone()),
        Mode::Demo | Mode::Serve => config.notify.clone(),
    }
}
