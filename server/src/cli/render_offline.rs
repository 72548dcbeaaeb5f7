//! Draws an image without a server: from the stored series, or from remote engines.

use std::{collections::HashMap, sync::Arc};

use access::Scope;
use anyhow::{Context, bail};
use app::picture::Setting;
use budget::Budgets;
use dashboards::DashboardRegistry;
use datasource::{Embedded, Engines, QueryLimits, ReadScheduler, fixed};
use model::{
    clock::now_ms,
    dashboard::{Panel, PanelKind},
    live::AlertList,
    panel::PanelData,
};
use redact::Redactor;
use render::{Format, PANEL, RenderRequest, Subject, params};

use crate::{config::Config, serve::store_options, storage};

/// An image to draw.
pub(crate) struct Wanted {
    /// `DASHBOARD` or `DASHBOARD/PANEL`.
    pub(crate) what: String,
    /// As in the URL of an image.
    pub(crate) parameters: String,
    /// Image format.
    pub(crate) format: Format,
}

/// Draws the image.
pub(crate) async fn draw(config: &Config, wanted: &Wanted) -> anyhow::Result<Vec<u8>> {
    let now_ms = now_ms();
    let parameters = params::RenderParams::parse(&wanted.parameters, now_ms)?;
    let library = DashboardRegistry::load(config.dashboards_dir.as_deref())?;
    let (uid, id) = wanted.what.split_once('/').map_or((wanted.what.as_str(), None), |(uid, id)| (uid, Some(id)));
    let Some(dashboard) = library.get(uid) else {
        let uids: Vec<&str> = library.all().map(|dashboard| dashboard.uid.as_str()).collect();
        bail!("there is no dashboard {uid:?}: use one of {}", uids.join(", "));
    };
    let panel = id.map(|id| params::panel_of(dashboard, id)).transpose()?;
    let store = config.data_dir.join(storage::SERIES);
    if config.engines.is_empty() && !store.exists() {
        bail!(
            "no server runs on {}, and no series are stored there: name a server with --url, or its data directory with --data-dir",
            config.data_dir.display()
        );
    }
    let engines = engines(config).await?;
    let evaluate = async |panel: &Panel| feed(&engines, panel, parameters.range, now_ms).await;
    let width = parameters.width;
    let (what, setting, size) = match panel {
        Some(panel) => {
            let data = evaluate(panel).await;
            let setting = Setting::new(parameters.range, now_ms, parameters.theme, [&data]).in_zone(parameters.zone);
            let size = (width.unwrap_or(PANEL.0), parameters.height.unwrap_or(PANEL.1));
            (Subject::Panel(Box::new(panel.clone()), data), setting, size)
        }
        None => {
            let mut data = HashMap::new();
            for panel in &dashboard.panels {
                data.insert(panel.id.clone(), evaluate(panel).await);
            }
            let setting =
                Setting::new(parameters.range, now_ms, parameters.theme, data.values()).in_zone(parameters.zone);
            let size = parameters.dashboard_size(dashboard);
            (Subject::Dashboard(Box::new(dashboard.clone()), data), setting, size)
        }
    };
    let order = RenderRequest { what, setting, size, zoom: 1.0 };
    let most = u64::try_from(config.limits.picture_pixels).unwrap_or(u64::MAX);
    let format = wanted.format;
    Ok(tokio::task::spawn_blocking(move || order.draw(format, most)).await.context("drawing panicked")??)
}

async fn engines(config: &Config) -> anyhow::Result<Engines> {
    let limits = QueryLimits {
        timeout: config.limits.query_time,
        max_points_per_series: config.limits.points,
        max_series: config.limits.series,
        max_response_bytes: config.limits.response_bytes,
    };
    let aliases = Arc::new(dashboards::aliases(config.dashboards_dir.as_deref())?);
    let store = storage::open(&config.data_dir, store_options(config)).await?;
    let reads = ReadScheduler::new(&Budgets::of(config.limits.memory), config.limits.reads, config.limits.read_wait);
    let embedded = Embedded::new(store, limits.clone(), reads)
        .with_experimental(config.promql_experimental)
        .with_aliases(Arc::clone(&aliases));
    Ok(Engines::new(
        &config.engines,
        &config.engine,
        Arc::new(embedded),
        &limits,
        &aliases,
        &Arc::new(Redactor::new(config.redact_user_names)),
    )?)
}

/// The data of a panel. What only a running server knows is reported as missing.
async fn feed(engines: &Engines, panel: &Panel, range: model::range::TimeRange, now_ms: i64) -> PanelData {
    match panel.kind {
        PanelKind::Jobs => PanelData::Jobs(Vec::new()),
        PanelKind::Sources => PanelData::Sources(Vec::new(), Vec::new()),
        PanelKind::Alerts => PanelData::Alerts(AlertList {
            unavailable: Some("No server runs, and so no rule is evaluated.".to_owned()),
            ..AlertList::default()
        }),
        _ => {
            let mut states = Vec::with_capacity(panel.queries.len());
            for query in &panel.queries {
                states.push(fixed::state(engines, &Scope::all(), query, range, now_ms).await);
            }
            PanelData::Queries(states)
        }
    }
}
