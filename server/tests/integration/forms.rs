//! The server functions: what forms of pages ask for, as a browser without scripts sends it and as a program does.

use std::collections::BTreeSet;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::{
    common::{Server, Simulator, TOKEN, client, eventually, viewer},
    notify::{
        alert, deliveries, file, post, quick,
        receiver::{Answer, Receiver},
        serve,
    },
};

async fn send(request: RequestBuilder, fields: &[(&str, &str)], accept: &str) -> Response {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let form = "application/x-www-form-urlencoded";
    request.header("content-type", form).header("accept", accept).body(body).send().await.unwrap()
}

/// A job that the server knows.
async fn submitted(daemon: &Simulator, server: &Server) -> String {
    let id = daemon.submit("to be cancelled").await;
    eventually("the job", async || {
        let jobs = server.json("/api/jobs").await;
        jobs["jobs"].as_array()?.iter().any(|job| job["id"] == *id).then_some(())
    })
    .await;
    id
}

/// As a browser sends a form; where it leads.
async fn form(server: &Server, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = send(server.post(path), fields, "text/html,*/*").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_is_cancelled_by_a_form() {
    let daemon = Simulator::start("stock", &[]).await;
    let server = Server::serve(&["--daemon-url", &daemon.named("site")]).await;
    let id = submitted(&daemon, &server).await;
    let page = server.text(&format!("/jobs/site/{id}")).await;
    assert!(page.contains("action=\"/do/cancel-job\""), "{page}");
    let to = form(&server, "/do/cancel-job", &[("daemon", "site"), ("id", &id)]).await;
    assert!(to.starts_with("/jobs/site/"), "{to}");
    eventually("the cancel", async || {
        let job = server.json(&format!("/api/jobs/site/{id}")).await["job"].clone();
        (job["cancel_requested"] == true || job["status"] == "cancelled").then_some(())
    })
    .await;
    let to = form(&server, "/do/cancel-job", &[("daemon", "site"), ("id", "none")]).await;
    assert!(to.starts_with("/jobs/site/none?problem=daemon"), "{to}");
    let answer = server.get(&to).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let page = answer.text().await.unwrap();
    assert!(page.contains("Not cancelled: daemon"), "{page}");
}

#[tokio::test]
async fn tokens_are_made_and_revoked_by_forms_and_the_secret_is_shown_to_its_maker_alone() {
    let server = Server::serve(&[]).await;
    let fields =
        [("name", "hall"), ("role", "viewer"), ("lasts", "30d"), ("dashboard", ""), ("matchers", "provider=\"aws\"")];
    assert_eq!(form(&server, "/do/create-token", &fields).await, "/settings");
    let page = server.text("/settings").await;
    let secret = page.split("readonly").nth(1).and_then(|rest| rest.split("value=\"").nth(1)?.split('"').next());
    let secret = secret.unwrap_or_else(|| panic!("no secret in {page}")).to_owned();
    let session = server.get_as_nobody("/api/session").bearer_auth(&secret).send().await.unwrap();
    let session: Value = session.json().await.unwrap();
    assert_eq!((&session["name"], &session["match"]), (&"hall".into(), &"provider=\"aws\"".into()));

    // Others see neither the secret nor the tokens.
    let other = viewer(&server, "other").await;
    let page = server.get_as_nobody("/settings").bearer_auth(&other).send().await.unwrap().text().await.unwrap();
    assert!(!page.contains(&secret) && !page.contains("New token"), "{page}");
    let by_other = client().post(server.url("/do/create-token")).bearer_auth(&other);
    assert_eq!(send(by_other, &fields, "application/json").await.status(), StatusCode::FORBIDDEN);

    let tokens = server.json("/api/tokens").await;
    let made = tokens.as_array().unwrap().iter().find(|token| token["name"] == "hall").unwrap();
    assert_eq!(form(&server, "/do/revoke-token", &[("id", made["id"].as_str().unwrap())]).await, "/settings");
    let again = server.get_as_nobody("/api/session").bearer_auth(&secret).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(!server.text("/settings").await.contains(&secret), "a revoked token is not to be copied");

    // Revoked by another way, it is not shown any more either.
    assert_eq!(form(&server, "/do/create-token", &fields).await, "/settings");
    let tokens = server.json("/api/tokens").await;
    let holds = |token: &&Value| token["name"] == "hall" && token["revoked_at"].is_null();
    let id = tokens.as_array().unwrap().iter().find(holds).unwrap()["id"].as_str().unwrap().to_owned();
    assert!(server.text("/settings").await.contains("token-made"));
    let revoked = client().delete(server.url(&format!("/api/tokens/{id}"))).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert!(!server.text("/settings").await.contains("token-made"));
}

#[tokio::test]
async fn a_refused_form_says_why_once_and_keeps_what_was_typed() {
    let server = Server::serve(&[]).await;
    for (fields, problem) in [
        ([("name", "hall display"), ("role", "king")], "unknown role"),
        ([("name", "hall display\u{202e}"), ("role", "kiosk")], "control characters"),
    ] {
        let to = form(&server, "/do/create-token", &fields).await;
        let page = server.text(&to).await;
        assert!(page.contains(problem) && page.contains("value=\"hall display"), "{page}");
        assert!(page.contains("data-typed") && page.contains("Dismiss"), "{page}");
        // The browser fetches the content again and again.
        let content = server.text(&to.replacen("/settings", "/fragments/settings", 1)).await;
        assert!(!content.contains(problem), "{content}");
    }
    assert!(!server.text("/settings").await.contains("Dismiss"));
}

#[tokio::test]
async fn nobody_revokes_the_token_that_they_use() {
    let server = Server::serve(&[]).await;
    let tokens = server.json("/api/tokens").await;
    let id = tokens[0]["id"].as_str().unwrap();
    let fields = [("id", id)];
    let by_program = send(server.post("/do/revoke-token"), &fields, "application/json").await;
    let by_api = client().delete(server.url(&format!("/api/tokens/{id}"))).bearer_auth(TOKEN).send().await.unwrap();
    for answer in [by_program, by_api] {
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        let error = &answer.json::<Value>().await.unwrap()["error"];
        assert_eq!(error["code"], "conflict");
        assert!(error["message"].as_str().unwrap().contains("the token that you use"), "{error}");
    }
    let to = form(&server, "/do/revoke-token", &fields).await;
    assert!(server.text(&to).await.contains("the token that you use"), "{to}");
    assert_eq!(server.json("/api/tokens").await[0]["revoked_at"], Value::Null);
}

#[tokio::test]
async fn tokens_that_cannot_be_read_are_not_taken_for_none() {
    let server = Server::serve(&[]).await;
    let pool = database::open(server.data_dir.path()).await.unwrap();
    sqlx::query("ALTER TABLE tokens RENAME TO elsewhere").execute(&pool).await.unwrap();
    let page = server.text("/settings").await;
    assert!(page.contains("The tokens cannot be read") && page.contains("New token"), "{page}");
    assert!(!page.contains("no such table"), "{page}");
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused_with_its_limit() {
    let server = Server::serve(&[]).await;
    let long = "x".repeat(17 << 10);
    let fields = [("matchers", "alertname=x"), ("duration", "1h"), ("comment", &*long)];
    let answer = send(server.post("/do/silence"), &fields, "application/json").await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let error = &answer.json::<Value>().await.unwrap()["error"];
    assert!(error["message"].as_str().unwrap().contains("more than 16 KiB"), "{error}");
    let to = form(&server, "/do/silence", &fields).await;
    assert!(server.text(&to).await.contains("more than 16 KiB"), "{to}");

    let login = client().post(server.url("/login"));
    let login = send(login, &[("token", &*long)], "text/html").await;
    assert_eq!(login.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(login.text().await.unwrap().contains("<h1>This request is too large</h1>"));
    let token = server.post("/api/tokens").body(long).send().await.unwrap();
    assert_eq!(token.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(token.json::<Value>().await.unwrap()["error"]["code"], "bad_request");
}

/// The cookie of a new session.
async fn log_in(server: &Server, secret: &str) -> String {
    let login = server.get_as_nobody(&format!("/login?token={secret}")).send().await.unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn sessions_are_ended_by_forms_of_our_own_pages_alone() {
    let server = Server::serve(&[]).await;
    let secret = viewer(&server, "desk").await;
    let (mine, other) = (log_in(&server, &secret).await, log_in(&server, &secret).await);
    let holds = async |cookie: &str| {
        let session = server.get_as_nobody("/api/session").header("cookie", cookie).send().await.unwrap();
        session.status() == StatusCode::OK
    };
    let post = |path: &str, origin: &str| {
        client().post(server.url(path)).header("cookie", &mine).header("origin", origin.to_owned())
    };
    for path in ["/do/end-other-sessions", "/do/create-token", "/do/theme"] {
        let evil = send(post(path, "http://evil.example"), &[], "text/html").await;
        assert_eq!(evil.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert!(holds(&other).await);
    let ours = server.url("").trim_end_matches('/').to_owned();
    let done = send(post("/do/end-other-sessions", &ours), &[], "text/html").await;
    assert_eq!((done.status(), &done.headers()["location"]), (StatusCode::SEE_OTHER, &"/settings".parse().unwrap()));
    assert!(holds(&mine).await && !holds(&other).await);
    let refused = send(post("/do/create-token", &ours), &[("name", "x"), ("role", "admin")], "text/html").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "a viewer makes no tokens");
}

#[tokio::test]
async fn a_form_leads_back_only_to_the_page_that_has_it() {
    let server = Server::serve(&[]).await;
    let silence =
        |back: &'static str| [("matchers", "alertname=x"), ("duration", "1h"), ("comment", "c"), ("back", back)];
    for (back, to) in [
        ("/alerts?view=silences", "/alerts?view=silences"),
        ("/alerts", "/alerts"),
        ("https://elsewhere.example/alerts?", "/alerts"),
        ("//elsewhere.example", "/alerts"),
        ("/alertsx?", "/alerts"),
        ("/alerts?filter=\r\nx: y\u{e9}", "/alerts?filter=%0D%0Ax:%20y%C3%A9"),
    ] {
        assert_eq!(form(&server, "/do/silence", &silence(back)).await, to, "{back}");
    }
    for (back, start) in [
        ("/alerts?view=silences", "/alerts?view=silences&problem="),
        ("/alerts?filter=\r\nx", "/alerts?filter=%0D%0Ax&problem="),
    ] {
        let to = form(&server, "/do/silence", &[("matchers", "{{"), ("duration", "1h"), ("back", back)]).await;
        assert!(to.starts_with(start), "{to}");
    }
}

#[tokio::test]
async fn a_program_gets_errors_as_the_api_writes_them() {
    let server = Server::serve(&[]).await;
    for (path, fields, status, code) in [
        ("/do/silence", &[][..], 400, "bad_request"),
        ("/do/silence", &[("matchers", "x=1"), ("duration", "soon")][..], 400, "bad_request"),
        ("/do/expire-silence", &[("id", "none")][..], 404, "not_found"),
        ("/do/cancel-job", &[("daemon", "none"), ("id", "1")][..], 404, "not_found"),
        ("/do/revoke-token", &[("id", "none")][..], 404, "not_found"),
    ] {
        let answer = send(server.post(path), fields, "application/json").await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], code, "{path}: {body}");
        assert!(!body["error"]["message"].as_str().unwrap().contains('|'), "{body}");
    }
}

#[tokio::test]
async fn a_program_gets_json_for_each_change_that_is_made() {
    let daemon = Simulator::start("stock", &[]).await;
    let receiver = Receiver::scripted(&[Answer::Status(400)]).await;
    let webhook = quick(&format!("  webhook_configs: [{{url: '{}/'}}]", receiver.url));
    let (_directory, file) = file(&webhook.replace("group_interval: 1s", "group_interval: 1h"));
    let config = file.with_file_name("hyperscope.yaml");
    std::fs::write(&config, "walls: [{ name: hall, dashboards: [hypersdk-jobs] }]\n").unwrap();
    let arguments = ["--daemon-url", &daemon.named("site"), "--config", config.to_str().unwrap()];
    let server = serve(&file, &arguments).await;
    let mut done = BTreeSet::new();
    let mut make = async |path: &'static str, fields: &[(&str, &str)]| {
        let answer = send(server.post(path), fields, "application/json").await;
        assert_eq!((path, answer.status()), (path, StatusCode::OK));
        assert!(!answer.headers().contains_key("location"), "{path}: a program is led nowhere");
        assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        let cookie = answer.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        assert_eq!(answer.json::<Value>().await.unwrap(), Value::Null, "{path}");
        done.insert(path.to_owned());
        cookie
    };

    make("/do/silence", &[("matchers", "alertname=b"), ("duration", "1h"), ("comment", "c")]).await;
    let silence = async || server.json("/api/silences").await["silences"][0].clone();
    let before = silence().await;
    let id = before["id"].as_str().unwrap();
    make("/do/extend-silence", &[("id", id)]).await;
    let ends_at = |silence: &Value| silence["ends_at"].as_i64().unwrap();
    assert_eq!(ends_at(&silence().await) - ends_at(&before), 2 * 3_600_000);
    make("/do/expire-silence", &[("id", id)]).await;
    assert_eq!(silence().await["state"], "expired");

    post(&server, &[alert("a", &[])]).await;
    let dead = eventually("a delivery given up", async || deliveries(&server, "dead").await.first().cloned()).await;
    make("/do/resend-notification", &[("id", dead["id"].as_str().unwrap())]).await;
    receiver.got_count(2).await;
    let alert = server.json("/api/v2/alerts").await[0].clone();
    let fingerprint = alert["fingerprint"].as_str().unwrap();
    let acknowledged = async || server.json("/api/alerts/status").await["alerts"][fingerprint]["acknowledged"].clone();
    make("/do/acknowledge", &[("fingerprint", fingerprint)]).await;
    assert!(acknowledged().await.is_object());
    make("/do/unacknowledge", &[("fingerprint", fingerprint)]).await;
    assert!(acknowledged().await.is_null());

    let job = submitted(&daemon, &server).await;
    make("/do/cancel-job", &[("daemon", "site"), ("id", &job)]).await;

    make("/do/create-token", &[("name", "hall"), ("role", "viewer")]).await;
    let hall = async || server.json("/api/tokens").await[1].clone();
    make("/do/revoke-token", &[("id", hall().await["id"].as_str().unwrap())]).await;
    assert!(hall().await["revoked_at"].is_i64());

    for _ in 0..3 {
        log_in(&server, TOKEN).await;
    }
    let sessions = async || server.json("/api/sessions").await.as_array().unwrap().clone();
    make("/do/end-session", &[("id", sessions().await[0]["id"].as_str().unwrap())]).await;
    assert_eq!(sessions().await.len(), 2);
    make("/do/end-other-sessions", &[]).await;
    assert!(sessions().await.is_empty());
    make("/do/steer-wall", &[("name", "hall"), ("action", "next")]).await;
    let cookie = make("/do/theme", &[("theme", "dark")]).await.unwrap();
    assert!(cookie.starts_with("hyperscope_theme=dark;"), "{cookie}");

    let routes = server.json("/api/routes").await;
    let paths = routes["routes"].as_array().unwrap().iter().map(|route| route["path"].as_str().unwrap().to_owned());
    assert_eq!(done, paths.filter(|path| path.starts_with("/do/")).collect());
}

#[tokio::test]
async fn a_theme_is_chosen_by_a_form() {
    let server = Server::serve(&[]).await;
    let answer = send(server.post("/do/theme"), &[("theme", "dark")], "text/html").await;
    assert_eq!(answer.headers()["location"], "/settings");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("hyperscope_theme=dark; Path=/;"), "{cookie}");
    let back = send(server.post("/do/theme"), &[("theme", "\r\nx")], "text/html").await;
    assert!(back.headers()["set-cookie"].to_str().unwrap().starts_with("hyperscope_theme=; Path=/; Max-Age=0"));
}
