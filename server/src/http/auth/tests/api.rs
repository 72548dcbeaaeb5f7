//! `/api/session` and `/api/tokens`.

use axum::http::StatusCode;
use model::role::Role;
use serde_json::{Value, json};

use super::server::{Server, client};

#[tokio::test]
async fn a_session_has_name_and_role_of_its_token() {
    let server = Server::start().await;
    let (_, secret) = server.token(Role::Operator).await;
    let session: Value =
        client().get(server.url("/api/session")).bearer_auth(&secret).send().await.unwrap().json().await.unwrap();
    assert_eq!(session, json!({ "name": "test", "role": "operator", "expires_at": null }));
}

#[tokio::test]
async fn an_admin_creates_lists_and_revokes_tokens() {
    let server = Server::start().await;
    let (_, admin) = server.token(Role::Admin).await;
    let url = server.url("/api/tokens");
    let body = json!({ "name": "hall", "role": "kiosk", "expires": "30d", "dashboards": ["a"] });
    let made = client().post(&url).bearer_auth(&admin).json(&body).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(made.headers()["cache-control"], "no-store");
    let made: Value = made.json().await.unwrap();
    let secret = made["secret"].as_str().unwrap();
    // The token is valid at once.
    let used = client().get(server.url("/api/session")).bearer_auth(secret).send().await.unwrap();
    assert_eq!(used.json::<Value>().await.unwrap()["dashboards"], json!(["a"]));

    let listed = client().get(&url).bearer_auth(&admin).send().await.unwrap().text().await.unwrap();
    assert!(listed.contains("\"hall\"") && !listed.contains(secret) && !listed.contains("hash"), "{listed}");

    let id = made["id"].as_str().unwrap();
    let revoke = async || client().delete(format!("{url}/{id}")).bearer_auth(&admin).send().await.unwrap().status();
    assert_eq!(revoke().await, StatusCode::NO_CONTENT);
    assert_eq!(revoke().await, StatusCode::NOT_FOUND);
    let ended = client().get(server.url("/api/session")).bearer_auth(secret).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_invalid_token_request_says_what_is_wrong() {
    let server = Server::start().await;
    let (_, admin) = server.token(Role::Admin).await;
    for (body, said) in [
        (json!({ "name": "x", "role": "root" }), "root"),
        (json!({ "name": "", "role": "viewer" }), "name"),
        (json!({ "name": "x", "role": "viewer", "expires": "soon" }), "soon"),
        (json!({ "name": "x", "role": "viewer", "match": ["a=b"] }), "not a list of matchers"),
        (json!([]), "Asked"),
    ] {
        let response = client().post(server.url("/api/tokens")).bearer_auth(&admin).json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        let answer: Value = response.json().await.unwrap();
        assert!(answer["error"]["message"].as_str().unwrap().contains(said), "{answer}");
    }
    let long = client().post(server.url("/api/tokens")).bearer_auth(&admin).body("x".repeat(1 << 20));
    assert_eq!(long.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn pages_have_security_headers() {
    let frame_ancestors = Some(vec!["'self'".to_owned(), "https://wiki.example.org".to_owned()]);
    let options = crate::config::Options { frame_ancestors, ..Default::default() };
    let server = Server::start_with(options).await;
    let (_, secret) = server.token(Role::Viewer).await;
    let page = async || {
        let page = client().get(server.url("/")).bearer_auth(&secret).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert_eq!(page.headers()["x-content-type-options"], "nosniff");
        assert_eq!(page.headers()["referrer-policy"], "same-origin");
        assert!(page.headers()["cache-control"].to_str().unwrap().contains("private"));
        assert!(page.headers().get("x-frame-options").is_none());
        let nonce = page.text().await.unwrap().trim_end_matches("</p>").rsplit(' ').next().unwrap().to_owned();
        (policy, nonce)
    };
    let ((policy, nonce), (_, other)) = (page().await, page().await);
    assert_ne!(nonce, other);
    let scripts = policy.split(';').find(|directive| directive.trim().starts_with("script-src")).unwrap();
    assert_eq!(scripts.trim(), format!("script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"));
    assert!(policy.contains("frame-ancestors 'self' https://wiki.example.org;"), "{policy}");
    assert!(policy.contains(&format!("connect-src 'self' ws://{0} wss://{0};", server.address)), "{policy}");
}
