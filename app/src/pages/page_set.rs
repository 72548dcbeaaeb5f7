//! The pages that a program of the bundle builds. What its set does not name is not in its download.

use leptos::prelude::*;
use model::route::{PageKind, Program};
#[cfg(feature = "browser")]
use model::route::{Reach, STANDALONE_ALERTS};

use super::{DashboardPage, DrawnPage, JobAddress, JobPage, KioskPage, panels_of};
#[cfg(feature = "browser")]
use crate::live;
use crate::view::view;

/// Some pages, and how they are built.
#[derive(Debug, Clone, Copy)]
pub struct PageSet {
    /// Whether it has the pages of a kind; a link to another one loads a document.
    pub(crate) shows: fn(PageKind) -> bool,
    /// How its pages get the live protocol.
    #[cfg(feature = "browser")]
    pub(crate) connect: live::Connect,
    /// Builds the page of a kind, given the values of its path's parameters.
    pub(crate) view_of: fn(PageKind, Vec<String>) -> Option<AnyView>,
}

/// Dashboards, jobs and walls.
pub const VIEWER: PageSet = PageSet {
    shows: |kind| kind.program() == Program::Viewer,
    view_of: viewer_page,
    #[cfg(feature = "browser")]
    connect: live::connect_by::<live::ServerSocket>,
};

/// Alerts, Explore and settings.
pub const WORKBENCH: PageSet = PageSet {
    shows: |kind| kind.program() == Program::Workbench,
    view_of: workbench_page,
    #[cfg(feature = "browser")]
    connect: live::connect_by::<live::ServerSocket>,
};

/// What is there without a server: dashboards, jobs, walls, and the alerts, as a dashboard.
#[cfg(feature = "browser")]
pub(crate) const fn standalone(connect: live::Connect) -> PageSet {
    PageSet {
        shows: |kind| Reach::Standalone.has(kind),
        connect,
        view_of: |kind, values| match kind {
            PageKind::Alerts => {
                let uid = STANDALONE_ALERTS.to_owned();
                Some(view! { <DashboardPage uid /> })
            }
            other => viewer_page(other, values),
        },
    }
}

/// The server writes documents of all pages.
#[cfg(feature = "ssr")]
pub(crate) const SERVER: PageSet = PageSet {
    shows: |_| true,
    #[cfg(feature = "browser")]
    connect: live::connect_by::<live::ServerSocket>,
    view_of: |kind, values| match kind.program() {
        Program::Viewer => viewer_page(kind, values),
        Program::Workbench => workbench_page(kind, values),
    },
};

fn viewer_page(kind: PageKind, values: Vec<String>) -> Option<AnyView> {
    let mut values = values.into_iter();
    match kind {
        PageKind::Dashboard => {
            let uid = values.next()?;
            Some(view! { <DashboardPage uid /> })
        }
        PageKind::Kiosk => {
            let names = values.next()?;
            Some(view! { <KioskPage names /> })
        }
        PageKind::Panel => {
            let (uid, panel) = (values.next()?, values.next()?);
            Some(view! { <main id="main" class="content alone">{panels_of(uid, Some(panel))}</main> })
        }
        PageKind::Job => {
            let address = JobAddress { daemon: values.next()?, id: values.next()? };
            Some(view! { <JobPage address /> })
        }
        PageKind::Alerts | PageKind::Explore | PageKind::Settings | PageKind::Walls => None,
    }
}

fn workbench_page(kind: PageKind, _values: Vec<String>) -> Option<AnyView> {
    (WORKBENCH.shows)(kind).then(|| view! { <DrawnPage kind /> })
}
