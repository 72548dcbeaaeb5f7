//! Accepts connections within their limits, and ends each of them.

use std::{future::Future, io, net::SocketAddr, pin::Pin};

use axum_server::accept::Accept;
use tokio::{net::TcpStream, time::timeout};

use super::{Connections, service::Counted, waiting::Impatient};

/// Accepts connections like `inner`, within limits.
#[derive(Clone)]
pub(crate) struct LimitedAcceptor<A> {
    inner: A,
    connections: Connections,
}

impl<A> LimitedAcceptor<A> {
    pub(crate) fn new(inner: A, connections: Connections) -> Self {
        LimitedAcceptor { inner, connections }
    }
}

impl<A, S> Accept<TcpStream, S> for LimitedAcceptor<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = Impatient<A::Stream>;
    type Service = Counted<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some(connection) = self.connections.admit(stream.peer_addr().ok().map(|peer: SocketAddr| peer.ip())) else {
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        };
        let handshake = self.connections.shared.limits.first_request;
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let evicted = connection.evicted();
            let accepted = tokio::select! {
                accepted = timeout(handshake, accepting) => accepted,
                () = evicted => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            let (inner, service) = accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            let service = Counted { inner: service, connection: connection.clone() };
            Ok((Impatient::new(inner, connection), service))
        })
    }
}
