//! The engines by name.

use std::sync::Arc;

use model::upstream::UpstreamStatus;
use query_frontend::aliases::Aliases;
use redact::Redactor;

use crate::{
    Backend, EMBEDDED, EngineConfig, EngineError, EngineSettings, ErrorKind, QueryError, QueryLimits,
    embedded::Embedded,
    prometheus::{Prometheus, result_cache},
    transport::Transport,
};

/// All engines: the configured ones in order, then the embedded store. Cheap to clone.
#[derive(Clone)]
pub struct Engines(Arc<[(String, Backend)]>);

impl Engines {
    /// The configured engines and the embedded store.
    ///
    /// # Errors
    ///
    /// A certificate file is unreadable, or TLS cannot be set up.
    pub fn new(
        configured: &[EngineConfig],
        settings: &EngineSettings,
        embedded: Arc<Embedded>,
        limits: &QueryLimits,
        aliases: &Arc<Aliases>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, EngineError> {
        let cache = result_cache(settings);
        let mut engines = Vec::with_capacity(configured.len() + 1);
        for engine in configured {
            let transport =
                Transport::new(engine, settings, limits, embedded.reads().admission(), Arc::clone(redactor))?;
            let client =
                Prometheus::new(transport, engine, settings, limits.clone(), Arc::clone(&cache), Arc::clone(aliases));
            engines.push((engine.name.clone(), Backend::Prometheus(Arc::new(client))));
        }
        engines.push((EMBEDDED.to_owned(), Backend::Embedded(embedded)));
        Ok(Engines(engines.into()))
    }

    /// Only the embedded store.
    #[must_use]
    pub fn embedded(embedded: Arc<Embedded>) -> Self {
        Engines([(EMBEDDED.to_owned(), Backend::Embedded(embedded))].into())
    }

    /// The default engine.
    ///
    /// # Errors
    ///
    /// There is none, which cannot happen.
    pub fn first(&self) -> Result<&Backend, QueryError> {
        let none = || QueryError::new(ErrorKind::Internal, "there is no engine");
        self.0.first().map(|(_, engine)| engine).ok_or_else(none)
    }

    /// The engine with this name, or the default one.
    ///
    /// # Errors
    ///
    /// There is no engine with this name.
    pub fn get(&self, name: Option<&str>) -> Result<&Backend, QueryError> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return self.first() };
        self.0.iter().find(|(other, _)| other == name).map(|(_, engine)| engine).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            QueryError::new(ErrorKind::BadData, format!("there is no engine {name:?}: use one of {}", names.join(", ")))
        })
    }

    /// The names of all engines, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The remote engines.
    pub fn elsewhere(&self) -> impl Iterator<Item = &Arc<Prometheus>> {
        self.0.iter().filter_map(|(_, engine)| match engine {
            Backend::Prometheus(engine) => Some(engine),
            Backend::Embedded(_) => None,
        })
    }

    /// Health of the remote engines.
    pub fn statuses(&self) -> impl Iterator<Item = UpstreamStatus> {
        self.elsewhere().map(|engine| engine.status())
    }
}
