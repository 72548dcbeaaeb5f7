//! Limits per request, socket and address: as given, checked, and with their defaults.

use std::time::Duration;

use budget::machine;
use serde::Deserialize;

use super::{
    options::options,
    resolve::{ConfigError, positive, wrong},
    value::{ByteSize, Period},
};

/// Minimum memory limit, in bytes.
const MIN_MEMORY_BYTES: usize = 256 << 20;
/// Minimum limit of a request head, in bytes.
const MIN_HEADER_BYTES: usize = 8 << 10;

options! {
    /// Settings under `limits`.
    #[command(next_help_heading = "Limits")]
    pub struct GivenLimits {
        /// Memory limit of the process, from which the budgets for viewers are derived [default: three quarters of the
        /// machine's or the container's]
        #[arg(long = "memory-limit", env = "HYPERSCOPE_MEMORY_LIMIT", value_name = "SIZE")]
        pub memory: Option<ByteSize>,
        /// Maximum concurrent queries and other reads [default: two per CPU]
        #[arg(long = "limit-reads", env = "HYPERSCOPE_LIMIT_READS", value_name = "N")]
        pub reads: Option<usize>,
        /// Maximum time that a query waits for its turn [default: 10s]
        #[arg(long = "limit-read-wait", env = "HYPERSCOPE_LIMIT_READ_WAIT", value_name = "DURATION")]
        pub read_wait: Option<Period>,
        /// Maximum live queries that a token starts per minute [default: 600]
        #[arg(long = "limit-query-starts", env = "HYPERSCOPE_LIMIT_QUERY_STARTS", value_name = "N")]
        pub query_starts: Option<u32>,
        /// Query timeout [default: 30s]
        #[arg(long = "limit-query-time", env = "HYPERSCOPE_LIMIT_QUERY_TIME", value_name = "DURATION")]
        pub query_time: Option<Period>,
        /// Maximum points per series in a response [default: 11000]
        #[arg(long = "limit-points", env = "HYPERSCOPE_LIMIT_POINTS", value_name = "N")]
        pub points: Option<usize>,
        /// Maximum series in a query [default: 50000]
        #[arg(long = "limit-series", env = "HYPERSCOPE_LIMIT_SERIES", value_name = "N")]
        pub series: Option<usize>,
        /// Maximum size of a query's response [default: 64MiB]
        #[arg(long = "limit-response", env = "HYPERSCOPE_LIMIT_RESPONSE", value_name = "SIZE")]
        pub response: Option<ByteSize>,
        /// Maximum size of a request body [default: 1MiB]
        #[arg(long = "limit-body", env = "HYPERSCOPE_LIMIT_BODY", value_name = "SIZE")]
        pub body: Option<ByteSize>,
        /// Maximum size of a remote write body [default: 16MiB]
        #[arg(long = "limit-write-body", env = "HYPERSCOPE_LIMIT_WRITE_BODY", value_name = "SIZE")]
        pub write_body: Option<ByteSize>,
        /// Maximum size of a decompressed remote write body [default: 64MiB]
        #[arg(long = "limit-write-unpacked", env = "HYPERSCOPE_LIMIT_WRITE_UNPACKED", value_name = "SIZE")]
        pub write_unpacked: Option<ByteSize>,
        /// Maximum exemplars in memory; 0 disables them [default: 100000]
        #[arg(long = "limit-exemplars", env = "HYPERSCOPE_LIMIT_EXEMPLARS", value_name = "N")]
        pub exemplars: Option<usize>,
        /// Maximum live sockets [default: 20000]
        #[arg(long = "limit-sockets", env = "HYPERSCOPE_LIMIT_SOCKETS", value_name = "N")]
        pub sockets: Option<usize>,
        /// Maximum live sockets per token; admins have no such limit [default: 50]
        #[arg(long = "limit-token-sockets", env = "HYPERSCOPE_LIMIT_TOKEN_SOCKETS", value_name = "N")]
        pub token_sockets: Option<usize>,
        /// Maximum live sockets per kiosk token, which many displays may share [default: 500]
        #[arg(long = "limit-kiosk-sockets", env = "HYPERSCOPE_LIMIT_KIOSK_SOCKETS", value_name = "N")]
        pub kiosk_sockets: Option<usize>,
        /// Maximum subscriptions per socket [default: 256]
        #[arg(long = "limit-subscriptions", env = "HYPERSCOPE_LIMIT_SUBSCRIPTIONS", value_name = "N")]
        pub subscriptions: Option<usize>,
        /// Maximum failed logins per minute and address [default: 10]
        #[arg(long = "limit-wrong-logins", env = "HYPERSCOPE_LIMIT_WRONG_LOGINS", value_name = "N")]
        pub wrong_logins: Option<u32>,
        /// Maximum size of a request head: request line and header fields, including cookies [default: 64KiB]
        #[arg(long = "limit-header", env = "HYPERSCOPE_LIMIT_HEADER", value_name = "SIZE")]
        pub header: Option<ByteSize>,
        /// Maximum time until a request head is received, or a socket is upgraded [default: 10s]
        #[arg(long = "limit-upgrade-time", env = "HYPERSCOPE_LIMIT_UPGRADE_TIME", value_name = "DURATION")]
        pub upgrade_time: Option<Period>,
        /// Maximum connections; fewer if the system allows fewer open files [default: 30000]
        #[arg(long = "limit-connections", env = "HYPERSCOPE_LIMIT_CONNECTIONS", value_name = "N")]
        pub connections: Option<usize>,
        /// Maximum connections per address; loopback and trusted proxies have no such limit [default: 1000]
        #[arg(long = "limit-address-connections", env = "HYPERSCOPE_LIMIT_ADDRESS_CONNECTIONS", value_name = "N")]
        pub address_connections: Option<usize>,
        /// Maximum time from the start of a connection to its first request [default: 10s]
        #[arg(long = "limit-first-request-time", env = "HYPERSCOPE_LIMIT_FIRST_REQUEST_TIME", value_name = "DURATION")]
        pub first_request_time: Option<Period>,
        /// Maximum time of a connection without a request [default: 60s]
        #[arg(long = "limit-idle-time", env = "HYPERSCOPE_LIMIT_IDLE_TIME", value_name = "DURATION")]
        pub idle_time: Option<Period>,
        /// Maximum time in which a client reads nothing of what is sent to it [default: 30s]
        #[arg(long = "limit-stalled-write-time", env = "HYPERSCOPE_LIMIT_STALLED_WRITE_TIME", value_name = "DURATION")]
        pub stalled_write_time: Option<Period>,
        /// Maximum images drawn concurrently [default: 2]
        #[arg(id = "limit_pictures", long = "limit-pictures", env = "HYPERSCOPE_LIMIT_PICTURES", value_name = "N")]
        pub pictures: Option<usize>,
        /// Maximum pixels per image, width times height [default: 16000000]
        #[arg(id = "limit_picture_pixels", long = "limit-picture-pixels", env = "HYPERSCOPE_LIMIT_PICTURE_PIXELS", value_name = "N")]
        pub picture_pixels: Option<usize>,
    }
}

/// Limits per request, socket and address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum memory of the process, in bytes, from which the budgets for viewers are derived.
    pub memory: u64,
    /// Maximum number of concurrent queries and other reads.
    pub reads: usize,
    /// Maximum time that a read waits for its turn.
    pub read_wait: Duration,
    /// Maximum number of live queries that a token starts per minute.
    pub query_starts: u32,
    /// Query timeout.
    pub query_time: Duration,
    /// Maximum number of points per series in a response.
    pub points: usize,
    /// Maximum number of series in a query.
    pub series: usize,
    /// Maximum size of a query's response, in bytes.
    pub response_bytes: usize,
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Maximum size of a remote write body, in bytes.
    pub write_body_bytes: usize,
    /// Maximum size of a decompressed remote write body, in bytes.
    pub write_unpacked_bytes: usize,
    /// Maximum number of exemplars in memory.
    pub exemplars: usize,
    /// Maximum number of live sockets.
    pub sockets: usize,
    /// Maximum number of live sockets per token, except for kiosks and admins.
    pub token_sockets: usize,
    /// Maximum number of live sockets per kiosk token, which many displays may share.
    pub kiosk_sockets: usize,
    /// Maximum number of subscriptions per socket.
    pub subscriptions: usize,
    /// Maximum number of failed logins per minute and address.
    pub wrong_logins: u32,
    /// Maximum size of a request head, in bytes.
    pub header_bytes: usize,
    /// Maximum time until a request head is received, or a socket is upgraded.
    pub upgrade_time: Duration,
    /// Maximum number of connections.
    pub connections: usize,
    /// Maximum number of connections per address.
    pub address_connections: usize,
    /// Maximum time from the start of a connection to its first request.
    pub first_request_time: Duration,
    /// Maximum time of a connection without a request.
    pub idle_time: Duration,
    /// Maximum time in which a client reads nothing of what is sent.
    pub stalled_write_time: Duration,
    /// Maximum number of images drawn concurrently.
    pub pictures: usize,
    /// Maximum number of pixels per image.
    pub picture_pixels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: machine::default_limit(),
            reads: std::thread::available_parallelism().map_or(2, usize::from).saturating_mul(2),
            read_wait: Duration::from_secs(10),
            query_starts: 600,
            query_time: Duration::from_secs(30),
            points: 11_000,
            series: 50_000,
            response_bytes: 64 << 20,
            body_bytes: 1 << 20,
            write_body_bytes: 16 << 20,
            write_unpacked_bytes: 64 << 20,
            exemplars: 100_000,
            sockets: 20_000,
            token_sockets: 50,
            kiosk_sockets: 500,
            subscriptions: 256,
            wrong_logins: 10,
            header_bytes: 64 << 10,
            upgrade_time: Duration::from_secs(10),
            connections: 30_000,
            address_connections: 1_000,
            first_request_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            stalled_write_time: Duration::from_secs(30),
            pictures: 2,
            picture_pixels: 16_000_000,
        }
    }
}

/// The effective limits.
pub(super) fn limits(given: &GivenLimits) -> Result<Limits, ConfigError> {
    let default = Limits::default();
    if given.wrong_logins == Some(0) {
        return Err(wrong("limits.wrong_logins", "0 would let nobody log in: use at least 1"));
    }
    if given.pictures == Some(0) {
        return Err(wrong("limits.pictures", "0 would draw none: use at least 1"));
    }
    if given.connections == Some(0) || given.address_connections == Some(0) {
        return Err(wrong("limits.connections", "0 would reject every connection: use at least 1"));
    }
    if given.header.is_some_and(|header| header.0 < MIN_HEADER_BYTES) {
        return Err(wrong("limits.header", "a browser's own headers need 8KiB: use at least that"));
    }
    if given.memory.is_some_and(|memory| memory.0 < MIN_MEMORY_BYTES) {
        return Err(wrong("limits.memory", "the server needs 256MiB: use at least that"));
    }
    if given.reads.is_some_and(|reads| reads < 2) {
        return Err(wrong("limits.reads", "one token alone could stop all others: use at least 2"));
    }
    if given.query_starts == Some(0) {
        return Err(wrong("limits.query_starts", "0 would start no live query: use at least 1"));
    }
    Ok(Limits {
        memory: given.memory.map_or(default.memory, |size| u64::try_from(size.0).unwrap_or(u64::MAX)),
        reads: given.reads.unwrap_or(default.reads),
        read_wait: positive("limits.read_wait", given.read_wait, default.read_wait)?,
        query_starts: given.query_starts.unwrap_or(default.query_starts),
        query_time: positive("limits.query_time", given.query_time, default.query_time)?,
        points: given.points.unwrap_or(default.points),
        series: given.series.unwrap_or(default.series),
        response_bytes: given.response.map_or(default.response_bytes, |size| size.0),
        body_bytes: given.body.map_or(default.body_bytes, |size| size.0),
        write_body_bytes: given.write_body.map_or(default.write_body_bytes, |size| size.0),
        write_unpacked_bytes: given.write_unpacked.map_or(default.write_unpacked_bytes, |size| size.0),
        exemplars: given.exemplars.unwrap_or(default.exemplars),
        sockets: given.sockets.unwrap_or(default.sockets),
        token_sockets: given.token_sockets.unwrap_or(default.token_sockets),
        kiosk_sockets: given.kiosk_sockets.unwrap_or(default.kiosk_sockets),
        subscriptions: given.subscriptions.unwrap_or(default.subscriptions),
        wrong_logins: given.wrong_logins.unwrap_or(default.wrong_logins),
        header_bytes: given.header.map_or(default.header_bytes, |size| size.0),
        upgrade_time: positive("limits.upgrade_time", given.upgrade_time, default.upgrade_time)?,
        connections: given.connections.unwrap_or(default.connections),
        address_connections: given.address_connections.unwrap_or(default.address_connections),
        first_request_time: positive(
            "limits.first_request_time",
            given.first_request_time,
            default.first_request_time,
        )?,
        idle_time: positive("limits.idle_time", given.idle_time, default.idle_time)?,
        stalled_write_time: positive(
            "limits.stalled_write_time",
            given.stalled_write_time,
            default.stalled_write_time,
        )?,
        pictures: given.pictures.unwrap_or(default.pictures),
        picture_pixels: given.picture_pixels.unwrap_or(default.picture_pixels),
    })
}
