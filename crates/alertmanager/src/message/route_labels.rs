//! Renders the labels of a route with the alerts of a group, as Alertmanager does since 0.34.
//!
//! A label may use others by `routeLabels "name"`: each is rendered once, when it is first needed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gotemplate::{Options, Value};

use super::{Composer, data::Data, functions};
use crate::{alert::Labels, dispatch::Notification};

/// Maximum depth of labels that use each other.
const MOST_DEEP: usize = 32;

impl Composer {
    /// Renders the labels of a notification's route; returns them and the problems. A label that fails is left out.
    /// They are the same for all integrations of a receiver, so that they do not see the notification's reason.
    #[must_use]
    pub fn route_labels(&self, notification: &Notification, at_ms: i64) -> (Labels, Vec<String>) {
        if notification.route_labels.is_empty() {
            return Default::default();
        }
        let data = Data::of_group(notification, &self.external_url).value();
        let resolver =
            Resolver { composer: self, templates: &notification.route_labels, at_ms, data, state: Mutex::default() };
        let (mut labels, mut problems) = (Labels::new(), Vec::new());
        for name in notification.route_labels.keys() {
            match resolver.resolve(name) {
                Ok(value) => {
                    labels.insert(name.clone(), value);
                }
                Err(error) => problems.push(format!("label {name:?} of a route: {error}")),
            }
        }
        (labels, problems)
    }
}

struct Resolver<'a> {
    composer: &'a Composer,
    templates: &'a Labels,
    at_ms: i64,
    data: Value,
    /// Never locked while a template is rendered.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Labels,
    /// Labels being rendered; each one is needed by the previous one.
    stack: Vec<String>,
}

impl Resolver<'_> {
    /// The value of a label; empty if the route has no such label.
    fn resolve(&self, name: &str) -> Result<String, String> {
        let Some(template) = self.templates.get(name) else { return Ok(String::new()) };
        {
            let mut state = self.state();
            if let Some(value) = state.known.get(name) {
                return Ok(value.clone());
            }
            if state.stack.iter().any(|other| other == name) {
                return Err(format!("route label cycle detected: {} -> {name}", state.stack.join(" -> ")));
            }
            if state.stack.len() >= MOST_DEEP {
                return Err(format!("more than {MOST_DEEP} labels are made of each other"));
            }
            state.stack.push(name.to_owned());
        }
        let filled = self.fill(template);
        let mut state = self.state();
        state.stack.pop();
        if let Ok(value) = &filled {
            state.known.insert(name.to_owned(), value.clone());
        }
        filled
    }

    fn fill(&self, template: &str) -> Result<String, String> {
        if !template.contains("{{") {
            return Ok(template.to_owned());
        }
        let functions = functions::at(self.at_ms, |name| self.resolve(name), &self.composer.functions);
        let mut templates = self.composer.templates.clone();
        let filled = templates
            .parse("", template, &functions)
            .and_then(|()| templates.render("", &self.data, &functions, &Options::default()));
        filled.map_err(|error| error.to_string())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
