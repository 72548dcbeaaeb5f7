//! The whole server as a process: which credentials are accepted where, what the terminal shows, and what it never
//! shows.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use reqwest::{Client, StatusCode, redirect::Policy};
use tempfile::TempDir;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// `hyperscope serve` on a free port; killed when dropped.
struct Server {
    child: Child,
    url: String,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with an empty environment.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperscope"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HYPERSCOPE_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", home).env_remove("XDG_DATA_HOME").env("HYPERSCOPE_DATA_DIR", home.join("data"));
    command
}

/// Appends the lines of a stream to `output`.
fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    })
}

impl Server {
    fn start(home: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = program(home);
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("RUST_LOG", "trace").envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::default();
        let readers =
            vec![collect(child.stdout.take().unwrap(), &output), collect(child.stderr.take().unwrap(), &output)];
        let mut server = Server { child, url: String::new(), output, readers };
        server.url = server.line("hyperscope ready on ");
        server
    }

    /// Waits for a line that begins with `start`, and returns the rest of the line.
    fn line(&mut self, start: &str) -> String {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(line) = self.output().lines().find_map(|line| line.strip_prefix(start).map(str::to_owned)) {
                return line;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status}: {}", self.output());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("no line {start:?}: {}", self.output());
    }

    /// All output so far, of stdout and stderr.
    fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Stops it; returns its exit status and all output.
    fn stop(mut self) -> (ExitStatus, String) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(since.elapsed() < PATIENCE, "it does not stop"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.output())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn status(&self, path: &str, secret: &str) -> StatusCode {
        client().get(self.url(path)).bearer_auth(secret).send().await.unwrap().status()
    }
}

/// Runs `hyperscope token` beside the server and returns its output.
fn token(home: &Path, arguments: &[&str]) -> String {
    let output = program(home).arg("token").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Creates a token beside the server and returns its id and secret once the server accepts it.
async fn make_token(server: &Server, home: &Path, arguments: &[&str]) -> (String, String) {
    let secret = token(home, &[&["create", "--name", "test"], arguments].concat());
    let id = token(home, &["list"]).lines().last().unwrap().split(' ').next().unwrap().to_owned();
    let since = Instant::now();
    while server.status("/api/session", &secret).await != StatusCode::OK {
        assert!(since.elapsed() < PATIENCE, "the server does not learn of a new token");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (id, secret)
}

fn client() -> Client {
    // Only the first call installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

#[tokio::test]
async fn the_first_start_prints_a_login_link_and_the_session_outlives_a_restart() {
    let home = TempDir::new().unwrap();
    let mut server = Server::start(home.path(), &[]);
    let link = server.line("login: ");
    token(home.path(), &["keep", "first-token-printed"]);
    assert!(link.starts_with(&format!("{}/login?token=hs_", server.url)), "{link}");
    let response = client().get(&link).send().await.unwrap();
    assert_eq!((response.status(), &response.headers()["location"]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = async |server: &Server| client().get(server.url("/")).header("cookie", &cookie).send().await.unwrap();
    let first = page(&server).await;
    assert_eq!(first.status(), StatusCode::OK);
    let policy = first.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    let html = first.text().await.unwrap();
    assert!(html.contains(nonce), "the page's scripts do not carry its nonce");
    let scripts = html.matches("<script").count();
    assert_eq!(scripts, html.matches(&format!("nonce=\"{nonce}\">")).count().min(scripts), "a script has no nonce");
    let (status, written) = server.stop();
    assert!(status.success(), "{status}");
    assert!(
        written.contains("ends in 24 hours") && written.contains("hyperscope token keep first-token-printed"),
        "{written}"
    );

    let server = Server::start(home.path(), &[]);
    assert_eq!(page(&server).await.status(), StatusCode::OK);
    assert!(!server.stop().1.contains("login: "));
}

#[tokio::test]
async fn every_path_but_the_open_ones_asks_for_a_token() {
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[]);
    for path in ["/health", "/ready", "/-/healthy", "/-/ready", "/login"] {
        assert_eq!(client().get(server.url(path)).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    for path in ["/", "/jobs", "/system", "/d/hypersdk-jobs", "/kiosk/hypersdk-jobs", "/settings", "/jobs/a/b"] {
        let response = client().get(server.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(response.headers()["location"].to_str().unwrap().starts_with("/login?next="), "{path}");
    }
    for path in [
        "/api/live?topics=jobs",
        "/api/jobs",
        "/api/jobs/a/b",
        "/api/upstreams",
        "/api/dashboards",
        "/api/tokens",
        "/api/session",
        "/api/v1/query?query=up",
        "/api/frame?query=up&end_ms=1&step_ms=1",
        "/api/v1/query_range?query=up&start=0&end=1&step=1",
        "/api/v1/labels",
        "/api/v1/label/job/values",
        "/api/v1/series?match[]=up",
        "/api/v1/metadata",
        "/api/v1/rules",
        "/api/v1/alerts",
        "/api/v1/status/buildinfo",
        "/api/v1/metrics",
        "/metrics",
        "/ws",
    ] {
        let response = client().get(server.url(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert!(body["error"].is_string() == path.starts_with("/api/v1"), "{path}: {body}");
    }
    for path in ["/api/v1/query", "/api/tokens", "/api/jobs/a/b/cancel"] {
        let response = client().post(server.url(path)).send().await.unwrap();
        assert!([401, 404, 405].contains(&response.status().as_u16()), "{path}: {}", response.status());
    }
}

#[tokio::test]
async fn a_kiosk_of_some_dashboards_polls_their_topics_where_no_socket_gets_through() {
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[]);
    let limits = ["--role", "kiosk", "--dashboards", "hypersdk-overview"];
    let (_, kiosk) = make_token(&server, home.path(), &limits).await;
    assert_eq!(server.status("/api/live?topics=jobs,alerts&timeout=0", &kiosk).await, StatusCode::OK);
    assert_eq!(server.status("/api/jobs", &kiosk).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_chosen_token_lets_in_and_nothing_secret_is_written() {
    let home = TempDir::new().unwrap();
    let chosen = "chosen-by-the-operator-0123456789abcdef";
    let server = Server::start(home.path(), &[("HYPERSCOPE_ADMIN_TOKEN", chosen)]);
    let (_, viewer) = make_token(&server, home.path(), &["--role", "viewer"]).await;
    let mut secrets = vec![chosen.to_owned(), viewer.clone()];
    for secret in secrets.clone() {
        for path in ["/", "/api/session", "/api/v1/query?query=up"] {
            assert_eq!(server.status(path, &secret).await, StatusCode::OK, "{path}");
        }
        let login = client().get(server.url(&format!("/login?token={secret}"))).send().await.unwrap();
        let cookie = login.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = client().get(server.url("/jobs")).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        secrets.push(cookie.split_once('=').unwrap().1.to_owned());
        // On other routes it is neither accepted nor stored.
        let ignored = client().get(server.url(&format!("/api/session?token={secret}"))).send().await.unwrap();
        assert_eq!(ignored.status(), StatusCode::UNAUTHORIZED);
        let mut upgrade = format!("{}/ws", server.url.replace("http", "ws")).into_client_request().unwrap();
        let protocols = format!("hyperscope.v1.json, bearer.{secret}");
        upgrade.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
        let (_socket, response) = connect_async(upgrade).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "hyperscope.v1.json");
    }
    let wrong = "hs_wrong-wrong-wrong-wrong-wrong-wrong-wrong";
    for _ in 0..3 {
        assert_eq!(server.status("/api/session", wrong).await, StatusCode::UNAUTHORIZED);
        client().get(server.url(&format!("/login?token={wrong}"))).send().await.unwrap();
    }
    secrets.push(wrong.to_owned());
    let made = client().post(server.url("/api/tokens")).bearer_auth(chosen);
    let made = made.json(&serde_json::json!({ "name": "over http", "role": "ingest" })).send().await.unwrap();
    let made: serde_json::Value = made.json().await.unwrap();
    secrets.push(made["secret"].as_str().unwrap().to_owned());

    let (status, output) = server.stop();
    assert!(status.success());
    for secret in secrets {
        assert!(!output.contains(&secret), "{secret} is written: {output}");
    }
    for line in ["logged in", "refused: wrong token", "token made"] {
        assert!(output.contains(line), "there is no audit line {line:?}: {output}");
    }
}

#[tokio::test]
async fn a_token_revoked_on_the_command_line_ends_on_the_running_server() {
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[]);
    let (id, secret) = make_token(&server, home.path(), &["--role", "viewer"]).await;
    let mut upgrade = format!("{}/ws?topics=jobs", server.url.replace("http", "ws")).into_client_request().unwrap();
    upgrade.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    let (mut socket, _) = connect_async(upgrade).await.unwrap();
    token(home.path(), &["revoke", &id]);
    let closed = tokio::time::timeout(PATIENCE, async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    });
    assert_eq!(closed.await.unwrap(), Some(4401));
    assert_eq!(server.status("/api/session", &secret).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_waits_for_an_answer_ends_with_its_token_by_either_method() {
    let home = TempDir::new().unwrap();
    // An engine that never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let engine = format!("http://{}", silent.local_addr().unwrap());
    let server = Server::start(home.path(), &[("HYPERSCOPE_PROMETHEUS_URL", &engine)]);
    let (id, secret) = make_token(&server, home.path(), &["--role", "viewer"]).await;
    let url = server.url("/api/v1/query?query=up");
    let asked = [client().get(&url), client().post(&url)].map(|request| request.bearer_auth(&secret).send());
    let mut asked = futures_util::future::join_all(asked);
    tokio::select! {
        answers = &mut asked => panic!("answered: {answers:?}"),
        () = tokio::time::sleep(Duration::from_secs(2)) => {}
    }
    token(home.path(), &["revoke", &id]);
    let answers = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("an end with the token");
    for answer in answers {
        assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_kiosk_sees_its_dashboards_and_nothing_else() {
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[]);
    let limits = ["--role", "kiosk", "--dashboards", "hypersdk-system"];
    let (_, kiosk) = make_token(&server, home.path(), &limits).await;
    for path in ["/kiosk/hypersdk-system", "/d/hypersdk-system", "/system"] {
        assert_eq!(server.status(path, &kiosk).await, StatusCode::OK, "{path}");
    }
    for path in [
        "/",
        "/jobs",
        "/d/hypersdk-jobs",
        "/kiosk/hypersdk-overview",
        "/api/jobs",
        "/api/tokens",
        "/api/v1/query?query=up",
        "/api/frame?query=up&end_ms=1&step_ms=1",
        "/api/v1/query?query=hypersdk_jobs_active",
        "/api/v1/series?match[]=up",
        "/api/v1/labels",
    ] {
        let status = server.status(path, &kiosk).await;
        assert!([StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status), "{path}: {status}");
    }
    let page = client().get(server.url("/kiosk/hypersdk-system")).bearer_auth(&kiosk).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(!page.contains("href=\"/explore\"") && !page.contains("href=\"/alerts\""), "no way to what is not for it");
    let (_, output) = server.stop();
    assert!(output.contains("refused: this session is limited to its dashboards"), "{output}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_and_the_server_goes_on() {
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[]);
    for length in [64 << 10, 1 << 20] {
        let request = client().get(server.url("/api/session")).bearer_auth("a".repeat(length));
        // The connection may be closed before all is sent.
        if let Ok(response) = request.send().await {
            assert_eq!(response.status().as_u16(), 431);
        }
        assert_eq!(client().get(server.url("/health")).send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_and_a_healthy_server_is_healthy() {
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[]);
    let address = server.url.strip_prefix("http://").unwrap();
    let healthy = program(home.path()).args(["healthcheck", "--listen", address]).output().unwrap().status;
    assert_eq!(healthy.code(), Some(0));
    let other = TempDir::new().unwrap();
    let second = program(other.path()).args(["serve", "--listen", address]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(address) && said.contains("in use") && said.contains("--listen"), "{said}");
}

#[tokio::test]
async fn a_daemon_is_reached_through_a_proxy_only_where_that_is_set() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let daemon = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", daemon.local_addr().unwrap());
    let surroundings = [
        ("HTTP_PROXY", proxy.as_str()),
        ("http_proxy", proxy.as_str()),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        ("HYPERSCOPE_DAEMON_URL", url.as_str()),
        ("HYPERSCOPE_DAEMON_KEY", "the-key-of-the-daemon"),
    ];
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &surroundings);
    tokio::select! {
        came = tokio::time::timeout(PATIENCE, daemon.accept()) => assert!(came.is_ok(), "nobody came: {}", server.output()),
        _ = listener.accept() => panic!("the daemon's key went to the proxy"),
    }
    drop(server);
    let home = TempDir::new().unwrap();
    let server = Server::start(home.path(), &[&surroundings[..], &[("HYPERSCOPE_DAEMON_ENV_PROXY", "true")]].concat());
    let came = tokio::time::timeout(PATIENCE, listener.accept()).await;
    assert!(came.is_ok(), "the proxy was not asked: {}", server.output());
}
