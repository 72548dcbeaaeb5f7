//! `hyperscope bundle`: writes the static bundle, for daemons and other servers of files.

mod files;

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use dashboards::DashboardRegistry;
use model::dashboard::Dashboard;
use rules::{PlainGroup, RuleFile};
use standalone::{RuleGroups, Site};

use self::files::Written;
use super::say;
use crate::http::assets::{Assets, Encoding};

/// The page with the alerts, which is a dashboard where there is no server.
const ALERTS: &str = include_str!("../../../../crates/standalone/alerts.yaml");
/// Files that keep their names.
const PLAIN_NAMES: [&str; 1] = ["favicon.svg"];

/// `hyperscope bundle`
#[derive(Debug, Args)]
pub(super) struct BundleCommand {
    /// Output directory; existing files with the same names are overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Directory of your own dashboards, YAML; they override built-in ones with the same UID
    #[arg(long, value_name = "DIR")]
    dashboards_dir: Option<PathBuf>,
    /// Rule files in Prometheus' format instead of the built-in rules for daemons; patterns are allowed
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Address of the daemon, relative to the page, if the page is not below the daemon's own address
    #[arg(long, value_name = "URL")]
    daemon_url: Option<String>,
    /// Keep the samples of a page in the browser's database, so that its charts survive a reload
    #[arg(long)]
    keep_history: bool,
}

/// Names of a program's files.
struct ProgramFiles {
    js: String,
    wasm: String,
}

impl BundleCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let assets = Assets::load();
        let (Some(page), Some(engine)) = (program(&assets, "standalone-"), program(&assets, "engine-")) else {
            bail!("this build has no bundle inside: build with `make build`");
        };
        let paths = assets.paths();
        let css = paths.iter().find(|path| path.starts_with("main-") && path.ends_with(".css"));
        let css = css.context("the bundle inside has no style sheet: build with `make build`")?;
        let site = serde_json::to_vec(&self.site()?).context("site.json")?;

        let mut written = Written::new(&self.out)?;
        for path in [&page.js, &page.wasm, &engine.js, &engine.wasm, css] {
            copy(&assets, path, &mut written)?;
        }
        for path in PLAIN_NAMES {
            copy(&assets, path, &mut written)?;
        }
        let start = written.add_hashed("start", "js", loader(&page).as_bytes())?;
        let worker = written.add_hashed("worker", "js", worker_loader(&engine).as_bytes())?;
        let site = written.add_hashed("site", "json", &site)?;
        let daemon = self.daemon_url.as_deref().map(|daemon| format!(" data-daemon=\"{}\"", escaped(daemon)));
        let options = daemon.unwrap_or_default() + if self.keep_history { " data-keeps-history" } else { "" };
        let html = page_html(css, &start, &worker, &site, &options);
        written.add("index.html", html.as_bytes())?;
        let count = written.finish()?;
        say(format_args!("{count} files in {}", self.out.display())).context("stdout")
    }

    /// The dashboards and rules of the page.
    fn site(&self) -> anyhow::Result<Site> {
        let registry = DashboardRegistry::load(self.dashboards_dir.as_deref())?;
        let alerts: Dashboard = yaml::parse(std::path::Path::new("alerts.yaml"), ALERTS)?;
        let rules = if self.rules.is_empty() {
            alerting::rule_files::built_in_texts()
        } else {
            let mut texts = Vec::new();
            for file in alerting::rule_files::expand(&self.rules)? {
                let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                texts.push((file.display().to_string(), text));
            }
            texts
        };
        Ok(Site {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            links: registry.links_of_all(),
            dashboards: registry.all().cloned().chain([alerts]).collect(),
            rules: rules.into_iter().map(|(file, text)| groups(file, &text)).collect::<anyhow::Result<_>>()?,
            aliases: dashboards::alias_tables(self.dashboards_dir.as_deref())?,
        })
    }
}

/// The groups of a rule file.
fn groups(file: String, text: &str) -> anyhow::Result<RuleGroups> {
    match RuleFile::parse(text) {
        Ok(parsed) => {
            let groups = parsed.groups.iter().map(|group| PlainGroup::from(&group.value)).collect();
            Ok(RuleGroups { file, groups })
        }
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(|problem| format!("{file}:{problem}")).collect();
            bail!(problems.join("\n"))
        }
    }
}

fn program(assets: &Assets, start: &str) -> Option<ProgramFiles> {
    let paths = assets.paths();
    let find = |end: &str| paths.iter().find(|path| path.starts_with(start) && path.ends_with(end)).cloned();
    Some(ProgramFiles { js: find(".js")?, wasm: find("_bg.wasm")? })
}

/// Copies a file of the bundle with its compressed variants.
fn copy(assets: &Assets, path: &str, written: &mut Written) -> anyhow::Result<()> {
    let asset = assets.get(path, "").with_context(|| format!("{path} is gone from the bundle"))?;
    let variant = |encoding: &str, expected: Encoding| {
        assets.get(path, encoding).filter(|asset| asset.encoding == expected).map(|asset| asset.bytes)
    };
    let (brotli, gzip) = (variant("br", Encoding::Brotli), variant("gzip", Encoding::Gzip));
    match (brotli, gzip) {
        (Some(brotli), Some(gzip)) => written.add_with(path, &asset.bytes, Some(&brotli), Some(&gzip)),
        _ => written.add(path, &asset.bytes),
    }
}

/// A module that starts a program. Files find each other by their own addresses, so that the bundle may lie anywhere.
fn loader(ProgramFiles { js, wasm }: &ProgramFiles) -> String {
    format!("import init from \"./{js}\";\nawait init({{ module_or_path: new URL(\"./{wasm}\", import.meta.url) }});\n")
}

/// A module that starts the program of a worker, which listens once it runs: messages that come before it are passed on.
fn worker_loader(files: &ProgramFiles) -> String {
    let load = loader(files);
    let (import, start) = load.split_once('\n').unwrap_or((&load, ""));
    format!(
        "{import}\nconst early = [];\nself.onmessage = (event) => early.push(event);\n{start}early.forEach((event) => self.onmessage(event));\n"
    )
}

/// The page; `options` are further attributes of its root. It contains no script, so that it needs no exception in a
/// Content-Security-Policy.
fn page_html(css: &str, start: &str, worker: &str, site: &str, options: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en" data-worker="{worker}" data-site="{site}"{options}>
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>hyperscope</title>
    <link rel="stylesheet" href="{css}">
    <link rel="icon" href="favicon.svg" type="image/svg+xml">
    <link rel="modulepreload" href="{start}">
    <script type="module" src="{start}"></script>
  </head>
  <body>
    <noscript>hyperscope's dashboards need scripts on this page, which no server renders.</noscript>
    <p class="waiting">Loading the dashboards</p>
  </body>
</html>
"#
    )
}

/// Text in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}
