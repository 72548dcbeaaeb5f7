//! The walls, drawn by the server alone: what each shows, how old that is, and how an operator has it show something else.

use leptos::prelude::*;
use model::unit;

use crate::{
    functions::{SteerWall, path_of},
    view::view,
};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct WallsView {
    /// The walls of the configuration.
    pub walls: Vec<ShownWall>,
    /// Whether the viewer may steer them.
    pub may_steer: bool,
    /// The server's time, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// A wall.
#[derive(Debug, Clone)]
pub struct ShownWall {
    /// Its name.
    pub name: String,
    /// UID and title of each of its dashboards.
    pub dashboards: Vec<(String, String)>,
    /// UID of the dashboard that it showed last.
    pub shows: Option<String>,
    /// When it said so, in milliseconds since the Unix epoch.
    pub reported_at: Option<i64>,
    /// Width and height of its page in pixels.
    pub size: Option<(u32, u32)>,
    /// Whether it has not reported for too long.
    pub is_late: bool,
    /// Whether its screen hangs otherwise than the configuration says.
    pub is_turned: bool,
    /// UID of the dashboard that is pinned.
    pub pinned: Option<String>,
}

impl ShownWall {
    fn title(&self, uid: &str) -> String {
        let known = self.dashboards.iter().find(|(other, _)| other == uid);
        known.map_or_else(|| uid.to_owned(), |(_, title)| title.clone())
    }
}

/// Draws the page's content as HTML.
#[must_use]
pub fn draw(page: &WallsView) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| content(page).to_html());
    owner.unset_with_forced_cleanup();
    html
}

fn content(page: &WallsView) -> AnyView {
    if page.walls.is_empty() {
        return view! {
            <section class="card">
                <h2>"No walls"</h2>
                <p>"The configuration file names none: list them under "<code>"walls"</code>"."</p>
            </section>
        };
    }
    page.walls.iter().map(|wall| card(page, wall)).collect_view().into_any()
}

fn card(page: &WallsView, wall: &ShownWall) -> AnyView {
    let (ink, state) = match (wall.reported_at, wall.is_late) {
        (Some(_), false) => ("chip ink-green", "lives"),
        (Some(_), true) => ("chip ink-red", "late"),
        (None, false) => ("chip ink-gray", "not seen yet"),
        (None, true) => ("chip ink-red", "not seen"),
    };
    let shows = wall.shows.as_deref().map_or_else(|| "\u{2013}".to_owned(), |uid| wall.title(uid));
    let age = wall.reported_at.map(|at_ms| {
        view! { <span data-since=at_ms.to_string()>{unit::age(page.now_ms.saturating_sub(at_ms))}</span> }
    });
    let size = wall.size.map(|(width, height)| {
        let turned = if wall.is_turned { ", which is not as it should hang" } else { "" };
        view! {
            <dt>"Screen"</dt>
            <dd>{format!("{width} \u{d7} {height}{turned}")}</dd>
        }
    });
    let pinned = wall.pinned.as_deref().map(|uid| {
        view! {
            <dt>"Pinned"</dt>
            <dd>{wall.title(uid)}</dd>
        }
    });
    view! {
        <section class="card">
            <h2>{wall.name.clone()} " " <span class=ink>{state}</span></h2>
            <dl class="facts">
                <dt>"Shows"</dt>
                <dd>{shows} " " {age}</dd>
                {size}
                {pinned}
            </dl>
            {page.may_steer.then(|| steering(wall))}
            <p class="quiet-words">"Its address: "<a href=format!("/wall/{}", wall.name)>{format!("/wall/{}", wall.name)}</a></p>
        </section>
    }
}

fn steering(wall: &ShownWall) -> AnyView {
    let button = |action: &'static str, words: &'static str| {
        view! { <button class="button" name="action" value=action>{words}</button> }
    };
    let shown = wall.pinned.as_ref().or(wall.shows.as_ref());
    let options = wall.dashboards.iter().map(|(uid, title)| {
        view! { <option value=uid.clone() selected=shown == Some(uid)>{title.clone()}</option> }
    });
    let choice = format!("wall-{}-dashboard", wall.name);
    view! {
        <form method="post" action={path_of::<SteerWall>()} class="wall-form">
            <input type="hidden" name="name" value=wall.name.clone() />
            {button("back", "Back")}
            {button("next", "Next")}
            <label class="sr-only" for=choice.clone()>"Dashboard"</label>
            <select id=choice class="field" name="dashboard">{options.collect_view()}</select>
            {button("pin", "Stay on it")}
            {wall.pinned.is_some().then(|| button("unpin", "Go on by itself"))}
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wall_says_what_it_shows_and_whether_it_lives() {
        let wall = |name: &str, reported_at: Option<i64>| ShownWall {
            name: name.into(),
            dashboards: vec![("a".into(), "A & B".into()), ("c".into(), "C".into())],
            shows: reported_at.map(|_| "a".into()),
            reported_at,
            size: reported_at.map(|_| (1_080, 1_920)),
            is_late: reported_at.is_none(),
            is_turned: true,
            pinned: reported_at.map(|_| "c".into()),
        };
        let view = |may_steer| WallsView {
            walls: vec![wall("hall", Some(1_000)), wall("lab", None)],
            may_steer,
            now_ms: 61_000,
        };
        let html = draw(&view(true));
        for part in
            ["A &amp; B", "lives", "1 min", "1080 \u{d7} 1920, which is not", "not seen", "/do/steer-wall", "/wall/lab"]
        {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert_eq!(html.matches("Go on by itself").count(), 1);
        assert!(!draw(&view(false)).contains("<form"));
        let none = WallsView { walls: Vec::new(), may_steer: true, now_ms: 0 };
        assert!(draw(&none).contains("names none"));
    }
}
