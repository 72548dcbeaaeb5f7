//! The pages. Each fills the space beside the navigation, its own bar included.

mod alerts;
mod dashboard;
mod job;
mod not_found;
mod panel_data;
mod settings;

pub(crate) use alerts::AlertsPage;
#[cfg(feature = "ssr")]
pub(crate) use alerts::Drawn;
pub(crate) use dashboard::{DashboardPage, Library};
pub(crate) use job::{JobAddress, JobPage};
pub(crate) use not_found::NotFoundPage;
pub(crate) use settings::SettingsPage;
