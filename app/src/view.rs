//! The macro that all views are written with.

use leptos::prelude::*;

/// Leptos' `view!`, with the type of the view erased.
///
/// The code that builds, hydrates and updates a view is generated once for each type, and each nested view has a type of its own.
/// With one type for all, the bundle is a tenth smaller.
macro_rules! view {
    ($($tokens:tt)*) => {{
        #[allow(unused_imports)] // a view that begins with an element has an inherent `erase`
        use $crate::view::Erase as _;
        $crate::view::Root(leptos::prelude::view! { $($tokens)* }).erase()
    }};
}
pub(crate) use view;

/// HTML that only browsers without scripts show, for the `inner_html` of an element of the class `needs-no-script`. It is empty in the browser's
/// programs: hydration leaves the content of the element as it is.
#[cfg_attr(not(feature = "ssr"), allow(clippy::needless_pass_by_value))] // `draw` is not called there
pub(crate) fn without_scripts(draw: impl FnOnce() -> AnyView) -> String {
    #[cfg(feature = "ssr")]
    return draw().to_html();
    #[cfg(not(feature = "ssr"))]
    {
        let _ = draw;
        String::new()
    }
}

/// The result of Leptos' `view!` before its type is erased.
pub(crate) struct Root<T>(pub(crate) T);

impl<T: RenderHtml + Send> Root<View<T>> {
    /// Erases an element without its `View` wrapper, so that the code of the element is generated once for both uses: as the root of a view,
    /// and nested in one.
    pub(crate) fn erase(self) -> AnyView {
        self.0.into_inner().into_any()
    }
}

/// Erases the type of a view that is not a single element.
pub(crate) trait Erase {
    fn erase(self) -> AnyView;
}

impl<T: RenderHtml + Send> Erase for Root<T> {
    fn erase(self) -> AnyView {
        self.0.into_any()
    }
}
