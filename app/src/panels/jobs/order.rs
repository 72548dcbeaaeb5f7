//! Filter and order of the job table.

use std::cmp::Ordering;

use model::{
    job::{Job, JobStatus},
    sort::sort_by,
};

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Status,
    Name,
    Vm,
    Provider,
    Progress,
    Rate,
    Eta,
    Elapsed,
}

impl Column {
    pub(crate) const ALL: [Column; 8] = [
        Column::Status,
        Column::Name,
        Column::Vm,
        Column::Provider,
        Column::Progress,
        Column::Rate,
        Column::Eta,
        Column::Elapsed,
    ];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Column::Status => "Status",
            Column::Name => "Job",
            Column::Vm => "VM",
            Column::Provider => "Provider",
            Column::Progress => "Progress",
            Column::Rate => "Rate",
            Column::Eta => "ETA",
            Column::Elapsed => "Elapsed",
        }
    }

    /// Class of its cells. Narrow screens hide some columns by it.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Column::Status => "job-status",
            Column::Name => "job-name",
            Column::Vm => "job-vm",
            Column::Provider => "job-provider",
            Column::Progress => "job-progress",
            Column::Rate => "job-rate is-number",
            Column::Eta => "job-eta is-number",
            Column::Elapsed => "job-elapsed is-number",
        }
    }
}

/// The viewer's filter and order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Choice {
    pub(crate) status: Option<JobStatus>,
    pub(crate) provider: Option<String>,
    /// Substring of a name, VM, id, daemon or error, case-insensitive.
    pub(crate) text: String,
    /// Column, and whether the order is descending. `None` lists running jobs first.
    pub(crate) order: Option<(Column, bool)>,
}

impl Choice {
    /// Indices of the jobs to show, in order.
    pub(crate) fn select(&self, jobs: &[Job], now_ms: i64) -> Vec<usize> {
        let mut chosen: Vec<(usize, &Job)> = jobs.iter().enumerate().filter(|(_, job)| self.admits(job)).collect();
        sort_by(&mut chosen, |(_, one), (_, other)| match self.order {
            None => rank(one.status).cmp(&rank(other.status)),
            Some((column, falling)) => compare(one, other, column, falling, now_ms),
        });
        chosen.into_iter().map(|(index, _)| index).collect()
    }

    fn admits(&self, job: &Job) -> bool {
        let text = self.text.trim();
        self.status.is_none_or(|status| job.status == status)
            && self.provider.as_ref().is_none_or(|provider| job.provider == *provider)
            && (text.is_empty()
                || [&job.name, &job.vm, &job.id, &job.daemon]
                    .into_iter()
                    .chain(&job.error)
                    .any(|field| contains(field, text)))
    }
}

/// Distinct providers of the jobs, sorted.
pub(crate) fn providers(jobs: &[Job]) -> Vec<String> {
    let mut providers: Vec<&String> = jobs.iter().map(|job| &job.provider).filter(|name| !name.is_empty()).collect();
    sort_by(&mut providers, Ord::cmp);
    providers.dedup();
    providers.into_iter().cloned().collect()
}

/// Milliseconds from a job's start to its end, or to now.
pub(crate) fn elapsed_ms(job: &Job, now_ms: i64) -> Option<i64> {
    let end_ms = job.completed_at.unwrap_or(now_ms);
    Some(end_ms.saturating_sub(job.started_at?).max(0))
}

fn rank(status: JobStatus) -> u8 {
    match status {
        JobStatus::Running | JobStatus::Cancelling => 0,
        JobStatus::Pending => 1,
        _ => 2,
    }
}

fn compare(one: &Job, other: &Job, column: Column, falling: bool, now_ms: i64) -> Ordering {
    let turned = |ordering: Ordering| if falling { ordering.reverse() } else { ordering };
    let numbers = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => turned(one.total_cmp(&other)),
        // Unknown values come last in either direction.
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    match column {
        Column::Status => turned(one.status.cmp(&other.status)),
        Column::Name => turned(one.name.cmp(&other.name)),
        Column::Vm => turned(one.vm.cmp(&other.vm)),
        Column::Provider => turned(one.provider.cmp(&other.provider)),
        Column::Progress => numbers(one.percent, other.percent),
        Column::Rate => numbers(one.rate_bytes_per_second, other.rate_bytes_per_second),
        Column::Eta => numbers(one.eta_seconds, other.eta_seconds),
        Column::Elapsed => match (elapsed_ms(one, now_ms), elapsed_ms(other, now_ms)) {
            (Some(one), Some(other)) => turned(one.cmp(&other)),
            (one, other) => other.is_some().cmp(&one.is_some()),
        },
    }
}

/// Whether `text` contains `part`, ignoring the case of ASCII letters, without an allocation.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn job(id: &str, status: JobStatus, provider: &str) -> Job {
        let json = format!(
            r#"{{"id":"{id}","daemon":"d1","name":"export {id}","vm":"/dc/vm/{id}","provider":"{provider}","status":"pending",
            "percent":null,"bytes_transferred":null,"bytes_total":null,"rate_bytes_per_second":null,"eta_seconds":null,
            "created_at":null,"started_at":null,"completed_at":null,"updated_at":null}}"#
        );
        Job { status, ..serde_json::from_str(&json).unwrap() }
    }

    fn jobs() -> Vec<Job> {
        let done = Job { error: Some("Disk is full".into()), ..job("a", JobStatus::Failed, "aws") };
        let running = Job { percent: Some(40.0), started_at: Some(1_000), ..job("b", JobStatus::Running, "kvm") };
        let other = Job { percent: Some(60.0), started_at: Some(500), ..job("c", JobStatus::Running, "aws") };
        vec![done, running, other, job("d", JobStatus::Pending, "kvm")]
    }

    fn chosen(choice: &Choice) -> String {
        let jobs = jobs();
        choice.select(&jobs, 2_000).into_iter().map(|index| jobs[index].id.as_str()).collect()
    }

    #[test]
    fn running_jobs_come_first() {
        assert_eq!(chosen(&Choice::default()), "bcda");
    }

    #[test]
    fn filters_combine() {
        assert_eq!(chosen(&Choice { provider: Some("aws".into()), ..Choice::default() }), "ca");
        assert_eq!(
            chosen(&Choice { status: Some(JobStatus::Running), text: "EXPORT C".into(), ..Choice::default() }),
            "c"
        );
        assert_eq!(chosen(&Choice { text: " disk ".into(), ..Choice::default() }), "a");
        assert_eq!(chosen(&Choice { text: "a name longer than any of the fields is".into(), ..Choice::default() }), "");
        assert_eq!(providers(&jobs()), ["aws", "kvm"]);
    }

    #[test]
    fn unknown_values_come_last_in_either_direction() {
        let by = |column, falling| chosen(&Choice { order: Some((column, falling)), ..Choice::default() });
        assert_eq!(by(Column::Progress, true), "cbad");
        assert_eq!(by(Column::Progress, false), "bcad");
        assert_eq!(by(Column::Elapsed, true), "cbad");
        assert_eq!(by(Column::Name, true), "dcba");
    }
}
