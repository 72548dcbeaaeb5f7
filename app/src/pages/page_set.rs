//! The sets of pages, one for each program. A program does not contain the code of pages outside its set, so its download is smaller.

use leptos::prelude::*;
use model::route::{PageKind, Program};
#[cfg(feature = "browser")]
use model::route::{Reach, STANDALONE_ALERTS};

use super::{DashboardPage, DrawnPage, JobAddress, JobPage, KioskPage, panels_of};
#[cfg(feature = "browser")]
use crate::live;
use crate::view::view;

/// The pages of a program, and how they are built.
#[derive(Debug, Clone, Copy)]
pub struct PageSet {
    /// Whether the set has pages of a kind. A link to another kind loads a new document.
    pub(crate) shows: fn(PageKind) -> bool,
    /// Connects its pages to the live protocol.
    #[cfg(feature = "browser")]
    pub(crate) connect: live::Connect,
    /// Builds the page of a kind from the values of its path parameters.
    pub(crate) view_of: fn(PageKind, Vec<String>) -> Option<AnyView>,
}

/// The pages of the program `viewer`: dashboards, jobs and kiosk displays.
pub const VIEWER: PageSet = PageSet {
    shows: |kind| kind.program() == Program::Viewer,
    view_of: viewer_page,
    #[cfg(feature = "browser")]
    connect: live::connect_by::<live::ServerSocket>,
};

/// The pages of the program `workbench`: alerts, Explore and settings.
pub const WORKBENCH: PageSet = PageSet {
    shows: |kind| kind.program() == Program::Workbench,
    view_of: workbench_page,
    #[cfg(feature = "browser")]
    connect: live::connect_by::<live::ServerSocket>,
};

/// The pages that work without a server: dashboards, jobs, kiosk displays, and the alerts as a dashboard.
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

/// All pages, for the documents that the server renders.
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
