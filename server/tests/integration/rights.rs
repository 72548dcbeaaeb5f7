//! The rights of every route, tested with every kind of token, and that `docs/security.md` documents them.

use crate::common::{Server, client, eventually, token};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

/// One route, as the server lists it.
#[derive(Debug, Deserialize)]
struct Route {
    methods: Vec<String>,
    path: String,
    who: String,
    roles: Vec<String>,
    on_dashboards: String,
    within_matchers: String,
}

impl Route {
    /// A path to nothing that exists, and parameters that keep every request short.
    fn address(&self) -> String {
        let filled: Vec<&str> =
            self.path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect();
        format!("{}?timeout=0&query=a_query_of_no_dashboard", filled.join("/"))
    }

    fn is_open(&self) -> bool {
        self.who == "anyone"
    }

    /// Whether only the client may cache the answer, and nobody an answer for programs.
    fn is_private(&self, answer: &Response) -> bool {
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
        let kept = header("cache-control");
        let is_no_secret = self.is_open() || answer.status() == StatusCode::NO_CONTENT;
        match header("content-type").starts_with("application/json") {
            _ if is_no_secret => true,
            true => kept == "no-store",
            // The answer of `/ws` to requests that are no upgrade reveals nothing.
            false if !answer.status().is_success() => true,
            false => kept == "no-store" || kept.starts_with("private"),
        }
    }

    /// The row of the table in the document.
    fn line(&self) -> String {
        let roles = match self.who.as_str() {
            "anyone" => "anyone".to_owned(),
            "any_token" => "every token".to_owned(),
            _ => self.roles.join(", "),
        };
        let Route { methods, path, on_dashboards, within_matchers, .. } = self;
        format!("| {} `{path}` | {roles} | {on_dashboards} | {within_matchers} |", methods.join(", "))
    }
}

async fn routes(server: &Server) -> Vec<Route> {
    serde_json::from_value(server.json("/api/routes").await["routes"].clone()).unwrap()
}

/// A client.
struct Caller {
    name: String,
    role: String,
    token: Option<String>,
    has_dashboards: bool,
    has_matchers: bool,
}

impl Caller {
    async fn with(server: &Server, role: &str, limit: &[&str]) -> Self {
        let args = [&["create", "--name", role, "--role", role], limit].concat();
        let secret = token(server.data_dir.path(), &args).await;
        eventually("the token to hold", async || {
            let answer = client().get(server.url("/api/session")).bearer_auth(&secret).send().await.unwrap();
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        Caller {
            name: format!("{role} {}", limit.join(" ")),
            role: role.to_owned(),
            token: Some(secret),
            has_dashboards: limit.contains(&"--dashboards"),
            has_matchers: limit.contains(&"--match"),
        }
    }

    async fn all(server: &Server) -> Vec<Self> {
        let mut callers = vec![Caller {
            name: "nobody".to_owned(),
            role: String::new(),
            token: None,
            has_dashboards: false,
            has_matchers: false,
        }];
        for role in ["ingest", "scrape", "kiosk", "viewer", "operator", "admin"] {
            callers.push(Caller::with(server, role, &[]).await);
        }
        callers.push(Caller::with(server, "kiosk", &["--dashboards", "overview"]).await);
        for role in ["scrape", "viewer", "operator"] {
            callers.push(Caller::with(server, role, &["--match", "provider=\"aws\""]).await);
        }
        callers
    }

    /// Whether the answer is the one that the rights of the route require.
    fn is_right(&self, route: &Route, status: StatusCode, location: &str) -> bool {
        let unknown =
            status == StatusCode::UNAUTHORIZED || status == StatusCode::SEE_OTHER && location.starts_with("/login?");
        let forbidden = status == StatusCode::FORBIDDEN;
        if route.is_open() {
            return status != StatusCode::UNAUTHORIZED && !forbidden;
        }
        if self.token.is_none() {
            return unknown;
        }
        let is_refused = !route.roles.contains(&self.role)
            || self.has_matchers && route.within_matchers == "nothing"
            || self.has_dashboards && (route.on_dashboards == "nothing" || route.on_dashboards == "queries");
        // A token that sees a part may not see the object in the address.
        let may_be_refused = self.has_matchers && route.within_matchers == "part"
            || self.has_dashboards && route.on_dashboards == "part";
        if is_refused { forbidden } else { !unknown && (!forbidden || may_be_refused) }
    }
}

#[tokio::test]
async fn every_route_is_for_those_whom_the_table_names_and_nobody_else() {
    let server = Server::demo(&[]).await;
    let routes = routes(&server).await;
    assert!(routes.len() > 80, "{}", routes.len());
    let callers = Caller::all(&server).await;
    let client = client();
    let mut wrong = Vec::new();
    for route in &routes {
        // A method that the path does not support does not reveal that the path exists.
        let other = client.request(Method::TRACE, server.url(&route.address())).send().await.unwrap().status();
        let tells = other != StatusCode::UNAUTHORIZED && other != StatusCode::SEE_OTHER;
        if tells && !route.is_open() {
            wrong.push(format!("TRACE {} by nobody: {other}", route.path));
        }
        for (method, caller) in route.methods.iter().flat_map(|method| callers.iter().map(move |who| (method, who))) {
            let request = client.request(method.parse().unwrap(), server.url(&route.address()));
            let request = match &caller.token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.send().await.unwrap();
            if caller.token.is_some() && !route.is_private(&answer) {
                let kept = answer.headers().get("cache-control");
                wrong.push(format!("{method} {} for {} may be kept: {kept:?}", route.path, caller.name));
            }
            let location = answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
            if !caller.is_right(route, answer.status(), &location) {
                wrong.push(format!("{method} {} by {}: {} {location}", route.path, caller.name, answer.status()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers that should be others:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_document_lists_every_route_with_its_rights() {
    let server = Server::serve(&[]).await;
    let mut lines: Vec<String> = routes(&server).await.iter().map(Route::line).collect();
    lines.sort_by_key(|line| line.split('`').nth(1).unwrap().to_owned() + line);
    let document = include_str!("../../../docs/security.md");
    let section = document.split("\n## Routes\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let written: Vec<&str> = section.lines().filter(|line| line.starts_with("| ") && line.contains("` | ")).collect();
    let missing: Vec<&String> = lines.iter().filter(|line| !written.contains(&line.as_str())).collect();
    let invented: Vec<_> = written.iter().filter(|line| !lines.iter().any(|known| known == *line)).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "the table of docs/security.md lacks:\n{}\nand has what is not so: {invented:#?}",
        missing.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n")
    );
}
