//! The pages. Each fills the space beside the navigation, including its top bar.

mod dashboard;
mod drawn;
mod job;
mod kiosk;
mod not_found;
mod page_set;
mod panel_data;

pub(crate) use dashboard::{DashboardPage, Library, panels_of};
#[cfg(feature = "ssr")]
pub(crate) use drawn::Drawn;
pub(crate) use drawn::DrawnPage;
#[cfg(feature = "ssr")]
pub(crate) use job::CANCEL;
pub(crate) use job::{JobAddress, JobPage};
pub(crate) use kiosk::KioskPage;
pub(crate) use not_found::NotFoundPage;
#[cfg(feature = "ssr")]
pub(crate) use page_set::SERVER;
#[cfg(feature = "browser")]
pub(crate) use page_set::standalone;
pub use page_set::{PageSet, VIEWER, WORKBENCH};
