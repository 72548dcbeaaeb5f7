//! The lifecycle of a server: `hyperscope serve` and `hyperscope demo`.

mod background;
mod components;
mod listen;
mod live_topics;
mod query_path;
mod settings;

use tokio_util::sync::CancellationToken;

use self::components::Components;
pub(crate) use self::settings::store_options;
use crate::{
    address,
    config::Config,
    http::{
        self,
        auth::{FIRST_TOKEN_ID, LoginLink},
        connections::{self, ConnectionLimits, Connections},
        heads::HeadLimit,
    },
};

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Real sources.
    Serve,
    /// A simulated daemon in the same process.
    Demo,
}

/// Runs a server until it is stopped by a signal.
///
/// # Errors
///
/// Why it cannot start, as a sentence for the operator.
pub(crate) async fn run(config: Config, mode: Mode) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let descriptors = connections::raise_limit();
    let listener = listen::bind(config.listen)?;
    let external_url = settings::external_url(&config, &listener)?;
    let components = Components::build(config, mode, &external_url, &stop).await?;
    let (config, auth) = (components.state.config.clone(), components.state.auth.clone());
    let app = http::router(&components.state);
    let connections = Connections::new(ConnectionLimits::of(&config, descriptors), components.state.telemetry.clone());
    let running = components.start()?;

    let link = if mode == Mode::Demo { LoginLink::Always } else { LoginLink::Once };
    let first_token = auth.ensure_first_token(config.admin_token.as_ref(), link).await?;
    let heads = HeadLimit::of(&config, &auth);
    let mut answers_at = String::new();
    let served = listen::serve(listener, app, &config, heads, connections, stop.clone(), |url| {
        url.clone_into(&mut answers_at);
        address::note(&config.data_dir, url);
        announce(url, first_token.as_ref());
        if first_token.is_some() && mode == Mode::Serve {
            tracing::warn!(
                "the token of the login link ends in 24 hours, with every login by it; to keep it: hyperscope token keep {FIRST_TOKEN_ID} --data-dir '{}'",
                config.data_dir.display()
            );
        }
    })
    .await;
    address::forget(&config.data_dir, &answers_at);

    stop.cancel();
    running.ended().await?;
    served
}

/// Prints that the server is ready.
#[allow(clippy::print_stdout)] // what the contract has on standard output
fn announce(url: &str, first_token: Option<&redact::Secret>) {
    println!("hyperscope ready on {url}");
    if let Some(token) = first_token {
        println!("login: {url}/login?token={}", token.expose());
    }
}
