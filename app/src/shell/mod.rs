//! The parts that all pages share: navigation, router, clock, theme and the live connection.

mod alarms;
pub(crate) mod bell;
mod first_data;
mod icons;
mod location;
mod picker;
mod printed;
mod refresh;
mod router;
mod sidebar;
mod topbar;
mod view;
mod wall;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use model::{page::Boot, panel::PanelData, zone::Zone};

use alarms::Alarms;
pub(crate) use alarms::FiringBadge;
pub(crate) use first_data::first_ms;
pub(crate) use icons::Icon;
use location::Location;
#[cfg(feature = "ssr")]
pub(crate) use picker::RANGE;
pub(crate) use picker::{RangePicker, RefreshPicker};
pub(crate) use printed::Printed;
pub(crate) use refresh::Refresh;
pub(crate) use router::parameter;
use router::{Routes, ShownPage};
use sidebar::Sidebar;
pub(crate) use topbar::{AsOf, ConnectionIndicator, TopBar};
use view::PageUrl;
#[cfg(feature = "ssr")]
pub(crate) use view::with_parameter;
pub(crate) use wall::WallAlarm;

use crate::{
    clock::Clock,
    live::Live,
    pages::{Library, PageSet},
    payload::Payload,
    platform,
    view::view,
};

/// The context of every component of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// The payload of the document.
    pub(crate) payload: StoredValue<Arc<Payload>>,
    /// The time.
    pub(crate) clock: Clock,
    /// The live connection.
    pub(crate) live: Live,
    /// The current alerts.
    pub(crate) alarms: Alarms,
    /// The parameters of the URL.
    pub(crate) url: PageUrl,
    /// The URL.
    pub(crate) location: Location,
    /// The chosen theme; `None` follows the system.
    pub(crate) theme: RwSignal<Option<String>>,
    /// Time of the newest evaluation, in milliseconds since the Unix epoch.
    pub(crate) evaluated_ms: RwSignal<i64>,
    first_view: StoredValue<bool>,
    title: RwSignal<Signal<String>>,
}

impl Page {
    /// The page that the calling component is part of.
    pub(crate) fn get() -> Self {
        expect_context()
    }

    /// The time up to which the page is current, in milliseconds since the Unix epoch: now, or when the connection was lost. Ages stop growing then,
    /// because the present state is unknown.
    pub(crate) fn known_until_ms(self) -> i64 {
        self.live.lost.get().map_or_else(|| self.clock.now_ms.get(), |lost| lost.since_ms)
    }

    /// Advances `evaluated_ms` to the newest evaluation in `data`.
    pub(crate) fn note_evaluated(self, data: &PanelData) {
        let newest_ms = newest_ms(data);
        if newest_ms > Some(self.evaluated_ms.get_untracked()) {
            self.evaluated_ms.set(newest_ms.unwrap_or_default());
        }
    }

    /// True on the server and during hydration, when data that the server did not send does not exist.
    pub(crate) fn is_first_view(self) -> bool {
        self.first_view.get_value()
    }

    /// Sets the title of the window, until another page does. All pages share one `Title`, because leptos_meta retains the titles of components that
    /// are rebuilt in place.
    pub(crate) fn set_title(self, title: Signal<String>) {
        self.title.set(title);
    }

    /// The title of the window, with the number of active alerts.
    fn window_title(self) -> String {
        // The signal of a page that has just been disposed of is gone.
        let title = self.title.get().try_get().unwrap_or_default();
        let active = self.alarms.firing.with(|firing| firing.active);
        let count = if active > 0 { format!("({active}) ") } else { String::new() };
        platform::title_text(format!("{count}{title} · hyperscope"))
    }

    /// The session and the first page, as the server sent them.
    pub(crate) fn boot(self) -> BootRef {
        BootRef(self.payload.get_value())
    }
}

/// A payload that dereferences to its boot.
pub(crate) struct BootRef(Arc<Payload>);

impl std::ops::Deref for BootRef {
    type Target = Boot;

    fn deref(&self) -> &Boot {
        &self.0.boot
    }
}

/// The whole app.
#[component]
pub fn App(
    /// The pages of this program.
    pages: PageSet,
    /// The data that it starts from.
    payload: Payload,
    /// The time zone of the first rendering, which must be that of the server's.
    zone: Zone,
    /// Time of the newest evaluation of the rendered panels, in milliseconds since the Unix epoch.
    #[prop(default = None)]
    evaluated_ms: Option<i64>,
) -> impl IntoView {
    // The clock begins with the time of the server's rendering.
    platform::set_now_ms(payload.boot.now_ms);
    let clock = Clock::new(payload.boot.now_ms, zone);
    let location = Location::open();
    let url = PageUrl::follow(location, clock);
    let live = Live::open(
        clock,
        &payload.boot,
        url.refresh.get_untracked() == Refresh::Paused,
        #[cfg(feature = "browser")]
        pages.connect,
    );
    let page = Page {
        evaluated_ms: RwSignal::new(evaluated_ms.unwrap_or(payload.boot.now_ms)),
        clock,
        live,
        alarms: Alarms::follow(live, payload.boot.firing),
        url,
        location,
        theme: RwSignal::new(payload.boot.theme.clone()),
        // Without a boot id the server has rendered nothing: see `start`.
        first_view: StoredValue::new(!payload.boot.boot_id.is_empty()),
        title: RwSignal::default(),
        payload: StoredValue::new(Arc::new(payload)),
    };
    provide_meta_context();
    provide_context(page);
    provide_context(Library::of(&page.boot()));

    let kiosk = page.url.kiosk();
    page.alarms.ring(kiosk);
    Effect::new(move |_| page.first_view.set_value(false));

    Effect::new(move |_| {
        let own = platform::own_zone();
        platform::remember_zone(own);
        if clock.zone.get_untracked() != own {
            clock.zone.set(own);
        }
        clock.now_ms.set(platform::now_ms());
    });
    Effect::new(move |_| {
        platform::every_second(move || {
            clock.now_ms.set(platform::now_ms());
            platform::count_left_out();
        });
    });
    Effect::new(move |_| page.live.pause(page.url.refresh.get() == Refresh::Paused));
    Effect::new(move |_| {
        page.url.path.track();
        page.url.range.track();
        page.url.refresh.track();
        platform::close_menus();
    });
    Effect::new(move |_| platform::close_menus_on_leave());

    Effect::new(move |_| {
        location.follow(move |path| ShownPage::at(path, &page.boot()).is_some_and(|shown| (pages.shows)(shown.kind)));
    });

    view! {
        <div class="app" data-kiosk=move || kiosk.get().then_some("")>
            <a class="skip-link" href="#main" rel="external">"Skip to the panels"</a>
            <Sidebar />
            <div class="page">
                <Routes pages />
            </div>
            // Last, because it reads the title that the page sets.
            <Title text=move || page.window_title() />
        </div>
    }
}

/// Time of the newest evaluation in `data`, in milliseconds since the Unix epoch.
pub(crate) fn newest_ms(data: &PanelData) -> Option<i64> {
    data.frames().map(|frame| frame.end_ms).max()
}
