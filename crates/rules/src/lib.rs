//! Alerting and recording rules in Prometheus' format: parses and checks files, evaluates groups, tracks the states of
//! alerts, renders templates. No I/O and no clock: files are text, queries go through [`Engine`], samples to [`Sink`],
//! and the caller passes the times, so that a test can simulate hours.

mod alert;
mod check;
mod error;
mod file;
mod functions;
mod group;
mod lenient;
pub mod link;
mod plain;
pub mod published;
mod restore;
mod rule;
mod template;
mod threshold;
pub mod unit;

pub use alert::{Alert, AlertState, Annotations, FOR_STATE, Notification, RESEND_MS};
pub use error::{InvalidRule, InvalidTemplate, RuleError};
pub use file::{GroupSpec, InvalidDuration, Placed, RuleDuration, RuleFile, RuleSpec};
pub use group::{Environment, Evaluation, Group, Recorded, RuleHealth, Sink};
pub use plain::PlainGroup;
pub use restore::{FOR_GRACE_MS, OUTAGE_TOLERANCE_MS};
pub use rule::{Alerting, Engine, EvalContext, Kind, Rule, Transition};
pub use threshold::Threshold;
pub use yaml::Problem;
