//! The list of silences, and the form for a new one with a preview of the alerts that it would mute.

use leptos::prelude::*;
use model::{
    route::{PageKind, PageRoute},
    unit::whole_duration,
};

use super::{AlertsView, Draft, ShownSilence, Tab, ViewAddress, words::nothing};
use crate::{
    functions::{CreateSilence, ExpireSilence, ExtendSilence, path_of},
    view::view,
};

/// Durations of a silence: the form's value, and the label.
const DURATIONS: [(&str, &str); 6] =
    [("30m", "30 minutes"), ("2h", "2 hours"), ("8h", "8 hours"), ("1d", "1 day"), ("3d", "3 days"), ("1w", "1 week")];
/// The default of [`DURATIONS`].
const USUAL: &str = "2h";
/// Most alerts that a preview names.
const NAMED: usize = 12;

pub(super) fn draw(page: &AlertsView, silences: &[ShownSilence], draft: Option<&Draft>) -> AnyView {
    let form = match draft {
        Some(draft) => view! { {writing(page, draft)} },
        None if page.may_operate => {
            let href = page.address.drafting(String::new()).href();
            view! { <p class="silences-new"><a class="button primary" href=href>"New silence"</a></p> }
        }
        None => view! { <p class="quiet-words">"Operators can silence alerts."</p> },
    };
    let (over, holding): (Vec<_>, Vec<_>) = silences.iter().partition(|silence| silence.state == "expired");
    let none =
        holding.is_empty().then(|| nothing("No silence holds", "Every alert that fires is told to its receivers."));
    let holding = holding.into_iter().map(|silence| item(page, silence)).collect_view();
    let past = (!over.is_empty()).then(|| {
        let count = over.len();
        let items = over.into_iter().map(|silence| item(page, silence)).collect_view();
        view! {
            <details class="card" id="silences-past">
                <summary>{format!("{count} that are over")}</summary>
                <ul class="silence-list">{items}</ul>
            </details>
        }
    });
    view! {
        {form}
        <ul class="silence-list">{holding}</ul>
        {none}
        {past}
    }
}

/// The form for a new silence. The preview is updated while the matchers are typed.
fn writing(page: &AlertsView, draft: &Draft) -> AnyView {
    let preview = match &draft.preview {
        Err(error) => view! { <p class="form-error" role="alert">{error.clone()}</p> },
        Ok(_) if draft.matchers.trim().is_empty() => {
            view! { <p class="quiet-words">"Say which alerts by their labels."</p> }
        }
        Ok(alerts) => {
            let more = alerts.len().saturating_sub(NAMED);
            let more = (more > 0).then(|| view! { <li class="quiet-words">{format!("and {more} more")}</li> });
            let named = alerts.iter().take(NAMED).map(|alert| view! { <li>{alert.clone()}</li> }).collect_view();
            let words = if alerts.len() == 1 { "alert that fires" } else { "alerts that fire" };
            view! {
                <p role="status">{format!("It would mute {} {words} now.", alerts.len())}</p>
                <ul class="preview">{named} {more}</ul>
            }
        }
    };
    let durations = DURATIONS.map(|(value, words)| {
        view! { <option value=value selected=value == USUAL>{words}</option> }
    });
    let back = ViewAddress { tab: Tab::Silences, ..page.address.with_tab(Tab::Silences) }.href();
    let invalid = draft.preview.is_err().then_some("true");
    view! {
        <section class="card silence-form">
            <h2>"New silence"</h2>
            <form method="get" action=PageRoute::path_of(PageKind::Alerts) data-live id="silence-matchers-form">
                <input type="hidden" name="view" value="silences" />
                <label for="silence-matchers">"Alerts with"</label>
                <input
                    id="silence-matchers"
                    class="field"
                    name="matchers"
                    value=draft.matchers.clone()
                    placeholder="alertname=\"HighMemoryUsage\", daemon=\"one\""
                    spellcheck="false"
                    autocomplete="off"
                    aria-invalid=invalid
                />
                <button type="submit" class="button no-script-only">"Preview"</button>
            </form>
            <div class="silence-preview">{preview}</div>
            <form method="post" action={path_of::<CreateSilence>()} class="silence-create">
                <input type="hidden" name="matchers" value=draft.matchers.clone() />
                <input type="hidden" name="back" value=back.clone() />
                <label for="silence-duration">"For"</label>
                <select id="silence-duration" class="field" name="duration">{durations.into_iter().collect_view()}</select>
                <label for="silence-comment">"Because"</label>
                <input id="silence-comment" class="field" name="comment" required maxlength="500" autocomplete="off" />
                <button type="submit" class="button primary" disabled=draft.preview.is_err() || draft.matchers.trim().is_empty()>
                    "Silence"
                </button>
                <a class="button" href=back>"Not now"</a>
            </form>
        </section>
    }
}

fn item(page: &AlertsView, silence: &ShownSilence) -> AnyView {
    let is_over = silence.state == "expired";
    let until = page.zone.civil(silence.ends_at).to_string();
    let words = match silence.state.as_str() {
        "active" => {
            format!("for another {}, until {until}", whole_duration(silence.ends_at.saturating_sub(page.now_ms)))
        }
        "pending" => {
            format!("from {} until {until}", page.zone.civil(silence.starts_at))
        }
        _ => format!("until {until}"),
    };
    let mutes = (!is_over).then(|| {
        let word = if silence.alerts == 1 { "alert" } else { "alerts" };
        view! { <span class="quiet-words">{format!("mutes {} {word} now", silence.alerts)}</span> }
    });
    let actions = (!is_over && page.may_operate).then(|| {
        let act = |action: &'static str, words: &'static str| {
            view! {
                <form method="post" action=action>
                    <input type="hidden" name="id" value=silence.id.clone() />
                    <input type="hidden" name="back" value=page.address.with_tab(Tab::Silences).href() />
                    <button type="submit" class="button">{words}</button>
                </form>
            }
        };
        view! { <div class="silence-actions">{act(path_of::<ExtendSilence>(), "2 hours more")} {act(path_of::<ExpireSilence>(), "End it now")}</div> }
    });
    let again = (is_over && page.may_operate).then(|| {
        let href = page.address.drafting(silence.matchers.clone()).href();
        view! { <a class="button" href=href>"Again"</a> }
    });
    view! {
        <li class="card silence" id=format!("silence-{}", silence.id)>
            <code class="silence-matchers">{silence.matchers.clone()}</code>
            <span class="silence-when">{words}</span>
            <span class="silence-why">{silence.comment.clone()} <span class="quiet-words">{format!(" by {}", silence.created_by)}</span></span>
            {mutes}
            {actions}
            {again}
        </li>
    }
}
