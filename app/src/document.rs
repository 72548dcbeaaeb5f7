//! The whole HTML document of a page, on the server.
//!
//! Rendering never waits: the caller has evaluated every panel before, so the document is one string from one pass.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use leptos::prelude::*;
use model::{job::JobDetail, page::Boot, zone::Zone};

use crate::{
    App,
    pages::Drawn,
    payload::{Evaluated, PAYLOAD_ELEMENT, Payload, Pictures},
    shell::{Refresh, RequestedUrl, newest_ms, page_title},
};

/// What the server knows when it answers with a page.
#[derive(Debug, Clone)]
pub struct PageInput {
    /// Who looks at what. `boot.dashboard` is `None` for the job page, the settings and pages that are not found.
    pub boot: Boot,
    /// The dashboard's panels by panel id. One without an entry is shown as loading.
    pub panels: HashMap<String, Evaluated>,
    /// Up to when the queries of those pictures were evaluated, in milliseconds since the Unix epoch.
    pub evaluated_ms: Option<i64>,
    /// On the alert page: its content, drawn by [`crate::alerts::draw`].
    pub drawn: Option<String>,
    /// On a job page: the job; `None` if no daemon has it.
    pub job: Option<JobDetail>,
    /// The path below which browsers see the server, without a slash at its end; empty at the root of a host. The server puts it before
    /// the addresses in the document; what scripts make of them is put together here.
    pub base: String,
    /// Where the bundle is.
    pub assets: AssetPaths,
    /// The nonce of this answer's `Content-Security-Policy`.
    pub nonce: String,
    /// The viewer's zone, from the cookie [`crate::payload::ZONE_COOKIE`]; UTC if unknown.
    pub zone: Zone,
}

/// URLs of the bundle's files, from the root: `/browser-1234.js`. Empty where the server has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPaths {
    /// The JavaScript module that loads the WebAssembly.
    pub js: String,
    /// The WebAssembly.
    pub wasm: String,
    /// The style sheet.
    pub css: String,
}

/// A document, and what had to be drawn for it.
#[derive(Debug)]
pub struct Document {
    /// The whole document.
    pub html: String,
    /// The bodies of the panels that came as data, by panel id. They show what the data, the URL, the zone, the marks and the time
    /// say, so that another document with the same of these can have them.
    pub pictures: HashMap<String, Arc<str>>,
}

/// The document for `path_and_query`, which decides the page and its time range.
#[must_use]
pub fn render_document(input: PageInput, path_and_query: &str) -> Document {
    let PageInput { boot, panels, evaluated_ms, drawn, job, base, assets, nonce, zone } = input;
    let theme = boot.theme.clone();
    let kiosk = boot.kiosk;
    let title = page_title(&boot, job.as_ref(), path_and_query);
    let offset_min = zone.offset_min(boot.now_ms);
    let payload = Payload { boot, job, zone: zone.name(), offset_min };
    let payload_json = script_json(&payload);
    let refresh = Refresh::from_path_and_query(path_and_query).reload_seconds();
    let reload_seconds = refresh.filter(|_| !is_filled_in(path_and_query));

    // Each document has a reactive owner of its own, gone with all its signals when the string is there.
    let owner = Owner::new_root(None);
    let newest = panels.values().filter_map(|panel| match panel {
        Evaluated::Data(data) => newest_ms(data),
        Evaluated::Picture(_) => None,
    });
    let evaluated_ms = newest.max().max(evaluated_ms);
    let (body, pictures) = owner.with(|| {
        provide_context(RequestedUrl(path_and_query.to_owned()));
        let pictures = Pictures::of(panels);
        provide_context(pictures);
        if let Some(drawn) = drawn {
            provide_context(Drawn(drawn));
        }
        let body = App(crate::shell::AppProps { payload, zone, evaluated_ms }).to_html();
        (body, pictures.into_drawn())
    });
    owner.unset_with_forced_cleanup();

    let (base, nonce, js, wasm, css) =
        (attribute(&base), attribute(&nonce), attribute(&assets.js), attribute(&assets.wasm), attribute(&assets.css));
    // A server without a bundle has pages that stay as they are.
    let (preloads, loader) = if js.is_empty() || wasm.is_empty() {
        Default::default()
    } else {
        (
            format!(
                "<link rel=\"modulepreload\" href=\"{js}\" nonce=\"{nonce}\">\
                 <link rel=\"preload\" href=\"{wasm}\" as=\"fetch\" type=\"application/wasm\" crossorigin>"
            ),
            format!(
                "<script type=\"module\" nonce=\"{nonce}\">import init from '{base}{js}';\
                 init({{module_or_path:'{base}{wasm}'}});</script>"
            ),
        )
    };
    let mut html = String::with_capacity(body.len() + payload_json.len() + 2_048);
    html.push_str("<!DOCTYPE html><html lang=\"en\" data-ssr");
    if let Some(theme) = theme {
        push(&mut html, format_args!(" data-theme=\"{}\"", attribute(&theme)));
    }
    if !base.is_empty() {
        push(&mut html, format_args!(" data-base=\"{base}\""));
    }
    if kiosk {
        html.push_str(" data-kiosk");
    }
    push(
        &mut html,
        format_args!(
            "><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
             <link rel=\"stylesheet\" href=\"{css}\">\
             <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\
             {preloads}<noscript><style nonce=\"{nonce}\">.needs-script{{display:none!important}}.needs-no-script{{display:block!important}}</style>",
            title = text(&title),
        ),
    );
    if let Some(seconds) = reload_seconds {
        push(&mut html, format_args!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"));
    }
    push(
        &mut html,
        format_args!(
            "</noscript><script type=\"application/json\" id=\"{PAYLOAD_ELEMENT}\" nonce=\"{nonce}\">{payload_json}</script>\
             {loader}</head><body>{body}</body></html>"
        ),
    );
    Document { html, pictures }
}

/// Whether the page is a form that somebody fills in: loaded again, it would be empty.
fn is_filled_in(path_and_query: &str) -> bool {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    path == "/explore" || (path == "/alerts" && crate::shell::parameter(query, "matchers").is_some())
}

/// JSON that may stand inside a `script` element: nothing in it can end the element or open a comment.
fn script_json(payload: &Payload) -> String {
    // All maps of a payload have strings for keys, so that writing it cannot fail; an empty object would show as a page without data.
    let json = serde_json::to_string(payload).unwrap_or_default();
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn attribute(value: &str) -> String {
    text(value).replace('"', "&quot;").replace('\'', "&#39;")
}

fn push(document: &mut String, arguments: std::fmt::Arguments) {
    // Writing to a String has no error to report.
    let _ = document.write_fmt(arguments);
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
                dashboards: vec![DashboardLink { uid: "one".into(), title: "One & only".into(), path: "/".into() }],
                dashboard,
                firing: model::live::FiringCount::default(),
                marks: Frame::default(),
                range: TimeRange::default(),
                kiosk: false,
                theme: Some("dark".into()),
            },
            panels: HashMap::new(),
            evaluated_ms: None,
            drawn: None,
            job: None,
            base: String::new(),
            assets: AssetPaths { js: "/a.js".into(), wasm: "/a.wasm".into(), css: "/a.css".into() },
            nonce: "nonce".into(),
            zone: Zone::Fixed(60),
        }
    }

    fn dashboard() -> Dashboard {
        let json = r#"{"uid":"one","title":"One & only","panels":[
            {"id":"p","title":"Panel","kind":"stat","width":4,"height":4,"queries":[{"expr":"up"}]}]}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_payload_reads_back_and_cannot_end_its_element() {
        let document = render_document(input(Some(dashboard())), "/").html;
        let start = document.find("id=\"boot\" nonce=\"nonce\">").unwrap() + "id=\"boot\" nonce=\"nonce\">".len();
        let json = document[start..].split_once("</script>").unwrap().0;
        let payload: Payload = serde_json::from_str(json).unwrap();
        assert_eq!(payload.boot, input(Some(dashboard())).boot);
        assert_eq!(payload.offset_min, 60);
        assert!(!document.contains("</script><!--"));
    }

    #[test]
    fn a_page_is_complete_without_scripts() {
        let document = render_document(input(Some(dashboard())), "/?from=now-6h&to=now&refresh=1m").html;
        for part in [
            "<html lang=\"en\" data-ssr data-theme=\"dark\">",
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

    #[test]
    fn the_bundle_is_loaded_below_the_path_of_the_server() {
        let document = render_document(PageInput { base: "/scope".into(), ..input(None) }, "/").html;
        for part in [" data-base=\"/scope\"", "from '/scope/a.js'", "module_or_path:'/scope/a.wasm'"] {
            assert!(document.contains(part), "{part} is not in {document}");
        }
        assert!(!render_document(input(None), "/").html.contains("data-base"));
    }

    /// What the browser draws passes no server that would see to it.
    #[test]
    fn every_link_that_the_browser_draws_is_below_the_path_of_the_server() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // These the server draws alone, or they are documents of its own.
                let is_servers = ["alerts", "explore", "settings.rs", "document.rs", "picture", "tests.rs"];
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

    #[test]
    fn what_was_drawn_once_makes_the_same_document() {
        let series = Series { timestamps: vec![1_795_165_200_000], values: vec![41.5], ..Series::default() };
        let frame = Frame { series: vec![series], end_ms: 1_795_165_200_000, ..Frame::default() };
        let data = PanelData::Queries(vec![QueryState::Ready { frame, stale: None }]);
        let with = |panel, evaluated_ms| {
            let panels = HashMap::from([("p".to_owned(), panel)]);
            render_document(PageInput { panels, evaluated_ms, ..input(Some(dashboard())) }, "/")
        };
        let first = with(Evaluated::Data(data), None);
        let picture = first.pictures.get("p").unwrap();
        assert!(picture.contains("41.5"), "{picture}");
        let second = with(Evaluated::Picture(Arc::clone(picture)), Some(1_795_165_200_000));
        assert_eq!(second.html, first.html);
        assert!(second.pictures.is_empty(), "nothing had to be drawn");
    }

    #[test]
    fn a_form_is_not_taken_away_while_it_is_filled_in() {
        let reloads = |path| render_document(input(None), path).html.contains("http-equiv=\"refresh\"");
        assert!(reloads("/alerts?view=silences"));
        assert!(!reloads("/alerts?view=silences&matchers="));
        assert!(!reloads("/explore?expr=up"));
    }

    #[test]
    fn an_address_without_a_page_says_so() {
        let none = render_document(input(None), "/nothing").html;
        assert!(none.contains("There is no page at this address."), "{none}");
        let job = render_document(input(None), "/jobs/site/1").html;
        assert!(job.contains("No daemon has this job."), "{job}");
        let dashboard = render_document(input(None), "/d/other").html;
        assert!(dashboard.contains("There is no dashboard at this address."), "{dashboard}");
    }
}
