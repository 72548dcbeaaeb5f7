//! The program that dashboards, job pages and kiosk displays load.

fn main() {
    app::start::start(app::VIEWER);
}
