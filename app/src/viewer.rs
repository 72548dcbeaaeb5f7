//! The program that dashboards, jobs and walls load.

fn main() {
    app::start::start(app::VIEWER);
}
