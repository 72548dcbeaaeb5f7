//! What a page starts from, and how it travels inside the document.

use std::collections::HashMap;

use leptos::prelude::{StoredValue, UpdateValue};
use model::{job::JobDetail, page::Boot, panel::PanelData};
use serde::{Deserialize, Serialize};

/// Id of the `script` element that holds the [`Payload`] as JSON.
pub const PAYLOAD_ELEMENT: &str = "boot";
/// Cookie with the chosen theme, `light` or `dark`; absent follows the system.
pub const THEME_COOKIE: &str = "hyperscope_theme";
/// Cookie with the viewer's minutes east of UTC, so that the server writes their local time. Set by the page.
pub const ZONE_COOKIE: &str = "hyperscope_tz";

/// Everything that the component tree is built from, the same on the server and in the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// Who looks at what.
    pub boot: Boot,
    /// The job of a job page; absent there when no daemon has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobDetail>,
    /// Minutes east of UTC in which times are written at first.
    pub offset_min: i32,
}

/// The data of a page's panels by panel id: known to the server only, whose pictures carry it to the browser.
#[derive(Debug, Clone, Copy)]
pub struct Evaluated(pub StoredValue<HashMap<String, PanelData>>);

impl Evaluated {
    /// The data of a panel, which leaves: each is shown once.
    pub(crate) fn take(self, panel_id: &str) -> Option<PanelData> {
        self.0.try_update_value(|panels| panels.remove(panel_id)).flatten()
    }
}
