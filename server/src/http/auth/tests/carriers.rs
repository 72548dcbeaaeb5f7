//! Where a request may have its token, and where a token is ignored.

use axum::http::StatusCode;
use model::role::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{Server, client};

#[tokio::test]
async fn requests_without_a_token_are_refused() {
    let server = Server::start().await;
    let thing = client().get(server.url("/api/thing")).send().await.unwrap();
    assert_eq!(thing.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(thing.headers()["www-authenticate"], "Bearer");
    let body: serde_json::Value = thing.json().await.unwrap();
    assert_eq!(body["error"]["code"], "unauthorized");

    let query = client().get(server.url("/api/v1/query?query=up")).send().await.unwrap();
    assert_eq!(query.status(), StatusCode::UNAUTHORIZED);
    let body: serde_json::Value = query.json().await.unwrap();
    assert_eq!((&body["status"], &body["errorType"]), (&"error".into(), &"unauthorized".into()));

    let page = client().get(server.url("/d/a?from=now-6h")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SEE_OTHER);
    assert_eq!(page.headers()["location"], "/login?next=%2Fd%2Fa%3Ffrom%3Dnow-6h");

    assert_eq!(client().get(server.url("/health")).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_is_accepted_in_headers_and_the_cookie() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let cookie = server.log_in(&secret).await;
    let get = || client().get(server.url("/api/thing"));
    for request in [
        get().bearer_auth(&secret),
        get().header("authorization", format!("bearer  {secret}")),
        get().header("x-api-key", &secret),
        get().header("cookie", &cookie),
        get().header("cookie", format!("theme=dark; {cookie}; x=y")),
        // Credentials for a proxy in front of the server are ignored.
        get().basic_auth("a", Some("b")).header("cookie", &cookie),
        get().basic_auth("a", Some("b")).header("x-api-key", &secret),
        get().basic_auth("a", Some("b")).bearer_auth(&secret),
        get().header("authorization", "Negotiate YII=").header("cookie", &cookie),
        get().bearer_auth("eyJhbGciOiJub25lIn0.e30.").header("cookie", &cookie),
        get().bearer_auth("eyJhbGciOiJub25lIn0.e30.").header("x-api-key", &secret),
        get().header("x-api-key", "of-a-gateway").header("cookie", &cookie),
        get().header("authorization", &b"Basic \xff"[..]).header("cookie", &cookie),
        // Browsers also send the cookies of another server on this host, or of another path.
        get().header("cookie", format!("hyperscope_session=of-another-server; {cookie}")),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    for request in [
        get().bearer_auth(""),
        get().bearer_auth("wrong"),
        get().basic_auth("token", Some(&secret)),
        get().header("authorization", secret.as_str()),
        get().header("cookie", format!("hyperscope_session={secret}")),
        get().header("cookie", "hyperscope_session="),
        // An invalid token with our prefix is refused even with a valid cookie.
        get().bearer_auth("hs_wrong").header("cookie", &cookie),
        get().header("x-api-key", "hs_wrong").header("cookie", &cookie),
        // The secret of a session is not a token.
        get().bearer_auth(cookie.split_once('=').unwrap().1),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_token_in_the_query_of_other_paths_is_ignored() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Admin).await;
    for path in ["/api/thing", "/api/v1/query", "/ws", "/api/session"] {
        for name in ["token", "access_token", "api_key", "bearer"] {
            let response = client().get(server.url(&format!("{path}?{name}={secret}"))).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {name}");
            assert!(!response.text().await.unwrap().contains(&secret));
        }
    }
    let page = client().get(server.url(&format!("/d/a?token={secret}"))).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SEE_OTHER);
    assert!(page.headers()["location"].to_str().unwrap().starts_with("/login?next="));
    assert!(page.headers().get("set-cookie").is_none());
}

#[tokio::test]
async fn a_forged_token_is_refused_whatever_its_checksum() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Admin).await;
    let (body, sum) = secret.split_at(46);
    let other_sum = if sum == "AAAAAA" { "BBBBBB" } else { "AAAAAA" };
    let flipped = if body.ends_with('A') { "B" } else { "A" };
    for forged in [
        format!("{body}{other_sum}"),
        body.to_owned(),
        format!("{}{flipped}{sum}", &body[..45]),
        format!("{secret}A"),
        secret.to_uppercase(),
    ] {
        let response = client().get(server.url("/api/thing")).bearer_auth(&forged).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn each_role_has_exactly_its_rights() {
    let server = Server::start().await;
    for (role, allowed) in [
        (Role::Viewer, [true, false, false, false]),
        (Role::Kiosk, [true, false, false, false]),
        (Role::Operator, [true, true, false, false]),
        (Role::Admin, [true, true, true, true]),
        (Role::Ingest, [false, false, false, true]),
        (Role::Scrape, [false, false, false, false]),
    ] {
        let (_, secret) = server.token(role).await;
        let client = client();
        let requests = [
            client.get(server.url("/api/thing")),
            client.delete(server.url("/api/jobs/1")),
            client.get(server.url("/api/tokens")),
            client.post(server.url("/api/v1/write")),
        ];
        for (request, allowed) in requests.into_iter().zip(allowed) {
            let response = request.bearer_auth(&secret).send().await.unwrap();
            let expected = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(response.status(), expected, "{role:?} {}", response.url().path());
        }
    }
}

#[tokio::test]
async fn another_site_cannot_change_anything_with_the_cookie() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Admin).await;
    let cookie = server.log_in(&secret).await;
    let delete = || client().delete(server.url("/api/jobs/1"));
    let by_cookie = || delete().header("cookie", &cookie);
    let own = format!("http://{}", server.address);
    for request in [
        by_cookie(),
        by_cookie().header("origin", "http://evil.example"),
        by_cookie().header("origin", "null"),
        by_cookie().header("origin", "http://127.0.0.1:1"),
        by_cookie().header("referer", "http://evil.example/"),
        by_cookie().header("origin", "null").header("referer", &own),
        by_cookie().header("x-forwarded-host", "evil.example").header("origin", "http://evil.example"),
        by_cookie().basic_auth("a", Some("b")).header("origin", "http://evil.example"),
        by_cookie().header("sec-fetch-site", "cross-site"),
        by_cookie().header("sec-fetch-site", "same-site"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], "cross_site");
    }
    for request in [
        by_cookie().header("origin", &own),
        by_cookie().header("sec-fetch-site", "same-origin"),
        // A proxy sends another host than the browser, but the browser knows the origin of its page.
        by_cookie().header("origin", "http://scope.test").header("sec-fetch-site", "same-origin"),
        by_cookie().header("referer", format!("{own}/jobs?x=1")),
        // The server may be reached under any name.
        by_cookie().header("host", "scope.test:3030").header("origin", "http://scope.test:3030"),
        // A browser never sends this header by itself.
        delete().bearer_auth(&secret).header("origin", "http://evil.example"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn without_tokens_only_requests_for_a_loopback_name_are_served() {
    let options = crate::config::Options { insecure_no_auth: Some(true), ..Default::default() };
    let server = Server::start_with(options).await;
    let get = || client().get(server.url("/api/thing"));
    assert_eq!(get().send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(get().header("host", "rebound.example").send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let delete = || client().delete(server.url("/api/jobs/1"));
    assert_eq!(delete().send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(delete().header("origin", "http://evil.example").send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn credentials_for_a_proxy_cause_no_redirect_loop() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let cookie = server.log_in(&secret).await;
    let get = |path: &str| client().get(server.url(path)).basic_auth("a", Some("b")).header("cookie", &cookie);
    assert_eq!(get("/d/a").send().await.unwrap().status(), StatusCode::OK);
    let login = get("/login?next=%2Fd%2Fa").send().await.unwrap();
    assert_eq!((login.status(), login.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/d/a"));
    // Without a login, the login page is shown and does not redirect.
    let nobody = client().get(server.url("/login?next=%2Fd%2Fa")).basic_auth("a", Some("b"));
    assert_eq!(nobody.send().await.unwrap().status(), StatusCode::OK);
}

/// Sends raw bytes and returns the first line of the response.
async fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    // The server may close the connection before everything is sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_path_with_dots_does_not_bypass_a_guard() {
    let server = Server::start().await;
    for path in [
        "/health/../api/thing",
        "/login/../api/thing",
        "/api/../api/thing",
        "//api/thing",
        "/%2e%2e/api/thing",
        "/api/thing/",
        "/API/thing",
    ] {
        let line =
            raw(&server, format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert!(!line.contains("200"), "{path}: {line}");
    }
}

#[tokio::test]
async fn a_header_of_a_megabyte_is_refused_and_the_server_goes_on() {
    let server = Server::start().await;
    let long = "a".repeat(1 << 20);
    let request =
        format!("GET /api/thing HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {long}\r\nconnection: close\r\n\r\n");
    let line = raw(&server, request.as_bytes()).await;
    assert!(line.is_empty() || line.contains("431"), "{line}");
    assert_eq!(client().get(server.url("/health")).send().await.unwrap().status(), StatusCode::OK);
}
