//! The way between browsers and the server: long request heads, proxies, and a path prefix.

use std::collections::{BTreeSet, VecDeque};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, client::IntoClientRequest},
};

use crate::common::{HYPERSCOPE, Nginx, PATIENCE, Program, Server, TOKEN, client};

/// All pages for users.
const PAGES: [&str; 8] =
    ["/", "/jobs", "/system", "/alerts", "/explore?expr=up", "/settings", "/kiosk/hypersdk-jobs", "/nothing"];

/// Sends raw bytes, and reads the answer until the connection ends: head and body.
async fn raw(server: &Server, request: &[u8]) -> (String, String) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // Reads everything: unread input would discard the answer.
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end").unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn a_head_of_sixty_kilobytes_is_answered() {
    let server = Server::serve(&[]).await;
    let query = format!("vector(1){}", "+0".repeat(200)) + &" ".repeat(8_600);
    let answer = server.get("/api/v1/query").query(&[("query", &query)]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    for cookies in [9_000, 60_000] {
        let cookie = format!("outer={}", "x".repeat(cookies));
        let page = server.get("/jobs").header("cookie", cookie).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{cookies} bytes of cookies");
    }
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused_in_the_words_of_its_path() {
    let server = Server::serve(&[]).await;
    let long = "x".repeat(200_000);
    let fields: String = (0..150).map(|number| format!("x-{number}: y\r\n")).collect();
    for rest in [
        format!("?query={long} HTTP/1.1\r\nhost: h\r\n\r\n"),
        format!(" HTTP/1.1\r\nhost: h\r\ncookie: a={long}\r\n\r\n"),
        format!(" HTTP/1.1\r\nhost: h\r\n{fields}\r\n"),
    ] {
        let (head, body) = raw(&server, format!("GET /api/v1/query{rest}").as_bytes()).await;
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        let envelope: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&envelope["status"], &envelope["errorType"]), (&"error".into(), &"head_too_large".into()));
        assert!(envelope["error"].as_str().unwrap().contains("65536 bytes"), "{envelope}");

        let (_, body) = raw(&server, format!("GET /api/jobs{rest}").as_bytes()).await;
        let envelope: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(envelope["error"]["code"], "head_too_large");

        let (head, body) = raw(&server, format!("GET /jobs{rest}").as_bytes()).await;
        assert!(head.contains("content-type: text/html") && head.contains("connection: close"), "{head}");
        assert!(body.contains("<h1>This request is too large</h1>"), "{body}");
    }
    let log = server.program.stderr();
    assert!(log.contains("its head is over 65536 bytes") && log.contains("object=\"GET /api/v1/query\""), "{log}");
    assert!(!log.contains("xxxx"), "the log holds no query");
    // The next request on a persistent connection is measured too.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut first = vec![0; 4 << 10];
    let length = stream.read(&mut first).await.unwrap();
    assert!(first[..length].starts_with(b"HTTP/1.1 200"));
    let request = format!("GET /api/jobs HTTP/1.1\r\nhost: h\r\ncookie: {long}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut second = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut second)).await.expect("an end").unwrap();
    assert!(second.starts_with("HTTP/1.1 431") && second.contains("\"code\":\"head_too_large\""), "{second}");
}

#[tokio::test]
async fn over_http2_a_head_over_the_limit_is_refused_in_the_same_words() {
    let server = Server::serve(&["--limit-header", "16KiB"]).await;
    client();
    let client = Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let get = |path: &str, bytes: usize| {
        client.get(server.url(path)).bearer_auth(TOKEN).header("cookie", format!("a={}", "x".repeat(bytes))).send()
    };
    assert_eq!(get("/api/jobs", 15_000).await.unwrap().status(), StatusCode::OK);
    for path in ["/api/v1/query?query=up", "/api/jobs", "/jobs"] {
        let answer = get(path, 20_000).await.unwrap();
        assert_eq!(
            (answer.version(), answer.status()),
            (reqwest::Version::HTTP_2, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains("16384 bytes"), "{path}: {text}");
    }
}

/// The addresses in a page that point to this server.
fn addresses(page: &str) -> Vec<String> {
    let values = [" href=\"", " src=\"", " action=\"", "content=\"0;url=", "from '", "module_or_path:'"];
    let found = values.into_iter().flat_map(|start| page.split(start).skip(1));
    let found = found.filter_map(|rest| rest.split(['"', '\'']).next());
    found.filter(|address| address.starts_with('/')).map(|address| address.replace("&amp;", "&")).collect()
}

/// Follows every link from every page, and checks that none leaves `base`. `ask` makes a GET of an address as a browser
/// sees it.
async fn crawl(base: &str, ask: impl Fn(&str) -> RequestBuilder) -> BTreeSet<String> {
    let mut waiting: VecDeque<String> = PAGES.iter().map(|page| format!("{base}{page}")).collect();
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    while let Some(address) = waiting.pop_front() {
        let answer = ask(&address).send().await.unwrap();
        let status = answer.status();
        if let Some(location) = answer.headers().get("location") {
            let location = location.to_str().unwrap();
            assert!(location.starts_with(&format!("{base}/")), "{address} leads to {location}");
            continue;
        }
        let is_bundle = address.ends_with(".svg") || address.ends_with(".js") || address.ends_with(".css");
        assert!(status == StatusCode::OK || is_bundle || address.ends_with("/nothing"), "{address}: {status}");
        let page = answer.text().await.unwrap();
        for next in addresses(&page) {
            assert!(next.starts_with(&format!("{base}/")), "{address} has {next}");
            // Time ranges and refreshes of one page lead to the same links.
            let place = next.split(['?', '#']).next().unwrap_or_default().to_owned();
            let acts = next.ends_with("/logout") || next.contains("/do/");
            if !acts && seen.insert(place.clone()) && seen.len() < 60 {
                waiting.push_back(place);
            }
        }
    }
    seen
}

/// Requirements on a server below `base`. `at` converts an address that browsers see into the requested address.
async fn serves_below(base: &str, at: impl Fn(&str) -> String, header: Option<(&'static str, &'static str)>) {
    let client = client();
    let with = |request: RequestBuilder| match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    };
    let get = |address: &str| with(client.get(at(address)));
    for path in ["/health", "/ready", "/-/healthy", "/-/ready"] {
        assert_ne!(get(&format!("{base}{path}")).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
    let page = get(&format!("{base}/jobs?from=now-1h")).send().await.unwrap();
    assert_eq!(page.headers()["location"], format!("{base}/login?next=%2Fjobs%3Ffrom%3Dnow-1h"));
    let form = get(&format!("{base}/login?next=%2Fjobs")).send().await.unwrap().text().await.unwrap();
    assert!(form.contains(&format!("action=\"{base}/login\"")), "{form}");
    let login = with(client.post(at(&format!("{base}/login")))).form(&[("token", TOKEN), ("next", "/jobs")]);
    let login = login.send().await.unwrap();
    assert_eq!(login.headers()["location"], format!("{base}/jobs"));
    let cookie = login.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains(&format!("; Path={base};")), "{cookie}");
    assert!(cookie.starts_with("hyperscope_session="), "a path is not for a cookie of the whole host: {cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();

    let seen = crawl(base, |address| get(address).header("cookie", &cookie)).await;
    for path in ["/jobs", "/settings", "/d/hypersdk-jobs"].iter().take(2) {
        assert!(seen.contains(&format!("{base}{path}")), "{seen:?}");
    }
    let page = get(&format!("{base}/jobs")).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("data-base=\"{base}\"")), "the browser's code is told");
    let fragment = get(&format!("{base}/fragments/alerts")).header("cookie", &cookie).send().await.unwrap();
    assert!(fragment.text().await.unwrap().contains(&format!("action=\"{base}/alerts")));
    let openapi: Value =
        get(&format!("{base}/api/openapi.json")).header("cookie", &cookie).send().await.unwrap().json().await.unwrap();
    assert_eq!(openapi["servers"][0]["url"], base);

    let mut socket = at(&format!("{base}/ws")).replace("http://", "ws://").into_client_request().unwrap();
    let headers = socket.headers_mut();
    headers.insert("cookie", cookie.parse().unwrap());
    let origin = format!("http://{}", headers["host"].to_str().unwrap());
    headers.insert("origin", origin.parse().unwrap());
    headers.insert("sec-websocket-protocol", "hyperscope.v1.json".parse().unwrap());
    if let Some((name, value)) = header {
        headers.insert(name, value.parse().unwrap());
    }
    let (_, answer) = connect_async(socket).await.unwrap();
    assert_eq!(answer.status(), tungstenite::http::StatusCode::SWITCHING_PROTOCOLS);

    let out = with(client.post(at(&format!("{base}/logout")))).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(out.headers()["location"], format!("{base}/login"));
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains(&format!("; Path={base};")));
}

#[tokio::test]
async fn the_server_is_served_below_its_path_by_every_kind_of_proxy() {
    let server = Server::demo(&["--public-url", "http://scope.test/scope"]).await;
    // Requested directly, as a probe does, or through a proxy that removes the path.
    assert_eq!(server.get("/health").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.get_as_nobody("/-/healthy").send().await.unwrap().status(), StatusCode::OK);
    serves_below("/scope", |address| server.url(address), None).await;
    serves_below("/scope", |address| server.url(address.strip_prefix("/scope").unwrap()), None).await;
    // Answers to invalid requests are below the path too.
    let cookie = "x".repeat(100_000);
    let (_, page) =
        raw(&server, format!("GET /scope/jobs HTTP/1.1\r\nhost: h\r\ncookie: {cookie}\r\n\r\n").as_bytes()).await;
    assert!(page.contains("href=\"/scope/\"") && !page.contains("href=\"/\""), "{page}");
    let (_, error) =
        raw(&server, format!("GET /scope/api/jobs HTTP/1.1\r\nhost: h\r\ncookie: {cookie}\r\n\r\n").as_bytes()).await;
    assert!(error.starts_with("{\"error\""), "{error}");
}

#[tokio::test]
async fn nginx_may_take_the_path_off_or_leave_it() {
    let server = Server::demo(&["--public-url", "http://scope.test/scope", "--trusted-proxies", "127.0.0.1"]).await;
    let address = server.address;
    for location in [
        format!("location /scope/ {{ proxy_pass http://{address}; }}"),
        format!("location /scope/ {{ proxy_pass http://{address}/; }}"),
    ] {
        let nginx = Nginx::start(&location).await;
        serves_below("/scope", |path| nginx.url(path), None).await;
    }
    // The client's address is the one that nginx saw.
    let nginx = Nginx::start(&format!("location /scope/ {{ proxy_pass http://{address}; }}")).await;
    let elsewhere = Client::builder().no_proxy().local_address(Some([127, 0, 0, 2].into())).build().unwrap();
    let wrong = elsewhere.post(nginx.url("/scope/login")).header("x-forwarded-for", "6.6.6.6");
    assert_eq!(wrong.form(&[("token", "wrong")]).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let log = server.program.stderr();
    assert!(log.contains("address=\"127.0.0.2\" action=\"login\""), "{log}");
}

#[tokio::test]
async fn a_trusted_proxy_says_what_it_took_off() {
    let server = Server::demo(&["--trusted-proxies", "127.0.0.1"]).await;
    // As Traefik's StripPrefix does, also if the path begins like one of our paths.
    for prefix in ["/scope", "/jobs"] {
        let header = Some(("x-forwarded-prefix", if prefix == "/scope" { "/scope" } else { "/jobs" }));
        serves_below(prefix, |address| server.url(address.strip_prefix(prefix).unwrap()), header).await;
    }
    let location = async |server: &Server, prefix: &str| {
        let page = server.get_as_nobody("/jobs").header("x-forwarded-prefix", prefix).send().await.unwrap();
        page.headers()["location"].to_str().unwrap().to_owned()
    };
    for evil in ["//evil.example", "/a\"b", "/../x", "https://evil.example"] {
        assert_eq!(location(&server, evil).await, "/login?next=%2Fjobs", "{evil}");
    }
    let untrusting = Server::serve(&[]).await;
    assert_eq!(location(&untrusting, "/scope").await, "/login?next=%2Fjobs");
}

#[tokio::test]
async fn a_path_that_cannot_work_is_refused_before_the_start() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    for (url, expected) in [
        ("https://scope.example/scope/", None),
        ("https://scope.example/a/b-1", None),
        ("https://scope.example/", None),
        ("https://scope.example/api", Some("/api could not be told apart")),
        ("https://scope.example/jobs/x", Some("/jobs could not be told apart")),
        ("https://scope.example/a%20b", Some("cannot be the path")),
        ("https://scope.example/scope?x=1", Some("leave out what follows")),
    ] {
        std::fs::write(&file, format!("public_url: \"{url}\"\n")).unwrap();
        let mut check = Program::start(HYPERSCOPE, &["check", "config", file.to_str().unwrap()], &[]);
        let status = check.ended().await;
        match expected {
            None => assert!(status.success(), "{url}: {}", check.stderr()),
            Some(expected) => {
                assert!(!status.success() && check.stderr().contains(expected), "{url}: {}", check.stderr());
            }
        }
    }
}
