//! The program of the static bundle: dashboards, job pages and kiosk displays. Their data comes from a hyperscope server if there is one, else from
//! the daemon.

fn main() {
    app::start_standalone();
}
