//! The program of the static bundle: dashboards, jobs and walls, from a server where there is one, and else from the daemon itself.

fn main() {
    app::start_standalone();
}
