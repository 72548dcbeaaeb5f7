//! Engines over TLS: server and client certificates.

use std::process::Command;

use reqwest::{Certificate, Client, Identity, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use super::configured;
use crate::common::{self, Live, Program, Server, eventually, free_port};

/// A directory with files made by `openssl`.
struct Certificates(TempDir);

impl Certificates {
    /// An authority `ca`, and an unknown one, `stranger`.
    fn new() -> Self {
        let certificates = Certificates(TempDir::new().unwrap());
        for authority in ["ca", "stranger"] {
            certificates.make(authority, "basicConstraints=critical,CA:TRUE", None);
        }
        certificates.make("engine", "subjectAltName=IP:127.0.0.1", Some("ca"));
        certificates.make("us", "extendedKeyUsage=clientAuth", Some("ca"));
        certificates.make("not-us", "extendedKeyUsage=clientAuth", Some("stranger"));
        certificates
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    /// `NAME.pem` and `NAME-key.pem`, signed by the authority or self-signed.
    fn make(&self, name: &str, extension: &str, authority: Option<&str>) {
        let (cert, key) = (format!("{name}.pem"), format!("{name}-key.pem"));
        let mut command = Command::new("openssl");
        command.current_dir(self.0.path());
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-addext", extension, "-subj", &format!("/CN={name}"), "-keyout", &key]);
        command.args(["-out", &cert]);
        if let Some(authority) = authority {
            command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
            command.args(["-CA", &format!("{authority}.pem"), "-CAkey", &format!("{authority}-key.pem")]);
        }
        let made = command.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A Prometheus that requires a certificate of the authority, and scrapes itself.
async fn demanding_prometheus(certificates: &Certificates, max_version: &str) -> (Program, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let directory = certificates.0.path();
    let write = |name: &str, text: String| std::fs::write(directory.join(name), text).unwrap();
    write(
        "web.yaml",
        format!(
            "tls_server_config:\n  cert_file: engine.pem\n  key_file: engine-key.pem\n  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n  max_version: {max_version}\n"
        ),
    );
    write(
        "prometheus.yaml",
        format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: itself\n  scheme: https\n  tls_config: {{ ca_file: ca.pem, cert_file: us.pem, key_file: us-key.pem }}\n  static_configs: [{{ targets: ['{address}'] }}]\n"
        ),
    );
    let program = Program::start(
        "prometheus",
        &[
            &format!("--config.file={}", certificates.path("prometheus.yaml")),
            &format!("--web.config.file={}", certificates.path("web.yaml")),
            &format!("--storage.tsdb.path={}", certificates.path(&format!("data-{max_version}"))),
            &format!("--web.listen-address={address}"),
        ],
        &[],
    );
    let url = format!("https://{address}");
    let pem = [certificates.read("us-key.pem"), certificates.read("us.pem")].concat();
    let client = client_that_knows(certificates).identity(Identity::from_pem(&pem).unwrap()).build().unwrap();
    eventually("a scrape by a Prometheus that demands certificates", async || {
        let answer = client.get(format!("{url}/api/v1/query?query=up")).send().await.ok()?;
        let answer: Value = answer.json().await.ok()?;
        (answer["data"]["result"][0]["value"][1] == "1").then_some(())
    })
    .await;
    let nobody = client_that_knows(certificates).build().unwrap();
    assert!(nobody.get(format!("{url}/api/v1/query?query=up")).send().await.is_err(), "it demands no certificate");
    (program, url)
}

fn client_that_knows(certificates: &Certificates) -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = Certificate::from_pem(&certificates.read("ca.pem")).unwrap();
    Client::builder().no_proxy().tls_certs_only([authority])
}

#[tokio::test]
async fn an_engine_over_tls_is_believed_by_its_certificate() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let arguments = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=engine -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout {} -out {}",
        path("key.pem"),
        path("cert.pem")
    );
    let mut openssl = Program::start("openssl", &arguments.split(' ').collect::<Vec<_>>(), &[]);
    assert!(openssl.ended().await.success(), "{}", openssl.stderr());
    let mut engine = common::launch(
        "serve",
        &directory.path().join("data"),
        &["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")],
    );
    let address = engine.said("hyperscope ready on https://").await;
    let bearer = common::TOKEN;
    let serve = async |more: &str| {
        let text = format!("engines:\n- name: far\n  url: https://{address}\n  bearer_token: {bearer}\n{more}");
        let (directory, file) = configured(&text, &[]);
        let server = Server::serve(&["--config", &file]).await;
        let answer = server.get("/api/v1/query?query=vector(3)").send().await.unwrap();
        drop(directory);
        (answer.status(), answer.text().await.unwrap(), server.program.stderr())
    };
    let (status, answer, _) = serve("").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    assert!(answer.contains("certificate") && answer.contains("tls"), "{answer}");
    let (status, answer, _) = serve(&format!("  tls: {{ ca: {} }}\n", path("cert.pem"))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer.contains("\"3\""), "{answer}");
    let (status, answer, stderr) = serve("  tls: { insecure_skip_verify: true }\n").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(stderr.contains("not verified"), "{stderr}");
}

#[tokio::test]
async fn an_engine_that_demands_a_certificate_gets_ours() {
    let certificates = Certificates::new();
    for version in ["TLS12", "TLS13"] {
        let (_prometheus, url) = demanding_prometheus(&certificates, version).await;
        let paths =
            ["ca.pem", "us.pem", "us-key.pem", "not-us.pem", "not-us-key.pem"].map(|name| certificates.path(name));
        let [ca, us, us_key, not_us, not_us_key] = paths.each_ref().map(String::as_str);

        let known = ["--prometheus-url", &url, "--engine-ca", ca, "--engine-cert", us, "--engine-key", us_key];
        let server = Server::serve(&known).await;
        let up = server.query("up").await;
        assert_eq!((up.len(), &up[0].0["job"], up[0].1), (1, &Value::from("itself"), 1.0));
        let names = server.json("/api/v1/label/job/values").await;
        assert_eq!(names["data"], serde_json::json!(["itself"]));

        // By the file, in the engine's entry.
        let text = format!("engines:\n- url: {url}\n  tls: {{ ca: ca.pem, cert: us.pem, key: us-key.pem }}\n");
        let file = certificates.0.path().join("h.yaml");
        std::fs::write(&file, text).unwrap();
        let server = Server::serve(&["--config", file.to_str().unwrap()]).await;
        assert_eq!(server.query("up").await.len(), 1);

        let common = ["--prometheus-url", &url, "--engine-ca", ca];
        for (more, says) in [
            (vec![], "demands a certificate of ours: give `tls.cert` and `tls.key`"),
            (vec!["--engine-cert", not_us, "--engine-key", not_us_key], "does not accept our certificate"),
        ] {
            let server = Server::serve(&[&common, &more[..]].concat()).await;
            for number in 0..10 {
                let query = server.get(&format!("/api/v1/query?query=up*{number}")).send().await.unwrap();
                let (status, answer) = (query.status(), query.json::<Value>().await.unwrap());
                let message = answer["error"].as_str().unwrap();
                assert_eq!((status, &answer["errorType"]), (StatusCode::SERVICE_UNAVAILABLE, &"unavailable".into()));
                assert!(message.contains(says) && message.contains(&url), "{version}: {message}");
            }
            let shown = server.json("/api/upstreams").await;
            assert!(shown["upstreams"][0]["error"].as_str().unwrap().contains(says), "{shown}");
            let mut live = Live::open(&server).await;
            live.subscribe_query(1, "up", 60_000, 1_000).await;
            let told = live.until("a reason", |message| message["id"] == 1 && message["type"] != "snapshot").await;
            assert!(told.to_string().contains(says), "{told}");
            let page = server.text("/").await;
            assert!(page.contains(says), "the panels do not say why they are empty");
        }
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_named_at_the_start() {
    let certificates = Certificates::new();
    let start = async |files: [&str; 3]| {
        let [ca, cert, key] = files.map(|name| certificates.path(name));
        let args = [
            "--prometheus-url",
            "https://127.0.0.1:1",
            "--engine-ca",
            &ca,
            "--engine-cert",
            &cert,
            "--engine-key",
            &key,
        ];
        let directory = TempDir::new().unwrap();
        let mut program = common::launch("serve", directory.path(), &args);
        assert_eq!(program.ended().await.code(), Some(1));
        program.stderr()
    };
    std::fs::write(certificates.0.path().join("text"), "no certificate").unwrap();
    for (files, name) in [
        (["nowhere", "us.pem", "us-key.pem"], "nowhere"),
        (["text", "us.pem", "us-key.pem"], "text"),
        (["ca.pem", "text", "us-key.pem"], "text"),
        (["ca.pem", "us.pem", "us.pem"], "us.pem"),
        (["ca.pem", "us.pem", "not-us-key.pem"], "not-us-key.pem"),
    ] {
        let said = start(files).await;
        assert!(said.contains(&certificates.path(name)), "{files:?}: {said}");
    }
}
