//! What a page starts from, and how it travels inside the document.

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
/// Cookie with the chosen theme, `light` or `dark`; absent follows the system.
pub const THEME_COOKIE: &str = "hyperscope_theme";
/// Cookie with the name of the viewer's zone in the IANA database, so that the server writes their local time; minutes east of UTC where
/// a browser does not know the name. Set by the page.
pub const ZONE_COOKIE: &str = "hyperscope_tz";

/// Everything that the component tree is built from, the same on the server and in the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// Who looks at what.
    pub boot: Boot,
    /// The job of a job page; absent there when no daemon has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobDetail>,
    /// Name of the zone in which times are written at first, as in [`ZONE_COOKIE`]; empty if it has none.
    #[serde(default)]
    pub zone: String,
    /// Minutes east of UTC in that zone when the page was drawn.
    pub offset_min: i32,
}

#[cfg(any(feature = "browser", test))]
model::from_members!(Payload { boot, job, offset_min } or_default { zone });

impl Payload {
    /// The zone in which the page was drawn: the viewer's own, `own`, where that is the same, and else as far as it is known.
    #[cfg(any(feature = "browser", test))]
    pub(crate) fn first_zone(&self, own: Zone) -> Zone {
        if own.name() == self.zone { own } else { Zone::Fixed(self.offset_min) }
    }
}

/// What the server has for a panel: its data, or a picture that was drawn of it before.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone)]
pub enum Evaluated {
    /// To be drawn.
    Data(PanelData),
    /// The panel's body as HTML.
    Picture(Arc<str>),
}

/// The panels of a page by their ids: known to the server only, whose pictures carry it to the browser.
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

    /// The data of a panel that is to be drawn. It leaves: each is shown once.
    pub(crate) fn take_data(&self, panel_id: &str) -> Option<PanelData> {
        let is_data = |panels: &HashMap<_, _>| matches!(panels.get(panel_id), Some(Evaluated::Data(_)));
        match self.panels.try_update_value(|panels| is_data(panels).then(|| panels.remove(panel_id)).flatten()) {
            Some(Some(Evaluated::Data(data))) => Some(data),
            _ => None,
        }
    }

    /// The picture of a panel: the one there is, or what `draw` draws, which is remembered.
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

    /// What had to be drawn, by panel. It leaves.
    pub(crate) fn take_drawn(&self) -> HashMap<String, Arc<str>> {
        self.drawn.try_update_value(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use model::zone::Changes;

    use super::*;

    #[test]
    fn a_page_is_taken_over_in_the_zone_in_which_it_was_drawn() {
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
        // A viewer who has moved sees the server's words until the page is taken over.
        assert_eq!(json("Asia/Kolkata").first_zone(own), Zone::Fixed(330));
    }
}
