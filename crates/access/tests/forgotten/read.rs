use access::Restricted;
use model::job::Job;

fn names(jobs: Restricted<Vec<Job>>) -> Vec<String> {
    jobs.iter().map(|job| job.name.clone()).collect()
}

fn main() {}
