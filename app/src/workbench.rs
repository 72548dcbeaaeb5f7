//! The program that alerts, Explore and settings load.

fn main() {
    app::start::start(app::WORKBENCH);
}
