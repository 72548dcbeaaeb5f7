//! Checks a configuration file: resolves names, fills in defaults, rejects contradictions.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use model::label::is_label_name;
use serde_saphyr::{Location, Spanned};

use super::{
    Config, Problem, Secret,
    file::{ConfigFile, Global, InhibitFile, IntervalFile, ReceiverFile, RouteFile},
    http::{Http, either},
    receiver::{self, Integration, Receiver, Slack},
    route::{GroupBy, Route, RouteLabel},
};
use crate::{
    inhibit::InhibitRule,
    matcher::{Matcher, Matchers, Operator},
    time_interval::TimeInterval,
};

const DEFAULT_RESOLVE_TIMEOUT_MS: i64 = 5 * 60_000;
const DEFAULT_GROUP_WAIT_MS: i64 = 30_000;
const DEFAULT_GROUP_INTERVAL_MS: i64 = 5 * 60_000;
const DEFAULT_REPEAT_INTERVAL_MS: i64 = 4 * 3_600_000;
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// `group_by: ['...']` groups by all labels.
const ALL_LABELS: &str = "...";

impl ConfigFile {
    /// Checks the file; paths in it are relative to `directory`.
    ///
    /// # Errors
    ///
    /// The first problem and its position.
    pub fn check(self, directory: &Path) -> Result<Config, Problem> {
        let start = Location::UNKNOWN;
        let global = Defaults::new(self.global, directory)?;
        let receivers = receivers(self.receivers, &global, directory)?;
        let intervals = intervals(self.mute_time_intervals.into_iter().chain(self.time_intervals))?;
        let Some(root) = self.route else {
            return Err(Problem::at(start, "there is no route: add `route:` with the receiver that gets everything"));
        };
        let routes = Tree { nodes: Vec::new(), receivers: &receivers, intervals: &intervals }.grow(&root)?;
        let inhibit_rules = self.inhibit_rules.into_iter().map(inhibit_rule).collect::<Result<_, _>>()?;
        let templates =
            self.templates.iter().map(|pattern| directory.join(pattern).to_string_lossy().into_owned()).collect();
        Ok(Config {
            resolve_timeout_ms: global.file.resolve_timeout.map_or(DEFAULT_RESOLVE_TIMEOUT_MS, |period| period.0),
            routes,
            receivers,
            intervals,
            inhibit_rules,
            templates,
        })
    }
}

/// The tree of routes, flattened.
struct Tree<'a> {
    nodes: Vec<Route>,
    receivers: &'a BTreeMap<String, Receiver>,
    intervals: &'a BTreeMap<String, Vec<TimeInterval>>,
}

impl Tree<'_> {
    fn grow(mut self, root: &Spanned<RouteFile>) -> Result<Vec<Route>, Problem> {
        let (at, file) = (root.referenced, &root.value);
        let refuse = |message: &str| Err(Problem::at(at, message));
        if file.receiver.as_ref().is_none_or(|receiver| receiver.value.is_empty()) {
            return refuse("the root route needs a receiver, which gets the alerts that no other route matches");
        }
        if !file.equal.is_empty() || !file.match_re.is_empty() || !file.matchers.is_empty() {
            return refuse("the root route must match every alert: move its matchers to a route below it");
        }
        if !file.mute_time_intervals.is_empty() {
            return refuse("the root route cannot be muted: move mute_time_intervals to a route below it");
        }
        if !file.active_time_intervals.is_empty() {
            return refuse("the root route is always active: move active_time_intervals to a route below it");
        }
        if file.goes_on {
            return refuse("the root route has none beside it: leave out `continue`");
        }
        self.add(root, None)?;
        Ok(self.nodes)
    }

    fn add(&mut self, node: &Spanned<RouteFile>, parent: Option<&Route>) -> Result<usize, Problem> {
        let file = &node.value;
        let mut matchers = matchers(&file.equal, &file.match_re, &file.matchers)?;
        matchers.sort();
        let receiver = match &file.receiver {
            Some(receiver) if !receiver.value.is_empty() => {
                if !self.receivers.contains_key(&receiver.value) {
                    let message = format!("there is no receiver {:?}: add it to `receivers`", receiver.value);
                    return Err(Problem::at(receiver.referenced, message));
                }
                receiver.value.clone()
            }
            _ => parent.map(|parent| parent.receiver.clone()).unwrap_or_default(),
        };
        let mut labels = parent.map(|parent| parent.labels.clone()).unwrap_or_default();
        for (name, template) in &file.labels {
            let at = template.referenced;
            if !is_label_name(name) {
                return Err(Problem::at(at, format!("{name:?} is not the name of a label")));
            }
            let label = RouteLabel { template: template.value.clone(), place: (at.line(), at.column()) };
            labels.insert(name.clone(), label);
        }
        let id = self.nodes.len();
        let route = Route {
            id,
            children: Vec::new(),
            key: parent.map_or_else(|| matchers.to_string(), |parent| format!("{}/{matchers}", parent.key)),
            matchers,
            goes_on: file.goes_on,
            receiver,
            group_by: match &file.group_by {
                Some(given) => group_by(given)?,
                None => parent.map_or(GroupBy::Labels(BTreeSet::new()), |parent| parent.group_by.clone()),
            },
            group_wait_ms: file
                .group_wait
                .map(|period| period.0)
                .unwrap_or(parent.map_or(DEFAULT_GROUP_WAIT_MS, |parent| parent.group_wait_ms)),
            group_interval_ms: positive("group_interval", file.group_interval.as_ref())?
                .unwrap_or(parent.map_or(DEFAULT_GROUP_INTERVAL_MS, |parent| parent.group_interval_ms)),
            repeat_interval_ms: positive("repeat_interval", file.repeat_interval.as_ref())?
                .unwrap_or(parent.map_or(DEFAULT_REPEAT_INTERVAL_MS, |parent| parent.repeat_interval_ms)),
            mute_time_intervals: self.known(&file.mute_time_intervals)?,
            active_time_intervals: self.known(&file.active_time_intervals)?,
            labels,
        };
        self.nodes.push(route.clone());
        let children = file.routes.iter().map(|child| self.add(child, Some(&route))).collect::<Result<_, _>>()?;
        if let Some(own) = self.nodes.get_mut(id) {
            own.children = children;
        }
        Ok(id)
    }

    /// Checks that every named time interval exists.
    fn known(&self, names: &[Spanned<String>]) -> Result<Vec<String>, Problem> {
        let check = |name: &Spanned<String>| {
            if self.intervals.contains_key(&name.value) {
                return Ok(name.value.clone());
            }
            let message = format!("there is no time interval {:?}: add it to `time_intervals`", name.value);
            Err(Problem::at(name.referenced, message))
        };
        names.iter().map(check).collect()
    }
}

fn positive(key: &str, given: Option<&Spanned<super::file::Period>>) -> Result<Option<i64>, Problem> {
    match given {
        Some(period) if period.value.0 == 0 => {
            Err(Problem::at(period.referenced, format!("{key} must be longer than 0s")))
        }
        other => Ok(other.map(|period| period.value.0)),
    }
}

fn group_by(given: &Spanned<Vec<String>>) -> Result<GroupBy, Problem> {
    let refuse = |message: String| Err(Problem::at(given.referenced, message));
    let mut names = BTreeSet::new();
    for name in &given.value {
        if name != ALL_LABELS && !is_label_name(name) {
            return refuse("a name in group_by is empty: write the name of a label, or leave it out".to_owned());
        }
        if !names.insert(name.clone()) {
            return refuse(format!("{name:?} is listed twice in group_by: remove one"));
        }
    }
    match (names.contains(ALL_LABELS), names.len()) {
        (true, 1) => Ok(GroupBy::All),
        (true, _) => refuse(format!("{ALL_LABELS:?} in group_by means all labels: leave out the others")),
        (false, _) => Ok(GroupBy::Labels(names)),
    }
}

/// Merges the three ways to write matchers into one list.
fn matchers(
    equal: &BTreeMap<String, Spanned<String>>,
    regex: &BTreeMap<String, Spanned<String>>,
    written: &[Spanned<String>],
) -> Result<Matchers, Problem> {
    let mut all = Vec::new();
    let named = equal.iter().map(|(name, value)| (Operator::Equal, name, value));
    for (operator, name, value) in named.chain(regex.iter().map(|(name, value)| (Operator::Matches, name, value))) {
        if !is_label_name(name) {
            return Err(Problem::at(value.referenced, "the name of a label is empty: write which label is compared"));
        }
        let matcher = Matcher::new(name, operator, &value.value);
        all.push(matcher.map_err(|error| Problem::at(value.referenced, error.to_string()))?);
    }
    for text in written {
        let read: Matchers = text
            .value
            .parse()
            .map_err(|error: crate::matcher::WrongMatcher| Problem::at(text.referenced, error.to_string()))?;
        all.extend(read.0);
    }
    Ok(Matchers(all))
}

fn inhibit_rule(file: Spanned<InhibitFile>) -> Result<InhibitRule, Problem> {
    let file = file.value;
    for name in &file.equal {
        if !is_label_name(&name.value) {
            return Err(Problem::at(
                name.referenced,
                "a name in `equal` is empty: write the name of a label, or leave it out",
            ));
        }
    }
    Ok(InhibitRule {
        source: matchers(&file.source_match, &file.source_match_re, &file.source_matchers)?,
        target: matchers(&file.target_match, &file.target_match_re, &file.target_matchers)?,
        equal: file.equal.into_iter().map(|name| name.value).collect(),
    })
}

fn intervals(
    files: impl Iterator<Item = Spanned<IntervalFile>>,
) -> Result<BTreeMap<String, Vec<TimeInterval>>, Problem> {
    let mut intervals = BTreeMap::new();
    for file in files {
        let (at, file) = (file.referenced, file.value);
        if file.name.is_empty() {
            return Err(Problem::at(at, "the time interval has no name"));
        }
        let times = file
            .time_intervals
            .iter()
            .map(|spec| {
                TimeInterval::try_from(&spec.value).map_err(|error| Problem::at(spec.referenced, error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        if intervals.insert(file.name.clone(), times).is_some() {
            return Err(Problem::at(at, format!("another time interval is named {:?} too", file.name)));
        }
    }
    Ok(intervals)
}

/// Defaults that receivers inherit from `global`.
struct Defaults {
    file: Global,
    http: Http,
    slack: Option<Secret>,
    smtp_password: Option<Secret>,
}

impl Defaults {
    fn new(mut file: Global, directory: &Path) -> Result<Self, Problem> {
        let one = |text: &Option<Secret>, path: &Option<Spanned<PathBuf>>, what: &str| match (text, path) {
            (Some(_), Some(path)) => Err(Problem::at(path.referenced, format!("give {what} or {what}_file, not both"))),
            (_, path) => Ok(either(text, &path.as_ref().map(|path| directory.join(&path.value)))),
        };
        let slack = one(&file.slack_api_url, &file.slack_api_url_file, "slack_api_url")?;
        let smtp_password = one(&file.smtp_auth_password, &file.smtp_auth_password_file, "smtp_auth_password")?;
        if let Some(host) = file.smtp_smarthost.as_ref().filter(|host| !is_smarthost(&host.value)) {
            return Err(Problem::at(host.referenced, smarthost_complaint(&host.value)));
        }
        let http = match file.http_config.take() {
            Some(http) => {
                if let Some(message) = http.value.problem() {
                    return Err(Problem::at(http.referenced, message));
                }
                let mut http = http.value;
                http.rebase(directory);
                http
            }
            None => Http::default(),
        };
        Ok(Defaults { file, http, slack, smtp_password })
    }
}

fn is_smarthost(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn smarthost_complaint(text: &str) -> String {
    format!("{text:?} is not a mail server: write its host and port, for example mail.example.org:587")
}

fn receivers(
    files: Vec<Spanned<ReceiverFile>>,
    global: &Defaults,
    directory: &Path,
) -> Result<BTreeMap<String, Receiver>, Problem> {
    let mut receivers = BTreeMap::new();
    for file in files {
        let (at, file) = (file.referenced, file.value);
        if file.name.is_empty() {
            return Err(Problem::at(at, "the receiver has no name"));
        }
        let mut given: Vec<(Location, Integration)> = Vec::new();
        given.extend(file.webhook_configs.into_iter().map(|c| (c.referenced, Integration::Webhook(Box::new(c.value)))));
        given.extend(file.slack_configs.into_iter().map(|c| (c.referenced, Integration::Slack(Box::new(c.value)))));
        given.extend(file.discord_configs.into_iter().map(|c| (c.referenced, Integration::Discord(Box::new(c.value)))));
        given.extend(
            file.pagerduty_configs.into_iter().map(|c| (c.referenced, Integration::PagerDuty(Box::new(c.value)))),
        );
        given.extend(file.email_configs.into_iter().map(|c| (c.referenced, Integration::Email(Box::new(c.value)))));
        let mut integrations = Vec::with_capacity(given.len());
        let places = given.iter().map(|(at, _)| (at.line(), at.column())).collect();
        for (at, mut integration) in given {
            receiver::rebase(&mut integration, directory);
            complete(&mut integration, global).map_err(|message| Problem::at(at, message))?;
            integrations.push(integration);
        }
        let receiver = Receiver { name: file.name.clone(), integrations, places };
        if receivers.insert(file.name.clone(), receiver).is_some() {
            return Err(Problem::at(at, format!("another receiver is named {:?} too", file.name)));
        }
    }
    Ok(receivers)
}

/// Fills in an integration's defaults from `global`. The error says which required setting is missing.
fn complete(integration: &mut Integration, global: &Defaults) -> Result<(), String> {
    let http = |own: &mut Option<Http>| match own {
        Some(own) => own.problem().map_or(Ok(()), |message| Err(message.to_owned())),
        None => {
            *own = Some(global.http.clone());
            Ok(())
        }
    };
    match integration {
        Integration::Webhook(webhook) => {
            webhook.url = one("url", &webhook.url, &mut webhook.url_file)?;
            url("url", webhook.url.as_ref().ok_or("a webhook needs a url")?)?;
            http(&mut webhook.http_config)
        }
        Integration::Slack(slack) => {
            let own = one("api_url", &slack.api_url, &mut slack.api_url_file)?;
            slack.api_url = own.or_else(|| global.slack.clone());
            let lack = "there is no Slack URL: give api_url here, or slack_api_url under `global`";
            url("api_url", slack.api_url.as_ref().ok_or(lack)?)?;
            slack_parts(slack)?;
            http(&mut slack.http_config)
        }
        Integration::Discord(discord) => {
            discord.webhook_url = one("webhook_url", &discord.webhook_url, &mut discord.webhook_url_file)?;
            url("webhook_url", discord.webhook_url.as_ref().ok_or("Discord needs a webhook_url")?)?;
            http(&mut discord.http_config)
        }
        Integration::PagerDuty(pagerduty) => {
            pagerduty.service_key = one("service_key", &pagerduty.service_key, &mut pagerduty.service_key_file)?;
            pagerduty.routing_key = one("routing_key", &pagerduty.routing_key, &mut pagerduty.routing_key_file)?;
            if pagerduty.service_key.is_none() && pagerduty.routing_key.is_none() {
                return Err("PagerDuty needs a routing_key, or the old integration's service_key".to_owned());
            }
            if pagerduty.url.is_empty() {
                pagerduty.url = global.file.pagerduty_url.clone().unwrap_or_else(|| PAGERDUTY_URL.to_owned());
            }
            url("url", &Secret::new(&pagerduty.url))?;
            for (name, template) in [
                ("firing", r#"{{ template "pagerduty.default.instances" .Alerts.Firing }}"#),
                ("resolved", r#"{{ template "pagerduty.default.instances" .Alerts.Resolved }}"#),
                ("num_firing", "{{ .Alerts.Firing | len }}"),
                ("num_resolved", "{{ .Alerts.Resolved | len }}"),
            ] {
                pagerduty.details.entry(name.to_owned()).or_insert_with(|| template.to_owned());
            }
            http(&mut pagerduty.http_config)
        }
        Integration::Email(email) => mail(email, global),
    }
}

/// A secret given as text or as a file, not both. An empty text counts as not set.
fn one(key: &str, text: &Option<Secret>, file: &mut Option<PathBuf>) -> Result<Option<Secret>, String> {
    let text = text.clone().filter(|text| !text.is_empty());
    let file = file.take().filter(|file| !file.as_os_str().is_empty());
    if text.is_some() && file.is_some() {
        return Err(format!("give {key} or {key}_file, not both"));
    }
    Ok(either(&text, &file))
}

/// Checks a URL of the file. The error does not quote it, because it is a secret.
fn url(key: &str, value: &Secret) -> Result<(), String> {
    let Secret::Text(text) = value else { return Ok(()) };
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_url = host.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']) && !rest.contains(char::is_whitespace)
    });
    if is_url { Ok(()) } else { Err(format!("{key} is not a URL of http or https")) }
}

fn slack_parts(slack: &mut Slack) -> Result<(), String> {
    for field in &slack.fields {
        if field.title.is_empty() || field.value.is_empty() {
            return Err("a field of a Slack message needs both title and value".to_owned());
        }
    }
    for action in &mut slack.actions {
        if action.kind.is_empty() || action.text.is_empty() {
            return Err("an action of a Slack message needs both type and text".to_owned());
        }
        if action.url.is_empty() {
            if action.name.is_empty() {
                return Err("an action of a Slack message needs a url or a name".to_owned());
            }
        } else {
            // A link button sends no interaction, so the fields for one are dropped.
            (action.name, action.value, action.confirm) = (String::new(), String::new(), None);
        }
        if action.confirm.as_ref().is_some_and(|confirm| confirm.text.is_empty()) {
            return Err("the confirm of a Slack action needs a text".to_owned());
        }
    }
    Ok(())
}

fn mail(email: &mut receiver::Email, global: &Defaults) -> Result<(), String> {
    if email.to.is_empty() {
        return Err("mail needs an address: give `to`".to_owned());
    }
    let inherit = |own: &mut String, global: &str| {
        if own.is_empty() {
            global.clone_into(own);
        }
    };
    let smarthost = global.file.smtp_smarthost.as_ref().map_or("", |host| host.value.as_str());
    inherit(&mut email.smarthost, smarthost);
    if email.smarthost.is_empty() {
        return Err("there is no mail server: give smarthost here, or smtp_smarthost under `global`".to_owned());
    }
    if !is_smarthost(&email.smarthost) {
        return Err(smarthost_complaint(&email.smarthost));
    }
    inherit(&mut email.from, &global.file.smtp_from);
    if email.from.is_empty() {
        return Err("there is no sender: give `from` here, or smtp_from under `global`".to_owned());
    }
    inherit(&mut email.hello, global.file.smtp_hello.as_deref().unwrap_or("localhost"));
    inherit(&mut email.auth_username, &global.file.smtp_auth_username);
    inherit(&mut email.auth_identity, &global.file.smtp_auth_identity);
    email.auth_password = one("auth_password", &email.auth_password, &mut email.auth_password_file)?
        .or_else(|| global.smtp_password.clone());
    email.auth_secret = email.auth_secret.take().or_else(|| global.file.smtp_auth_secret.clone());
    email.require_tls = email.require_tls.or(global.file.smtp_require_tls).or(Some(true));
    let mut names = HashSet::new();
    if let Some(twice) = email.headers.keys().find(|name| !names.insert(name.to_lowercase())) {
        return Err(format!("the header {twice:?} is set twice"));
    }
    Ok(())
}
