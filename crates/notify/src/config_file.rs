//! Loads Alertmanager's configuration file and the template files that it names.

use std::{path::Path, sync::Arc};

use alertmanager::{
    config::{Config, file::ConfigFile},
    message::Composer,
};
use yaml::YamlError;

/// Maximum size of a template file, in bytes.
const MAX_TEMPLATE_BYTES: u64 = 1 << 20;

/// A configuration and its templates.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Routes and receivers.
    pub config: Arc<Config>,
    /// Renders messages.
    pub composer: Arc<Composer>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is invalid.
    #[error(transparent)]
    File(#[from] YamlError),
    /// A template file cannot be read or is invalid.
    #[error("{0}")]
    Templates(String),
}

/// Whether a file is an Alertmanager configuration rather than our own: it has routes or receivers.
#[must_use]
pub fn is_alertmanagers(file: &Path) -> bool {
    let has_key = |text: String| {
        text.lines().any(|line| {
            ["route:", "receivers:", "inhibit_rules:", "time_intervals:"].iter().any(|key| line.starts_with(key))
        })
    };
    std::fs::read_to_string(file).is_ok_and(has_key)
}

/// Loads `file`; links in messages start with `external_url`.
///
/// # Errors
///
/// The file or one of its templates is unreadable or invalid.
pub fn load(file: &Path, external_url: &str) -> Result<Loaded, LoadError> {
    let read: ConfigFile = yaml::read(file)?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let config = read.check(directory).map_err(|problem| problem.in_file(file))?;
    let mut templates = Vec::new();
    for pattern in &config.templates {
        let wrong = |reason: &dyn std::fmt::Display| LoadError::Templates(format!("{pattern}: {reason}"));
        for path in glob::glob(pattern).map_err(|error| wrong(&error))? {
            let path = path.map_err(|error| wrong(&error))?;
            let named = |reason: &dyn std::fmt::Display| LoadError::Templates(format!("{}: {reason}", path.display()));
            if path.metadata().map_err(|error| named(&error))?.len() > MAX_TEMPLATE_BYTES {
                return Err(named(&"larger than 1 MiB"));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| named(&error))?;
            templates.push((path.display().to_string(), text));
        }
    }
    let files = templates.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let composer = Composer::new(external_url, files).map_err(|error| LoadError::Templates(error.to_string()))?;
    check_texts(file, &config, &composer)?;
    Ok(Loaded { config: Arc::new(config), composer: Arc::new(composer) })
}

/// Rejects templates that would fail when a message is rendered.
fn check_texts(file: &Path, config: &Config, composer: &Composer) -> Result<(), LoadError> {
    let wrong = |(line, column): (u64, u64), message: String| {
        let (line, column) = (line.max(1), column.max(1));
        Err(LoadError::File(YamlError::Content { file: file.to_owned(), line, column, message }))
    };
    for receiver in config.receivers.values() {
        for (integration, place) in receiver.integrations.iter().zip(&receiver.places) {
            if let Some(fault) = composer.check(integration).into_iter().next() {
                return wrong(*place, format!("receiver {:?}, {}, {fault}", receiver.name, integration.kind()));
            }
        }
    }
    for (name, label) in config.routes.iter().flat_map(|route| &route.labels) {
        if let Some(fault) = composer.check_text(name, &label.template).into_iter().next() {
            return wrong(label.place, format!("label of a route, {fault}"));
        }
    }
    Ok(())
}

/// Used without a file: alerts can be listed and silenced, but only short-form webhooks are notified.
pub const NOBODY: &str = "route: {receiver: none}\nreceivers: [{name: none}]";

/// Loads a configuration that is part of the program.
///
/// # Errors
///
/// It is invalid, which is a bug.
pub fn built_in(text: &str, external_url: &str) -> Result<Loaded, LoadError> {
    let file: ConfigFile = yaml::parse(Path::new("built-in"), text)?;
    let config = file.check(Path::new("")).map_err(|problem| LoadError::Templates(problem.to_string()))?;
    let composer = Composer::new(external_url, []).map_err(|error| LoadError::Templates(error.to_string()))?;
    Ok(Loaded { config: Arc::new(config), composer: Arc::new(composer) })
}
