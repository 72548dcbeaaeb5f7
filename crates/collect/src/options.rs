//! What to connect to, and the intervals and limits.

use std::time::Duration;

use url::Url;

use crate::client::ApiKey;

/// A daemon to connect to.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Name in labels, events and paths; unique.
    pub name: String,
    /// URL, `http` or `https`, optionally with a path before its routes.
    pub url: Url,
    /// Sent as `X-API-Key`, if set.
    pub key: Option<ApiKey>,
}

/// A plain Prometheus endpoint to scrape.
#[derive(Debug, Clone)]
pub struct ScrapeTarget {
    /// Name; unique. It is also the label `job` of its series.
    pub name: String,
    /// URL with the path, for example `http://localhost:9100/metrics`.
    pub url: Url,
    /// Scrape interval; `None` uses the general one.
    pub interval: Option<Duration>,
    /// Labels added to its series.
    pub labels: Vec<(String, String)>,
}

/// Intervals and limits for all sources.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Scrape interval, and interval between samples of derived series.
    pub scrape_interval: Duration,
    /// Maximum uncompressed size of a `/metrics` response, in bytes.
    pub scrape_body_limit: usize,
    /// Maximum number of samples per scrape.
    pub scrape_sample_limit: usize,
    /// Timeout of HTTP requests.
    pub call_timeout: Duration,
    /// Whether requests use the proxy of the environment. It is opt-in, because a daemon's key is only for the daemon.
    pub env_proxy: bool,
    /// Maximum size of a socket message, and of a list of jobs, in bytes.
    pub message_limit: usize,
    /// A socket without data for this long is stale; for daemons that only send events, after twice that.
    pub stale_after: Duration,
    /// Interval of polls while the socket is down.
    pub poll_interval: Duration,
    /// Maximum delay before the first attempt to reopen a socket.
    pub first_retry: Duration,
    /// Maximum delay between attempts.
    pub longest_retry: Duration,
    /// Retention of samples: jobs that ended before it are part of a counter's first value.
    pub stored: Duration,
    /// Maximum number of ended jobs per daemon; the oldest are dropped. Running and pending jobs stay, up to four times
    /// as many jobs in total.
    pub most_ended_jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            scrape_interval: Duration::from_secs(15),
            scrape_body_limit: 16 << 20,
            scrape_sample_limit: 200_000,
            call_timeout: Duration::from_secs(10),
            env_proxy: false,
            message_limit: 64 << 20,
            stale_after: Duration::from_secs(5),
            poll_interval: Duration::from_secs(2),
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(30),
            stored: Duration::from_secs(15 * 24 * 3600),
            most_ended_jobs: 5000,
        }
    }
}
