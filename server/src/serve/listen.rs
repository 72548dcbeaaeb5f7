//! The listening socket: bound early, so that a port in use is reported before anything is opened, and served with
//! limits.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use anyhow::{Context, anyhow};
use axum::Router;
use axum_server::{
    Handle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    http::{
        connections::{Connections, acceptor::LimitedAcceptor, stalled::ReadAcceptor},
        heads::{HeadLimit, stream::HeadAcceptor},
    },
};

/// How long open requests may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// By which factor an HTTP/2 head may exceed the limit before it is rejected without an error message.
const HTTP2_HEADS: usize = 4;
/// Interval of HTTP/2 pings, and timeout of their response.
const HTTP2_PING: Duration = Duration::from_secs(20);
/// Maximum number of concurrent requests on one connection.
const HTTP2_STREAMS: u32 = 128;
/// Maximum size of a response's rest in an HTTP/2 buffer, in bytes: this part is no longer charged.
const HTTP2_SEND_BYTES: usize = 32 << 10;

/// Binds the address.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{address} is in use by another program: stop it, or choose another address with --listen (port 0 takes any free one)"
        ),
        std::io::ErrorKind::PermissionDenied => {
            anyhow!("not allowed to listen on {address}: ports below 1024 need the right to, so choose a higher one with --listen")
        }
        std::io::ErrorKind::AddrNotAvailable => {
            anyhow!("{address} is no address of this machine: choose one with --listen, for example 127.0.0.1:3030")
        }
        _ => anyhow!("cannot listen on {address}: {error}"),
    })?;
    listener.set_nonblocking(true).context("the listening socket cannot be set up")?;
    Ok(listener)
}

/// Serves until `stop` is cancelled. Calls `ready` with the URL once requests are served.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    config: &Config,
    heads: HeadLimit,
    connections: Connections,
    stop: CancellationToken,
    ready: impl FnOnce(&str),
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let handle = Handle::new();
    let stopper = handle.clone();
    let stopping = tokio::spawn(async move {
        stop.cancelled().await;
        stopper.graceful_shutdown(Some(GRACE));
    });
    let make_service = app.into_make_service_with_connect_info::<SocketAddr>();
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    // Without Nagle's algorithm: otherwise the last part of a response waits until the client has acknowledged the
    // previous one, which takes 40 ms.
    let plain = ReadAcceptor::new(NoDelayAcceptor::new(), config.limits.stalled_write_time);
    let serving = async {
        match &config.tls {
            Some(tls) => {
                let tls_config = RustlsConfig::from_pem_file(&tls.cert, &tls.key).await.with_context(|| {
                    format!("the certificate {} or its key {} cannot be used", tls.cert.display(), tls.key.display())
                })?;
                let acceptor = RustlsAcceptor::new(tls_config).acceptor(plain);
                let acceptor = LimitedAcceptor::new(HeadAcceptor::new(acceptor, heads), connections);
                let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle.clone());
                limit(server.http_builder(), config);
                server.serve(make_service).await?;
            }
            None => {
                let acceptor = LimitedAcceptor::new(HeadAcceptor::new(plain, heads), connections);
                let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle.clone());
                limit(server.http_builder(), config);
                server.serve(make_service).await?;
            }
        }
        anyhow::Ok(())
    };
    tokio::pin!(serving);
    tokio::select! {
        outcome = &mut serving => outcome?,
        listening = handle.listening() => {
            if listening.is_some() {
                ready(&format!("{scheme}://{address}"));
            }
            serving.await?;
        }
    }
    stopping.abort();
    Ok(())
}

/// Limits of a connection before its request is known.
fn limit(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>, config: &Config) {
    builder
        .http1()
        .timer(TokioTimer::new())
        // This also runs between requests; the first one has its own limit.
        .header_read_timeout(config.limits.upgrade_time.max(config.limits.idle_time))
        // hyper requires at least 8 KiB.
        .max_buf_size(config.limits.header_bytes.max(8 << 10));
    // A head slightly above the limit becomes a request, which is rejected with an error message.
    let http2_bytes = config.limits.header_bytes.saturating_mul(HTTP2_HEADS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_send_buf_size(HTTP2_SEND_BYTES)
        .max_header_list_size(u32::try_from(http2_bytes).unwrap_or(u32::MAX));
}
