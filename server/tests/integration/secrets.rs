//! No secret leaves the server: no password of a daemon, no daemon's key, no token, on any path or in any file.

use std::{path::Path, sync::Arc, time::Duration};

use crate::common::{HYPERSCOPE, Live, Program, Server, Simulator, TOKEN, arguments, eventually, now_ms, token};
use daemon_sim::VCENTER_PASSWORD;
use futures_util::StreamExt;
use reqwest::Method;
use tempfile::TempDir;

const DAEMON_KEY: &str = "the-key-of-the-daemon-4711";

/// All output of a server, with its origin.
#[derive(Default)]
struct Collected(Vec<(String, Vec<u8>)>);

impl Collected {
    fn add(&mut self, from: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.0.push((from.into(), bytes.as_ref().to_vec()));
    }

    /// Fails if it contains a secret.
    fn is_clean_of(&self, what: &str, secret: &str) {
        let places: Vec<&str> = self
            .0
            .iter()
            .filter(|(_, bytes)| bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes()))
            .map(|(from, _)| from.as_str())
            .collect();
        assert!(places.is_empty(), "{what} is in {places:?}");
    }

    async fn fetch(&mut self, server: &Server, path: &str) {
        self.request(server, Method::GET, path, TOKEN).await;
    }

    async fn request(&mut self, server: &Server, method: Method, path: &str, token: &str) {
        let request = crate::common::client().request(method, server.url(path)).bearer_auth(token);
        let answer = request.send().await.unwrap();
        self.add(format!("headers of {path}"), format!("{:?}", answer.headers()));
        self.add(path, answer.bytes().await.unwrap());
    }

    async fn listen(&mut self, mut live: Live, what: &str) {
        let listening = async {
            while let Some(Ok(message)) = live.socket.next().await {
                self.add(what, message.into_data());
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(4), listening).await;
    }

    fn add_files(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_files(&path);
            } else {
                self.add(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }
}

async fn start(daemon: &Simulator) -> Server {
    let data_dir = Arc::new(TempDir::new().unwrap());
    let named = daemon.named("sim");
    let args = ["--daemon-url", named.as_str(), "--scrape-interval", "1s"];
    let variables = [("HYPERSCOPE_ADMIN_TOKEN", TOKEN), ("HYPERSCOPE_DAEMON_KEY", DAEMON_KEY), ("RUST_LOG", "debug")];
    let program = Program::start(HYPERSCOPE, &arguments("serve", data_dir.path(), &args), &variables);
    Server::ready(program, data_dir).await
}

#[tokio::test]
async fn nothing_that_comes_out_holds_a_secret() {
    for dialect in ["stock", "custom", "documented"] {
        let key = if dialect == "stock" { &[][..] } else { &["--api-key", DAEMON_KEY][..] };
        let simulator = Simulator::start(dialect, &[&["--jobs-per-minute", "240"], key].concat()).await;
        let server = start(&simulator).await;
        let mut collected = Collected::default();

        // A daemon that puts its password into the text of an error.
        let job = simulator.submit("tells too much").await;
        simulator.change(&job, &format!("fail?error=login%20failed:%20password={VCENTER_PASSWORD}%20refused")).await;
        eventually("the failed job", async || {
            let jobs = server.json("/api/jobs?status=failed").await;
            jobs["jobs"].as_array().unwrap().iter().any(|found| found["id"] == *job).then_some(())
        })
        .await;

        // All requests of a user.
        let jobs = eventually("jobs enough for a test", async || {
            let jobs = server.json("/api/jobs").await;
            (jobs["jobs"].as_array().unwrap().len() > 5).then_some(jobs)
        })
        .await;
        collected.add("/api/jobs", jobs.to_string());
        for found in jobs["jobs"].as_array().unwrap().iter().take(12) {
            let id = found["id"].as_str().unwrap();
            collected.fetch(&server, &format!("/api/jobs/sim/{id}")).await;
            collected.fetch(&server, &format!("/jobs/sim/{id}")).await;
        }
        collected.fetch(&server, &format!("/jobs/sim/{job}")).await;
        let (from, to) = ((now_ms() - 60_000) / 1000, now_ms() / 1000);
        for path in [
            "/",
            "/jobs",
            "/system",
            "/settings",
            "/kiosk/hypersdk-overview",
            "/login",
            "/d/none",
            "/metrics",
            "/api/v1/metrics",
            "/health",
            "/ready",
            "/api/session",
            "/api/tokens",
            "/api/upstreams",
            "/api/alerts",
            "/api/dashboards",
            "/api/openapi.json",
            "/api/live?topics=jobs,system,alerts,upstreams&timeout=2",
            "/api/v1/labels",
            "/api/v1/metadata",
            "/api/v1/status/buildinfo",
            "/api/v1/label/__name__/values",
            "/api/v1/series?match[]={__name__=~\".%2B\"}",
            &format!("/api/v1/query_range?query={{__name__=~\".%2B\"}}&start={from}&end={to}&step=1"),
        ] {
            collected.fetch(&server, path).await;
        }
        collected.request(&server, Method::POST, &format!("/api/jobs/sim/{job}/cancel"), TOKEN).await;
        collected.listen(Live::open_at(&server, "/ws?topics=jobs,system,alerts,upstreams").await, "socket, JSON").await;
        let mut binary = Live::open_binary(&server).await;
        binary.subscribe(1, "jobs").await;
        binary.subscribe_query(2, r#"{__name__=~".+"}"#, 10_000, 1_000).await;
        collected.listen(binary, "socket, binary").await;

        // Tokens: a used one, a session of it, and a wrong one.
        let secret = token(server.data_dir.path(), &["create", "--name", "someone", "--role", "viewer"]).await;
        assert!(secret.starts_with("hs_"), "{secret}");
        let session = eventually("a login", async || {
            let answer = server.get_as_nobody(&format!("/login?token={secret}")).send().await.unwrap();
            let cookie = answer.headers().get("set-cookie")?.to_str().unwrap().to_owned();
            let location = answer.headers()["location"].to_str().unwrap();
            assert!(!location.contains(&secret), "{location}");
            cookie.split(';').next().unwrap().split_once('=').map(|(_, value)| value.to_owned())
        })
        .await;
        let wrong = format!("{}wrong", &secret[..40]);
        for path in ["/", "/api/jobs", "/api/v1/query?query=up", "/login"] {
            collected.request(&server, Method::GET, path, &wrong).await;
            collected.request(&server, Method::GET, path, &secret).await;
        }
        let kiosk_link = server.get_as_nobody(&format!("/kiosk/hypersdk-jobs?token={wrong}")).send().await.unwrap();
        collected.add(
            "a wrong kiosk link",
            format!("{:?}{}", kiosk_link.headers().clone(), kiosk_link.text().await.unwrap()),
        );

        let data_dir = Arc::clone(&server.data_dir);
        let (status, program) = server.stop().await;
        assert!(status.success(), "{status}");
        collected.add("stdout", program.stdout());
        collected.add("stderr", program.stderr());
        assert!(program.stderr().contains("audit"), "the log is not at work: {}", program.stderr());
        collected.add_files(data_dir.path());
        for (what, secret) in [
            ("the vCenter password", VCENTER_PASSWORD),
            ("the daemon's key", DAEMON_KEY),
            ("the first token", TOKEN),
            ("a token", &secret),
            ("a wrong token", &wrong),
            ("a session", &session),
        ] {
            collected.is_clean_of(&format!("{dialect}: {what}"), secret);
        }
    }
}
