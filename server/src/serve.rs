//! The lifecycle of a server: `hyperscope serve` and `hyperscope demo`.

mod background;
mod listen;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use access::{Scope, random_text};
use alerting::{Alerting, BuiltInRules, History, LoadedRules};
use anyhow::Context;
use budget::Budgets;
use collect::Upstreams;
use dashboards::DashboardRegistry;
use datasource::{Admission, Embedded, Engines, Exemplars, QueryLimits, ReadScheduler};
use live::{Hub, HubLimits, Sources, StartLimit};
use model::live::{Event, SnapshotData};
use notify::Notifier;
use redact::Redactor;
use render::{AlertImages, AlertPictures, PictureLinks, Pictures};
use telemetry::Telemetry;
use timeseries::SampleSink;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tsdb::StoreOptions;

use self::background::Background;
use crate::{
    address,
    config::Config,
    demo::Demo,
    http::{
        self,
        assets::Assets,
        auth::{Auth, FIRST_TOKEN_ID, LoginLink},
        connections::{self, ConnectionLimits, Connections},
        heads::HeadLimit,
        pages::{MadeTokens, PanelHtmlCache},
    },
    source_list::SourceList,
    state::AppState,
    storage::{self, Storage},
    walls::Walls,
};

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Real sources.
    Serve,
    /// A simulated daemon in the same process.
    Demo,
}

/// Random bytes in the ID of this run of the server.
const BOOT_ID_BYTES: usize = 8;
/// Maximum number of alert images drawn concurrently, independent of viewers.
const ALERT_PICTURES: usize = 1;
/// Maximum number of events in the queue of a receiver.
const EVENT_QUEUE: usize = 8_192;

/// Runs a server until it is stopped by a signal.
///
/// # Errors
///
/// Why it cannot start, as a sentence for the operator.
pub(crate) async fn run(config: Config, mode: Mode) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let descriptors = connections::raise_limit();
    let listener = listen::bind(config.listen)?;
    let pool = database::open(&config.data_dir).await?;
    let auth = Auth::open(pool.clone(), (&config).into()).await?;
    let (set_dashboards, dashboards) = watch::channel(DashboardRegistry::load(config.dashboards_dir.as_deref())?);
    let aliases = Arc::new(dashboards::aliases(config.dashboards_dir.as_deref())?);

    let limits = QueryLimits {
        timeout: config.limits.query_time,
        max_points_per_series: config.limits.points,
        max_series: config.limits.series,
        max_response_bytes: config.limits.response_bytes,
    };
    let store = match mode {
        Mode::Serve => storage::open(&config.data_dir, store_options(&config)).await?,
        Mode::Demo => storage::open_for_demo(&config.data_dir, store_options(&config)).await?,
    };
    let storage = Storage::new(store.clone(), &config.data_dir);
    let budgets = Budgets::of(config.limits.memory);
    let reads = ReadScheduler::new(&budgets, config.limits.reads, config.limits.read_wait);
    let embedded = Arc::new(
        Embedded::new(store.clone(), limits.clone(), reads.clone())
            .with_experimental(config.promql_experimental)
            .with_aliases(Arc::clone(&aliases)),
    );
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let page_drawing = reads.for_pages(cores, config.limits.read_wait);
    let redactor = Arc::new(Redactor::new(config.redact_user_names));
    let engines = Engines::new(&config.engines, &config.engine, Arc::clone(&embedded), &limits, &aliases, &redactor)?;

    let telemetry = Telemetry::default();
    let gates = engines.elsewhere().map(|engine| engine.gate().clone());
    let turns: Vec<Admission> =
        [reads.admission(), reads.elsewhere(), page_drawing.admission()].into_iter().cloned().chain(gates).collect();
    telemetry.follow_budgets(budgets.clone(), turns.clone());
    let (history, history_writer) = History::open(pool.clone()).await?;
    let external_url = external_url(&config, &listener)?;
    let rules = LoadedRules::read(rule_settings(&config, mode, &external_url))?;
    let mut daemons: Vec<collect::DaemonConfig> = config.daemons.iter().map(daemon).collect();
    let demo = match mode {
        Mode::Demo => {
            let demo = Demo::start(&config.demo, &store).await?;
            daemons.push(demo.daemon()?);
            Some(demo)
        }
        Mode::Serve => None,
    };
    let (events, received_events) = tokio::sync::broadcast::channel(EVENT_QUEUE);
    let (job_events, alert_events) = (events.subscribe(), events.subscribe());
    // Measured samples need not wait for the disk.
    let samples: Arc<dyn SampleSink> = Arc::new(store.unawaited());
    let metadata = Arc::new(background::StoreMetadata(store.clone()));
    let stored = Arc::new(store.clone());
    let outlets = collect::Sinks { events, samples: Arc::clone(&samples), stored, metadata };
    let upstreams = Upstreams::start(
        daemons,
        Vec::new(),
        outlets,
        link_options(&config, mode),
        Arc::clone(&redactor),
        stop.clone(),
    )?;

    let links = upstreams.clone();
    embedded.explain_with(Box::new(move |series| links.unreported(series)));

    let pictures = Pictures::new(&budgets, picture_options(&config), config.limits.pictures);
    let of_alerts = Pictures::new(&budgets, picture_options(&config), ALERT_PICTURES);
    let drawing = [pictures.drawing().clone(), of_alerts.drawing().clone()].map(|reads| reads.admission().clone());
    let drawn_dashboards = dashboards.clone();
    let alert_pictures = AlertPictures::new(of_alerts, engines.clone(), move || drawn_dashboards.borrow().clone());
    let picture_links = PictureLinks::new()?;
    let images = AlertImages { pictures: alert_pictures.clone(), links: picture_links.clone() };

    let (notifier, inbox) = Notifier::open(
        pool,
        match mode {
            Mode::Demo if config.alertmanagers.is_empty() => notify::demo_options(config.notify.clone()),
            Mode::Demo | Mode::Serve => config.notify.clone(),
        },
        &config.alertmanagers,
        &external_url,
        telemetry.clone(),
        Some(Arc::new(images)),
    )
    .await?;
    if notifier.shown().is_some() {
        notifier.begin_demo_silence().await;
    }
    let source_list = SourceList {
        upstreams: upstreams.clone(),
        engines: engines.clone(),
        notifier: notifier.clone(),
        storage: storage.clone(),
    };
    let listed_alerts = Arc::<OnceLock<Alerting>>::default();
    let hub = Hub::new(
        random_text::<BOOT_ID_BYTES>()?,
        engines.clone(),
        sources(&source_list, &listed_alerts),
        HubLimits { memory: budgets.live.clone(), starts: StartLimit::a_minute(config.limits.query_starts) },
        stop.clone(),
    );
    let alerting = Alerting::new(
        rules,
        Arc::clone(&embedded),
        engines.first()?,
        history,
        telemetry.clone(),
        notifier.clone(),
        Arc::new(LiveAlerts(hub.clone())),
    );
    // The hub and the alerting handle need each other.
    let _ = listed_alerts.set(alerting.clone());
    let walls = Walls::new(config.walls.clone(), model::clock::now_ms());
    let state = AppState {
        auth: auth.clone(),
        assets: Assets::load(),
        dashboards,
        engines: engines.clone(),
        embedded,
        exemplars: Exemplars::new(config.limits.exemplars),
        alerting: alerting.clone(),
        page_drawing,
        upstreams: upstreams.clone(),
        sources: source_list.clone(),
        hub: hub.clone(),
        notifier: notifier.clone(),
        walls: walls.clone(),
        drawn_panels: PanelHtmlCache::default(),
        made_tokens: MadeTokens::default(),
        pictures,
        alert_pictures,
        picture_links,
        budgets: budgets.clone(),
        telemetry: telemetry.clone(),
        storage,
        metrics_public: config.metrics_public,
        config: Arc::new(config.clone()),
        started_ms: model::clock::now_ms(),
        limits: config.limits,
        stop: stop.clone(),
    };
    let app = http::router(&state);
    let mut background = Background::new(stop.clone());
    background.forward_events(hub.clone(), received_events);
    background.watch_freshness(hub.clone(), upstreams.clone());
    background.publish_sources(hub.clone(), source_list.clone());
    background.probe_engines(&engines);
    background.poll_alerts(alerting.clone(), engines.clone());
    background.hand_alerts_over(alerting.notifications(), notifier.clone());
    background.evaluate_rules(alerting, alert_events, history_writer, background::rule_runtime()?);
    background.sample_ourselves(telemetry.clone(), samples, scrape_interval(&config, mode));
    background.keep_store(store.clone());
    background.watch_walls(walls, telemetry.clone());
    background.watch_dashboards(config.dashboards_dir.clone(), set_dashboards);
    background.watch_memory(turns.into_iter().chain(drawing).collect());
    background.notify(notifier, inbox, job_events);
    background.stop_on_signal();

    let first_token = auth
        .ensure_first_token(
            config.admin_token.as_ref(),
            if mode == Mode::Demo { LoginLink::Always } else { LoginLink::Once },
        )
        .await?;
    let heads = HeadLimit::of(&config, &auth);
    let connections = Connections::new(ConnectionLimits::of(&config, descriptors), telemetry);
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
    background.ended().await;
    hub.ended(background::PATIENCE).await;
    if tokio::time::timeout(background::PATIENCE, upstreams.stopped()).await.is_err() {
        tracing::warn!("connections to sources did not end in time");
    }
    if let Some(demo) = demo {
        demo.stop().await;
    }
    tokio::task::spawn_blocking(move || store.flush())
        .await?
        .context("the store could not be written out at the end")?;
    served
}

/// The URL for links in messages.
fn external_url(config: &Config, listener: &std::net::TcpListener) -> anyhow::Result<String> {
    Ok(match &config.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("{}://{}", if config.tls.is_some() { "https" } else { "http" }, listener.local_addr()?),
    })
}

/// Prints that the server is ready.
#[allow(clippy::print_stdout)] // what the contract has on standard output
fn announce(url: &str, first_token: Option<&redact::Secret>) {
    println!("hyperscope ready on {url}");
    if let Some(token) = first_token {
        println!("login: {url}/login?token={}", token.expose());
    }
}

/// Scrape interval of a demo, short so that it moves.
const DEMO_INTERVAL: Duration = Duration::from_secs(5);

fn scrape_interval(config: &Config, mode: Mode) -> Duration {
    match mode {
        Mode::Serve => config.scrape.interval,
        Mode::Demo => config.scrape.interval.min(DEMO_INTERVAL),
    }
}

/// Rules to evaluate, and their settings.
fn rule_settings(config: &Config, mode: Mode, external_url: &str) -> alerting::Settings {
    let is_wanted = config.rules_builtin.unwrap_or(mode == Mode::Demo || !config.daemons.is_empty());
    alerting::Settings {
        files: config.rules.clone(),
        built_in: match (is_wanted, mode) {
            (false, _) => BuiltInRules::None,
            (true, Mode::Serve) => BuiltInRules::Daemons,
            (true, Mode::Demo) => BuiltInRules::Demo,
        },
        off: config.rules_off.clone(),
        interval: match mode {
            Mode::Serve => config.evaluation_interval,
            Mode::Demo => config.evaluation_interval.min(DEMO_INTERVAL),
        },
        context: rules::EvalContext {
            external_labels: labels::Labels::new(config.external_labels.clone()),
            external_url: external_url.to_owned(),
        },
    }
}

/// Settings of the store.
pub(crate) fn store_options(config: &Config) -> StoreOptions {
    StoreOptions {
        retention: config.retention,
        max_disk_bytes: config.retention_bytes,
        out_of_order: config.out_of_order_window,
        max_series: config.max_series,
        ..StoreOptions::default()
    }
}

fn picture_options(config: &Config) -> render::Options {
    render::Options {
        longest_wait: config.limits.read_wait,
        most_pixels: u64::try_from(config.limits.picture_pixels).unwrap_or(u64::MAX),
    }
}

fn link_options(config: &Config, mode: Mode) -> collect::Options {
    collect::Options {
        scrape_interval: scrape_interval(config, mode),
        call_timeout: config.scrape.timeout,
        env_proxy: config.daemon_env_proxy,
        stored: config.retention,
        ..collect::Options::default()
    }
}

fn daemon(config: &crate::config::DaemonConfig) -> collect::DaemonConfig {
    collect::DaemonConfig {
        name: config.name.clone(),
        url: config.url.clone(),
        key: config.key.as_ref().map(|key| collect::ApiKey::new(key.expose())),
    }
}

fn sources(list: &SourceList, alerting: &Arc<OnceLock<Alerting>>) -> Sources {
    let (jobs, system, all) = (list.upstreams.clone(), list.upstreams.clone(), list.clone());
    let alerting = Arc::clone(alerting);
    Sources {
        jobs: Box::new(move || Some(SnapshotData::Jobs { jobs: jobs.jobs() })),
        system: Box::new(move || Some(SnapshotData::System { system: system.system() })),
        upstreams: Box::new(move || Some(SnapshotData::Upstreams { upstreams: all.statuses() })),
        alerts: Box::new(move || Some(SnapshotData::Alerts(alerting.get()?.current_now().list(&Scope::all())))),
    }
}

/// Publishes alerts on the live topics.
struct LiveAlerts(Hub);

impl alerting::Publisher for LiveAlerts {
    fn publish(&self, event: Event) {
        self.0.publish(event);
    }

    fn publish_list(&self) {
        self.0.publish_alerts();
    }
}
