use access::Visible;
use model::job::Job;

fn seen(jobs: Vec<Job>) -> Visible<Vec<Job>> {
    Visible(jobs)
}

fn main() {}
