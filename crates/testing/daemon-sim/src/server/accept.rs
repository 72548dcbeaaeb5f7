//! Accepts connections and passes their requests to the dialect's routes.
//!
//! Not `axum::serve`, because two faults of the real daemon need more control: it refuses connections while it
//! restarts, and closes a connection without an answer if a handler panics.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower::ServiceExt;

use super::{Dialect, FaultKind, admin, coded, documented, respond::NoAnswer, shared::Shared, web};

/// Timeout for the head of a request, and for an idle connection.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let routes = match shared.options.dialect {
        Dialect::Stock | Dialect::Custom => coded::routes(&shared),
        Dialect::Documented => documented::routes(&shared),
    }
    .merge(admin::routes(&shared));
    let routes = web::beside(routes, shared.options.web.as_deref());
    loop {
        let stream = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, for example: retry when some are closed.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        if shared.faults.is_on(FaultKind::Restart) {
            continue;
        }
        let connection = serve(stream, routes.clone(), shared.restarts());
        let stop = shared.stop.clone();
        shared.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, routes: Router, mut restarts: watch::Receiver<u64>) {
    // A small message must not wait for the acknowledgement of the previous one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let routes = routes.clone();
        async move {
            let answer: Result<_, Infallible> = routes.oneshot(request.map(Body::new)).await;
            let mut answer = answer.unwrap_or_else(|never| match never {});
            // The daemon checks methods by hand and sends no `Allow` header; axum adds it outside of all layers.
            answer.headers_mut().remove(header::ALLOW);
            if answer.extensions().get::<NoAnswer>().is_some() {
                return Err(io::Error::other("the handler panicked"));
            }
            Ok(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        // The answer to the request for the restart is still sent.
        _ = restarts.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
