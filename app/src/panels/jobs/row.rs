//! A row of the job table.

use crate::view::view;
use chart::palette::Ink;
use leptos::prelude::*;
use model::{
    dashboard::Color,
    job::{Job, JobStatus},
    route::{PageKind, PageRoute},
    unit::{self, Unit},
};

use super::order::{Column, elapsed_ms};
use crate::{panels::plot_series::ABSENT, platform};

/// A row that is updated with its job, and empty once the job is no longer in the table. `has_page` says whether the viewer may open the job's page.
pub(super) fn row(job: Memo<Option<Job>>, now_ms: Signal<i64>, has_page: bool) -> AnyView {
    let state = Memo::new(move |_| job.with(|job| job.as_ref().map(state_of)));
    let text = move |read: fn(&Job) -> String| move || job.with(|job| job.as_ref().map(read));
    let progress = Memo::new(move |_| job.with(|job| job.as_ref().map(|job| (job.percent, job.status, bytes(job)))));
    let address = text(|job| path(&job.daemon, &job.id));
    let elapsed = move || {
        let now_ms = now_ms.get();
        job.with(|job| job.as_ref().and_then(|job| elapsed_ms(job, now_ms)).map(unit::rough_duration))
    };
    view! {
        <tr class=move || job.with(|job| if job.as_ref().is_some_and(|job| job.historic) { "job is-historic" } else { "job" })>
            <td class=Column::Status.class()>
                {move || state.get().map(|(word, shape, color)| view! {
                    <span class=format!("chip {}", Ink::Meaning(color).class())>
                        <span aria-hidden="true">{shape}</span>
                        {word}
                    </span>
                })}
            </td>
            <td class=Column::Name.class() title=text(|job| format!("{} on {}", job.id, job.daemon))>
                // Without `href` the element is plain text.
                <a href=move || address().filter(|_| has_page).map(|path| platform::at(&path))>{text(|job| if job.name.is_empty() { job.id.clone() } else { job.name.clone() })}</a>
                <span class="job-note">{text(note)}</span>
            </td>
            <td class=Column::Vm.class() title=text(|job| job.vm.clone())>{text(|job| short_vm(&job.vm).to_owned())}</td>
            <td class=Column::Provider.class()>{text(|job| job.provider.clone())}</td>
            <td class=Column::Progress.class()>
                {move || progress.get().map(|(percent, status, bytes)| progress_bar(percent, status, bytes))}
            </td>
            <td class=Column::Rate.class()>{text(rate)}</td>
            <td class=Column::Eta.class()>
                {text(|job| job.eta_seconds.map_or_else(|| ABSENT.to_owned(), unit::rough_duration_secs))}
            </td>
            <td class=Column::Elapsed.class()>{move || elapsed().unwrap_or_else(|| ABSENT.to_owned())}</td>
        </tr>
    }
}

/// The word, the shape and the colour of a job's state.
pub(crate) fn state_of(job: &Job) -> (&'static str, &'static str, Color) {
    match job.status {
        JobStatus::Pending => ("pending", "\u{25cb}", Color::Gray),
        JobStatus::Running => ("running", "\u{25b6}", Color::Blue),
        JobStatus::Completed => ("completed", "\u{2713}", Color::Green),
        JobStatus::Failed => ("failed", "\u{2715}", Color::Red),
        JobStatus::Cancelling => ("cancelling", "\u{25d0}", Color::Yellow),
        JobStatus::Cancelled => ("cancelled", "\u{2298}", Color::Gray),
        JobStatus::Unknown => ("unknown", "?", Color::Gray),
    }
}

/// Path of a job's page.
pub(crate) fn path(daemon: &str, id: &str) -> String {
    PageRoute::path_to(PageKind::Job, &[&segment(daemon), &segment(id)])
}

/// `text`, percent-encoded as one segment of a path.
fn segment(text: &str) -> String {
    use std::fmt::Write;
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            segment.push(char::from(byte));
        } else {
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

pub(crate) fn note(job: &Job) -> String {
    let error = job.error.as_deref().filter(|_| job.status == JobStatus::Failed);
    match (error, &job.phase) {
        (error, _) if job.cancel_requested && job.status.is_final() => {
            let reason = error.map(|error| format!(": {error}")).unwrap_or_default();
            format!("{}, cancel was asked{reason}", job.status.name())
        }
        (Some(error), _) => error.to_owned(),
        (_, Some(phase)) if job.status.is_at_work() => phase.clone(),
        _ if job.historic => "the daemon no longer has it".to_owned(),
        _ => String::new(),
    }
}

pub(crate) fn rate(job: &Job) -> String {
    let moving = job.rate_bytes_per_second.filter(|_| job.status.is_at_work());
    moving.map_or_else(|| ABSENT.to_owned(), |rate| Unit::from_id("Bps").format(rate, None))
}

pub(crate) fn bytes(job: &Job) -> String {
    #[allow(clippy::cast_precision_loss)] // written with three digits
    let written = |bytes: u64| Unit::from_id("bytes").format(bytes as f64, None);
    match (job.bytes_transferred, job.bytes_total) {
        (Some(moved), Some(total)) => format!("{} of {}", written(moved), written(total)),
        (Some(moved), None) => written(moved),
        _ => String::new(),
    }
}

/// The last part of an inventory path, which is the machine's name.
pub(crate) fn short_vm(vm: &str) -> &str {
    vm.rsplit('/').find(|part| !part.is_empty()).unwrap_or(vm)
}

fn progress_bar(percent: Option<f64>, status: JobStatus, bytes: String) -> AnyView {
    let class = match status {
        JobStatus::Failed => "progress ink-red",
        JobStatus::Completed => "progress ink-green",
        JobStatus::Cancelled => "progress ink-gray",
        _ => "progress ink-blue",
    };
    match (percent, status) {
        (Some(percent), _) => {
            let percent = percent.clamp(0.0, 100.0);
            let whole = unit::fixed(percent.floor(), 0);
            view! {
                <span class=class title=bytes>
                    <span
                        class="progress-track"
                        role="progressbar"
                        aria-label="progress"
                        aria-valuemin="0"
                        aria-valuemax="100"
                        aria-valuenow=whole.clone()
                    >
                        <span class="progress-fill" style=format!("width:{}%", super::super::percent(percent / 100.0))></span>
                    </span>
                    <span class="progress-text">{whole.clone() + "%"}</span>
                </span>
            }
        }
        (None, status) if status.is_at_work() => view! {
            <span class=class title=bytes>
                <span class="progress-track is-unknown" role="progressbar" aria-label="progress, percentage unknown">
                    <span class="progress-fill"></span>
                </span>
                <span class="progress-text">{ABSENT}</span>
            </span>
        },
        (None, _) => view! { <span class="progress-text">{ABSENT}</span> },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_can_be_part_of_a_path() {
        assert_eq!(path("site one", "job/1?x"), "/jobs/site%20one/job%2F1%3Fx");
        assert_eq!(path("d1", "job-1.a_b~c"), "/jobs/d1/job-1.a_b~c");
    }

    #[test]
    fn the_name_of_a_vm_is_the_last_part_of_its_path() {
        assert_eq!(short_vm("/dc1/vm/prod/web-01"), "web-01");
        assert_eq!(short_vm("web-01"), "web-01");
        assert_eq!(short_vm("/"), "/");
    }
}
