//! Canvases of a plot box: their size in device pixels, and the scheduling of their drawing.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use leptos::{html::Canvas, prelude::*, reactive::graph::untrack};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Size of a canvas in device pixels, and the number of device pixels for each pixel of a line's width: those of a CSS pixel, and more on a wall,
/// where all lengths grow.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) ratio: f64,
}

/// Ends the observation when it is dropped.
struct Watch {
    observer: web_sys::ResizeObserver,
    _on_resize: Closure<dyn FnMut()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// How much larger all lengths of the style sheet are than on a desk: a rem is ten pixels there.
fn lengths() -> f64 {
    let style = document().document_element().and_then(|root| window().get_computed_style(&root).ok()?);
    let rem = style.and_then(|style| style.get_property_value("font-size").ok());
    let rem = rem.map_or(f64::NAN, |rem| js_sys::Number::parse_float(&rem));
    if rem.is_finite() { rem / 10.0 } else { 1.0 }
}

/// The current size of a canvas. Zero until it is on the page.
pub(super) fn size_of(element: NodeRef<Canvas>) -> Signal<Size> {
    let size = RwSignal::new(Size::default());
    Effect::new(move |_| {
        let Some(canvas) = element.get() else { return };
        let measured = canvas.clone();
        let on_resize = Closure::<dyn FnMut()>::new(move || {
            let ratio = window().device_pixel_ratio().clamp(0.5, 4.0);
            let pixels = |css: i32| (f64::from(css) * ratio).round();
            let (width, height) = (pixels(measured.client_width()), pixels(measured.client_height()));
            let now = Size { width, height, ratio: ratio * lengths() };
            if size.get_untracked() != now {
                size.set(now);
            }
        });
        let Ok(observer) = web_sys::ResizeObserver::new(on_resize.as_ref().unchecked_ref()) else { return };
        observer.observe(&canvas);
        let watch = StoredValue::new_local(Watch { observer, _on_resize: on_resize });
        on_cleanup(move || watch.dispose());
    });
    size.into()
}

/// Sets the size of a canvas, which clears it if the size changes, and returns its context. `None` while it has no area.
pub(super) fn prepare(canvas: &HtmlCanvasElement, size: Size) -> Option<CanvasRenderingContext2d> {
    if size.width < 1.0 || size.height < 1.0 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole, positive, and no larger than a screen
    let (width, height) = (size.width as u32, size.height as u32);
    if canvas.width() != width {
        canvas.set_width(width);
    }
    if canvas.height() != height {
        canvas.set_height(height);
    }
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

thread_local! {
    /// The functions that draw the canvases of the page.
    static DRAWINGS: RefCell<Vec<Weak<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
    /// Those to call before the next frame.
    static DUE: RefCell<Vec<Weak<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
}

/// Draws all canvases immediately, because a browser shows no frame between the event `beforeprint` and the print.
pub(super) fn draw_all() {
    let drawings = DRAWINGS.with_borrow(Clone::clone);
    draw_each(&drawings);
}

/// Draws what is due.
fn draw_due() {
    let due = DUE.take();
    draw_each(&due);
}

fn draw_each(drawings: &[Weak<dyn Fn()>]) {
    drawings.iter().filter_map(Weak::upgrade).for_each(|draw| untrack(|| draw()));
}

/// Calls `draw` before the next frame after a change of the signals that `watch` reads, once for any number of changes. All canvases of the page are
/// drawn in one frame. A hidden page has no frames, so it draws nothing.
pub(super) fn on_frame(watch: impl Fn() + 'static, draw: impl Fn() + 'static) {
    let is_due = StoredValue::new(false);
    let draw: Rc<dyn Fn()> = Rc::new(move || {
        // `None` means that the value was set, so the chart still exists.
        if is_due.try_set_value(false).is_none() {
            draw();
        }
    });
    DRAWINGS.with_borrow_mut(|drawings| {
        drawings.retain(|drawing| drawing.strong_count() > 0);
        drawings.push(Rc::downgrade(&draw));
    });
    Effect::new(move |_| {
        watch();
        if is_due.try_update_value(|is_due| std::mem::replace(is_due, true)) == Some(false) {
            let is_first = DUE.with_borrow_mut(|due| {
                due.push(Rc::downgrade(&draw));
                due.len() == 1
            });
            if is_first {
                request_animation_frame(draw_due);
            }
        }
    });
}
