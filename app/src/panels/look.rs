//! The states of a panel with queries: loading, empty, failed, or data, which may be stale.

use crate::view::view;
use leptos::prelude::*;
use model::{
    dashboard::{Panel, PanelKind},
    frame::ESTIMATED,
    panel::{PanelData, QueryState, Staleness},
    unit,
};

use super::{context::PanelsContext, legend};

/// The data of a panel before any query has a result.
#[must_use]
pub fn loading(panel: &Panel) -> PanelData {
    PanelData::Queries(panel.asked().iter().map(|_| QueryState::Loading).collect())
}

/// True once every query has a result, so that the panel can replace the server's HTML.
#[must_use]
pub fn has_come(data: &PanelData) -> bool {
    match data {
        // No queries: a panel whose data is not from queries, and has not arrived.
        PanelData::Queries(states) => {
            !states.is_empty() && !states.iter().any(|state| matches!(state, QueryState::Loading))
        }
        PanelData::Jobs(_) | PanelData::Alerts(_) | PanelData::Sources(..) => true,
    }
}

/// The state of a panel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Look {
    Loading,
    /// Why there is no data, and a further remark.
    Empty(String, &'static str),
    Failed(String),
    Data,
}

impl Look {
    pub(crate) fn of(panel: &Panel, data: &PanelData) -> Self {
        let PanelData::Queries(states) = data else { return Look::Data };
        if has_points(data) {
            return Look::Data;
        }
        let failed = states.iter().find_map(|state| match state {
            QueryState::Failed { message } => Some(message.clone()),
            _ => None,
        });
        match failed {
            Some(message) => Look::Failed(message),
            None if has_come(data) => {
                // Notices may say why there is no data.
                let told = notices(data);
                if told.is_empty() {
                    Look::Empty("The series is absent.".to_owned(), legend::absent(panel))
                } else {
                    Look::Empty(told.join(" "), "")
                }
            }
            None => Look::Loading,
        }
    }
}

fn has_points(data: &PanelData) -> bool {
    match data {
        PanelData::Queries(_) => data.frames().any(|frame| !frame.is_empty()),
        _ => true,
    }
}

/// The staleness of the oldest stale data of a panel; `None` if all is current.
pub(crate) fn staleness(data: &PanelData) -> Option<Staleness> {
    let PanelData::Queries(states) = data else { return None };
    let stale = states.iter().filter_map(|state| match state {
        QueryState::Ready { stale, .. } => stale.clone(),
        _ => None,
    });
    stale.min_by_key(|stale| stale.since_ms)
}

/// Notices to show with the data: queries that failed while others did not, and annotations of the engine.
pub(crate) fn notices(data: &PanelData) -> Vec<String> {
    let PanelData::Queries(states) = data else { return Vec::new() };
    let mut notices: Vec<String> = Vec::new();
    for state in states {
        match state {
            QueryState::Failed { message } => notices.push(format!("A query failed: {message}")),
            QueryState::Ready { frame, .. } => notices.extend(frame.notices.iter().cloned()),
            QueryState::Loading => {}
        }
    }
    notices.dedup();
    notices
}

/// Short remarks on the reliability of the values.
pub(crate) fn remarks(data: &PanelData) -> Vec<String> {
    let mut remarks = Vec::new();
    for remark in data.frames().filter(|frame| !frame.is_empty()).flat_map(|frame| &frame.remarks) {
        if !remarks.contains(remark) {
            remarks.push(remark.clone());
        }
    }
    remarks
}

/// Shows `body` if there is data, else the state of the panel.
pub(crate) fn with_look(
    panel: StoredValue<Panel>,
    data: Signal<PanelData>,
    body: fn(StoredValue<Panel>, Signal<PanelData>) -> AnyView,
) -> AnyView {
    let look = Memo::new(move |_| data.with(|data| panel.with_value(|panel| Look::of(panel, data))));
    let stale = Memo::new(move |_| data.with(staleness));
    view! {
        <div class="look" class:is-stale=move || stale.with(Option::is_some)>
            {move || match look.get() {
                Look::Data => body(panel, data),
                Look::Loading => loading_view(panel.with_value(|panel| panel.kind)),
                Look::Empty(why, more) => message_view("empty", "No data", why, more.to_owned()),
                Look::Failed(message) => message_view("failed", "Query failed", message.clone(), advice(&message)),
            }}
            <div class="badges">
                {remark_badge(data)} {estimate_badge(data)} {notice_badge(data)} {stale_badge(stale)}
            </div>
        </div>
    }
}

/// Shows the `body` of a panel whose data is not from queries, with a badge while the data is stale.
pub(crate) fn with_mark(stale: Signal<Option<Staleness>>, body: AnyView) -> AnyView {
    let stale = Memo::new(move |_| stale.get());
    view! {
        <div class="look" class:is-stale=move || stale.with(Option::is_some)>
            {body}
            <div class="badges">{stale_badge(stale)}</div>
        </div>
    }
}

/// The view of a panel that waits for its first data.
pub(crate) fn loading_view(kind: PanelKind) -> AnyView {
    let rows = if matches!(kind, PanelKind::Stat | PanelKind::Gauge | PanelKind::Pie) { 1 } else { 4 };
    view! {
        <div class="message message-loading" role="status">
            <div class="skeleton" aria-hidden="true">{(0..rows).map(|_| view! { <i></i> }).collect_view()}</div>
            <span class="message-title">"Loading"</span>
        </div>
    }
}

/// The view of a state without data: `title`, the reason, and what to do. `look` is the suffix of its class.
pub(crate) fn message_view(look: &'static str, title: &'static str, text: String, advice: String) -> AnyView {
    let mark = match look {
        "failed" => "\u{2715}",
        "calm" => "\u{2713}",
        _ => "\u{2014}",
    };
    view! {
        <div class=format!("message message-{look}") role=if look == "failed" { "alert" } else { "status" }>
            <span class="message-mark" aria-hidden="true">{mark}</span>
            <strong class="message-title">{title}</strong>
            <span class="message-text">{text}</span>
            <span class="message-advice">{advice}</span>
        </div>
    }
}

/// What to do about a query that failed with `message`.
pub(crate) fn advice(message: &str) -> String {
    let message = message.to_lowercase();
    let advice = if message.contains("timeout") || message.contains("timed out") || message.contains("deadline") {
        "Choose a shorter time range, or ask again in a moment."
    } else if message.contains("parse") || message.contains("unknown") || message.contains("expected") {
        "Check the query in the panel's menu."
    } else if message.contains("limit") || message.contains("too many") || message.contains("exceed") {
        "Choose a shorter time range, or let the query match fewer series."
    } else {
        "The state of every source is under System resources. The panel asks again by itself."
    };
    advice.to_owned()
}

fn stale_badge(stale: Memo<Option<Staleness>>) -> AnyView {
    let now_ms = PanelsContext::of_page().clock_ms;
    view! { {move || {
        stale.get().map(|stale| {
            let (since_ms, reason) = (stale.since_ms, stale.reason);
            let label = reason.clone();
            view! {
                <span class="badge badge-stale" title=reason>
                    {move || format!("stale, {} old", unit::whole_duration(now_ms.get() - since_ms))}
                    <span class="sr-only">{format!(": {label}")}</span>
                </span>
            }
        })
    }} }
}

/// Whether a value is an estimate although the query asks for a whole number.
pub(crate) fn is_estimated(data: &PanelData) -> bool {
    data.frames().any(|frame| frame.estimated && !frame.is_empty())
}

fn estimate_badge(data: Signal<PanelData>) -> AnyView {
    let estimated = Memo::new(move |_| data.with(is_estimated));
    view! { {move || {
        estimated.get().then(|| {
            let (word, why) = ESTIMATED.split_once(':').unwrap_or((ESTIMATED, ""));
            view! {
                <span class="badge badge-estimated" title=ESTIMATED>
                    {word}
                    <span class="sr-only">{why}</span>
                </span>
            }
        })
    }} }
}

fn remark_badge(data: Signal<PanelData>) -> AnyView {
    let remarks = Memo::new(move |_| data.with(remarks));
    view! { {move || {
        let text = remarks.with(|remarks| remarks.join(", "));
        (!text.is_empty()).then(|| view! { <span class="badge badge-remark">{text}</span> })
    }} }
}

fn notice_badge(data: Signal<PanelData>) -> AnyView {
    let notices = Memo::new(move |_| data.with(|data| if has_points(data) { notices(data) } else { Vec::new() }));
    view! { {move || {
        let text = notices.with(|notices| notices.join("\n"));
        (!text.is_empty()).then(|| {
            let label = text.clone();
            view! {
                <span class="badge badge-notice" title=text>
                    <span aria-hidden="true">"!"</span>
                    <span class="sr-only">{label}</span>
                </span>
            }
        })
    }} }
}

#[cfg(test)]
mod tests {
    use model::frame::{Frame, Series};

    use super::*;

    fn panel() -> Panel {
        super::super::legend::tests::panel(r#"{"expr":"up","legend":"","instant":false}"#)
    }

    fn ready(series: Vec<Series>) -> QueryState {
        QueryState::Ready { frame: Frame { series, ..Frame::default() }, stale: None }
    }

    #[test]
    fn an_absent_series_is_not_zero() {
        let look = |states| Look::of(&panel(), &PanelData::Queries(states));
        let failed = QueryState::Failed { message: "no".into() };
        let point = Series { timestamps: vec![1], values: vec![0.0], ..Series::default() };
        assert_eq!(look(vec![QueryState::Loading]), Look::Loading);
        assert_eq!(
            look(vec![ready(vec![])]),
            Look::Empty("The series is absent.".into(), "No source has it in this time.")
        );
        assert!(matches!(look(vec![ready(vec![Series::default()])]), Look::Empty(..)));
        let frame = Frame { notices: vec!["hypervisord does not report CPU usage.".into()], ..Frame::default() };
        let told = QueryState::Ready { frame, stale: None };
        assert_eq!(look(vec![told.clone(), told]), Look::Empty("hypervisord does not report CPU usage.".into(), ""));
        assert_eq!(look(vec![ready(vec![point])]), Look::Data);
        assert_eq!(look(vec![ready(vec![]), failed]), Look::Failed("no".into()));
    }

    #[test]
    fn the_html_of_the_server_stays_until_every_query_has_a_result() {
        assert!(!has_come(&loading(&panel())));
        assert!(!has_come(&PanelData::Queries(vec![ready(vec![]), QueryState::Loading])));
        assert!(has_come(&PanelData::Queries(vec![ready(vec![])])));
        assert!(has_come(&PanelData::Jobs(vec![])));
        assert!(!has_come(&PanelData::Queries(vec![])));
    }
}
