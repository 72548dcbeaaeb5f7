//! The data that a page starts from. The document carries it as JSON.

#[cfg(feature = "ssr")]
use std::{collections::HashMap, sync::Arc};

#[cfg(feature = "ssr")]
use leptos::prelude::{ArcStoredValue, UpdateValue, WithValue};
#[cfg(feature = "ssr")]
use model::panel::PanelData;
#[cfg(any(feature = "browser", test))]
use model::zone::Zone;
use model::{job::JobDetail, page::Boot};
use serde::{Deserialize, Serialize};

/// Id of the `script` element that holds the [`Payload`] as JSON.
pub const PAYLOAD_ELEMENT: &str = "boot";
/// Cookie with the chosen theme, `light` or `dark`; without it the page follows the system.
pub const THEME_COOKIE: &str = "hyperscope_theme";
/// Cookie with the IANA name of the viewer's time zone, so that the server writes local times; minutes east of UTC if the browser does not know
/// the name. The page sets it.
pub const ZONE_COOKIE: &str = "hyperscope_tz";

/// Everything that the component tree is built from; equal on the server and in the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The session, and the page that it asks for.
    pub boot: Boot,
    /// The job of a job page; `None` if no daemon has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobDetail>,
    /// Name of the time zone in which the page was rendered, as in [`ZONE_COOKIE`]; empty if it has none.
    #[serde(default)]
    pub zone: String,
    /// Minutes east of UTC in that zone when the page was rendered.
    pub offset_min: i32,
}

#[cfg(any(feature = "browser", test))]
model::from_members!(Payload { boot, job, offset_min } or_default { zone });

impl Payload {
    /// The time zone in which the page was rendered: `own`, the viewer's, if it has the same name, else a fixed offset.
    #[cfg(any(feature = "browser", test))]
    pub(crate) fn first_zone(&self, own: Zone) -> Zone {
        if own.name() == self.zone { own } else { Zone::Fixed(self.offset_min) }
    }
}

/// What the server has for a panel: data, or HTML that was rendered before.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone)]
pub enum Evaluated {
    /// Data to render.
    Data(PanelData),
    /// The panel's body as HTML.
    Picture(Arc<str>),
}

/// The panels of a page by panel id. Only the server has them; the browser gets the rendered HTML.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone)]
pub(crate) struct Pictures {
    panels: ArcStoredValue<HashMap<String, Evaluated>>,
    drawn: ArcStoredValue<HashMap<String, Arc<str>>>,
}

#[cfg(feature = "ssr")]
impl Pictures {
    pub(crate) fn of(panels: HashMap<String, Evaluated>) -> Self {
        Pictures { panels: ArcStoredValue::new(panels), drawn: ArcStoredValue::new(HashMap::new()) }
    }

    /// Removes and returns the data of a panel, which is rendered once.
    pub(crate) fn take_data(&self, panel_id: &str) -> Option<PanelData> {
        let is_data = |panels: &HashMap<_, _>| matches!(panels.get(panel_id), Some(Evaluated::Data(_)));
        match self.panels.try_update_value(|panels| is_data(panels).then(|| panels.remove(panel_id)).flatten()) {
            Some(Some(Evaluated::Data(data))) => Some(data),
            _ => None,
        }
    }

    /// The HTML of a panel: the one rendered before, or the result of `draw`, which is stored for [`Pictures::take_drawn`].
    pub(crate) fn picture(&self, panel_id: &str, draw: impl FnOnce() -> String) -> Arc<str> {
        let kept = self.panels.with_value(|panels| match panels.get(panel_id) {
            Some(Evaluated::Picture(picture)) => Some(Arc::clone(picture)),
            _ => None,
        });
        kept.unwrap_or_else(|| {
            let picture: Arc<str> = draw().into();
            self.drawn.update_value(|drawn| {
                drawn.insert(panel_id.to_owned(), Arc::clone(&picture));
            });
            picture
        })
    }

    /// Removes and returns the HTML that was rendered by `draw`, by panel id.
    pub(crate) fn take_drawn(&self) -> HashMap<String, Arc<str>> {
        self.drawn.try_update_value(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use model::zone::Changes;

    use super::*;

    #[test]
    fn a_page_is_hydrated_in_the_zone_in_which_it_was_rendered() {
        let changes = vec![(1_774_746_000_000, 120), (1_792_890_000_000, 60)];
        let table = Changes { name: "Europe/Berlin".to_owned(), first_min: 60, changes };
        let own = Zone::Table(Box::leak(Box::new(table)));
        let json = |zone: &str| {
            serde_json::from_str::<Payload>(&format!(
                r#"{{"zone":"{zone}","offset_min":330,"boot":{{"version":"1","boot_id":"b","now_ms":0,"session":{{"name":"n","role":"viewer",
                "expires_at":null}},"dashboards":[],"dashboard":null,"range":{{"from":"now-1h","to":"now"}},"kiosk":false,"theme":null}}}}"#
            ))
            .unwrap()
        };
        assert_eq!(json("Europe/Berlin").first_zone(own), own);
        // The cookie names the zone in which the viewer was before. Hydration needs the offset that the server used.
        assert_eq!(json("Asia/Kolkata").first_zone(own), Zone::Fixed(330));
    }
}
