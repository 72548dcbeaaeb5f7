//! A wall: its dashboards in turn, without chrome. Each is drawn out of sight before it is shown, over the same live connection.

use leptos::prelude::*;
use model::{playlist::Playlist, tree::read_json};

use super::{
    dashboard::{banners, lost_banner, panels_of},
    not_found::NotFoundPage,
};
use crate::{
    panels::keyed,
    platform::{self, Key},
    shell::{AsOf, ConnectionIndicator, FiringBadge, Icon, Page, Printed, WallAlarm},
    view::view,
};

/// How long before its turn a dashboard is drawn, in seconds.
const LEAD_SECS: i64 = 10;
/// How often a wall that has a name says what it shows, in seconds.
const REPORT_SECS: i64 = 5;

/// What the server asks of a wall that has a name.
struct Orders {
    /// Path and query of its page.
    address: String,
    /// UID of the dashboard that it stays on; empty for none.
    show: String,
    /// It goes one step on when this grows, and one back when it falls.
    steps: i64,
}

model::from_members!(Orders { address, show, steps });

/// What a wall shows, and what it shows next.
#[derive(Debug, Clone, Copy)]
struct Turns {
    /// UIDs in their order.
    uids: StoredValue<Vec<String>>,
    interval_secs: i64,
    /// The turns that are on the page: the one that is shown, and the one that is drawn to follow it; twice the same if there is none yet. They are
    /// counted from the beginning of the list, on and on.
    drawn: RwSignal<(usize, usize)>,
    /// For how long the page has been as it is, in seconds.
    elapsed_secs: StoredValue<i64>,
    /// Whether the next one was complete a second ago.
    ready: StoredValue<bool>,
    paused: RwSignal<bool>,
    /// Whether the server has it stay on a dashboard.
    held: StoredValue<bool>,
    /// What the server said last of its steps.
    steps: StoredValue<Option<i64>>,
    /// The screenful of the dashboard that is shown, and how many it has.
    screen: RwSignal<(usize, usize)>,
    /// How many seconds have passed in all.
    ticks: StoredValue<i64>,
}

impl Turns {
    fn count(self) -> usize {
        self.uids.with_value(Vec::len)
    }

    /// The place of the shown one in the list.
    fn place(self) -> usize {
        self.place_of(self.drawn.get().0)
    }

    fn place_of(self, turn: usize) -> usize {
        turn.checked_rem(self.count()).unwrap_or_default()
    }

    fn uid_of(self, turn: usize) -> String {
        self.uids.with_value(|uids| uids.get(self.place_of(turn)).cloned().unwrap_or_default())
    }

    /// Has the one drawn that is `steps` after the shown one.
    fn prepare(self, steps: usize) {
        let (shown, next) = self.drawn.get_untracked();
        if next != shown + steps {
            self.ready.set_value(false);
            self.drawn.set((shown, shown + steps));
        }
    }

    /// Goes on to the next screenful, or to the next dashboard as soon as it is complete; or back.
    fn go(self, forward: bool) {
        let (screen, screens) = self.screen.get_untracked();
        let next = if forward { screen + 1 } else { screen.wrapping_sub(1) };
        if next < screens {
            self.elapsed_secs.set_value(0);
            self.screen.set((next, screens));
        } else if self.count() > 1 {
            self.elapsed_secs.set_value(self.interval_secs);
            self.prepare(if forward { 1 } else { self.count() - 1 });
        } else {
            self.elapsed_secs.set_value(0);
            self.screen.set((if forward { 0 } else { screens.saturating_sub(1) }, screens));
        }
    }

    /// A second has passed.
    fn tick(self, page: Page) {
        let before = self.screen.get_untracked();
        let screens = platform::show_screen(before.0);
        let screen = before.0.min(screens.saturating_sub(1));
        if before != (screen, screens) {
            self.screen.set((screen, screens));
        }
        // What cannot be renewed stays: the next one would be empty.
        if !self.paused.get_untracked() && page.live.lost.with_untracked(Option::is_none) {
            self.elapsed_secs.update_value(|elapsed| *elapsed += 1);
        }
        let left_secs = self.interval_secs - self.elapsed_secs.get_value();
        let (shown, next) = self.drawn.get_untracked();
        if next != shown {
            let is_ready = platform::is_next_ready();
            // Its canvases are drawn in the frame after their data has come.
            if is_ready && self.ready.get_value() && left_secs <= 0 {
                self.elapsed_secs.set_value(0);
                self.screen.set((0, 1));
                self.drawn.set((next, next));
                page.location.replace(&page.url.with_parameter("at", &self.place_of(next).to_string()));
            }
            self.ready.set_value(is_ready);
        } else if screen + 1 < screens || self.count() < 2 || self.held.get_value() {
            if left_secs <= 0 {
                self.elapsed_secs.set_value(0);
                self.screen.set(((screen + 1).checked_rem(screens).unwrap_or_default(), screens));
            }
        } else if left_secs <= LEAD_SECS.min(self.interval_secs / 2) {
            self.prepare(1);
        }
    }

    /// Says what is shown, and does what the server asks for.
    async fn report(self, page: Page, wall: String) {
        let uid = self.uid_of(untrack(|| self.place()));
        let (width, height) = platform::page_size();
        let url = format!("/api/walls/{}/report?shows={uid}&width={width}&height={height}", platform::encoded(&wall));
        let Ok(answer) = platform::post(&url).await else { return };
        let Ok(Orders { address, show, steps }) = read_json(&answer) else { return };
        // The page may be another one meanwhile.
        let Some(before) = self.steps.try_update_value(|known| known.replace(steps)) else { return };
        if address != page.url.without_parameter("at") {
            return platform::open(&address);
        }
        if before.is_some_and(|before| before != steps) {
            self.go(before < Some(steps));
        }
        let held = self.uids.with_value(|uids| uids.iter().position(|uid| *uid == show));
        self.held.set_value(held.is_some());
        let place = untrack(|| self.place());
        match held {
            Some(held) if held != place => {
                self.elapsed_secs.set_value(self.interval_secs);
                self.prepare((held + self.count() - place) % self.count());
            }
            Some(_) => self.prepare(0),
            None => {}
        }
    }

    /// Where in the list it is, and whether it goes on.
    fn words(self) -> String {
        let (screen, screens) = self.screen.get();
        let mut words = Vec::new();
        if self.count() > 1 {
            words.push(format!("{} of {}", self.place() + 1, self.count()));
        }
        if screens > 1 {
            words.push(format!("part {} of {screens}", screen + 1));
        }
        if self.paused.get() {
            words.push("paused".to_owned());
        }
        words.join(" · ")
    }
}

/// The dashboards that a kiosk's path names.
#[component]
pub(crate) fn KioskPage(names: String) -> impl IntoView {
    let page = Page::get();
    let list = page.url.playlist(&names, &page.boot());
    if list.uids.is_empty() {
        return view! { <NotFoundPage /> };
    }
    let first = list.place(page.url.parameter("at").as_deref());
    let turns = Turns {
        uids: StoredValue::new(list.uids),
        interval_secs: list.interval_secs,
        drawn: RwSignal::new((first, first)),
        elapsed_secs: StoredValue::new(0),
        ready: StoredValue::new(false),
        paused: RwSignal::new(false),
        held: StoredValue::new(false),
        steps: StoredValue::new(None),
        screen: RwSignal::new((0, 1)),
        ticks: StoredValue::new(0),
    };
    let minute = Memo::new(move |_| {
        let civil = page.clock.zone.get().civil(page.clock.now_ms.get());
        civil.hour * 60 + civil.minute
    });
    let hours = list.hours;
    let is_dimmed = Memo::new(move |_| Playlist { hours, ..Playlist::default() }.is_dimmed(minute.get()));
    let wall = page.url.parameter("wall");
    Effect::new(move |_| {
        let wall = wall.clone();
        platform::every_second(move || {
            turns.tick(page);
            if let Some(wall) = wall.clone().filter(|_| turns.ticks.get_value() % REPORT_SECS == 0) {
                platform::spawn(turns.report(page, wall));
            }
            turns.ticks.update_value(|ticks| *ticks += 1);
        });
    });
    Effect::new(move |_| platform::shift(minute.get()));
    Effect::new(move |_| platform::stay_awake());
    Effect::new(move |_| {
        turns.screen.track();
        turns.drawn.track();
        platform::show_screen(turns.screen.get_untracked().0);
    });
    Effect::new(move |_| {
        platform::on_key(move |key| match key {
            Key::Space => turns.paused.update(|paused| *paused = !*paused),
            Key::Left => turns.go(false),
            Key::Right => turns.go(true),
        });
    });
    let keys = Memo::new(move |_| {
        let (shown, next) = turns.drawn.get();
        let keyed = |turn: usize| (turns.uid_of(turn), turn.to_string());
        if next == shown { vec![keyed(shown)] } else { vec![keyed(shown), keyed(next)] }
    });
    let slides = keyed::list(keys, move |(uid, turn)| {
        let waits = move || keys.with(|keys| keys.first().is_some_and(|(_, shown)| *shown != turn));
        view! { <div class="slide" inert=waits>{panels_of(uid, None)}</div> }
    });
    view! {
        <div class="kiosk-top">
            {bar(turns)}
            <WallAlarm />
        </div>
        <main id="main" class="content" tabindex="-1">
            {banners()}
            <div class="slides">{slides}</div>
            {lost_banner()}
        </main>
        {move || is_dimmed.get().then(|| view! { <div class="kiosk-dim"></div> })}
    }
}

/// What is left of the chrome: the name, how many alerts fire, the time, and whether it is live.
fn bar(turns: Turns) -> AnyView {
    let page = Page::get();
    let link = move || {
        let uid = turns.uid_of(turns.drawn.get().0);
        page.boot().dashboards.iter().find(|link| link.uid == uid).cloned()
    };
    let title = Signal::derive(move || link().map_or_else(String::new, |link| link.title));
    page.set_title(title);
    let away = move || page.url.link_to(link().as_ref().map_or("/", |link| &link.path));
    view! {
        <header class="kiosk-bar">
            <h1>{move || title.get()}</h1>
            <a class="button quiet kiosk-leave" href=move || platform::at(&away()) title="Leave the kiosk form">
                {Icon::Leave.draw()}
                <span class="sr-only">"Leave the kiosk form"</span>
            </a>
            <span class="kiosk-turn">{move || turns.words()}</span>
            <AsOf />
            <FiringBadge />
            <ConnectionIndicator has_time=true />
            <span class="kiosk-time">{move || page.clock.time(page.clock.now_ms.get())}</span>
            {page.url.parameter("zone").map(|_| view! { <span class="kiosk-zone">{move || page.clock.zone.get().name()}</span> })}
            <Printed has_range=true />
        </header>
    }
}
