//! Sessions of a token: which login replaces which, who can end them, and when they expire.

use std::time::Duration;

use crate::{
    config::{Options, Period},
    http::auth::LoginLink,
};
use axum::http::StatusCode;
use model::role::Role;
use serde_json::Value;

use super::server::{Server, client, cookie, location};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Whether a session is still valid.
async fn holds(server: &Server, session: &str) -> bool {
    let page = client().get(server.url("/api/thing")).header("cookie", session).send().await.unwrap();
    page.status() == StatusCode::OK
}

async fn sessions(server: &Server, session: &str) -> Vec<Value> {
    let request = client().get(server.url("/api/sessions")).header("cookie", session);
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_link_from_another_site_asks_before_it_replaces_a_login() {
    let server = Server::start().await;
    let (_, mine) = server.token(Role::Admin).await;
    let (_, theirs) = server.token(Role::Kiosk).await;
    for path in ["/login?next=%2Fjobs&token=", "/kiosk/wall?token="] {
        let session = server.log_in(&mine).await;
        let get = |path: &str, site: &'static str| {
            let request = client().get(server.url(path)).header("sec-fetch-site", site);
            request.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document")
        };
        // Browsers do not send the strict cookie from another site: our own page requests the link again.
        let first = get(&format!("{path}{theirs}"), "cross-site").send().await.unwrap();
        assert_eq!((first.status(), cookie(&first)), (StatusCode::OK, None), "{path}");
        let html = first.text().await.unwrap();
        let again = html.split_once("content=\"0;url=").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
        assert!(again.ends_with("&again=1") && again.contains(&theirs), "{again}");
        let asked = get(&again, "same-origin").header("cookie", &session).send().await.unwrap();
        assert_eq!((asked.status(), cookie(&asked)), (StatusCode::OK, None), "{path}");
        assert_eq!(asked.headers()["cache-control"], "no-store");
        let html = asked.text().await.unwrap();
        assert!(
            html.contains("Log in as test?") && html.contains("role kiosk") && html.contains("name=\"form_token\"")
        );
        assert!(holds(&server, &session).await, "{path}: nothing has changed");
        // Without a login, no question is needed.
        let fresh = get(&again, "same-origin").send().await.unwrap();
        assert_eq!(fresh.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(!location(&fresh).contains("again") && cookie(&fresh).is_some(), "{path}");
        // Nor for a link with the token of the current login.
        assert_eq!(
            get(&format!("{path}{mine}&again=1"), "same-origin")
                .header("cookie", &session)
                .send()
                .await
                .unwrap()
                .status(),
            StatusCode::SEE_OTHER
        );
        let session = server.log_in(&mine).await;
        let value = |name: &str| {
            let field = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
            field.split_once('"').unwrap().0.to_owned()
        };
        let fields = [("token", value("token")), ("next", value("next")), ("form_token", value("form_token"))];
        let yes = client().post(server.url("/login")).form(&fields).header("cookie", &session);
        let yes = yes.header("origin", format!("http://{}", server.address)).send().await.unwrap();
        assert_eq!(yes.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(holds(&server, &cookie(&yes).unwrap()).await);
        assert!(!holds(&server, &session).await, "{path}: the one before has ended");
    }
}

#[tokio::test]
async fn subresources_of_another_site_do_not_change_a_login() {
    let server = Server::start().await;
    let (_, mine) = server.token(Role::Admin).await;
    let (_, theirs) = server.token(Role::Kiosk).await;
    let session = server.log_in(&mine).await;
    for path in ["/login?token=", "/kiosk/wall?token="] {
        // A page on another port of this host is of the same site: browsers send and accept the strict cookie.
        for (site, what, status) in [
            ("same-site", "image", StatusCode::FORBIDDEN),
            ("cross-site", "script", StatusCode::FORBIDDEN),
            ("same-site", "empty", StatusCode::FORBIDDEN),
            ("same-site", "iframe", StatusCode::OK),
            ("same-site", "document", StatusCode::OK),
        ] {
            let link = client().get(server.url(&format!("{path}{theirs}"))).header("cookie", &session);
            let answer = link.header("sec-fetch-site", site).header("sec-fetch-dest", what).send().await.unwrap();
            assert_eq!((answer.status(), cookie(&answer)), (status, None), "{path} {site} {what}");
            assert!(holds(&server, &session).await, "{path} {site} {what}");
        }
    }
    assert_eq!(sessions(&server, &session).await.len(), 1);
}

#[tokio::test]
async fn a_form_that_hides_its_origin_logs_in_only_with_the_form_token() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let session = server.log_in(&secret).await;
    for form_token in ["", "wrong"] {
        let post = client().post(server.url("/login")).form(&[("token", secret.as_str()), ("form_token", form_token)]);
        let answer = post.header("origin", "null").header("cookie", &session).send().await.unwrap();
        assert_eq!((answer.status(), cookie(&answer)), (StatusCode::FORBIDDEN, None));
    }
}

#[tokio::test]
async fn a_login_ends_only_the_previous_session_of_its_browser() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let (first, elsewhere) = (server.log_in(&secret).await, server.log_in(&secret).await);
    let again = client().get(server.url(&format!("/login?token={secret}"))).header("cookie", &first);
    let second = cookie(&again.send().await.unwrap()).unwrap();
    assert_ne!(first, second);
    assert!(!holds(&server, &first).await);
    assert!(holds(&server, &second).await && holds(&server, &elsewhere).await);
}

#[tokio::test]
async fn kiosk_displays_that_share_a_link_do_not_end_each_other() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Kiosk).await;
    let open = |session: Option<&str>| {
        let request = client().get(server.url(&format!("/kiosk/wall?token={secret}")));
        match session {
            Some(session) => request.header("cookie", session),
            None => request,
        }
    };
    let one = cookie(&open(None).send().await.unwrap()).unwrap();
    let other_screen = cookie(&open(None).send().await.unwrap()).unwrap();
    let other_window = cookie(&open(Some(&one)).send().await.unwrap()).unwrap();
    assert_eq!(one, other_window, "windows of one browser share a session");
    for session in [&one, &other_screen] {
        let wall = client().get(server.url("/kiosk/wall")).header("cookie", session).send().await.unwrap();
        assert_eq!(wall.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_sessions_of_a_token_are_listed_and_ended() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Viewer).await;
    let (_, admin) = server.token(Role::Admin).await;
    let link = client().get(server.url(&format!("/login?token={secret}"))).header("user-agent", FIREFOX);
    let mine = cookie(&link.send().await.unwrap()).unwrap();
    let (one, other, admins) =
        (server.log_in(&secret).await, server.log_in(&secret).await, server.log_in(&admin).await);
    let listed = sessions(&server, &mine).await;
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!((&listed[0]["current"], &listed[0]["browser"]), (&true.into(), &"Firefox on Linux".into()));
    assert_eq!((&listed[0]["address"], &listed[1]["current"]), (&"127.0.0.1".into(), &false.into()));
    assert!(listed[0]["begun_at"].as_i64() <= listed[0]["used_at"].as_i64(), "{listed:?}");
    assert!(!serde_json::to_string(&listed).unwrap().contains(mine.split_once('=').unwrap().1), "no secret");
    assert_eq!(sessions(&server, &admins).await.len(), 1, "an admin sees their own alone");

    let origin = format!("http://{}", server.address);
    let delete = |path: &str, session: &str| {
        client().delete(server.url(path)).header("cookie", session).header("origin", &origin)
    };
    let id = listed[1]["id"].as_str().unwrap();
    let foreign = delete(&format!("/api/sessions/{id}"), &admins).send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND, "nor ends those of others");
    let ended = delete(&format!("/api/sessions/{id}"), &mine).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    assert_ne!(holds(&server, &one).await, holds(&server, &other).await, "one of the two");
    let evil = client().delete(server.url("/api/sessions")).header("cookie", &mine);
    assert_eq!(evil.header("origin", "http://evil.example").send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let rest = delete("/api/sessions", &mine).send().await.unwrap();
    assert_eq!(rest.text().await.unwrap(), r#"{"ended":1}"#);
    assert!(holds(&server, &mine).await && holds(&server, &admins).await);
    assert!(!holds(&server, &one).await && !holds(&server, &other).await);
}

#[tokio::test]
async fn an_idle_session_ends_unless_it_is_of_a_kiosk() {
    let idle = Duration::from_secs(2);
    let server = Server::start_with(Options { session_idle: Some(Period(idle)), ..Options::default() }).await;
    let (_, secret) = server.token(Role::Viewer).await;
    let (_, kiosk) = server.token(Role::Kiosk).await;
    let (used, unused, wall) =
        (server.log_in(&secret).await, server.log_in(&secret).await, server.log_in(&kiosk).await);
    let began = std::time::Instant::now();
    while began.elapsed() < idle + idle / 2 {
        assert!(holds(&server, &used).await);
        tokio::time::sleep(idle / 8).await;
    }
    assert!(!holds(&server, &unused).await);
    assert_eq!(sessions(&server, &used).await.len(), 1);
    assert!(holds(&server, &wall).await);
}

#[tokio::test]
async fn the_token_of_the_first_start_expires_after_a_day_unless_made_permanent() {
    let server = Server::start().await;
    let made = server.auth.ensure_first_token(None, LoginLink::Once).await.unwrap().unwrap();
    let session = server.log_in(made.expose()).await;
    let end = async || server.tokens.list(0).await.unwrap()[0].expires_at;
    let lasts_ms = end().await.unwrap() - server.tokens.list(0).await.unwrap()[0].created_at;
    assert!((86_400_000 - 5_000..=86_400_000).contains(&lasts_ms), "{lasts_ms}");
    assert!(server.tokens.keep("unknown").await.is_err());
    server.tokens.keep("first-token-printed").await.unwrap();
    assert_eq!(end().await, None);
    assert!(holds(&server, &session).await);
    let demo = Server::start().await;
    demo.auth.ensure_first_token(None, LoginLink::Always).await.unwrap().unwrap();
    assert_eq!(demo.tokens.list(0).await.unwrap()[0].expires_at, None, "a demo's holds");
}

#[tokio::test]
async fn hsts_is_sent_only_if_it_is_set_and_https_is_used() {
    let day = || Some(Period(Duration::from_secs(86_400)));
    let said = async |options: Options| {
        let server = Server::start_with(options).await;
        let answer = client().get(server.url("/health")).send().await.unwrap();
        answer.headers().get("strict-transport-security").map(|value| value.to_str().unwrap().to_owned())
    };
    let public_url = || Some("https://scope.example.org".to_owned());
    let https = Options { hsts: day(), public_url: public_url(), ..Options::default() };
    assert_eq!(said(https).await.as_deref(), Some("max-age=86400"));
    assert_eq!(
        said(Options { hsts: day(), ..Options::default() }).await,
        None,
        "a browser that came by HTTP ignores it"
    );
    assert_eq!(said(Options { public_url: public_url(), ..Options::default() }).await, None);
}

#[tokio::test]
async fn private_json_is_not_cached() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Admin).await;
    for path in ["/api/session", "/api/sessions", "/api/tokens"] {
        let answer = client().get(server.url(path)).bearer_auth(&secret).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    }
}
