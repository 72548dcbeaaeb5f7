//! Alert and recording rules in Prometheus' format: files are read and checked, groups evaluated, alerts moved between their
//! states, texts filled in. No I/O and no clock: files are texts, queries go through [`Engine`], samples to [`Sink`], and the
//! times are given by the caller, so that hours can be played through in a test.

mod alert;
mod check;
mod error;
mod file;
mod functions;
mod group;
mod lenient;
pub mod link;
mod restore;
mod rule;
mod template;
mod threshold;
pub mod unit;

pub use alert::{Alert, AlertState, Annotations, FOR_STATE, Notification, RESEND_MS};
pub use error::{InvalidRule, InvalidTemplate, RuleError};
pub use file::{GroupSpec, InvalidDuration, Placed, RuleDuration, RuleFile, RuleSpec};
pub use group::{Evaluation, Group, Recorded, RuleHealth, Sink, World};
pub use restore::{FOR_GRACE_MS, OUTAGE_TOLERANCE_MS};
pub use rule::{Alerting, Engine, EvalContext, Kind, Rule, Transition};
pub use threshold::Threshold;
pub use yaml::Problem;
