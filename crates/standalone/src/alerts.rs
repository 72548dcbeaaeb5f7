//! The rules of the page, evaluated over its store, and their alerts.

use std::sync::Arc;

use dashboards::annotations::{self, FiringChange, FiringChanges, ReadMetrics};
use embedded_engine::{Evaluator, Span};
use model::{
    dashboard::Dashboard,
    frame::Frame,
    live::{Alert, AlertList, AlertState, AlertTransition},
};
use promql::{Query, Value};
use rules::{
    Environment, EvalContext, Evaluation, Group, GroupSpec, Kind, Recorded, RuleError,
    published::{AlertOrigin, state},
};
use timeseries::SourceError;
use tsdb::Incoming;
use web_time::Instant;

use crate::{queries::options, site::RuleGroups};

/// Evaluation interval of groups that name none, as in Prometheus, in milliseconds.
const DEFAULT_INTERVAL_MS: i64 = 15_000;
/// Number of evaluations before the state of an earlier run is restored, as on a server: the second one has data.
const RESTORE_AFTER: u32 = 2;
/// Largest number of changes of alerts that the page remembers.
const MOST_TRANSITIONS: usize = 2_000;
/// `source` of the alerts.
const SOURCE: &str = "hyperscope";

/// Groups of rules, and what they have found.
#[derive(Default)]
pub(crate) struct Rules {
    groups: Vec<Scheduled>,
    /// Sorted as lists are.
    alerts: Vec<Alert>,
    /// Oldest first.
    transitions: Vec<AlertTransition>,
    context: EvalContext,
    read_metrics: ReadMetrics,
}

struct Scheduled {
    group: Group,
    /// One for each rule.
    origins: Vec<AlertOrigin>,
    /// When it is evaluated next, in milliseconds since the Unix epoch.
    due_ms: i64,
    evaluations: u32,
}

impl Rules {
    /// The rules of files, none of them evaluated. `is_new` says that there are no samples of an earlier run.
    ///
    /// # Errors
    ///
    /// A group is wrong: its file and what is wrong, in words. The other groups are there.
    pub(crate) fn of(files: &[RuleGroups], is_new: bool, now_ms: i64) -> (Self, Vec<String>) {
        let mut all = Rules::default();
        let mut problems = Vec::new();
        for RuleGroups { file, groups } in files {
            for plain in groups {
                match Group::new(file, &GroupSpec::from(plain.clone()), DEFAULT_INTERVAL_MS, is_new) {
                    Ok(group) => all.groups.push(Scheduled::new(group, now_ms)),
                    Err(error) => problems.push(format!("{file}: {error}")),
                }
            }
        }
        (all, problems)
    }

    /// Evaluates the groups that are due at `now_ms` (milliseconds since the Unix epoch). True if the list of alerts may
    /// have changed.
    pub(crate) fn advance(&mut self, evaluator: &Evaluator, now_ms: i64) -> bool {
        let mut evaluated = false;
        for Scheduled { group, origins, due_ms, evaluations } in &mut self.groups {
            if now_ms < *due_ms {
                continue;
            }
            let at_ms = now_ms.div_euclid(group.interval_ms) * group.interval_ms;
            *due_ms = at_ms.saturating_add(group.interval_ms);
            evaluated = true;
            let start = Instant::now();
            let clock = move || start.elapsed().as_secs_f64();
            let querier = Querier(evaluator);
            let Evaluation { transitions, .. } = group.evaluate(
                at_ms,
                Environment { engine: &querier, sink: &querier, context: &self.context, clock: &clock },
            );
            *evaluations = evaluations.saturating_add(1);
            if *evaluations == RESTORE_AFTER {
                // In memory it cannot fail.
                let _ = group.restore(now_ms, evaluator.store());
            }
            for (rule, change) in transitions {
                let Some(origin) = origins.get(rule) else { continue };
                let alert = placed(group, origin.published(&change.alert));
                self.transitions.push(AlertTransition {
                    at: at_ms,
                    from: state(change.from),
                    to: state(change.to),
                    alert,
                });
            }
        }
        if !evaluated {
            return false;
        }
        let surplus = self.transitions.len().saturating_sub(MOST_TRANSITIONS);
        self.transitions.drain(..surplus);
        let now = self.current();
        let changed = now != self.alerts;
        self.alerts = now;
        changed
    }

    /// Pending and firing alerts.
    pub(crate) fn list(&self) -> AlertList {
        AlertList { alerts: self.alerts.clone(), unavailable: None, without_rules: self.is_without_rules() }
    }

    /// Alerts as they were at a time, in milliseconds since the Unix epoch, as far as the page remembers.
    pub(crate) fn list_at(&self, at_ms: i64) -> AlertList {
        let mut alerts: Vec<Alert> = Vec::new();
        for transition in self.transitions.iter().take_while(|transition| transition.at <= at_ms) {
            alerts.retain(|alert| alert.fingerprint != transition.alert.fingerprint);
            if transition.to != AlertState::Inactive {
                alerts.push(transition.alert.clone());
            }
        }
        alerts.sort_by(Alert::order);
        AlertList { alerts, unavailable: None, without_rules: self.is_without_rules() }
    }

    /// When alerts fired that concern the charts of a dashboard, between two times in milliseconds since the Unix epoch.
    pub(crate) fn marks(&self, dashboard: &Dashboard, (start_ms, end_ms): (i64, i64)) -> Frame {
        let recent = self.transitions.iter().filter(|change| change.at >= start_ms);
        let changes = FiringChanges { changes: recent.filter_map(FiringChange::of).collect(), until_ms: None };
        let firing = self.alerts.iter().filter(|alert| alert.state == AlertState::Firing).cloned().map(Arc::new);
        annotations::marks(changes, firing.collect(), dashboard, (start_ms, end_ms), &self.read_metrics)
    }

    fn is_without_rules(&self) -> bool {
        let alerting =
            |scheduled: &Scheduled| scheduled.group.rules().any(|(rule, _)| matches!(rule.kind, Kind::Alerting(_)));
        !self.groups.iter().any(alerting)
    }

    fn current(&self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for Scheduled { group, origins, .. } in &self.groups {
            let found = group.alerts();
            let of_rules = found.iter().filter_map(|(rule, alert)| Some(origins.get(*rule)?.published(alert)));
            alerts.extend(of_rules.map(|alert| placed(group, alert)));
        }
        alerts.sort_by(Alert::order);
        alerts
    }
}

impl Scheduled {
    fn new(group: Group, now_ms: i64) -> Self {
        let interval_ms = group.interval_ms;
        let due_ms = (now_ms.div_euclid(interval_ms)).saturating_add(1).saturating_mul(interval_ms);
        let origins = group.rules().map(|(rule, _)| AlertOrigin::of(rule)).collect();
        Scheduled { group, origins, due_ms, evaluations: 0 }
    }
}

/// An alert with the place of its rule.
fn placed(group: &Group, alert: Alert) -> Alert {
    Alert { group: group.name.clone(), file: group.file.clone(), source: SOURCE.to_owned(), ..alert }
}

/// Queries and samples of rules.
struct Querier<'a>(&'a Evaluator);

impl rules::Engine for Querier<'_> {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, RuleError> {
        let renamed = self.0.as_evaluated(query, at_ms);
        let query = renamed.as_ref().unwrap_or(query);
        let outcome = self.0.evaluate(query, Span::At(at_ms), &options(&|| false));
        outcome.map(|outcome| outcome.value).map_err(|error| RuleError::Query(error.to_string()))
    }
}

impl rules::Sink for Querier<'_> {
    fn append(&self, points: &[Recorded]) -> Result<(), SourceError> {
        let incoming = points.iter().map(|point| Incoming {
            labels: point.labels.clone(),
            timestamp_ms: point.timestamp_ms,
            value: point.sample.clone(),
        });
        let appended = self.0.store().ingest_unawaited(&incoming.collect::<Vec<_>>());
        appended.map(|_| ()).map_err(|error| SourceError { message: error.to_string(), source: None })
    }
}
