//! The server functions: what forms of pages ask for, as a browser without scripts sends it and as a program does.

use crate::common::{Server, Simulator, TOKEN, client, eventually, viewer};
use reqwest::{RequestBuilder, Response, StatusCode};

async fn send(request: RequestBuilder, fields: &[(&str, &str)], accept: &str) -> Response {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let form = "application/x-www-form-urlencoded";
    request.header("content-type", form).header("accept", accept).body(body).send().await.unwrap()
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
    let id = daemon.submit("to be cancelled").await;
    eventually("the job", async || {
        let jobs = server.json("/api/jobs").await;
        jobs["jobs"].as_array()?.iter().any(|job| job["id"] == *id).then_some(())
    })
    .await;
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
    let session: serde_json::Value = session.json().await.unwrap();
    assert_eq!((&session["name"], &session["match"]), (&"hall".into(), &"provider=\"aws\"".into()));

    // Others see neither the secret nor the tokens.
    let other = viewer(&server, "other").await;
    let page = server.get_as_nobody("/settings").bearer_auth(&other).send().await.unwrap().text().await.unwrap();
    assert!(!page.contains(&secret) && !page.contains("New token"), "{page}");
    let refused = send(server.get_as_nobody("/").bearer_auth(&other), &[], "text/html").await;
    assert_eq!(refused.status(), StatusCode::OK);

    let tokens = server.json("/api/tokens").await;
    let made = tokens.as_array().unwrap().iter().find(|token| token["name"] == "hall").unwrap();
    assert_eq!(form(&server, "/do/revoke-token", &[("id", made["id"].as_str().unwrap())]).await, "/settings");
    let again = server.get_as_nobody("/api/session").bearer_auth(&secret).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(!server.text("/settings").await.contains(&secret), "a revoked token is not to be copied");

    // Revoked by another way, it is not shown any more either.
    assert_eq!(form(&server, "/do/create-token", &fields).await, "/settings");
    let tokens = server.json("/api/tokens").await;
    let holds = |token: &&serde_json::Value| token["name"] == "hall" && token["revoked_at"].is_null();
    let id = tokens.as_array().unwrap().iter().find(holds).unwrap()["id"].as_str().unwrap().to_owned();
    assert!(server.text("/settings").await.contains("token-made"));
    let revoked = client().delete(server.url(&format!("/api/tokens/{id}"))).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert!(!server.text("/settings").await.contains("token-made"));

    // What is wrong stands on the page that has the form.
    for (fields, problem) in
        [([("name", "x"), ("role", "king")], "unknown role"), ([("name", ""), ("role", "viewer")], "name")]
    {
        let to = form(&server, "/do/create-token", &fields).await;
        assert!(server.text(&to).await.contains(problem), "{to}");
    }
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
        ("/alerts?filter=\r\nx: y", "/"),
    ] {
        assert_eq!(form(&server, "/do/silence", &silence(back)).await, to, "{back}");
    }
    let to = form(&server, "/do/silence", &[("matchers", "{{"), ("duration", "1h"), ("back", "/alerts?view=silences")])
        .await;
    assert!(to.starts_with("/alerts?view=silences&problem="), "{to}");
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
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], code, "{path}: {body}");
        assert!(!body["error"]["message"].as_str().unwrap().contains('|'), "{body}");
    }
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
