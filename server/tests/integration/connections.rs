//! Connection limits: a client that opens many connections without requests excludes nobody, even without a token.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use serde_json::json;

use crate::common::{HYPERSCOPE, Live, PATIENCE, Program, Server, TOKEN, client, in_memory};

/// The limits of these tests, short so that the tests are fast.
const SHORT: [&str; 6] =
    ["--limit-first-request-time", "1s", "--limit-idle-time", "2s", "--limit-stalled-write-time", "1s"];

/// A connection over which `said` was sent.
async fn opened(server: &Server, said: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(said).await.unwrap();
    stream
}

/// Reads until the server closes the connection.
async fn closed(stream: &mut TcpStream, what: &str) -> Vec<u8> {
    let mut read = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    // A reset also counts as closed.
    let _ = end.unwrap_or_else(|_| panic!("{what}: still open"));
    read
}

/// The beginning of an HTTP/2 connection with empty settings (RFC 9113, section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn who_asks_nothing_is_closed() {
    let server = Server::serve(&SHORT).await;
    for (what, said) in [
        ("nothing", &b""[..]),
        ("half a request line", b"GET /hea"),
        ("half a head", b"GET /health HTTP/1.1\r\nhost: h\r\n"),
        ("the first letter of HTTP/2", b"P"),
        ("half of HTTP/2's beginning", b"PRI * HTTP/2.0\r\n"),
        ("HTTP/2's beginning", HTTP2),
    ] {
        closed(&mut opened(&server, said).await, what).await;
    }
    let mut idle = opened(&server, b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let answer = closed(&mut idle, "one request and no more").await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_finished_handshake_is_no_request() {
    let made = TempDir::new().unwrap();
    let path = |name: &str| made.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let make = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=h -keyout {key} -out {cert}"
    );
    let mut openssl = Program::start("openssl", &make.split(' ').collect::<Vec<_>>(), &[]);
    assert!(openssl.ended().await.success(), "{}", openssl.stderr());
    let mut program =
        crate::common::launch("serve", made.path(), &[&SHORT[..], &["--tls-cert", &cert, "--tls-key", &key]].concat());
    let url = program.said("hyperscope ready on https://").await;
    let mut silent = TcpStream::connect(&url).await.unwrap();
    closed(&mut silent, "no handshake").await;
    // Its input does not end, so it stays until the server closes it.
    let mut shaken = Program::start("openssl", &["s_client", "-connect", &url, "-ign_eof", "-brief"], &[]);
    shaken.ended().await;
    assert!(shaken.stderr().contains("CONNECTION ESTABLISHED"), "{}", shaken.stderr());
}

#[tokio::test]
async fn who_trickles_a_head_is_closed() {
    let server = Server::serve(&SHORT).await;
    let mut stream = opened(&server, b"GET /health HTTP/1.1\r\n").await;
    let started = Instant::now();
    while stream.write_all(b"x: y\r\n").await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "still open");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn who_reads_nothing_is_closed_and_who_reads_slowly_is_not() {
    let server = Server::serve(&SHORT).await;
    // More than the buffers of both ends hold.
    let query = "sort_desc(label_replace(vector(1), \"a\", \"".to_owned() + &"x".repeat(40_000) + "\", \"\", \"\"))";
    let ask = format!(
        "GET /api/v1/query?query={} HTTP/1.1\r\nhost: h\r\nx-api-key: {TOKEN}\r\n\r\n",
        query.replace(' ', "%20").replace('"', "%22")
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let started = Instant::now();
    // Once the buffers are full, the server stops reading, and then closes.
    while timeout(PATIENCE, stream.write_all(ask.as_bytes())).await.expect("the end of it").is_ok() {
        assert!(started.elapsed() < PATIENCE, "answers that nobody reads are still written");
    }
    let mut slow = opened(&server, ask.as_bytes()).await;
    let mut piece = vec![0; 8 << 10];
    let mut read = 0;
    while read < 40_000 {
        read += timeout(PATIENCE, slow.read(&mut piece)).await.unwrap().unwrap();
        sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn what_works_is_not_closed() {
    let server = Server::serve(&["--limit-first-request-time", "1s", "--limit-idle-time", "1s"]).await;
    // A request that takes longer than the idle timeout of a connection.
    let held = server.get("/api/live?topics=jobs&timeout=3&since=").send().await.unwrap();
    assert_eq!(held.status(), 200);
    let body: serde_json::Value = held.json().await.unwrap();
    let since = body["since"].as_str().unwrap();
    let started = Instant::now();
    let held = server.get(&format!("/api/live?topics=jobs&timeout=3&since={since}")).send().await.unwrap();
    assert_eq!(held.status(), 200);
    assert!(started.elapsed() > Duration::from_secs(2), "it was held");
    let mut live = Live::open_at(&server, "/ws?topics=jobs").await;
    assert_eq!(live.next().await["type"], "snapshot");
    sleep(Duration::from_secs(3)).await;
    live.send(&json!({"type": "subscribe", "id": 9, "topic": "alerts"})).await;
    assert_eq!(live.next().await["id"], 9);
}

/// HTTP/2: `window` bytes of an answer may be sent, and GET /login (RFC 9113, 6.5 and 6.2; RFC 7541).
fn ask_and_take(window: u8) -> Vec<u8> {
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, window];
    let fields = [&[0x82, 0x86, 0x44, 6][..], b"/login", &[0x41, 1], b"h"].concat();
    let head = [0, 0, u8::try_from(fields.len()).unwrap(), 1, 5, 0, 0, 0, 1];
    [&HTTP2[..24], &settings, &head, &fields].concat()
}

/// HTTP/2: POST /login on the second stream, whose form never arrives.
fn ask_and_send_nothing() -> Vec<u8> {
    let fields = [&[0x83, 0x86, 0x44, 6][..], b"/login", &[0x41, 1], b"h"].concat();
    let head = [0, 0, u8::try_from(fields.len()).unwrap(), 1, 4, 0, 0, 0, 3];
    [&head[..], &fields].concat()
}

#[tokio::test]
async fn who_gives_an_answer_no_room_is_closed() {
    let server = Server::serve(&SHORT).await;
    let beside = [ask_and_take(0), ask_and_send_nothing()].concat();
    let asked =
        [("a window of nothing", ask_and_take(0)), ("a window of a byte", ask_and_take(1)), ("a post beside", beside)];
    for (what, asked) in asked {
        let mut stream = opened(&server, &asked).await;
        let read = closed(&mut stream, what).await;
        // A HEADERS frame arrived: the request was answered.
        assert!(read.windows(2).any(|pair| pair == [1, 4]), "{what}: {read:?}");
    }
}

/// A server with a low limit of open files and sockets.
async fn cramped(args: &[&str]) -> (Server, Arc<TempDir>) {
    let data_dir = Arc::new(in_memory());
    let all = crate::common::arguments("serve", data_dir.path(), args);
    let all: Vec<&str> = ["-c", "ulimit -n 256; exec \"$0\" \"$@\"", HYPERSCOPE].into_iter().chain(all).collect();
    let program = Program::start("sh", &all, &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)]);
    (Server::ready(program, Arc::clone(&data_dir)).await, data_dir)
}

#[tokio::test]
async fn three_hundred_silent_connections_keep_nobody_out() {
    let (server, _data_dir) = cramped(&[]).await;
    let mut walls = Vec::new();
    for _ in 0..20 {
        let mut wall = Live::open_at(&server, "/ws?topics=jobs").await;
        assert_eq!(wall.next().await["type"], "snapshot");
        walls.push(wall);
    }
    let mut silent = Vec::new();
    for number in 0..300 {
        let said = if number % 2 == 0 { &b""[..] } else { HTTP2 };
        if let Ok(Ok(mut stream)) = timeout(Duration::from_secs(1), TcpStream::connect(server.address)).await {
            let _ = stream.write_all(said).await;
            silent.push(stream);
        }
    }
    for _ in 0..5 {
        let health = client().get(server.url("/health")).send().await.expect("an answer");
        assert_eq!(health.status(), 200);
    }
    let page = server.get("/jobs").send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    for wall in &mut walls {
        wall.send(&json!({"type": "subscribe", "id": 9, "topic": "alerts"})).await;
        assert_eq!(wall.next().await["id"], 9, "those who were there before stay");
    }
    assert!(!server.program.stderr().contains("Too many open files"), "{}", server.program.stderr());
}
