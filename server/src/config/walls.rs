//! Walls: displays that the server knows by name, so that it can say what they show, and have them show something else.

use form_urlencoded::Serializer;
use model::{
    playlist::Playlist,
    route::{PageKind, PageRoute},
};
use serde::Deserialize;

use super::{ConfigError, resolve::wrong};

/// Maximum number of walls, and of dashboards of one.
const LIMITS: (usize, usize) = (100, 32);

/// A wall in the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WallEntry {
    /// Its name in addresses: letters, digits, `-` and `_`.
    pub name: String,
    /// UIDs of its dashboards, in their order.
    pub dashboards: Vec<String>,
    /// For how long each is shown, in seconds.
    pub seconds: Option<u32>,
    /// When it is bright, such as `07:00-19:00`.
    pub hours: Option<String>,
    /// The zone of its site by its name in the IANA database.
    pub zone: Option<String>,
    /// From how far it is read, such as `10m`.
    pub distance: Option<String>,
    /// How its screen hangs, to be told when it does not.
    pub orientation: Option<Orientation>,
    /// Its theme.
    pub theme: Option<Theme>,
    /// What a critical alert takes of the screen.
    #[serde(default)]
    pub alarm: Alarm,
    /// Whether it shows the dashboard that a critical alert concerns for as long as the alert is active.
    #[serde(default = "always")]
    pub jump: bool,
}

const fn always() -> bool {
    true
}

/// How a screen hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Orientation {
    /// Wider than high.
    Landscape,
    /// Higher than wide.
    Portrait,
}

/// The theme of a wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Dark ink on white.
    Light,
    /// Light ink on black.
    Dark,
}

/// What a critical alert takes of a wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alarm {
    /// A band above the panels.
    #[default]
    Band,
    /// The whole screen for a minute.
    Takeover,
}

/// A wall, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WallConfig {
    /// Its name.
    pub name: String,
    /// UIDs of its dashboards.
    pub dashboards: Vec<String>,
    /// How its screen hangs.
    pub orientation: Option<Orientation>,
    /// Whether it shows the dashboard that a critical alert concerns.
    pub jump: bool,
    /// Path and query of the page that it shows.
    pub address: String,
}

/// Checks the walls of the file.
pub(super) fn walls(entries: Option<Vec<WallEntry>>) -> Result<Vec<WallConfig>, ConfigError> {
    let entries = entries.unwrap_or_default();
    let (most, _) = LIMITS;
    if entries.len() > most {
        return Err(wrong("walls", format!("{} are too many: at most {most}", entries.len())));
    }
    let mut walls: Vec<WallConfig> = Vec::with_capacity(entries.len());
    for entry in entries {
        let wall = wall(entry)?;
        if walls.iter().any(|other| other.name == wall.name) {
            return Err(wrong("walls", format!("two are called {:?}: give each its own name", wall.name)));
        }
        walls.push(wall);
    }
    Ok(walls)
}

fn wall(entry: WallEntry) -> Result<WallConfig, ConfigError> {
    let WallEntry { name, dashboards, seconds, hours, zone, distance, orientation, theme, alarm, jump } = entry;
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if !is_name(&name) {
        return Err(wrong("walls", format!("name {name:?}: use up to 64 letters, digits, - and _")));
    }
    let of_wall = |message: String| wrong("walls", format!("{name}: {message}"));
    let (_, most) = LIMITS;
    if dashboards.is_empty() || dashboards.len() > most {
        return Err(of_wall(format!("it has {} dashboards: name 1 to {most} by uid", dashboards.len())));
    }
    if let Some(uid) = dashboards.iter().find(|uid| !is_name(uid)) {
        return Err(of_wall(format!("{uid:?} is no uid of a dashboard")));
    }
    if let Some(zone) = zone.as_deref().filter(|zone| render::zones::named(zone).is_none()) {
        return Err(of_wall(format!("{zone:?} is no zone of the IANA database, such as Europe/Berlin")));
    }
    let theme = theme.map(|theme| match theme {
        Theme::Light => "light".to_owned(),
        Theme::Dark => "dark".to_owned(),
    });
    let parameters = [
        ("interval", seconds.map(|seconds| format!("{seconds}s"))),
        ("distance", distance),
        ("hours", hours),
        ("zone", zone),
        ("theme", theme),
        ("alarm", (alarm == Alarm::Takeover).then(|| "takeover".to_owned())),
        ("wall", Some(name.clone())),
    ];
    let given = |name: &str| parameters.iter().find(|(other, _)| *other == name).and_then(|(_, value)| value.clone());
    let names = dashboards.join(",");
    let faults = Playlist::faults(&names, given, |_| true);
    if !faults.is_empty() {
        return Err(of_wall(faults.join(" ")));
    }
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        query.append_pair(name, value);
    }
    let address = format!("{}?{}", PageRoute::path_to(PageKind::Kiosk, &[&names]), query.finish());
    Ok(WallConfig { name, dashboards, orientation, jump, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<WallConfig>, String> {
        let entries: Vec<WallEntry> =
            yaml::parse(std::path::Path::new("x.yaml"), text).map_err(|error| error.to_string())?;
        walls(Some(entries)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_wall_has_an_address_that_says_all_of_it() {
        let all = "- { name: hall, dashboards: [a, b], seconds: 20, hours: '07:00-19:00', zone: Europe/Berlin, distance: 10m, orientation: portrait, theme: dark, alarm: takeover, jump: false }\n- { name: lab, dashboards: [a] }\n";
        let walls = read(all).unwrap();
        let (hall, lab) = (&walls[0], &walls[1]);
        assert_eq!(
            hall.address,
            "/kiosk/a,b?interval=20s&distance=10m&hours=07%3A00-19%3A00&zone=Europe%2FBerlin&theme=dark&alarm=takeover&wall=hall"
        );
        assert_eq!((hall.orientation, hall.jump), (Some(Orientation::Portrait), false));
        assert_eq!((lab.address.as_str(), lab.jump), ("/kiosk/a?wall=lab", true));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_of_the_wall() {
        for (text, said) in [
            ("- { name: 'a b', dashboards: [x] }", "name \"a b\""),
            ("- { name: a, dashboards: [] }", "a: it has 0 dashboards"),
            ("- { name: a, dashboards: ['x,y'] }", "a: \"x,y\" is no uid"),
            ("- { name: a, dashboards: [x], seconds: 1 }", "a: The interval \"1s\""),
            ("- { name: a, dashboards: [x], distance: far }", "a: The distance \"far\""),
            ("- { name: a, dashboards: [x], zone: Mars }", "a: \"Mars\" is no zone"),
            ("- { name: a, dashboards: [x] }\n- { name: a, dashboards: [y] }", "two are called \"a\""),
            ("- { name: a, dashboard: [x] }", "did you mean `dashboards`?"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
