//! The macro that all views are written with.

use leptos::prelude::*;

/// Leptos' `view!`, with the type of the view forgotten at once.
///
/// What builds, hydrates and updates a view is generated again for each type of view, and types of nested views are all
/// different. As one type, the bundle is smaller by a tenth.
macro_rules! view {
    ($($tokens:tt)*) => {{
        #[allow(unused_imports)] // a view that begins with an element has a method of its own for it
        use $crate::view::Erase as _;
        $crate::view::Root(leptos::prelude::view! { $($tokens)* }).erase()
    }};
}
pub(crate) use view;

/// A view that only browsers without scripts show, as the `inner_html` of an element of the class `needs-no-script`. The programs do not have it:
/// they take over what is in the element as it is.
#[cfg_attr(not(feature = "ssr"), allow(clippy::needless_pass_by_value))] // there, it is not drawn
pub(crate) fn without_scripts(draw: impl FnOnce() -> AnyView) -> String {
    #[cfg(feature = "ssr")]
    return draw().to_html();
    #[cfg(not(feature = "ssr"))]
    {
        let _ = draw;
        String::new()
    }
}

/// What `view!` gives.
pub(crate) struct Root<T>(pub(crate) T);

impl<T: RenderHtml + Send> Root<View<T>> {
    /// An element without its wrapper: it is generated once then, for the tops of views and for what is nested in them.
    pub(crate) fn erase(self) -> AnyView {
        self.0.into_inner().into_any()
    }
}

/// Forgets the type of a view that is no element.
pub(crate) trait Erase {
    fn erase(self) -> AnyView;
}

impl<T: RenderHtml + Send> Erase for Root<T> {
    fn erase(self) -> AnyView {
        self.0.into_any()
    }
}
