//! The live socket: the checks before the upgrade, and when it is closed.

use std::time::Duration;

use crate::config::Options;
use access::NewToken;
use axum::http::{HeaderValue, StatusCode};
use futures_util::{SinkExt, StreamExt};
use model::{clock::now_ms, role::Role};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message, client::IntoClientRequest, handshake::client::Request, protocol::frame::coding::CloseCode,
    },
};

use super::server::Server;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn request(server: &Server, headers: &[(&'static str, &str)]) -> Request {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// Opens a socket, or returns the status of the refusal.
async fn open(server: &Server, headers: &[(&'static str, &str)]) -> Result<Socket, StatusCode> {
    match connect_async(request(server, headers)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(StatusCode::from_u16(response.status().as_u16()).unwrap()),
        Err(error) => panic!("{error}"),
    }
}

/// Waits for the close, and returns its code.
async fn closed(socket: &mut Socket) -> CloseCode {
    let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
    match message.unwrap().unwrap().unwrap() {
        Message::Close(Some(frame)) => frame.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_upgrade_is_refused_with_a_status() {
    let server = Server::start().await;
    let (_, viewer) = server.token(Role::Viewer).await;
    let (_, ingest) = server.token(Role::Ingest).await;
    let cookie = server.log_in(&viewer).await;
    let own = format!("http://{}", server.address);
    let bearer = format!("Bearer {viewer}");
    for (headers, expected) in [
        (vec![], 401),
        (vec![("authorization", "Bearer wrong")], 401),
        (vec![("sec-websocket-protocol", "hyperscope.v1.json, bearer.wrong")], 401),
        (vec![("cookie", "hyperscope_session=wrong"), ("origin", own.as_str())], 401),
        (vec![("x-api-key", ingest.as_str())], 403),
        (vec![("cookie", cookie.as_str())], 403),
        (vec![("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")], 403),
        (vec![("cookie", cookie.as_str()), ("origin", "http://evil.example")], 403),
        (vec![("cookie", cookie.as_str()), ("origin", "null")], 403),
        (vec![("authorization", bearer.as_str()), ("origin", "http://evil.example")], 403),
    ] {
        assert_eq!(open(&server, &headers).await.err().map(|status| status.as_u16()), Some(expected), "{headers:?}");
    }
}

#[tokio::test]
async fn every_carrier_opens_a_socket_and_the_response_has_no_token() {
    let server = Server::start().await;
    let (_, viewer) = server.token(Role::Viewer).await;
    let cookie = server.log_in(&viewer).await;
    let own = format!("http://{}", server.address);
    let (bearer, subprotocols) = (format!("Bearer {viewer}"), format!("hyperscope.v1.json, bearer.{viewer}"));
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("x-api-key", viewer.as_str()), ("origin", own.as_str())],
        vec![("cookie", cookie.as_str()), ("origin", own.as_str())],
    ] {
        let mut socket = open(&server, &headers).await.unwrap();
        socket.send(Message::text("hello")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    }
    let by_subprotocol = request(&server, &[("sec-websocket-protocol", &subprotocols), ("origin", &own)]);
    let (_, response) = connect_async(by_subprotocol).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "hyperscope.v1.json");
    assert!(!format!("{response:?}").contains(&viewer));
}

#[tokio::test]
async fn a_revoked_token_closes_its_sockets() {
    let server = Server::start().await;
    let (token, secret) = server.token(Role::Viewer).await;
    let cookie = server.log_in(&secret).await;
    let own = format!("http://{}", server.address);
    let mut by_token = open(&server, &[("x-api-key", &secret)]).await.unwrap();
    let mut by_session = open(&server, &[("cookie", &cookie), ("origin", &own)]).await.unwrap();
    server.tokens.revoke(&token.id).await.unwrap();
    assert_eq!(closed(&mut by_token).await, CloseCode::from(4401));
    assert_eq!(closed(&mut by_session).await, CloseCode::from(4401));
}

#[tokio::test]
async fn a_token_that_expires_closes_its_sockets() {
    let server = Server::start().await;
    let end_ms = now_ms() + 1_500;
    let new = NewToken {
        name: "short".into(),
        role: Role::Viewer,
        expires_at: Some(end_ms),
        dashboards: Vec::new(),
        matchers: String::new(),
    };
    let (_, secret) = server.token_with(new).await;
    let mut socket = open(&server, &[("x-api-key", &secret)]).await.unwrap();
    assert_eq!(closed(&mut socket).await, CloseCode::from(4401));
    assert!(now_ms() >= end_ms);
}

#[tokio::test]
async fn a_logout_closes_only_the_sockets_of_its_session() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let (one, other) = (server.log_in(&secret).await, server.log_in(&secret).await);
    let own = format!("http://{}", server.address);
    let mut ending = open(&server, &[("cookie", &one), ("origin", &own)]).await.unwrap();
    let mut staying = open(&server, &[("cookie", &other), ("origin", &own)]).await.unwrap();
    super::server::client().post(server.url("/logout")).header("cookie", &one).send().await.unwrap();
    assert_eq!(closed(&mut ending).await, CloseCode::from(4401));
    staying.send(Message::text("still here")).await.unwrap();
    assert_eq!(staying.next().await.unwrap().unwrap(), Message::text("still here"));
}

#[tokio::test]
async fn the_sockets_of_a_token_are_limited_and_released() {
    let mut options = Options::default();
    (options.limits.token_sockets, options.limits.kiosk_sockets, options.limits.sockets) = (Some(2), Some(3), Some(6));
    let server = Server::start_with(options).await;
    let (_, viewer) = server.token(Role::Viewer).await;
    let (_, kiosk) = server.token(Role::Kiosk).await;
    let viewer = [("x-api-key", viewer.as_str())];
    let mut held = vec![open(&server, &viewer).await.unwrap(), open(&server, &viewer).await.unwrap()];
    assert_eq!(open(&server, &viewer).await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    let kiosk = [("x-api-key", kiosk.as_str())];
    for _ in 0..3 {
        held.push(open(&server, &kiosk).await.unwrap());
    }
    assert_eq!(open(&server, &kiosk).await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    // An admin is limited only by the total.
    let (_, admin) = server.token(Role::Admin).await;
    let admin = [("x-api-key", admin.as_str())];
    held.push(open(&server, &admin).await.unwrap());
    assert_eq!(open(&server, &admin).await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    drop(held);
    for _ in 0..200 {
        if open(&server, &viewer).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("places are not given back");
}
