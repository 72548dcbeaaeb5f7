//! The macro that all views are written with.

/// Leptos' `view!`, with the type of the view forgotten at once.
///
/// What builds, hydrates and updates a view is generated anew for each type of view, and types of nested views are all
/// different. As one type, the bundle is smaller by a tenth.
macro_rules! view {
    ($($tokens:tt)*) => {
        leptos::prelude::IntoAny::into_any(leptos::prelude::view! { $($tokens)* })
    };
}
pub(crate) use view;
