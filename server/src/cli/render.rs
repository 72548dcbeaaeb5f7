//! `hyperscope render`: writes an image of a dashboard or a panel to a file.
//!
//! A running server draws it: the one at `--url`, or the one on the data directory, for which this command creates a
//! temporary token. If no server runs, the image is drawn here from the stored series.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use access::{NewToken, TokenStore};
use anyhow::{Context, bail};
use clap::Args;
use model::{clock::now_ms, range::Instant, role::Role};
use redact::Secret;
use render::Format;
use reqwest::{Client, StatusCode, Url};

use super::{ConfigFile, logging, render_offline as alone, say};
use crate::{
    address,
    config::{Config, LogFormat, Options, default_data_dir},
};

/// Timeout for an image.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Lifetime of the temporary token.
const TOKEN_MS: i64 = 60_000;
/// A running server knows a new token within this time.
const TOKEN_WAIT: Duration = Duration::from_secs(3);
const TOKEN_PAUSE: Duration = Duration::from_millis(200);

/// `hyperscope render`
#[derive(Debug, Args)]
pub(super) struct RenderCommand {
    /// Dashboard UID, or one of its panels, for example hypersdk-overview/memory-usage
    #[arg(value_name = "DASHBOARD[/PANEL]")]
    what: String,
    /// File to write; its extension, .png or .svg, selects the format
    #[arg(long, value_name = "FILE", value_parser = picture_file)]
    out: PathBuf,
    /// Start of the time range: now-6h, 2026-11-20T08:00 or milliseconds since 1970
    #[arg(long, default_value = "now-1h", value_name = "TIME")]
    from: Instant,
    /// End of the time range
    #[arg(long, default_value = "now", value_name = "TIME")]
    to: Instant,
    /// Width in pixels [default: 1280 for a dashboard, 1000 for a panel]
    #[arg(long, value_name = "PIXELS")]
    width: Option<u32>,
    /// Height in pixels [default: as needed for a dashboard, 500 for a panel]
    #[arg(long, value_name = "PIXELS")]
    height: Option<u32>,
    /// Colour theme
    #[arg(long, default_value = "light", value_parser = ["light", "dark"])]
    theme: String,
    /// Time zone of the image: an IANA name, or minutes east of UTC
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    tz: String,
    /// Server to use instead of the one on the data directory
    #[arg(long, env = "HYPERSCOPE_URL", value_name = "URL")]
    url: Option<Url>,
    /// Token for the server at --url; prefer the variable or a file over this flag
    #[arg(long, env = "HYPERSCOPE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// File with the token
    #[arg(long, env = "HYPERSCOPE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The server's data directory [default: that of `serve`]
    #[arg(long, env = "HYPERSCOPE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

/// A path with an extension that selects the format.
fn picture_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match format_of(&path) {
        Some(_) => Ok(path),
        None => Err("the name of a picture ends in .png or .svg".to_owned()),
    }
}

fn format_of(path: &Path) -> Option<Format> {
    Format::of_extension(&path.extension()?.to_str()?.to_ascii_lowercase())
}

impl RenderCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        logging::init(LogFormat::Text);
        let picture = self.picture().await?;
        std::fs::write(&self.out, &picture).with_context(|| format!("{} cannot be written", self.out.display()))?;
        say(format_args!("wrote {} ({} bytes)", self.out.display(), picture.len())).context("stdout")
    }

    async fn picture(&self) -> anyhow::Result<Vec<u8>> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                Some(Secret::new(text.trim()))
            }
            (None, None) => None,
        };
        if let Some(url) = &self.url {
            return self.ask(&client(false)?, url, token.as_ref()).await;
        }
        let given = Options { data_dir: self.data_dir.clone(), ..Options::default() };
        let given = self.file.under(given)?;
        let data_dir = given.data_dir.clone().unwrap_or_else(default_data_dir);
        if let Some(url) = running(&data_dir).await? {
            return self.ask_neighbour(&data_dir, &url, token).await;
        }
        let config = Config::resolve(given, default_data_dir())?;
        let wanted = alone::Wanted {
            what: self.what.clone(),
            parameters: self.parameters(),
            format: format_of(&self.out).context("the name of a picture ends in .png or .svg")?,
        };
        alone::draw(&config, &wanted).await
    }

    /// Uses the server on this machine, with a temporary token if necessary.
    async fn ask_neighbour(&self, data_dir: &Path, url: &Url, token: Option<Secret>) -> anyhow::Result<Vec<u8>> {
        // We connect by local address, which no certificate contains.
        let client = client(true)?;
        if token.is_some() {
            return self.ask(&client, url, token.as_ref()).await;
        }
        let store = TokenStore::open(data_dir).await?;
        let (made, secret) = store
            .create(NewToken {
                name: "hyperscope render".to_owned(),
                role: Role::Viewer,
                expires_at: Some(now_ms().saturating_add(TOKEN_MS)),
                dashboards: Vec::new(),
                matchers: String::new(),
            })
            .await?;
        let secret = Secret::new(secret.expose());
        let known = async {
            let session = url.join("/api/session")?;
            loop {
                let answer = client.get(session.clone()).bearer_auth(secret.expose()).send().await?;
                if answer.status() != StatusCode::UNAUTHORIZED {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(TOKEN_PAUSE).await;
            }
        };
        // If the server does not know the token by then, it responds with an error.
        let _ = tokio::time::timeout(TOKEN_WAIT, known).await;
        let picture = self.ask(&client, url, Some(&secret)).await;
        store.revoke(&made.id).await?;
        picture
    }

    /// Requests the image from a server.
    async fn ask(&self, client: &Client, server: &Url, token: Option<&Secret>) -> anyhow::Result<Vec<u8>> {
        let extension = format_of(&self.out).map_or("png", Format::extension);
        let mut url = server.clone();
        let parts = self.what.split('/');
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("{server} is no address of a server: write http://HOST:PORT"))?
            .pop_if_empty()
            .extend(["render", "d"])
            .extend(parts);
        url.set_path(&format!("{}.{extension}", url.path()));
        url.set_query(Some(&self.parameters()));
        let request = client.get(url);
        let request = match token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let answer = request.send().await.with_context(|| format!("{server} does not answer"))?;
        let status = answer.status();
        let body = answer.bytes().await.with_context(|| format!("{server} broke off"))?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        if status == StatusCode::UNAUTHORIZED {
            bail!("{server} asks for a token: give one by HYPERSCOPE_TOKEN or --token-file");
        }
        let message = serde_json::from_slice::<serde_json::Value>(&body).ok();
        let message = message.as_ref().and_then(|body| body.pointer("/error/message")?.as_str());
        bail!("{server} answers {status}: {}", message.unwrap_or("no picture"))
    }

    /// The query string of an image's URL.
    fn parameters(&self) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("from", &self.from.to_string()).append_pair("to", &self.to.to_string());
        pairs.append_pair("theme", &self.theme).append_pair("tz", &self.tz);
        for (name, value) in [("width", self.width), ("height", self.height)] {
            if let Some(value) = value {
                pairs.append_pair(name, &value.to_string());
            }
        }
        pairs.finish()
    }
}

fn client(is_neighbour: bool) -> anyhow::Result<Client> {
    let builder = Client::builder().timeout(TIMEOUT).user_agent(concat!("hyperscope/", env!("CARGO_PKG_VERSION")));
    let builder = if is_neighbour { builder.no_proxy().tls_danger_accept_invalid_certs(true) } else { builder };
    builder.build().context("cannot make a request")
}

/// The URL of the server on a data directory, if one runs.
async fn running(data_dir: &Path) -> anyhow::Result<Option<Url>> {
    let Some(noted) = address::noted(data_dir).filter(|_| data_dir.join(database::FILE).exists()) else {
        return Ok(None);
    };
    let Ok(url) = noted.parse::<Url>() else { return Ok(None) };
    let health = url.join("/health")?;
    let is_there = client(true)?.get(health).timeout(Duration::from_secs(5)).send().await;
    Ok(is_there.is_ok_and(|answer| answer.status().is_success()).then_some(url))
}
