//! The programs of the bundle, each with the pages that it shows. What a program does not name is not in its download.

use leptos::prelude::*;
use model::route::{Entry, PageKind};

use super::{DashboardPage, DrawnPage, JobAddress, JobPage};
use crate::view::view;

/// A program: which pages it builds, and how.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Which program it is; a link to a page of another one loads a document.
    pub(crate) entry: Entry,
    /// Builds the page of a kind, given the values of its path's parameters.
    pub(crate) view_of: fn(PageKind, Vec<String>) -> Option<AnyView>,
}

/// Dashboards, jobs and walls.
pub const VIEWER: Program = Program { entry: Entry::Viewer, view_of: viewer_page };

/// Alerts, Explore and settings.
pub const WORKBENCH: Program = Program { entry: Entry::Workbench, view_of: workbench_page };

/// The server writes documents of all pages.
#[cfg(feature = "ssr")]
pub(crate) const SERVER: Program = Program {
    entry: Entry::Viewer,
    view_of: |kind, values| match kind.entry() {
        Entry::Viewer => viewer_page(kind, values),
        Entry::Workbench => workbench_page(kind, values),
    },
};

fn viewer_page(kind: PageKind, values: Vec<String>) -> Option<AnyView> {
    let mut values = values.into_iter();
    match kind {
        PageKind::Dashboard | PageKind::Kiosk => {
            let uid = values.next()?;
            Some(view! { <DashboardPage uid /> })
        }
        PageKind::Job => {
            let address = JobAddress { daemon: values.next()?, id: values.next()? };
            Some(view! { <JobPage address /> })
        }
        PageKind::Alerts | PageKind::Explore | PageKind::Settings => None,
    }
}

fn workbench_page(kind: PageKind, _values: Vec<String>) -> Option<AnyView> {
    (kind.entry() == Entry::Workbench).then(|| view! { <DrawnPage kind /> })
}
