//! Labels of objects other than series, for the matchers of a token.

use std::sync::Arc;

use crate::{
    job::{Job, JobDetail},
    live::{Alert, AlertTransition},
    system::SystemMetrics,
    upstream::{UpstreamKind, UpstreamStatus},
};

/// An object with labels: those that its series have or would have.
pub trait Labelled {
    /// The value of a label; `None` if it is unknown.
    fn label(&self, name: &str) -> Option<&str>;
}

impl<T: Labelled> Labelled for Arc<T> {
    fn label(&self, name: &str) -> Option<&str> {
        T::label(self, name)
    }
}

impl Labelled for Job {
    fn label(&self, name: &str) -> Option<&str> {
        match name {
            "daemon" => Some(&self.daemon),
            "provider" => Some(&self.provider),
            "region" => self.region.as_deref(),
            "job_type" => self.job_type.as_deref(),
            _ => None,
        }
    }
}

impl Labelled for JobDetail {
    fn label(&self, name: &str) -> Option<&str> {
        self.job.label(name)
    }
}

impl Labelled for Alert {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

impl Labelled for AlertTransition {
    fn label(&self, name: &str) -> Option<&str> {
        self.alert.label(name)
    }
}

impl Labelled for SystemMetrics {
    fn label(&self, name: &str) -> Option<&str> {
        (name == "daemon").then_some(&self.daemon)
    }
}

impl Labelled for UpstreamStatus {
    /// A daemon has the label `daemon`; an engine has none.
    fn label(&self, name: &str) -> Option<&str> {
        (self.kind == UpstreamKind::Daemon && name == "daemon").then_some(&self.name)
    }
}
