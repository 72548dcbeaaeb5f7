//! The login page, login links, cookies, and failed logins.

use crate::{
    config::{Options, Period},
    http::auth::LoginLink,
};
use access::NewToken;
use axum::http::StatusCode;
use model::role::Role;
use redact::Secret;

use super::server::{Server, client, cookie, location};

#[tokio::test]
async fn a_login_link_sets_the_cookie_and_redirects_without_the_token() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let response =
        client().get(server.url(&format!("/login?token={secret}&next=/d/a?from=now-6h"))).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&response), "/d/a?from=now-6h");
    assert_eq!(response.headers()["referrer-policy"], "same-origin");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let set = response.headers()["set-cookie"].to_str().unwrap();
    for attribute in ["hyperscope_session=", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    // 30 days, or a second less if that passed meanwhile.
    assert!(set.contains("; Max-Age=2592000") || set.contains("; Max-Age=2591999"), "{set}");
    assert!(!set.contains("Secure") && !set.contains(&secret), "{set}");
    let page = client().get(server.url("/")).header("cookie", cookie(&response).unwrap()).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_cookie_is_for_https_only_if_browsers_use_https() {
    let options = Options { public_url: Some("https://scope.example.org".into()), ..Options::default() };
    let server = Server::start_with(options).await;
    let (_, secret) = server.token(Role::Viewer).await;
    let response = client().get(server.url(&format!("/login?token={secret}"))).send().await.unwrap();
    let set = response.headers()["set-cookie"].to_str().unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    // Only the host itself can set a cookie with this prefix, and its path is the whole host.
    assert!(set.starts_with("__Host-hyperscope_session=") && set.contains("; Path=/;"), "{set}");
    let (name, secret) = set.split_once(';').unwrap().0.split_once('=').unwrap();
    for name in [name, "hyperscope_session"] {
        let page = client().get(server.url("/")).header("cookie", format!("{name}={secret}")).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{name}: one of before is taken as well");
    }
}

#[tokio::test]
async fn the_form_logs_in_or_shows_the_error() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let page = client().get(server.url("/login?next=%2Fjobs")).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(html.contains("<label for=\"token\">") && html.contains("value=\"/jobs\"") && !html.contains("<script"));

    let post = |token: &str| client().post(server.url("/login")).form(&[("token", token), ("next", "/jobs")]);
    let wrong = post("hs_wrong").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(cookie(&wrong).is_none());
    let html = wrong.text().await.unwrap();
    assert!(html.contains("role=\"alert\"") && html.contains("mistyped") && !html.contains("hs_wrong"), "{html}");

    let right = post(&format!(" {secret}\n")).send().await.unwrap();
    assert_eq!((right.status(), location(&right)), (StatusCode::SEE_OTHER, "/jobs"));
    let foreign = post(&secret).header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert!(cookie(&foreign).is_none());
    let own = post(&secret).header("origin", format!("http://{}", server.address)).send().await.unwrap();
    assert_eq!(own.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_login_does_not_redirect_to_another_site() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    for next in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/..//evil.example",
        "/%09/evil.example\t",
        "javascript:alert(1)",
        "\\\\evil.example",
        "/login?next=//evil.example",
    ] {
        let request = client().get(server.url("/login")).query(&[("token", secret.as_str()), ("next", next)]);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{next}");
        let to = location(&response);
        assert!(to.starts_with('/') && !to.starts_with("//") && !to.contains('\\'), "{next}: {to}");
        let page =
            client().get(server.url("/login")).query(&[("next", next)]).send().await.unwrap().text().await.unwrap();
        assert!(!page.contains("value=\"//") && !page.contains("javascript:"), "{next}");
    }
}

#[tokio::test]
async fn an_address_is_limited_after_ten_failed_logins() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let mut statuses = Vec::new();
    for number in 0..100 {
        let request = client().get(server.url(&format!("/login?token=wrong{number}")));
        statuses.push(request.send().await.unwrap().status());
    }
    let refused = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(refused, 10);
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count(), 90);
    // Neither a valid token nor a forged address is accepted, on no path.
    let right = client().get(server.url(&format!("/login?token={secret}"))).header("x-forwarded-for", "1.2.3.4");
    let right = right.send().await.unwrap();
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(right.headers().contains_key("retry-after"));
    let kiosk = client().get(server.url(&format!("/kiosk/a?token={secret}"))).send().await.unwrap();
    assert_eq!(kiosk.status(), StatusCode::TOO_MANY_REQUESTS);
    // Programs with a valid token are not limited.
    let program = client().get(server.url("/api/thing")).bearer_auth(&secret).send().await.unwrap();
    assert_eq!(program.status(), StatusCode::OK);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_its_own_limit() {
    let options = Options { trusted_proxies: Some(vec!["127.0.0.0/8".parse().unwrap()]), ..Options::default() };
    let server = Server::start_with(options).await;
    let (_, secret) = server.token(Role::Viewer).await;
    let log_in = async |token: &str, from: &str| {
        let request = client().get(server.url(&format!("/login?token={token}"))).header("x-forwarded-for", from);
        request.send().await.unwrap().status()
    };
    for port in 0..11 {
        log_in("wrong", &format!("10.0.0.1:{}", 40_000 + port)).await;
    }
    assert_eq!(log_in(&secret, "10.0.0.1").await, StatusCode::TOO_MANY_REQUESTS);
    for other in ["10.0.0.2", "203.0.113.9:40001", "[2001:db8::7]:443"] {
        assert_eq!(log_in(&secret, other).await, StatusCode::SEE_OTHER, "{other}");
    }
    let forwarded = async |token: &str, from: &str| {
        let request = client().get(server.url(&format!("/login?token={token}"))).header("forwarded", from);
        request.send().await.unwrap().status()
    };
    for _ in 0..11 {
        forwarded("wrong", "for=\"[2001:db8:1::1]:4711\";proto=https").await;
    }
    assert_eq!(forwarded(&secret, "for=\"[2001:db8:1::2]\"").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(forwarded(&secret, "for=6.6.6.6, for=198.51.100.17").await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_refused_logout_shows_a_page_with_a_form() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let session = server.log_in(&secret).await;
    let post = || client().post(server.url("/logout")).header("cookie", &session);
    let is_in = async || {
        let thing = client().get(server.url("/api/thing")).header("cookie", &session).send().await.unwrap();
        thing.status() == StatusCode::OK
    };
    let mut form = String::new();
    for request in [
        post().header("origin", "null"),
        post().header("origin", "http://evil.example"),
        post().header("referer", "http://evil.example/"),
        client().get(server.url("/logout")).header("sec-fetch-site", "cross-site"),
    ] {
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(refused.headers().get("set-cookie").is_none());
        let page = refused.text().await.unwrap();
        assert!(page.contains("Not logged out") && page.contains("action=\"/logout\""), "{page}");
        assert!(is_in().await);
        form = if form.is_empty() { page } else { form };
    }
    // The form on that page works in a browser that hides the origin, but only for this session.
    let field = form.split_once("name=\"form_token\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let send = |field: &str| post().header("origin", "null").form(&[("form_token", field)]);
    assert_eq!(send("wrong").send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert!(is_in().await);
    assert_eq!(send(field).send().await.unwrap().status(), StatusCode::SEE_OTHER);
    assert!(!is_in().await);
}

#[tokio::test]
async fn a_form_with_the_form_token_may_change_things() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Operator).await;
    let session = server.log_in(&secret).await;
    let page = client().post(server.url("/logout")).header("cookie", &session).header("origin", "null");
    let page = page.send().await.unwrap().text().await.unwrap();
    let field = page.split_once("name=\"form_token\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let send = |field: &str| {
        client().delete(server.url("/api/jobs/1")).header("cookie", &session).form(&[("a", "b"), ("form_token", field)])
    };
    // An old browser sends no origin. A page of another site can hide its origin, but cannot forge it.
    assert_eq!(send(field).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(send(field).header("origin", "null").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(send("").send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(
        send(field).header("origin", "http://evil.example").send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn browsers_send_the_referer_to_our_own_pages_only() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let page = client().get(server.url("/")).bearer_auth(&secret).send().await.unwrap();
    assert_eq!(page.headers()["referrer-policy"], "same-origin");
    // The URL may contain a refused token.
    let login = client().get(server.url("/login?token=wrong")).send().await.unwrap();
    assert_eq!(login.headers()["referrer-policy"], "strict-origin");
}

#[tokio::test]
async fn a_login_in_a_frame_of_another_site_has_a_partitioned_cookie() {
    let framed = |https: bool| Options {
        frame_ancestors: Some(vec!["'self'".into(), "https://wiki.example".into()]),
        public_url: https.then(|| "https://scope.example".into()),
        ..Options::default()
    };
    let log_in = async |server: &Server, what: Option<&str>| {
        let (_, secret) = server.token(Role::Kiosk).await;
        let request = client().get(server.url(&format!("/kiosk/a?token={secret}")));
        let request = what.into_iter().fold(request, |request, what| request.header("sec-fetch-dest", what));
        request.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned()
    };
    let server = Server::start_with(framed(true)).await;
    for (what, same_site, secure) in [
        (Some("iframe"), "SameSite=None", "; Secure; Partitioned"),
        (None, "SameSite=None", "; Secure; Partitioned"),
        (Some("document"), "SameSite=Strict", "; Secure"),
    ] {
        let cookie = log_in(&server, what).await;
        assert!(cookie.contains(same_site) && cookie.ends_with(secure), "{what:?}: {cookie}");
    }
    // Without HTTPS, browsers do not store the cookie, and the page says so.
    let server = Server::start_with(framed(false)).await;
    assert!(log_in(&server, Some("iframe")).await.contains("SameSite=Strict; Max-Age"));
    let login = |what| client().get(server.url("/login")).header("sec-fetch-dest", what).send();
    let note = "over HTTPS only";
    assert!(login("iframe").await.unwrap().text().await.unwrap().contains(note));
    assert!(!login("document").await.unwrap().text().await.unwrap().contains(note));
    // If only our own pages may frame ours, the cookie stays strict.
    let server = Server::start_with(Options { frame_ancestors: None, ..framed(true) }).await;
    assert!(log_in(&server, Some("iframe")).await.contains("SameSite=Strict"));
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let (one, other) = (server.log_in(&secret).await, server.log_in(&secret).await);
    // Another site cannot log anybody out.
    let foreign = client().get(server.url("/logout")).header("cookie", &one).header("sec-fetch-site", "cross-site");
    assert!(cookie(&foreign.send().await.unwrap()).is_none());
    let out = client().post(server.url("/logout")).header("cookie", &one).send().await.unwrap();
    assert_eq!((out.status(), location(&out)), (StatusCode::SEE_OTHER, "/login"));
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let status = async |cookie: &str| {
        client().get(server.url("/api/thing")).header("cookie", cookie).send().await.unwrap().status()
    };
    assert_eq!(status(&one).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&other).await, StatusCode::OK);
}

#[tokio::test]
async fn sessions_survive_a_restart_and_expire() {
    let options =
        || Options { session_lifetime: Some(Period(std::time::Duration::from_secs(2))), ..Options::default() };
    let server = Server::start_with(options()).await;
    let (_, viewer) = server.token(Role::Viewer).await;
    let (_, kiosk) = server.token(Role::Kiosk).await;
    let (viewer, kiosk) = (server.log_in(&viewer).await, server.log_in(&kiosk).await);
    let server = Server::start_in(server.stop().await, options()).await;
    let status = async |cookie: &str| {
        client().get(server.url("/api/thing")).header("cookie", cookie).send().await.unwrap().status()
    };
    assert_eq!(status(&kiosk).await, StatusCode::OK);
    for _ in 0..100 {
        if status(&viewer).await == StatusCode::UNAUTHORIZED {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(status(&viewer).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&kiosk).await, StatusCode::OK);
}

#[tokio::test]
async fn a_kiosk_logs_in_by_its_url_and_sees_only_its_dashboards() {
    let server = Server::start().await;
    let new = NewToken {
        name: "hall".into(),
        role: Role::Kiosk,
        expires_at: None,
        dashboards: vec!["a".into(), "b".into()],
        matchers: String::new(),
    };
    let (_, secret) = server.token_with(new).await;
    let link = client().get(server.url(&format!("/kiosk/a?from=now-6h&token={secret}"))).send().await.unwrap();
    assert_eq!((link.status(), location(&link)), (StatusCode::SEE_OTHER, "/kiosk/a?from=now-6h"));
    let session = cookie(&link).unwrap();
    for (path, expected) in [
        ("/kiosk/a", StatusCode::OK),
        ("/kiosk/b", StatusCode::OK),
        ("/kiosk/c", StatusCode::FORBIDDEN),
        ("/d/c", StatusCode::FORBIDDEN),
        ("/d/A", StatusCode::FORBIDDEN),
    ] {
        let response = client().get(server.url(path)).header("cookie", &session).send().await.unwrap();
        assert_eq!(response.status(), expected, "{path}");
        // The cookie of a display in use is renewed.
        assert_eq!(response.headers().contains_key("set-cookie"), path.starts_with("/kiosk/"), "{path}");
    }
    let home = client().get(server.url(&format!("/login?token={secret}"))).send().await.unwrap();
    assert_eq!(location(&home), "/kiosk/a,b", "its dashboards in turn");
    let wrong = client().get(server.url("/kiosk/a?token=wrong")).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_that_only_writes_cannot_log_in() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Ingest).await;
    let response = client().get(server.url(&format!("/login?token={secret}"))).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(cookie(&response).is_none());
}

#[tokio::test]
async fn a_visit_from_another_site_is_repeated_with_the_cookie() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let session = server.log_in(&secret).await;
    // Browsers do not send strict cookies from another site, so the page requests itself again.
    let first = client()
        .get(server.url("/login?next=%2Fjobs"))
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "navigate");
    let html = first.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("http-equiv=\"refresh\" content=\"0;url=/login?next=%2Fjobs\""), "{html}");
    let again = client()
        .get(server.url("/login?next=%2Fjobs"))
        .header("sec-fetch-site", "same-origin")
        .header("cookie", session);
    let again = again.send().await.unwrap();
    assert_eq!((again.status(), location(&again)), (StatusCode::SEE_OTHER, "/jobs"));
}

#[tokio::test]
async fn the_first_token_is_created_once_or_chosen() {
    let server = Server::start().await;
    let made = server.auth.ensure_first_token(None, LoginLink::Once).await.unwrap().unwrap();
    server.log_in(made.expose()).await;
    assert!(server.auth.ensure_first_token(None, LoginLink::Once).await.unwrap().is_none());

    let chosen = Secret::new("a-first-token-chosen-by-the-operator");
    assert!(server.auth.ensure_first_token(Some(&chosen), LoginLink::Once).await.unwrap().is_none());
    let session = server.log_in(chosen.expose()).await;
    // The same token is accepted at the next start. Another one replaces it and ends its sessions.
    server.auth.ensure_first_token(Some(&chosen), LoginLink::Once).await.unwrap();
    let status = async |cookie: &str| {
        client().get(server.url("/api/thing")).header("cookie", cookie).send().await.unwrap().status()
    };
    assert_eq!(status(&session).await, StatusCode::OK);
    let another = Secret::new("another-first-token-of-the-operator-");
    server.auth.ensure_first_token(Some(&another), LoginLink::Once).await.unwrap();
    assert_eq!(status(&session).await, StatusCode::UNAUTHORIZED);
    server.log_in(another.expose()).await;
}

#[tokio::test]
async fn a_demo_prints_a_new_link_and_retains_its_sessions() {
    let server = Server::start().await;
    let one = server.auth.ensure_first_token(None, LoginLink::Always).await.unwrap().unwrap();
    let session = server.log_in(one.expose()).await;
    let other = server.auth.ensure_first_token(None, LoginLink::Always).await.unwrap().unwrap();
    assert_ne!(one, other);
    server.log_in(other.expose()).await;
    let kept = client().get(server.url("/api/thing")).header("cookie", session).send().await.unwrap();
    assert_eq!(kept.status(), StatusCode::OK);
    let old = client().get(server.url(&format!("/login?token={}", one.expose()))).send().await.unwrap();
    assert_eq!(old.status(), StatusCode::UNAUTHORIZED);
}
