//! The icons: strokes on a grid of 16, in the colour of the surrounding text. Screen readers ignore them, because each has a word beside it,
//! which may be visually hidden.

use crate::view::view;
use leptos::prelude::*;

/// An icon, named by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Overview,
    Jobs,
    System,
    Dashboard,
    Alerts,
    Explore,
    Clock,
    Refresh,
    Light,
    Dark,
    Auto,
    Screen,
    Leave,
    User,
    Settings,
    Back,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Overview => "M2.5 2.5h4.5v6h-4.5zM9 2.5h4.5v3.5h-4.5zM9 8.5h4.5v5h-4.5zM2.5 11h4.5v2.5h-4.5z",
            Icon::Jobs => "M2.5 4h1M6 4h7.5M2.5 8h1M6 8h7.5M2.5 12h1M6 12h4.5",
            Icon::System => {
                "M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5v2.5M9.5 11.5v2.5M2 6.5h2.5M2 9.5h2.5M11.5 6.5h2.5M11.5 9.5h2.5"
            }
            Icon::Dashboard => "M2.5 13.5v-11M2.5 13.5h11M5 10.5l2.5-3 2 2 3.5-4.5",
            Icon::Alerts => {
                "M8 2.2c-2.4 0-3.8 1.7-3.8 4v2.6l-1.4 2.4h10.4l-1.4-2.4v-2.6c0-2.3-1.4-4-3.8-4M6.6 13.6h2.8"
            }
            Icon::Explore => "M6.8 2.5a4.3 4.3 0 1 1 0 8.6a4.3 4.3 0 1 1 0-8.6M10 10l3.7 3.7",
            Icon::Clock => "M8 2.2a5.8 5.8 0 1 1 0 11.6a5.8 5.8 0 1 1 0-11.6M8 4.8v3.4l2.2 1.4",
            Icon::Refresh => "M13.3 8a5.3 5.3 0 1 1-1.6-3.8M13.5 2v3h-3",
            Icon::Light => {
                "M8 5.2a2.8 2.8 0 1 1 0 5.6a2.8 2.8 0 1 1 0-5.6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1"
            }
            Icon::Dark => "M13.3 9.6A5.7 5.7 0 0 1 6.4 2.7a5.7 5.7 0 1 0 6.9 6.9",
            Icon::Auto => {
                "M8 2.2a5.8 5.8 0 1 1 0 11.6a5.8 5.8 0 1 1 0-11.6M8 2.2v11.6M8 5l3.4-1.6M8 8h5.6M8 11l3.4 1.6"
            }
            Icon::Screen => "M2.5 6v-3.5h3.5M10 2.5h3.5v3.5M13.5 10v3.5h-3.5M6 13.5h-3.5v-3.5",
            Icon::Leave => "M6 2.5v3.5h-3.5M13.5 6h-3.5v-3.5M10 13.5v-3.5h3.5M2.5 10h3.5v3.5",
            Icon::User => {
                "M8 2.5a2.7 2.7 0 1 1 0 5.4a2.7 2.7 0 1 1 0-5.4M2.8 13.8c.5-2.6 2.6-3.9 5.2-3.9s4.7 1.3 5.2 3.9"
            }
            Icon::Settings => "M2.5 4.5h6M11.5 4.5h2M10 3v3M2.5 8h2M7.5 8h6M6 6.5v3M2.5 11.5h6M11.5 11.5h2M10 10v3",
            Icon::Back => "M9.5 3.5l-4.5 4.5 4.5 4.5",
        }
    }

    /// The icon as SVG.
    pub(crate) fn draw(self) -> impl IntoView {
        view! {
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                <path d=self.path() />
            </svg>
        }
    }
}
