//! The program that the pages for alerts, Explore and settings load.

fn main() {
    app::start::start(app::WORKBENCH);
}
