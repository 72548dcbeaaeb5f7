//! The browser's entry.

fn main() {
    app::start::start();
}
