//! The walls of the configuration: what each shows, as it says itself, and what it is asked to show.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::config::{Orientation, WallConfig};

/// A wall reports every few seconds. One that has not for so long is late, in milliseconds.
const LATE_MS: i64 = 30_000;

/// All walls. Cheap to clone.
#[derive(Clone)]
pub struct Walls {
    walls: Arc<[Wall]>,
    /// When the server started: until then nobody could report.
    started_ms: i64,
}

struct Wall {
    config: WallConfig,
    state: Mutex<WallState>,
}

#[derive(Default)]
struct WallState {
    report: Option<(i64, WallReport)>,
    /// The dashboard that an operator pinned.
    pinned: Option<String>,
    /// How many steps forward operators asked for, less those back.
    steps: i64,
}

/// What a wall says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct WallReport {
    /// UID of the dashboard that it shows.
    #[serde(default)]
    pub shows: String,
    /// Width and height of its page in pixels.
    #[serde(default)]
    pub width: u32,
    /// See `width`.
    #[serde(default)]
    pub height: u32,
}

/// What a wall is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WallOrders {
    /// Path and query of the page that it should show.
    pub address: String,
    /// UID of the dashboard that it should stay on; empty to go on by itself.
    pub show: String,
    /// It goes one step on when this grows, and one back when it falls.
    pub steps: i64,
}

/// What an operator does to a wall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steering {
    /// On to the next dashboard.
    Next,
    /// Back to the one before.
    Back,
    /// Stay on the dashboard of this UID.
    Pin(String),
    /// Go on by itself.
    Unpin,
}

/// Why a wall cannot be steered so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SteeringError {
    /// No wall has this name.
    #[error("there is no wall {0:?}")]
    Unknown(String),
    /// It has no such dashboard.
    #[error("the wall {wall} has no dashboard {uid:?}: it has {}", .has.join(", "))]
    NoDashboard {
        /// Name of the wall.
        wall: String,
        /// What was asked for.
        uid: String,
        /// UIDs of its dashboards.
        has: Vec<String>,
    },
}

/// A wall as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WallStatus {
    /// Its name.
    pub name: String,
    /// UIDs of its dashboards.
    pub dashboards: Vec<String>,
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
    /// The dashboard that an operator pinned.
    pub pinned: Option<String>,
}

impl Walls {
    /// The walls of a configuration, of which nothing is known at `started_ms`.
    #[must_use]
    pub fn new(configs: Vec<WallConfig>, started_ms: i64) -> Self {
        let wall = |config| Wall { config, state: Mutex::default() };
        Walls { walls: configs.into_iter().map(wall).collect(), started_ms }
    }

    fn named(&self, name: &str) -> Option<&Wall> {
        self.walls.iter().find(|wall| wall.config.name == name)
    }

    /// The wall of this name in the configuration.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<&WallConfig> {
        self.named(name).map(|wall| &wall.config)
    }

    /// Takes a wall's report and returns what it should do. `breaks` is the dashboard that a critical alert concerns, by UID. `None` if there is no such wall.
    pub fn report(&self, name: &str, report: WallReport, breaks: Option<String>, now_ms: i64) -> Option<WallOrders> {
        let Wall { config, state } = self.named(name)?;
        let mut state = state.lock();
        state.report = Some((now_ms, report));
        let show = state.pinned.clone().or(breaks.filter(|uid| config.jump && config.dashboards.contains(uid)));
        Some(WallOrders { address: config.address.clone(), show: show.unwrap_or_default(), steps: state.steps })
    }

    /// Carries out what an operator asks for.
    ///
    /// # Errors
    ///
    /// There is no such wall, or it has no such dashboard.
    pub fn steer(&self, name: &str, steering: Steering) -> Result<(), SteeringError> {
        let wall = self.named(name).ok_or_else(|| SteeringError::Unknown(name.to_owned()))?;
        let mut state = wall.state.lock();
        match steering {
            // A step leaves what was pinned.
            Steering::Next => (state.steps, state.pinned) = (state.steps.saturating_add(1), None),
            Steering::Back => (state.steps, state.pinned) = (state.steps.saturating_sub(1), None),
            Steering::Unpin => state.pinned = None,
            Steering::Pin(uid) if wall.config.dashboards.contains(&uid) => state.pinned = Some(uid),
            Steering::Pin(uid) => {
                let has = wall.config.dashboards.clone();
                return Err(SteeringError::NoDashboard { wall: name.to_owned(), uid, has });
            }
        }
        Ok(())
    }

    /// All walls as they are at `now_ms`.
    #[must_use]
    pub fn statuses(&self, now_ms: i64) -> Vec<WallStatus> {
        let status = |wall: &Wall| {
            let state = wall.state.lock();
            let report = state.report.as_ref();
            let size = report.map(|(_, report)| (report.width, report.height));
            let is_turned = |(width, height): (u32, u32)| match wall.config.orientation {
                Some(Orientation::Landscape) => height > width,
                Some(Orientation::Portrait) => width > height,
                None => false,
            };
            WallStatus {
                name: wall.config.name.clone(),
                dashboards: wall.config.dashboards.clone(),
                shows: report.map(|(_, report)| report.shows.clone()),
                reported_at: report.map(|(at_ms, _)| *at_ms),
                size,
                is_late: self.age_ms(report, now_ms) > LATE_MS,
                is_turned: size.is_some_and(is_turned),
                pinned: state.pinned.clone(),
            }
        };
        self.walls.iter().map(status).collect()
    }

    /// How old the last report of each wall is, by name, in milliseconds. Of one that never reported, since the server started.
    #[must_use]
    pub fn ages_ms(&self, now_ms: i64) -> Vec<(&str, i64)> {
        let age = |wall: &Wall| self.age_ms(wall.state.lock().report.as_ref(), now_ms);
        self.walls.iter().map(|wall| (wall.config.name.as_str(), age(wall))).collect()
    }

    fn age_ms(&self, report: Option<&(i64, WallReport)>, now_ms: i64) -> i64 {
        now_ms.saturating_sub(report.map_or(self.started_ms, |(at_ms, _)| *at_ms)).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walls() -> Walls {
        let wall = |name: &str, jump| WallConfig {
            name: name.to_owned(),
            dashboards: vec!["a".to_owned(), "b".to_owned()],
            orientation: Some(Orientation::Landscape),
            jump,
            address: format!("/kiosk/a,b?wall={name}"),
        };
        Walls::new(vec![wall("hall", true), wall("lab", false)], 1_000)
    }

    fn report(shows: &str) -> WallReport {
        WallReport { shows: shows.to_owned(), width: 1_920, height: 1_080 }
    }

    #[test]
    fn a_wall_is_steered_and_jumps_to_what_breaks() {
        let walls = walls();
        let orders =
            |breaks: Option<&str>| walls.report("hall", report("a"), breaks.map(str::to_owned), 2_000).unwrap();
        assert_eq!(orders(None), WallOrders { address: "/kiosk/a,b?wall=hall".into(), show: String::new(), steps: 0 });
        assert_eq!(orders(Some("b")).show, "b");
        assert_eq!(orders(Some("other")).show, "", "it has no such dashboard");
        walls.steer("hall", Steering::Pin("a".into())).unwrap();
        assert_eq!(orders(Some("b")).show, "a", "what somebody chose stays");
        walls.steer("hall", Steering::Unpin).unwrap();
        walls.steer("hall", Steering::Next).unwrap();
        walls.steer("hall", Steering::Next).unwrap();
        walls.steer("hall", Steering::Back).unwrap();
        assert_eq!((orders(None).show.as_str(), orders(None).steps), ("", 1));
        assert_eq!(
            walls.report("lab", report("a"), Some("b".into()), 2_000).unwrap().show,
            "",
            "this one does not jump"
        );
        assert_eq!(walls.report("nope", report("a"), None, 2_000), None);
        let error = walls.steer("hall", Steering::Pin("x".into())).unwrap_err().to_string();
        assert_eq!(error, "the wall hall has no dashboard \"x\": it has a, b");
        assert_eq!(walls.steer("nope", Steering::Next).unwrap_err().to_string(), "there is no wall \"nope\"");
    }

    #[test]
    fn one_that_has_not_reported_for_too_long_is_late() {
        let walls = walls();
        assert!(!walls.statuses(20_000)[0].is_late, "the server has just started");
        assert!(walls.statuses(40_000)[0].is_late);
        walls.report("hall", WallReport { width: 1_080, height: 1_920, ..report("b") }, None, 40_000);
        let [hall, lab] = walls.statuses(41_000).try_into().unwrap();
        assert_eq!((hall.is_late, hall.shows.as_deref(), hall.reported_at), (false, Some("b"), Some(40_000)));
        assert!(hall.is_turned, "it hangs upright");
        assert!(lab.is_late && lab.shows.is_none());
        assert_eq!(walls.ages_ms(41_000), [("hall", 1_000), ("lab", 40_000)]);
    }
}
