//! The page of a job: its status and its log, and for operators a button to cancel it.

use leptos::prelude::*;
use model::{
    job::{Job, JobDetail, JobLogEntry, JobStatus},
    live::Topic,
    unit::{self, Unit, whole_duration},
};

use super::not_found::Missing;
use crate::{
    live::FeedData,
    platform::{self, FetchError},
    refusal::PROBLEM,
    shell::{Page, TopBar, parameter},
    view::{view, without_scripts},
};

/// State of loading the job.
#[derive(Debug, Clone, PartialEq)]
enum Lookup {
    Waiting,
    Found(Box<JobDetail>),
    Failed(String),
}

/// Identifies a job in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobAddress {
    /// Configured name of the job's daemon.
    pub(crate) daemon: String,
    /// The daemon's id of the job.
    pub(crate) id: String,
}

impl JobAddress {
    fn names(&self, job: &Job) -> bool {
        job.id == self.id && job.daemon == self.daemon
    }

    fn api_path(&self) -> String {
        format!("/api/jobs/{}/{}", platform::encoded(&self.daemon), platform::encoded(&self.id))
    }
}

/// The page of the job at `address`.
#[component]
pub(crate) fn JobPage(address: JobAddress) -> impl IntoView {
    let page = Page::get();
    let lookup = RwSignal::new(first_lookup(page, &address));
    let job = Memo::new(move |_| match lookup.get() {
        Lookup::Found(detail) => Some(detail.job),
        Lookup::Waiting | Lookup::Failed(_) => None,
    });
    follow(page, address.clone(), lookup);

    let title = Signal::derive(move || job.get().map_or_else(|| "Job".to_owned(), |job| job.name));
    // The view is rebuilt when a job is found or lost, not when the job changes.
    let found = Memo::new(move |_| match lookup.get() {
        Lookup::Found(_) => Ok(true),
        Lookup::Waiting => Ok(false),
        Lookup::Failed(message) => Err(message),
    });
    view! {
        <TopBar title up="/jobs" />
        <main id="main" class="content" tabindex="-1">
            {move || match found.get() {
                Ok(true) => view! { <Detail lookup address=address.clone() /> },
                Ok(false) => view! { <p class="notice" aria-busy="true">"Looking for the job"</p> },
                Err(message) => view! {
                    <p class="banner banner-problem" role="alert">{not_cancelled(page)}</p>
                    <Missing message />
                },
            }}
        </main>
    }
}

fn first_lookup(page: Page, address: &JobAddress) -> Lookup {
    let sent = page.payload.with_value(|payload| payload.job.clone());
    match sent.filter(|detail| address.names(&detail.job)) {
        Some(detail) => Lookup::Found(Box::new(detail)),
        None if page.is_first_view() => Lookup::Failed("No daemon has this job.".to_owned()),
        None => Lookup::Waiting,
    }
}

/// Updates `lookup`: the job from the live feed, and the log by a request each time the job's status changes.
fn follow(page: Page, address: JobAddress, lookup: RwSignal<Lookup>) {
    let feed = page.live.subscribe(Topic::Jobs);
    let url = address.api_path();
    let live = Memo::new(move |_| {
        let FeedData::Jobs(jobs) = &feed.data else { return None };
        jobs.with(|jobs| jobs.as_ref()?.iter().find(|job| address.names(job)).cloned())
    });
    Effect::new(move |_| {
        let Some(job) = live.get() else { return };
        lookup.update(|lookup| {
            if let Lookup::Found(detail) = lookup {
                detail.job = job;
            }
        });
    });
    let status = Memo::new(move |_| live.get().map(|job| (job.status, job.cancel_requested)));
    Effect::new(move |before: Option<()>| {
        let status = status.get();
        // The payload of the page is current, also if it has no job. A job that is not in the feed has no changes.
        let waiting = lookup.with_untracked(|lookup| matches!(lookup, Lookup::Waiting));
        if !waiting && (before.is_none() || status.is_none()) {
            return;
        }
        let url = url.clone();
        platform::spawn(async move {
            let answer = match platform::get_json::<JobDetail>(&url).await {
                Ok(detail) => Lookup::Found(Box::new(detail)),
                Err(FetchError::LoggedOut) => return platform::go_to_login(),
                Err(error) => Lookup::Failed(error.words()),
            };
            let _ = lookup.try_set(answer);
        });
    });
}

#[component]
fn Detail(lookup: RwSignal<Lookup>, address: JobAddress) -> impl IntoView {
    let page = Page::get();
    let detail = move || match lookup.get() {
        Lookup::Found(detail) => Some(*detail),
        Lookup::Waiting | Lookup::Failed(_) => None,
    };
    let job = Memo::new(move |_| detail().map(|detail| detail.job));
    let log = Memo::new(move |_| detail().map(|detail| (detail.log, detail.log_error)).unwrap_or_default());
    let may_cancel = page.boot().session.role.operates();
    view! {
        <section class="card job-head">
            <div class="job-status-line">
                {move || job.get().map(|job| view! { <StatusChip job /> })}
                <span class="job-phase">{move || job.get().and_then(|job| job.phase)}</span>
                {may_cancel.then(|| view! { <Cancel job address /> })}
            </div>
            {move || job.get().map(|job| view! { <Progress job /> })}
            {move || job.get().and_then(|job| job.error).map(|error| {
                view! { <p class="job-error"><span class="job-error-word">"Error"</span> {error}</p> }
            })}
        </section>
        <div class="columns">
            <section class="card">
                <h2>"Job"</h2>
                {move || job.get().map(|job| facts(identity(&job)))}
            </section>
            <section class="card">
                <h2>"Times"</h2>
                {move || job.get().map(|job| facts(times(page, &job)))}
            </section>
        </div>
        <section class="card">
            <h2>"Log"</h2>
            {move || {
                let (entries, error) = log.get();
                view! { <Log entries error /> }
            }}
        </section>
    }
}

/// The status as a word and a shape.
#[component]
fn StatusChip(job: Job) -> impl IntoView {
    let words = match (job.status, job.cancel_requested, job.historic) {
        (JobStatus::Completed, true, _) => "completed, cancel was asked",
        (JobStatus::Failed, true, _) => "failed, cancel was asked",
        (JobStatus::Unknown, _, true) => "unknown: the daemon restarted",
        (status, ..) => status.name(),
    };
    view! { <span class="status-chip" data-status=job.status.name()>{words}</span> }
}

#[component]
fn Progress(job: Job) -> impl IntoView {
    let percent = job.percent.filter(|percent| percent.is_finite()).map(|percent| percent.clamp(0.0, 100.0));
    let bytes = |count: u64| Unit::from_id("bytes").format(lossless(count), None);
    let moved = match (job.bytes_transferred, job.bytes_total) {
        (Some(moved), Some(total)) => Some(format!("{} of {}", bytes(moved), bytes(total))),
        (Some(moved), None) => Some(bytes(moved)),
        _ => None,
    };
    let rate = job.rate_bytes_per_second.map(|rate| Unit::from_id("Bps").format(rate, None));
    let eta = job.eta_seconds.map(|seconds| format!("{} left", unit::duration(seconds.round())));
    let words =
        percent.map_or_else(|| "no percentage known".to_owned(), |percent| format!("{} %", unit::fixed(percent, 1)));
    let running = job.status.is_at_work();
    let bar = match percent {
        Some(percent) => {
            view! { <progress max="100" value=unit::fixed(percent, 2) aria-label="Progress"></progress> }
        }
        None if running => view! { <progress max="100" aria-label="Progress"></progress> },
        None => ().into_any(),
    };
    view! {
        <div class="job-progress" data-status=job.status.name()>
            {bar}
            <div class="job-numbers">
                <strong>{words}</strong>
                <span>{moved}</span>
                <span>{running.then_some(rate)}</span>
                <span>{running.then_some(eta)}</span>
            </div>
        </div>
    }
}

/// A number of bytes as a float: exact up to 9 PB, and rounded above.
#[allow(clippy::cast_precision_loss)]
fn lossless(count: u64) -> f64 {
    count as f64
}

fn identity(job: &Job) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("Id", Some(job.id.clone())),
        ("Daemon", Some(job.daemon.clone())),
        ("Virtual machine", Some(job.vm.clone())),
        ("Provider", Some(job.provider.clone())),
        ("Region", job.region.clone()),
        ("Kind", job.job_type.clone()),
        ("Format", job.format.clone()),
        ("Method", job.export_method.clone()),
        ("Goes to", job.output_dir.clone()),
    ]
}

fn times(page: Page, job: &Job) -> Vec<(&'static str, Option<String>)> {
    let at = |at_ms: Option<i64>| at_ms.map(|at_ms| page.clock.date_time(at_ms));
    let end_ms = job.completed_at.unwrap_or_else(|| page.clock.now_ms.get());
    let length = |from: Option<i64>, to_ms: i64| from.map(|from_ms| whole_duration(to_ms.saturating_sub(from_ms)));
    vec![
        ("Submitted", at(job.created_at)),
        ("Waited", job.started_at.and_then(|started_at| length(job.created_at, started_at))),
        ("Started", at(job.started_at)),
        ("Ended", at(job.completed_at)),
        (if job.completed_at.is_some() { "Took" } else { "Runs for" }, length(job.started_at, end_ms)),
        ("Last news", job.updated_at.map(|at_ms| page.clock.age(at_ms))),
    ]
}

/// Names and values. Unknown values are left out.
fn facts(facts: Vec<(&'static str, Option<String>)>) -> impl IntoView {
    let rows = facts.into_iter().filter_map(|(name, value)| {
        value.filter(|value| !value.is_empty()).map(|value| view! { <dt>{name}</dt> <dd>{value}</dd> })
    });
    view! { <dl class="facts">{rows.collect_view()}</dl> }
}

#[component]
fn Log(entries: Vec<JobLogEntry>, error: Option<String>) -> impl IntoView {
    let page = Page::get();
    if let Some(error) = error {
        return view! { <p class="quiet-words">{format!("The log cannot be had: {error}")}</p> };
    }
    if entries.is_empty() {
        return view! { <p class="quiet-words">"The daemon has no log entries for this job."</p> };
    }
    let rows = entries.into_iter().map(|entry| {
        let at = move || entry.timestamp.map_or_else(String::new, |at_ms| page.clock.date_time(at_ms));
        view! {
            <li data-level=entry.level.clone()>
                <span class="log-time">{move || at()}</span>
                <span class="log-level">{entry.level.clone()}</span>
                <span class="log-message">{entry.message}</span>
            </li>
        }
    });
    view! { <ol class="log">{rows.collect_view()}</ol> }
}

const CANCEL_DIALOG: &str = "cancel-job";
/// Query parameter of the page on which the form without scripts asks for confirmation. That page does not reload itself.
pub(crate) const CANCEL: &str = "cancel";
/// Path of the server function `CancelJob`, for the form. The browser's program does not contain that function.
const CANCEL_FORM: &str = "/do/cancel-job";

/// The button, the confirmation dialog, and the daemon's response.
#[component]
fn Cancel(job: Memo<Option<Job>>, address: JobAddress) -> impl IntoView {
    let location = Page::get().location;
    let answer = RwSignal::new(not_cancelled(Page::get()));
    let asking = RwSignal::new(false);
    let possible = Memo::new(move |_| {
        job.with(|job| {
            let open = |job: &Job| matches!(job.status, JobStatus::Pending | JobStatus::Running);
            job.as_ref().is_some_and(|job| open(job) && !job.cancel_requested && !job.historic)
        })
    });
    let form = without_scripts(|| {
        if !possible.get_untracked() {
            return ().into_any();
        }
        let (path, query) = (location.path.get_untracked(), location.query.get_untracked());
        let button = if parameter(&query, CANCEL).is_some() {
            view! { <button class="button danger">"Yes, ask the daemon to cancel it"</button> }
        } else {
            view! { <a class="button danger" href=platform::at(&format!("{path}?{CANCEL}=ask"))>"Cancel job"</a> }
        };
        view! {
            <form method="post" action=platform::at(CANCEL_FORM)>
                <input type="hidden" name="daemon" value=address.daemon.clone() />
                <input type="hidden" name="id" value=address.id.clone() />
                {button}
            </form>
        }
    });
    let confirm = move |_| {
        let url = format!("{}/cancel", address.api_path());
        asking.set(true);
        platform::show_dialog(CANCEL_DIALOG, false);
        platform::spawn(async move {
            let words = match platform::post(&url).await {
                Ok(body) => answer_words(&body),
                Err(FetchError::LoggedOut) => return platform::go_to_login(),
                Err(error) => format!("Not cancelled: {}", error.words()),
            };
            let _ = answer.try_set(Some(words));
            let _ = asking.try_set(false);
        });
    };
    let is_disabled = move || !possible.get() || asking.get();
    let name = move || job.with(|job| job.as_ref().map(|job| job.name.clone()));
    view! {
        <button
            type="button"
            class="button danger needs-script"
            // Not `disabled`: the button would lose the focus that returns to it from the dialog.
            aria-disabled=move || is_disabled().then_some("true")
            on:click=move |_| platform::show_dialog(CANCEL_DIALOG, !is_disabled())
        >
            {move || if asking.get() { "Asking the daemon" } else { "Cancel job" }}
        </button>
        <div class="needs-no-script" inner_html=form></div>
        <p class="job-answer" role="status">{move || answer.get()}</p>
        <dialog id=CANCEL_DIALOG class="dialog" aria-labelledby="cancel-job-title">
            <h2 id="cancel-job-title">"Cancel this job?"</h2>
            <p>
                "The daemon is asked to cancel " <strong>{name}</strong>
                ". An export that is under way may still go on to its end; what was written stays where it is."
            </p>
            <div class="dialog-buttons">
                <button type="button" class="button" on:click=move |_| platform::show_dialog(CANCEL_DIALOG, false)>
                    "Keep it running"
                </button>
                <button type="button" class="button danger" on:click=confirm>"Cancel job"</button>
            </div>
        </dialog>
    }
}

/// Why the form without scripts did not cancel the job.
fn not_cancelled(page: Page) -> Option<String> {
    let problem = page.location.query.with_untracked(|query| parameter(query, PROBLEM));
    problem.map(|problem| format!("Not cancelled: {problem}"))
}

/// The daemon's response in words.
fn answer_words(body: &str) -> String {
    struct Answer {
        cancelled: bool,
        message: String,
    }
    model::from_members!(Answer { cancelled, message });
    match model::tree::read_json(body) {
        Ok(Answer { cancelled: true, message }) => message,
        Ok(Answer { cancelled: false, message }) => format!("Not cancelled: {message}"),
        Err(_) => "The server took the request, but its answer cannot be read.".to_owned(),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #[test]
    fn the_form_goes_to_the_server_function() {
        assert_eq!(super::CANCEL_FORM, crate::functions::path_of::<crate::functions::CancelJob>());
    }
}
