//! Renders the HTML document of a page on the server, through leptos_axum.
//!
//! The caller has evaluated every panel before, so rendering waits for no data. Documents are not streamed: the status, and the cost that counts against
//! the viewer's limits, are known only when all data is there, and then rendering takes about a millisecond.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, Uri},
};
use leptos::{nonce::Nonce, prelude::*};
use leptos_meta::{Link, MetaTags};
use leptos_router::components::Router;
use model::{
    job::JobDetail,
    page::Boot,
    playlist::{Playlist, distance_m},
    route::{PageKind, PageRoute},
    zone::Zone,
};

use crate::{
    App,
    pages::{CANCEL, Drawn, SERVER},
    payload::{Evaluated, PAYLOAD_ELEMENT, Payload, Pictures},
    shell::{RANGE, Refresh, newest_ms, parameter, with_parameter},
};

/// Everything that a document is rendered from.
#[derive(Debug, Clone)]
pub struct PageInput {
    /// The session, and the page that it asks for. `boot.dashboard` is `None` for the job page, the settings and pages that are not found.
    pub boot: Boot,
    /// The dashboard's panels by panel id. A panel without an entry is shown as loading.
    pub panels: HashMap<String, Evaluated>,
    /// The newest evaluation time of the panels that come as HTML, in milliseconds since the Unix epoch.
    pub evaluated_ms: Option<i64>,
    /// On pages of the workbench: their content, rendered by [`crate::alerts::draw`], [`crate::explore::draw`] or [`crate::settings::draw`].
    pub drawn: Option<String>,
    /// On a job page: the job; `None` if no daemon has it.
    pub job: Option<JobDetail>,
    /// The path below which browsers reach the server, without a trailing slash; empty at the root of a host. The HTTP server prefixes the
    /// URLs in attributes with it; the URLs inside scripts get it here.
    pub base: String,
    /// URLs of the program and the style sheet.
    pub assets: AssetPaths,
    /// The nonce of this response's `Content-Security-Policy`.
    pub nonce: String,
    /// The viewer's time zone, from the cookie [`crate::payload::ZONE_COOKIE`]; UTC if unknown.
    pub zone: Zone,
    /// Whether that is the zone of a site, in which its clock stays wherever it is read.
    pub has_site_zone: bool,
}

/// Paths of the files that a page loads, such as `/viewer-1234.js`. A path is empty if the server does not have the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPaths {
    /// The JavaScript module that loads the WebAssembly.
    pub js: String,
    /// The WebAssembly.
    pub wasm: String,
    /// The style sheet.
    pub css: String,
}

/// A document, and the panels that were rendered for it.
#[derive(Debug)]
pub struct Document {
    /// The whole document.
    pub html: Bytes,
    /// The bodies of the panels that came as data, by panel id. They depend on the data, the URL, the time zone, the annotations and the
    /// time only, so a later document can reuse them if these are equal.
    pub pictures: HashMap<String, Arc<str>>,
}

/// Renders the document for `uri`, which selects the page and its time range.
pub async fn render_document(input: PageInput, uri: Uri) -> Document {
    let PageInput { boot, panels, evaluated_ms, drawn, job, base, assets, nonce, zone, has_site_zone } = input;
    let newest = panels.values().filter_map(|panel| match panel {
        Evaluated::Data(data) => newest_ms(data),
        Evaluated::Picture(_) => None,
    });
    let evaluated_ms = newest.max().max(evaluated_ms);
    let refresh = Refresh::from_path_and_query(&uri.to_string()).reload_seconds().map(|seconds| seconds.to_string());
    let list = playlist(&uri, &boot);
    let next_turn = list.as_ref().and_then(|list| next_turn(&uri, list));
    let reload = next_turn.or(refresh).filter(|_| !is_filled_in(&uri));
    let distance = parameter(uri.query().unwrap_or_default(), "distance").filter(|_| list.is_some());
    let distance_m = distance.and_then(|distance| distance_m(&distance));
    let pictures = Pictures::of(panels);
    let context = {
        let (pictures, nonce) = (pictures.clone(), nonce.clone());
        move || {
            provide_context(pictures.clone());
            provide_context(Nonce::from_value(nonce.clone()));
            if let Some(drawn) = &drawn {
                provide_context(Drawn(drawn.clone()));
            }
        }
    };
    let offset_min = zone.offset_min(boot.now_ms);
    let site_zone = has_site_zone.then(|| zone.name());
    let says = |name: &str, value: &str| parameter(uri.query().unwrap_or_default(), name).as_deref() == Some(value);
    let has_takeover = boot.kiosk && says("alarm", "takeover");
    let is_bare = says("chrome", "none");
    let frame = Frame { base, assets, nonce, reload, distance_m, site_zone, has_takeover, is_bare };
    let payload = Payload { boot, job, zone: zone.name(), offset_min };
    let document = move || frame.clone().around(payload.clone(), zone, evaluated_ms);
    // Only the first call has an effect. leptos_axum calls it when it builds its own routes, which are not used here.
    let _ = any_spawner::Executor::init_tokio();
    let mut request = Request::new(Body::empty());
    // leptos_axum requires a path that begins with a slash.
    if let Some(path) = uri.into_parts().path_and_query.filter(|path| path.as_str().starts_with('/')) {
        *request.uri_mut() = Uri::from(path);
    }
    let response = leptos_axum::render_app_async_with_context(context, document)(request).await;
    // The body is in memory already: reading it does not wait and cannot fail.
    let html = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    Document { html, pictures: pictures.take_drawn() }
}

/// The parts of a document around the app.
#[derive(Debug, Clone)]
struct Frame {
    base: String,
    assets: AssetPaths,
    nonce: String,
    /// After how many seconds a browser without scripts loads the next document, and which, as the element `meta` has it.
    reload: Option<String>,
    /// From how many metres a wall is read.
    distance_m: Option<u32>,
    /// The zone of the site, by name.
    site_zone: Option<String>,
    /// Whether a critical alert covers a wall for as long as it is shown in full.
    has_takeover: bool,
    /// Whether nothing is to be around the panels, as in a frame.
    is_bare: bool,
}

impl Frame {
    fn around(self, payload: Payload, zone: Zone, evaluated_ms: Option<i64>) -> impl IntoView {
        let Frame {
            base,
            assets: AssetPaths { js, wasm, css },
            nonce,
            reload,
            distance_m,
            site_zone,
            has_takeover,
            is_bare,
        } = self;
        let payload_json = script_json(&payload);
        let theme = payload.boot.theme.clone();
        // A server without a bundle serves static pages.
        let load = (!js.is_empty() && !wasm.is_empty()).then(|| {
            let load = format!("import init from '{base}{js}';init({{module_or_path:'{base}{wasm}'}});");
            leptos::view! {
                <link rel="modulepreload" href=js nonce=nonce.clone() />
                <Link rel="preload" href=wasm as_="fetch" type_="application/wasm" crossorigin="" />
                <script type="module" nonce=nonce.clone() inner_html=load></script>
            }
        });
        let reload = reload.map(|reload| format!("<meta http-equiv=\"refresh\" content=\"{reload}\">"));
        let without_scripts = format!(
            "<style nonce=\"{nonce}\">.needs-script{{display:none!important}}.needs-no-script{{display:block!important}}</style>{}",
            reload.unwrap_or_default()
        );
        leptos::view! {
            <!DOCTYPE html>
            <html
                lang="en"
                data-ssr=""
                data-theme=theme
                data-base=(!base.is_empty()).then_some(base)
                data-zone=site_zone
                data-bare=is_bare.then_some("")
                data-takeover=has_takeover.then_some("")
                style=distance_m.map(|metres| format!("--distance:{metres}"))
            >
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <MetaTags />
                    <link rel="stylesheet" href=css />
                    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                    <noscript inner_html=without_scripts></noscript>
                    <script type="application/json" id=PAYLOAD_ELEMENT nonce=nonce inner_html=payload_json></script>
                    {load}
                </head>
                <body>
                    <Router>
                        <App pages=SERVER payload zone evaluated_ms />
                    </Router>
                </body>
            </html>
        }
    }
}

/// What a wall at `uri` shows in turn.
fn playlist(uri: &Uri, boot: &Boot) -> Option<Playlist> {
    let (route, values) = PageRoute::at(uri.path())?;
    let names = values.first().filter(|_| route.kind == PageKind::Kiosk)?;
    let query = uri.query().unwrap_or_default();
    let is_known = |uid: &str| boot.dashboards.iter().any(|link| link.uid == uid);
    Some(Playlist::read(names, |name| parameter(query, name), is_known))
}

/// What a browser without scripts shows next of a wall with several dashboards, as the element `meta` has it.
fn next_turn(uri: &Uri, list: &Playlist) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let next = (list.place(parameter(query, "at").as_deref()) + 1).checked_rem(list.uids.len())?;
    let query = with_parameter(query, "at", &next.to_string());
    let to = format!("{}?{query}", uri.path()).replace('&', "&amp;").replace('"', "&quot;");
    (list.uids.len() > 1).then(|| format!("{};url={to}", list.interval_secs))
}

/// Whether the page has a form that somebody fills in: a reload would empty it.
fn is_filled_in(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    let has = |name| parameter(query, name).is_some();
    match PageRoute::at(uri.path()).map(|(route, _)| route.kind) {
        Some(PageKind::Explore | PageKind::Settings) => true,
        Some(PageKind::Alerts) => has("matchers"),
        Some(PageKind::Job) => has(CANCEL),
        Some(PageKind::Dashboard) => has(RANGE),
        _ => false,
    }
}

/// JSON that is safe inside a `script` element: it can neither end the element nor open a comment.
fn script_json(payload: &Payload) -> String {
    // Serialization cannot fail, because all maps of a payload have strings as keys.
    let json = serde_json::to_string(payload).unwrap_or_default();
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use model::{
        dashboard::Dashboard,
        frame::{Frame, Series},
        page::{DashboardLink, Session},
        panel::{PanelData, QueryState},
        range::TimeRange,
        role::Role,
    };

    use super::*;

    fn input(dashboard: Option<Dashboard>) -> PageInput {
        PageInput {
            boot: Boot {
                version: "1".into(),
                boot_id: "run".into(),
                now_ms: 1_795_165_200_000,
                session: Session {
                    name: "</script><!--".into(),
                    role: Role::Viewer,
                    expires_at: None,
                    dashboards: Vec::new(),
                    matchers: String::new(),
                },
                dashboards_version: String::new(),
                warning: String::new(),
                dashboards: vec![DashboardLink {
                    uid: "hypersdk-overview".into(),
                    title: "One & only".into(),
                    path: "/".into(),
                }],
                dashboard,
                firing: model::live::FiringCount::default(),
                marks: Frame::default(),
                range: TimeRange::default(),
                kiosk: false,
                theme: Some("dark".into()),
                standalone: false,
            },
            panels: HashMap::new(),
            evaluated_ms: None,
            drawn: None,
            job: None,
            base: String::new(),
            assets: AssetPaths { js: "/a.js".into(), wasm: "/a.wasm".into(), css: "/a.css".into() },
            nonce: "nonce".into(),
            zone: Zone::Fixed(60),
            has_site_zone: false,
        }
    }

    async fn html(input: PageInput, uri: &str) -> String {
        String::from_utf8(render_document(input, uri.parse().unwrap()).await.html.to_vec()).unwrap()
    }

    fn dashboard() -> Dashboard {
        let json = r#"{"uid":"hypersdk-overview","title":"One & only","panels":[
            {"id":"p","title":"Panel","kind":"stat","width":4,"height":4,"queries":[{"expr":"up"}]}]}"#;
        serde_json::from_str(json).unwrap()
    }

    #[tokio::test]
    async fn the_payload_reads_back_and_cannot_close_its_script_element() {
        let document = html(input(Some(dashboard())), "/").await;
        let start = document.find("id=\"boot\" nonce=\"nonce\">").unwrap() + "id=\"boot\" nonce=\"nonce\">".len();
        let json = document[start..].split_once("</script>").unwrap().0;
        let payload: Payload = serde_json::from_str(json).unwrap();
        assert_eq!(payload.boot, input(Some(dashboard())).boot);
        assert_eq!(payload.offset_min, 60);
        assert!(!document.contains("</script><!--"));
    }

    #[tokio::test]
    async fn a_page_is_complete_without_scripts() {
        let document = html(input(Some(dashboard())), "/?from=now-6h&to=now&refresh=1m").await;
        for part in [
            "<html lang=\"en\" data-ssr=\"\" data-theme=\"dark\">",
            "<title>One &amp; only · hyperscope</title>",
            "<meta http-equiv=\"refresh\" content=\"60\">",
            "id=\"panel-p\"",
            "Last 6 hours",
            "href=\"/?from=now-15m&amp;to=now&amp;refresh=1m\"",
            "action=\"/logout\"",
        ] {
            assert!(document.contains(part), "{part} is not in {document}");
        }
    }

    #[tokio::test]
    async fn the_bundle_is_loaded_below_the_path_of_the_server() {
        let document = html(PageInput { base: "/scope".into(), ..input(None) }, "/").await;
        for part in [" data-base=\"/scope\"", "from '/scope/a.js'", "module_or_path:'/scope/a.wasm'"] {
            assert!(document.contains(part), "{part} is not in {document}");
        }
        assert!(!html(input(None), "/").await.contains("data-base"));
    }

    /// The server prefixes the links of documents with its path. Links that the browser renders do not pass through it.
    #[test]
    fn every_link_that_the_browser_renders_is_below_the_path_of_the_server() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Only the server renders these.
                let is_servers = ["alerts", "explore", "settings", "walls.rs", "document.rs", "picture", "tests.rs"];
                if is_servers.into_iter().any(|name| path.ends_with(name)) && !path.ends_with("panels/alerts.rs") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    let values = [" href=", " action=", " src="].into_iter().filter_map(|name| line.split_once(name));
                    for (_, value) in values {
                        let is_within = ["\"#", "format!(\"#"].into_iter().any(|start| value.starts_with(start));
                        let is_below = is_within || value.contains("platform::at(");
                        assert!(is_below, "{}: {line}: write platform::at(...)", path.display());
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn reused_panel_html_gives_the_same_document() {
        let series = Series { timestamps: vec![1_795_165_200_000], values: vec![41.5], ..Series::default() };
        let frame = Frame { series: vec![series], end_ms: 1_795_165_200_000, ..Frame::default() };
        let data = PanelData::Queries(vec![QueryState::Ready { frame, stale: None }]);
        let with = async |panel, evaluated_ms| {
            let panels = HashMap::from([("p".to_owned(), panel)]);
            render_document(PageInput { panels, evaluated_ms, ..input(Some(dashboard())) }, Uri::from_static("/")).await
        };
        let first = with(Evaluated::Data(data), None).await;
        let picture = first.pictures.get("p").unwrap();
        assert!(picture.contains("41.5"), "{picture}");
        let second = with(Evaluated::Picture(Arc::clone(picture)), Some(1_795_165_200_000)).await;
        assert!(second.pictures.is_empty(), "nothing had to be drawn");
        assert_eq!(second.html, first.html);
    }

    #[tokio::test]
    async fn without_scripts_a_wall_shows_its_dashboards_in_turn() {
        let wall = async |uri| {
            let mut input = input(Some(dashboard()));
            input.boot.dashboards.push(DashboardLink { uid: "b".into(), title: "B".into(), path: "/d/b".into() });
            html(input, uri).await
        };
        let next = |to: &str| format!("<meta http-equiv=\"refresh\" content=\"{to}\">");
        let first = wall("/kiosk/hypersdk-overview,b?interval=1m&from=now-6h").await;
        let expected = next("60;url=/kiosk/hypersdk-overview,b?interval=1m&amp;from=now-6h&amp;at=1");
        assert!(first.contains(&expected), "{expected} is not in {first}");
        assert!(first.contains("1 of 2"));
        let last = wall("/kiosk/hypersdk-overview,b?at=1").await;
        assert!(last.contains(&next("30;url=/kiosk/hypersdk-overview,b?at=0")));
        let alone = wall("/kiosk/hypersdk-overview,nope").await;
        assert!(alone.contains(&next("15")), "one dashboard is not turned");
    }

    #[tokio::test]
    async fn a_page_with_a_form_being_filled_in_does_not_reload() {
        let reloads = async |path| html(input(None), path).await.contains("http-equiv=\"refresh\"");
        assert!(reloads("/alerts?view=silences").await);
        assert!(!reloads("/alerts?view=silences&matchers=").await);
        assert!(!reloads("/explore?expr=up").await);
        assert!(!reloads("/settings").await && !reloads("/jobs/site/1?cancel=ask").await);
        assert!(reloads("/jobs/site/1").await);
        assert!(!reloads("/?range=ask&from=now-6h&to=now").await);
        assert!(reloads("/?from=now-6h&to=now").await);
    }

    #[tokio::test]
    async fn content_rendered_by_the_server_is_in_the_document() {
        let drawn = Some("<p>Drawn</p>".to_owned());
        let alerts = html(PageInput { drawn, ..input(None) }, "/alerts").await;
        assert!(alerts.contains("<div><p>Drawn</p></div>"), "{alerts}");
        assert!(alerts.contains("<title>Alerts · hyperscope</title>"), "{alerts}");
    }

    #[tokio::test]
    async fn the_reason_of_a_refused_form_is_shown_until_dismissed() {
        let settings = async |path| html(PageInput { drawn: Some(String::new()), ..input(None) }, path).await;
        let refused = settings("/settings?problem=%3Cno%3E&typed-name=hall").await;
        assert!(refused.contains("&lt;no&gt;") && refused.contains("<a href=\"/settings\">Dismiss"), "{refused}");
        assert!(!settings("/settings").await.contains("Dismiss"));
        let alerts = settings("/alerts?view=silences&problem=no").await;
        assert!(alerts.contains("<a href=\"/alerts?view=silences\">Dismiss"), "{alerts}");
    }

    #[tokio::test]
    async fn a_url_without_a_page_says_so() {
        let none = html(input(None), "/nothing").await;
        assert!(none.contains("There is no page at this address."), "{none}");
        let refused = html(input(None), "/jobs/site/1?problem=no+such+job").await;
        assert!(refused.contains("Not cancelled: no such job"), "{refused}");
        let job = html(input(None), "/jobs/site/1").await;
        assert!(job.contains("No daemon has this job."), "{job}");
        let dashboard = html(input(None), "/d/other").await;
        assert!(dashboard.contains("There is no dashboard at this address."), "{dashboard}");
    }
}
