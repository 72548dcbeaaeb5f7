//! The path of queries: our own engine over the store, and the engines in front of it.

use std::sync::Arc;

use budget::Budgets;
use dashboards::aliases;
use datasource::{Embedded, Engines, ReadScheduler};
use redact::Redactor;
use tsdb::Store;

use super::settings;
use crate::config::Config;

/// What answers queries, and what limits them.
pub(super) struct QueryPath {
    pub(super) budgets: Budgets,
    /// Schedules what reads the store for viewers and programs.
    pub(super) reads: ReadScheduler,
    /// Schedules the rendering of pages.
    pub(super) page_drawing: ReadScheduler,
    pub(super) embedded: Arc<Embedded>,
    pub(super) engines: Engines,
}

impl QueryPath {
    /// Opens the path over `store`.
    ///
    /// # Errors
    ///
    /// The aliases of metrics or the settings of an engine are wrong.
    pub(super) fn open(config: &Config, store: &Store, redactor: &Arc<Redactor>) -> anyhow::Result<Self> {
        let limits = settings::query_limits(config);
        let aliases = Arc::new(aliases(config.dashboards_dir.as_deref())?);
        let budgets = Budgets::of(config.limits.memory);
        let reads = ReadScheduler::new(&budgets, config.limits.reads, config.limits.read_wait);
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let page_drawing = reads.for_pages(cores, config.limits.read_wait);
        let embedded = Arc::new(
            Embedded::new(store.clone(), limits.clone(), reads.clone())
                .with_experimental(config.promql_experimental)
                .with_aliases(Arc::clone(&aliases)),
        );
        let engines =
            Engines::new(&config.engines, &config.engine, Arc::clone(&embedded), &limits, &aliases, redactor)?;
        Ok(QueryPath { budgets, reads, page_drawing, embedded, engines })
    }
}
