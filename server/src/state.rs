//! What the request handlers share.

use std::sync::Arc;

use alerting::Alerting;
use axum::extract::FromRef;
use budget::Budgets;
use collect::Upstreams;
use dashboards::DashboardRegistry;
use datasource::{Embedded, Engines, Exemplars, ReadScheduler};
use live::Hub;
use notify::Notifier;
use render::{AlertPictures, PictureLinks, Pictures};
use telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Limits},
    http::{
        assets::Assets,
        auth::Auth,
        pages::{MadeTokens, PanelHtmlCache},
    },
    source_list::SourceList,
    storage::Storage,
};

/// Handles to everything. Cheap to clone.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// Who may do what.
    pub auth: Auth,
    /// The bundle.
    pub assets: Assets,
    /// The dashboards there are.
    pub library: DashboardRegistry,
    /// The engines that answer queries.
    pub engines: Engines,
    /// Our own engine and store, which hold what was scraped and derived also where another engine answers.
    pub embedded: Arc<Embedded>,
    /// Endpoints of our own store.
    pub storage: Storage,
    /// The newest exemplars that were sent.
    pub exemplars: Exemplars,
    /// Rules and alerts.
    pub alerting: Alerting,
    /// The daemons.
    #[from_ref(skip)]
    pub upstreams: Upstreams,
    /// How all sources are doing.
    #[from_ref(skip)]
    pub sources: SourceList,
    /// Live topics.
    pub hub: Hub,
    /// Who is told of alerts, and what keeps them quiet.
    pub notifier: Notifier,
    /// The panels of pages, as they were drawn last.
    pub drawn_panels: PanelHtmlCache,
    /// Secrets of tokens that were just made on the settings page.
    pub made_tokens: MadeTokens,
    /// Lets pages be drawn.
    #[from_ref(skip)]
    pub page_drawing: ReadScheduler,
    /// Pictures of panels and dashboards.
    pub pictures: Pictures,
    /// Pictures of alerts.
    pub alert_pictures: AlertPictures,
    /// Links to those, for who cannot log in.
    pub picture_links: PictureLinks,
    /// What may be held and computed for viewers.
    pub budgets: Budgets,
    /// Our own metrics.
    pub telemetry: Telemetry,
    /// Whether `/metrics` asks for no token.
    #[from_ref(skip)]
    pub metrics_public: bool,
    /// The settings; they hold secrets, which must not be shown.
    pub config: Arc<Config>,
    /// When the server started, in milliseconds since the Unix epoch.
    #[from_ref(skip)]
    pub started_ms: i64,
    /// What one request or socket may take.
    pub limits: Limits,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}
