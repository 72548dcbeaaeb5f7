//! The components of a server: each is built from its own settings and connected to those that it uses.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use access::random_text;
use alerting::{Alerting, History, LoadedRules, history};
use anyhow::Context;
use budget::Budgets;
use collect::{Sinks, Upstreams};
use dashboards::DashboardRegistry;
use datasource::{Admission, Engines, Exemplars};
use live::{Hub, HubLimits, StartLimit};
use model::{clock::now_ms, live::Event};
use notify::{Inbox, Notifier};
use redact::Redactor;
use render::{AlertImages, AlertPictures, PictureLinks, Pictures};
use telemetry::Telemetry;
use timeseries::SampleSink;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tsdb::Store;

use super::{
    Mode,
    background::{self, Background},
    live_topics::{LiveAlerts, sources},
    query_path::QueryPath,
    settings,
};
use crate::{
    config::Config,
    demo::Demo,
    http::{
        assets::Assets,
        auth::Auth,
        pages::{MadeTokens, PanelHtmlCache},
    },
    source_list::SourceList,
    state::AppState,
    storage::{self, Storage},
    walls::Walls,
};

/// Random bytes in the ID of this run of the server.
const BOOT_ID_BYTES: usize = 8;
/// Maximum number of alert images drawn concurrently, independent of viewers.
const ALERT_PICTURES: usize = 1;
/// Maximum number of events in the queue of a receiver.
const EVENT_QUEUE: usize = 8_192;

/// The components of a server, before its background tasks are started.
pub(super) struct Components {
    /// Handles for requests.
    pub(super) state: AppState,
    pub(super) store: Store,
    /// The simulated daemon of a demo.
    pub(super) demo: Option<Demo>,
    inputs: TaskInputs,
}

/// What only the background tasks read from or write to.
struct TaskInputs {
    events: broadcast::Receiver<Event>,
    job_events: broadcast::Receiver<Event>,
    alert_events: broadcast::Receiver<Event>,
    history: history::Writer,
    inbox: Inbox,
    samples: Arc<dyn SampleSink>,
    admissions: Vec<Admission>,
    dashboards: watch::Sender<DashboardRegistry>,
    scrape_interval: Duration,
}

impl Components {
    /// Opens the store, reads the rules, connects to the sources and builds what serves requests.
    ///
    /// # Errors
    ///
    /// Why the server cannot start, as a sentence for the operator.
    pub(super) async fn build(
        config: Config,
        mode: Mode,
        external_url: &str,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let pool = database::open(&config.data_dir).await?;
        let auth = Auth::open(pool.clone(), (&config).into()).await?;
        let dashboards = DashboardRegistry::load(config.dashboards_dir.as_deref())?;
        let (set_dashboards, dashboards) = watch::channel(dashboards);
        let store_options = settings::store_options(&config);
        let store = match mode {
            Mode::Serve => storage::open(&config.data_dir, store_options).await?,
            Mode::Demo => storage::open_for_demo(&config.data_dir, store_options).await?,
        };
        let storage = Storage::new(store.clone(), &config.data_dir);
        let redactor = Arc::new(Redactor::new(config.redact_user_names));
        let QueryPath { budgets, reads, page_drawing, embedded, engines } =
            QueryPath::open(&config, &store, &redactor)?;

        let images = Images::new(&config, &budgets, &engines, &dashboards)?;

        let telemetry = Telemetry::default();
        let gates = engines.elsewhere().map(|engine| engine.gate().clone());
        let own = [reads.admission(), reads.elsewhere(), page_drawing.admission()].into_iter().cloned();
        let queues: Vec<Admission> = own.chain(gates).collect();
        telemetry.follow_budgets(budgets.clone(), queues.clone());

        // Wrong rules stop the start before a source is contacted.
        let (alert_history, history) = History::open(pool.clone()).await?;
        let rules = LoadedRules::read(settings::rule_settings(&config, mode, external_url))?;
        let (daemons, demo) = daemons(&config, mode, &store).await?;
        let (sender, events) = broadcast::channel(EVENT_QUEUE);
        let (job_events, alert_events) = (sender.subscribe(), sender.subscribe());
        // Measured samples need not wait for the disk.
        let samples: Arc<dyn SampleSink> = Arc::new(store.unawaited());
        let sinks = Sinks {
            events: sender,
            samples: Arc::clone(&samples),
            stored: Arc::new(store.clone()),
            metadata: Arc::new(background::StoreMetadata(store.clone())),
        };
        let options = settings::collect_options(&config, mode);
        let upstreams = Upstreams::start(daemons, Vec::new(), sinks, options, redactor, stop.clone())?;
        let links = upstreams.clone();
        embedded.explain_with(Box::new(move |series| links.unreported(series)));

        let (notifier, inbox) = Notifier::open(
            pool,
            settings::notify_options(&config, mode),
            &config.alertmanagers,
            external_url,
            telemetry.clone(),
            Some(Arc::new(images.for_messages())),
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
            alert_history,
            telemetry.clone(),
            notifier.clone(),
            Arc::new(LiveAlerts(hub.clone())),
        );
        // The hub and the alerting handle need each other.
        let _ = listed_alerts.set(alerting.clone());
        let inputs = TaskInputs {
            events,
            job_events,
            alert_events,
            history,
            inbox,
            samples,
            admissions: queues.into_iter().chain(images.admissions()).collect(),
            dashboards: set_dashboards,
            scrape_interval: settings::scrape_interval(&config, mode),
        };
        let state = AppState {
            auth,
            assets: Assets::load(),
            dashboards,
            engines,
            embedded,
            exemplars: Exemplars::new(config.limits.exemplars),
            alerting,
            page_drawing,
            upstreams,
            sources: source_list,
            hub,
            notifier,
            walls: Walls::new(config.walls.clone(), now_ms()),
            drawn_panels: PanelHtmlCache::default(),
            made_tokens: MadeTokens::default(),
            pictures: images.pictures,
            alert_pictures: images.of_alerts,
            picture_links: images.links,
            budgets,
            telemetry,
            storage,
            metrics_public: config.metrics_public,
            started_ms: now_ms(),
            limits: config.limits,
            stop: stop.clone(),
            config: Arc::new(config),
        };
        Ok(Components { state, store, demo, inputs })
    }

    /// Starts the background tasks.
    ///
    /// # Errors
    ///
    /// The system cannot start threads.
    pub(super) fn start(self) -> anyhow::Result<Running> {
        let Components { state, store, demo, inputs } = self;
        let AppState { hub, upstreams, engines, alerting, notifier, telemetry, .. } = state;
        let mut background = Background::new(state.stop);
        background.forward_events(hub.clone(), inputs.events);
        background.watch_freshness(hub.clone(), upstreams.clone());
        background.publish_sources(hub.clone(), state.sources);
        background.probe_engines(&engines);
        background.poll_alerts(alerting.clone(), engines);
        background.hand_alerts_over(alerting.notifications(), notifier.clone());
        background.evaluate_rules(alerting, inputs.alert_events, inputs.history, background::rule_runtime()?);
        background.sample_ourselves(telemetry.clone(), inputs.samples, inputs.scrape_interval);
        background.keep_store(store.clone());
        background.watch_walls(state.walls, telemetry.clone());
        background.watch_dashboards(state.config.dashboards_dir.clone(), inputs.dashboards);
        background.watch_memory(inputs.admissions);
        background.notify(notifier, inputs.inbox, inputs.job_events);
        background.stop_on_signal();
        Ok(Running { background, hub, upstreams, demo, store })
    }
}

/// The daemons of the configuration and, in a demo, the simulated one, which starts here.
async fn daemons(
    config: &Config,
    mode: Mode,
    store: &Store,
) -> anyhow::Result<(Vec<collect::DaemonConfig>, Option<Demo>)> {
    let mut daemons: Vec<_> = config.daemons.iter().map(settings::daemon).collect();
    let demo = match mode {
        Mode::Demo => Some(Demo::start(&config.demo, store).await?),
        Mode::Serve => None,
    };
    if let Some(demo) = &demo {
        daemons.push(demo.daemon()?);
    }
    Ok((daemons, demo))
}

/// Images for viewers and for messages. Those for messages are drawn apart, so that viewers do not delay them.
struct Images {
    pictures: Pictures,
    of_alerts: AlertPictures,
    links: PictureLinks,
    /// Draws the images of alerts.
    alert_drawing: Admission,
}

impl Images {
    fn new(
        config: &Config,
        budgets: &Budgets,
        engines: &Engines,
        dashboards: &watch::Receiver<DashboardRegistry>,
    ) -> anyhow::Result<Self> {
        let dashboards = dashboards.clone();
        let options = || settings::picture_options(config);
        let of_alerts = Pictures::new(budgets, options(), ALERT_PICTURES);
        Ok(Images {
            pictures: Pictures::new(budgets, options(), config.limits.pictures),
            alert_drawing: of_alerts.drawing().admission().clone(),
            of_alerts: AlertPictures::new(of_alerts, engines.clone(), move || dashboards.borrow().clone()),
            links: PictureLinks::new()?,
        })
    }

    fn for_messages(&self) -> AlertImages {
        AlertImages { pictures: self.of_alerts.clone(), links: self.links.clone() }
    }

    fn admissions(&self) -> [Admission; 2] {
        [self.pictures.drawing().admission().clone(), self.alert_drawing.clone()]
    }
}

/// A server at work.
pub(super) struct Running {
    background: Background,
    hub: Hub,
    upstreams: Upstreams,
    demo: Option<Demo>,
    store: Store,
}

impl Running {
    /// Waits until all tasks have ended after the server was stopped, and writes out the store.
    ///
    /// # Errors
    ///
    /// The store cannot be written.
    pub(super) async fn ended(self) -> anyhow::Result<()> {
        self.background.ended().await;
        self.hub.ended(background::PATIENCE).await;
        if tokio::time::timeout(background::PATIENCE, self.upstreams.stopped()).await.is_err() {
            tracing::warn!("connections to sources did not end in time");
        }
        if let Some(demo) = self.demo {
            demo.stop().await;
        }
        let store = self.store;
        tokio::task::spawn_blocking(move || store.flush())
            .await?
            .context("the store could not be written out at the end")
    }
}
