//! The panel kind `alerts`: firing and pending alerts.

use model::{Severity, live::Alert, panel::PanelData};

use super::{
    Setting,
    canvas::{Anchor, Area, Canvas, Type},
    frame::message,
};
use crate::panels::alerts::{identifying_labels, look_of, note_words, shown};

const LINE: f32 = 17.0;
/// Space above and below an alert, in units of the SVG.
const PADDING: f32 = 8.0;

/// Draws as many alerts as fit, and the number of the others.
pub(super) fn list(canvas: &mut Canvas, area: Area, data: &PanelData, setting: &Setting) {
    let PanelData::Alerts(list) = data else { return };
    let alerts = shown(list);
    if alerts.is_empty() {
        return match &list.unavailable {
            Some(reason) => {
                // Alerts are unknown but not failed until the first evaluation of the rules.
                let ink = if list.without_rules { "text" } else { "red" };
                message(canvas, area, ink, "Alerts are unknown", &[reason])
            }
            None if list.without_rules => {
                message(canvas, area, "text", "No alerts to show", &["No rules are evaluated."])
            }
            None => message(canvas, area, "green", "All quiet", &["No alert is pending or firing."]),
        };
    }
    let mut y = area.y;
    if let Some(reason) = &list.unavailable {
        let warning = format!("Not all are known: {reason}");
        canvas.fitted((area.x + 12.0, y + 12.0), &warning, Type::plain("red"), area.width - 24.0);
        y += LINE + PADDING;
    }
    for (index, alert) in alerts.iter().enumerate() {
        let lines = below(alert, setting);
        let height = lines.iter().fold(LINE, |height, _| height + LINE) + 2.0 * PADDING + 1.0;
        let is_last = index + 1 == alerts.len();
        // Below all alerts except the last, there must be room for the number of the others.
        let needed = height + if is_last { 0.0 } else { LINE + PADDING };
        if y + needed > area.bottom() {
            let more = format!("and {} more", alerts.len() - index);
            canvas.text((area.x + 12.0, y + LINE), &more, Type::plain("muted"));
            return;
        }
        item(canvas, Area { y, height, ..area }, alert, lines, setting);
        y += height;
    }
}

/// The lines below an alert's name: its summary, what mutes it, its labels.
fn below(alert: &Alert, setting: &Setting) -> Vec<(String, Type<'static>)> {
    let summary = (alert.summary.clone(), Type::plain("text"));
    let small =
        [note_words(alert, setting.now_ms), identifying_labels(alert)].map(|words| (words, Type::small("muted")));
    std::iter::once(summary).chain(small).filter(|(words, _)| !words.is_empty()).collect()
}

fn item(canvas: &mut Canvas, area: Area, alert: &Alert, lines: Vec<(String, Type<'static>)>, setting: &Setting) {
    let (color, shape) = look_of(alert);
    let severity = Severity::word(&alert.severity);
    let (left, right) = (area.x + 12.0, area.right() - 12.0);
    let top = area.y + PADDING;
    let chip = canvas.chip((left, top - 2.0), &format!("{shape} {severity}"), chart::palette::name(color));
    let text_left = left + chip + 10.0;
    let state = alert.state_words(setting.now_ms);
    let small = Type { anchor: Anchor::End, ..Type::small("muted") };
    let state_wide = small.width(&state);
    let mut baseline = top + 12.0;
    canvas.text((right, baseline), &state, small);
    canvas.fitted((text_left, baseline), &alert.name, Type::bold("text"), right - state_wide - 10.0 - text_left);
    for (words, look) in lines {
        baseline += LINE;
        canvas.fitted((text_left, baseline), &words, look, right - text_left);
    }
    canvas.rule(area.x, area.bottom() - 1.0, area.width, "grid");
}
