//! Reads the configuration file and the files of secrets.

use std::path::{Path, PathBuf};

use redact::Secret;

use super::{
    EngineEntry, Options,
    resolve::{ConfigError, wrong},
};

impl Options {
    /// Reads a configuration file and its secrets. Paths in it are relative to its directory.
    ///
    /// # Errors
    ///
    /// The file or one of its secret files is unreadable or invalid.
    pub fn from_file(file: &Path) -> Result<Self, ConfigError> {
        Options::read(file)?.with_secrets()
    }

    /// Reads a configuration file without its secret files.
    ///
    /// # Errors
    ///
    /// The file is unreadable or invalid.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let mut options: Options = yaml::read(file)?;
        let directory = file.parent().unwrap_or(Path::new(""));
        let paths = [
            &mut options.data_dir,
            &mut options.admin_token_file,
            &mut options.daemon_key_file,
            &mut options.dashboards_dir,
            &mut options.notify.config,
            &mut options.tls.cert,
            &mut options.tls.key,
            &mut options.engine.ca,
            &mut options.engine.cert,
            &mut options.engine.key,
        ];
        let rules = options.rules.iter_mut().flatten();
        for path in options.engines.iter_mut().flatten().flat_map(EngineEntry::paths) {
            *path = directory.join(&path);
        }
        let key_files = options.daemons.iter_mut().flatten().map(|daemon| &mut daemon.key_file);
        let login_files = options
            .alertmanagers
            .iter_mut()
            .flatten()
            .flat_map(|entry| [&mut entry.password_file, &mut entry.bearer_token_file]);
        let hook_files =
            options.webhooks.iter_mut().flatten().flat_map(|hook| [&mut hook.url_file, &mut hook.secret_file]);
        let files = key_files.chain(login_files).chain(hook_files);
        for path in paths.into_iter().chain(files).flatten().chain(rules) {
            *path = directory.join(&path);
        }
        Ok(options)
    }

    /// The secret files that it names, before they are read.
    #[must_use]
    pub fn secret_files(&self) -> Vec<PathBuf> {
        let own = [&self.admin_token_file, &self.daemon_key_file, &self.tls.key, &self.engine.key, &self.notify.config];
        let daemons = self.daemons.iter().flatten().map(|daemon| &daemon.key_file);
        let alertmanagers =
            self.alertmanagers.iter().flatten().flat_map(|entry| [&entry.password_file, &entry.bearer_token_file]);
        let hooks = self.webhooks.iter().flatten().flat_map(|hook| [&hook.url_file, &hook.secret_file]);
        let engines = self.engines.iter().flatten().flat_map(|entry| [&entry.bearer_token_file, &entry.tls.key]);
        own.into_iter().chain(daemons).chain(alertmanagers).chain(hooks).chain(engines).flatten().cloned().collect()
    }

    /// Reads secrets from their files, so that a secret given by flag overrides a secret file given by another source.
    ///
    /// # Errors
    ///
    /// A file is unreadable, or a secret is given both ways by one source.
    pub fn with_secrets(mut self) -> Result<Self, ConfigError> {
        self.admin_token = secret("admin_token", self.admin_token.take(), self.admin_token_file.take())?;
        self.daemon_key = secret("daemon_key", self.daemon_key.take(), self.daemon_key_file.take())?;
        for daemon in self.daemons.iter_mut().flatten() {
            daemon.key = secret("daemons.key", daemon.key.take(), daemon.key_file.take())?;
        }
        for entry in self.alertmanagers.iter_mut().flatten() {
            entry.password = secret("alertmanagers.password", entry.password.take(), entry.password_file.take())?;
            entry.bearer_token =
                secret("alertmanagers.bearer_token", entry.bearer_token.take(), entry.bearer_token_file.take())?;
        }
        Ok(self)
    }
}

/// A secret given as text or as a file.
pub(super) fn secret(
    setting: &'static str,
    given: Option<Secret>,
    file: Option<PathBuf>,
) -> Result<Option<Secret>, ConfigError> {
    let Some(file) = file else { return Ok(given) };
    if given.is_some() {
        return Err(wrong(setting, "given both as it is and as a file: leave one out"));
    }
    let text =
        std::fs::read_to_string(&file).map_err(|error| wrong(setting, format!("{}: {error}", file.display())))?;
    match text.trim() {
        "" => Err(wrong(setting, format!("{} is empty", file.display()))),
        text => Ok(Some(Secret::new(text))),
    }
}
