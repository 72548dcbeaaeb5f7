//! The frame of a panel: its box, its heading, and its body or the reason why there is none.

use model::{
    dashboard::{Panel, PanelKind},
    panel::PanelData,
    unit,
};
use picture::text;

use super::{
    Setting, alerts,
    canvas::{Anchor, Area, Canvas, Type, count},
    chart, numbers, rows, shares,
};
use crate::panels::look::{Look, advice, is_estimated, notices, remarks, staleness};

/// Height of a panel's heading, in units of the SVG.
const HEAD: f32 = 32.0;
/// Height of a line of a message, in units of the SVG.
const LINE: f32 = 17.0;

/// Draws a panel. `time` is written in the heading if it fits; it is empty for a panel of a dashboard.
pub(super) fn draw(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData, setting: &Setting, time: &str) {
    let outline = Area { x: area.x + 0.5, y: area.y + 0.5, width: area.width - 1.0, height: area.height - 1.0 };
    canvas.rect(outline, 6.0, "panel-bg", Some("line"));
    let head = if area.height < 80.0 { 24.0 } else { HEAD };
    let stale = staleness(data);
    heading(canvas, Area { height: head, ..area }, panel, data, setting, time);
    let body = area.inset(head, 1.0, 1.0, 1.0);
    let is_small = body.height < 90.0;
    match Look::of(panel, data) {
        Look::Data => {
            canvas.within(body, stale.is_some(), |canvas| content(canvas, body, panel, data, setting));
            let remarks = remarks(data).join(", ");
            if is_small_kind(panel) && !remarks.is_empty() {
                let look = Type { anchor: Anchor::End, ..Type::small("muted") };
                canvas.fitted((body.right() - 8.0, body.bottom() - 6.0), &remarks, look, body.width - 16.0);
            }
        }
        Look::Loading => {
            message(canvas, body, "muted", "No answer yet", &["The source takes longer than a picture waits."])
        }
        Look::Empty(why, _) if is_small => message(canvas, body, "text", "No data", &[&why]),
        Look::Empty(why, more) => message(canvas, body, "text", "No data", &[&why, more]),
        Look::Failed(words) if is_small => message(canvas, body, "red", "Query failed", &[&words]),
        Look::Failed(words) => message(canvas, body, "red", "Query failed", &[&words, &advice(&words)]),
    }
}

fn content(canvas: &mut Canvas, body: Area, panel: &Panel, data: &PanelData, setting: &Setting) {
    match panel.kind {
        PanelKind::Stat => numbers::stat(canvas, body, panel, data, setting),
        PanelKind::Gauge => numbers::gauge(canvas, body, panel, data),
        PanelKind::Timeseries => chart::timeseries(canvas, body, panel, data, setting),
        PanelKind::Heatmap => chart::heatmap(canvas, body, panel, data, setting),
        PanelKind::Pie => shares::pie(canvas, body, panel, data),
        PanelKind::Bars => shares::bars(canvas, body, panel, data),
        PanelKind::Table => rows::queries(canvas, body, panel, data),
        PanelKind::Jobs => rows::jobs(canvas, body, data, setting),
        PanelKind::Sources => rows::sources(canvas, body, data, setting),
        PanelKind::Alerts => alerts::list(canvas, body, data, setting),
    }
}

/// Draws the title and, at the right, the time range, the age of stale data, and notices.
fn heading(canvas: &mut Canvas, area: Area, panel: &Panel, data: &PanelData, setting: &Setting, time: &str) {
    let baseline = area.y + area.height / 2.0 + 4.5;
    let title = Type { size: 13.0, ..Type::bold("text") };
    let mut right = area.right() - 12.0;
    let has_data = Look::of(panel, data) == Look::Data;
    let stale = staleness(data)
        .map(|stale| format!("stale, {} old", unit::whole_duration(setting.now_ms.saturating_sub(stale.since_ms))));
    let notice = (has_data && !notices(data).is_empty()).then(|| "incomplete".to_owned());
    let estimate = is_estimated(data).then(|| "estimated".to_owned());
    let remarks = remarks(data).into_iter().filter(|_| !is_small_kind(panel)).map(|remark| (remark, "muted"));
    let others = [(estimate, "muted"), (notice, "yellow"), (stale, "orange")].into_iter();
    for (words, color) in others.filter_map(|(words, color)| Some((words?, color))).chain(remarks) {
        let width = Type::small(color).width(&words) + 16.0;
        canvas.chip((right - width, area.y + area.height / 2.0 - 10.0), &words, color);
        right -= width + 6.0;
    }
    let small = Type { anchor: Anchor::End, ..Type::small("muted") };
    let time_width = small.width(time);
    let title_width = title.width(&panel.title);
    if !time.is_empty() && title_width + time_width + 24.0 <= right - area.x - 12.0 {
        canvas.text((right, baseline), time, small);
        right -= time_width + 12.0;
    }
    canvas.fitted((area.x + 12.0, baseline), &panel.title, title, right - area.x - 12.0);
}

/// Whether panels of this kind rarely have room beside the title.
fn is_small_kind(panel: &Panel) -> bool {
    matches!(panel.kind, PanelKind::Stat | PanelKind::Gauge | PanelKind::Pie | PanelKind::Bars)
}

/// Draws a message in the middle of the area: a heading and its explanation.
pub(super) fn message(canvas: &mut Canvas, area: Area, color: &str, title: &str, texts: &[&str]) {
    let look = Type { anchor: Anchor::Middle, ..Type::plain("muted") };
    let room = (area.width - 24.0).clamp(20.0, 560.0);
    let fitting = ((area.height - 8.0) / LINE).floor().max(1.0);
    let mut lines: Vec<String> = texts.iter().flat_map(|text| text::lines(text, look.size, room, 3)).collect();
    while !lines.is_empty() && count(lines.len() + 1) > fitting {
        lines.pop();
    }
    let (middle, center) = area.center();
    let mut baseline = center - count(lines.len()) * LINE / 2.0 + 4.0;
    let heading = Type { size: 13.0, anchor: Anchor::Middle, ..Type::bold(color) };
    canvas.fitted((middle, baseline), title, heading, room);
    for line in &lines {
        baseline += LINE;
        canvas.text((middle, baseline), line, look);
    }
}
