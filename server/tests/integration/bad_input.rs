//! Every problem around a server gives a clear message and loses no data.

use std::{path::Path, sync::Arc};

use crate::common::{HYPERSCOPE, Program, Server, Simulator, TOKEN, arguments, eventually, launch};
use axum::{Router, response::Html, routing::any};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The output of a server that does not start.
async fn refusal(data_dir: &Path, args: &[&str]) -> String {
    let mut program = launch("serve", data_dir, args);
    let status = program.ended().await;
    assert_eq!(status.code(), Some(1), "{}", program.stderr());
    assert_eq!(program.stdout(), "", "it says that it is ready");
    let stderr = program.stderr();
    let sentence = stderr.lines().find_map(|line| line.strip_prefix("error: "));
    assert!(!stderr.contains("panicked"), "{stderr}");
    sentence.unwrap_or_else(|| panic!("no error printed: {stderr}")).to_owned()
}

#[tokio::test]
async fn a_misspelt_key_is_named_with_the_nearest() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("h.yaml");
    std::fs::write(&file, "listen: 127.0.0.1:0\nscrape:\n  intervall: 5s\n").unwrap();
    let said = refusal(directory.path(), &["--config", file.to_str().unwrap()]).await;
    assert_eq!(said, format!("{}:3:3: unknown key `intervall`: did you mean `interval`?", file.display()));
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    let said = refusal(directory.path(), &["--listen", &address]).await;
    assert!(said.contains(&address) && said.contains("in use") && said.contains("--listen"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "something was opened before");
}

#[tokio::test]
async fn no_auth_is_refused_off_loopback() {
    let directory = TempDir::new().unwrap();
    let said = refusal(directory.path(), &["--listen", "0.0.0.0:0", "--insecure-no-auth"]).await;
    assert!(said.contains("insecure_no_auth") && said.contains("127.0.0.1"), "{said}");
}

#[tokio::test]
async fn a_wrong_option_is_a_wrong_usage() {
    let mut program = Program::start(HYPERSCOPE, &["serve", "--listn", "127.0.0.1:0"], &[]);
    assert_eq!(program.ended().await.code(), Some(2));
    assert!(program.stderr().contains("--listen"), "{}", program.stderr());
}

#[tokio::test]
async fn a_daemon_url_that_answers_html_is_told_and_harms_nothing() {
    let router = Router::new().fallback(any(async || Html("<!doctype html><title>A router's login</title>")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let page = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let simulator = Simulator::start("documented", &[]).await;
    let (wrong, right) = (format!("wrong={url}"), simulator.named("right"));
    let server = Server::serve(&["--daemon-url", &wrong, "--daemon-url", &right, "--scrape-interval", "1s"]).await;
    let message = eventually("the error of the wrong one", async || {
        let sources = server.json("/api/upstreams").await;
        let wrong = &sources["upstreams"][0];
        let message = wrong["error"].as_str().map(str::to_owned);
        (wrong["state"] == "down" && sources["upstreams"][1]["state"] == "live").then_some(message).flatten()
    })
    .await;
    assert!(message.contains(&url) && message.contains("hypervisord"), "{message}");
    let ready = server.get_as_nobody("/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let ready: Value = ready.json().await.unwrap();
    let reasons = ready["reasons"].as_array().unwrap();
    assert!(reasons.len() == 1 && reasons[0].as_str().unwrap().contains("wrong"), "{ready}");
    // The page shows it too, and the other daemon's data is there.
    let html = server.text("/system").await;
    assert!(html.contains("hypervisord"), "{html}");
    eventually("samples of the right one", async || (!server.query("up").await.is_empty()).then_some(())).await;
    page.abort();
}

#[tokio::test]
async fn a_data_directory_of_a_newer_version_is_left_alone() {
    let server = Server::serve(&[]).await;
    let directory = Arc::clone(&server.data_dir);
    assert!(server.stop().await.0.success());
    let format = directory.path().join("store/FORMAT");
    let own = std::fs::read_to_string(&format).unwrap();
    std::fs::write(&format, "99\n").unwrap();
    let said = refusal(directory.path(), &[]).await;
    assert!(said.contains("99") && said.contains("store") && said.contains("another directory"), "{said}");
    assert_eq!(std::fs::read_to_string(&format).unwrap(), "99\n");
    std::fs::write(&format, own).unwrap();

    let database = directory.path().join("hyperscope.db");
    let url = format!("sqlite://{}", database.display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)";
    sqlx::query(newer).execute(&pool).await.unwrap();
    let said = refusal(directory.path(), &[]).await;
    assert!(said.contains("hyperscope.db") && said.contains("newer") && said.contains("99"), "{said}");
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 99").execute(&pool).await.unwrap();
    pool.close().await;

    // Nothing was lost: the version that wrote the directory can still open it.
    let server = Server::start("serve", directory, &[]).await;
    assert_eq!(server.get("/api/session").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_data_directory_has_one_server() {
    let first = Server::serve(&[]).await;
    let said = refusal(first.data_dir.path(), &[]).await;
    assert!(said.contains("in use by another process") && said.contains("another directory"), "{said}");
    assert_eq!(first.get("/api/session").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_is_no_data_directory_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let said = refusal(&file, &[]).await;
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    std::fs::write(directory.path().join("hyperscope.db"), "this is no database, but text".repeat(100)).unwrap();
    let said = refusal(directory.path(), &[]).await;
    assert!(said.contains("hyperscope.db") && said.contains("not a database"), "{said}");
}

/// Starts a server that may write no file longer than this many blocks of 512 bytes, like a full disk.
async fn start_on_full_disk(data_dir: &Arc<TempDir>, blocks: u32, args: &[&str]) -> Server {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let args = [&["-c", &script, HYPERSCOPE][..], &arguments("serve", data_dir.path(), args)].concat();
    let program = Program::start("sh", &args, &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)]);
    Server::ready(program, Arc::clone(data_dir)).await
}

#[tokio::test]
async fn on_a_full_disk_the_server_goes_on_and_says_so() {
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "120"]).await;
    // Several names, so that there is soon more data than space.
    let daemons = ["one", "two", "three"].map(|name| simulator.named(name));
    let [one, two, three] = daemons.each_ref().map(String::as_str);
    let args = ["--daemon-url", one, "--daemon-url", two, "--daemon-url", three, "--scrape-interval", "1s"];
    let data_dir = Arc::new(TempDir::new().unwrap());
    // The database needs some space; the samples soon need more.
    let server = start_on_full_disk(&data_dir, 640, &args).await;
    let message = eventually("a word about the disk", async || {
        let log = server.program.stderr();
        log.lines().find(|line| line.contains("File too large")).map(str::to_owned)
    })
    .await;
    assert!(message.contains("WARN") || message.contains("ERROR"), "{message}");
    // It serves the data that it has.
    assert_eq!(server.get_as_nobody("/health").send().await.unwrap().status(), 200);
    server.text("/").await;
    let stored = server.query("count_over_time(up[1h])").await[0].1;
    assert!(stored >= 1.0);
    assert!(server.program.stderr().len() < 200_000, "the log would fill a disk by itself");
    let (status, program) = server.stop().await;
    assert!(!program.stderr().contains("panicked"), "{}", program.stderr());
    assert!(status.code().is_some_and(|code| code <= 1), "{status}");

    // With free space the stored data is there, and new data is accepted.
    let server = Server::start("serve", data_dir, &args).await;
    let kept = server.query("count_over_time(up[1h])").await[0].1;
    assert!(kept >= 1.0, "{kept} of {stored}");
    eventually("new samples", async || {
        let now = server.query("count_over_time(up[1h])").await[0].1;
        (now > kept + 2.0).then_some(())
    })
    .await;
}

/// Sends raw bytes and returns the head and body of the answer.
async fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(len @ 1..) = stream.read(&mut piece).await {
            answer.extend_from_slice(&piece[..len]);
        }
    };
    tokio::time::timeout(crate::common::PATIENCE, reading).await.expect("an answer that ends");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_that_are_too_large_are_refused() {
    let server = Server::serve(&[]).await;
    let mut head = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: ".to_vec();
    head.extend(vec![b'a'; 1 << 20]);
    head.extend(b"\r\n\r\n");
    let answer = raw(&server, &head).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let small =
        format!("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: {}\r\n\r\n", "a".repeat(4 << 10));
    assert!(raw(&server, small.as_bytes()).await.starts_with("HTTP/1.1 200 "));

    // A body that will be too large is rejected before it arrives.
    let head = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\n"
        )
    };
    for path in ["/api/v1/query", "/login", "/api/tokens"] {
        for kind in ["application/x-www-form-urlencoded", "application/json", "text/plain"] {
            let request = head(path, kind) + &format!("Content-Length: {}\r\n\r\n", (1 << 20) + 1);
            let answer = raw(&server, request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{path} {kind}: {answer}");
        }
    }
    // Without a content length.
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, "a".repeat(64 << 10));
    let head = head("/api/v1/query", "application/x-www-form-urlencoded") + "Transfer-Encoding: chunked\r\n\r\n";
    let answer = raw(&server, (head + &chunk.repeat(20) + "0\r\n\r\n").as_bytes()).await;
    // The answer may be lost on a closed connection.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{}", answer.lines().next().unwrap_or_default());
    assert_eq!(server.get("/api/session").send().await.unwrap().status(), 200);
}

/// Short texts that would need gigabytes and minutes to compile.
#[tokio::test]
async fn expressions_that_grow_are_refused_wherever_they_are_taken() {
    let server = Server::demo(&[]).await;
    let heavy = r"\\pL{900}";
    let selector = format!("up{{a!~\"{heavy}\"}}");
    // Simple expressions, which together exceed the limit.
    let many = format!("up{{{}}}", (0..500).map(|n| format!("a!~\"x.{n}\"")).collect::<Vec<_>>().join(","));
    // Each one is small enough, but all together are not.
    let several =
        |name: &str| (0..9).map(|n| (name.to_owned(), format!("{{b{n}=\"\",a!~\"\\\\pL{{3}}x{n}\"}}"))).collect();
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let requests: Vec<(&str, Vec<(String, String)>)> = vec![
        ("/api/v1/query", one("query", &selector)),
        ("/api/v1/query", one("query", &format!("label_replace(up, \"a\", \"\", \"b\", \"{heavy}\")"))),
        ("/api/v1/query", one("query", &many)),
        ("/api/v1/parse_query", one("query", &selector)),
        ("/api/v1/format_query", one("query", &selector)),
        ("/api/frame", [one("query", &selector), one("end_ms", "1000"), one("step_ms", "1000")].concat()),
        (
            "/api/live",
            [
                one("query", &serde_json::json!({"expr": selector, "step_ms": 1000, "window_ms": 60000}).to_string()),
                one("timeout", "0"),
            ]
            .concat(),
        ),
        ("/api/v1/series", one("match[]", &selector)),
        ("/api/v1/labels", several("match[]")),
        ("/federate", several("match[]")),
        ("/api/v1/rules", several("match[]")),
        ("/api/silences/preview", one("matchers", &format!("a=~\"{heavy}\""))),
        ("/api/v2/alerts", one("receiver", r"\pL{900}")),
        ("/api/v2/alerts", several("filter")),
    ];
    for (path, pairs) in requests {
        let answer = server.get(path).query(&pairs).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(matches!(status, 400 | 422), "{path} {pairs:?}: {status} {text}");
    }
    let list: Vec<Value> =
        (0..9).map(|n| serde_json::json!({"name": format!("a{n}"), "value": r"\pL{3}", "isRegex": true})).collect();
    let silence = serde_json::json!({"matchers": list, "duration": "1h", "comment": "why"});
    assert_eq!(server.post("/api/silences").json(&silence).send().await.unwrap().status(), 400);
    let long = serde_json::json!({"matchers": "a=\"b\"", "duration": "1h", "comment": "x".repeat(900_000)});
    assert_eq!(server.post("/api/silences").json(&long).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn no_path_leads_out() {
    let server = Server::serve(&[]).await;
    let data_dir = server.data_dir.path().file_name().unwrap().to_str().unwrap();
    for path in [
        "/../../../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/./Cargo.toml",
        "/..\\..\\etc\\passwd",
        "/d/..%2f..%2fetc%2fpasswd",
        "/assets/../../server/Cargo.toml",
        &format!("/../{data_dir}/hyperscope.db"),
        "/etc/passwd%00.html",
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "404"), "{path}: {status}");
        assert!(!answer.contains("root:") && !answer.contains("[package]") && !answer.contains("SQLite"), "{path}");
    }
}
