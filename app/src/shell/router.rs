//! Routes from paths to pages, from the table [`PAGES`](model::route::PAGES). On the server leptos_router uses it. In the browser leptos_router would
//! add 28 kB to the download, so [`ShownPage::at`] looks up the path instead.

use leptos::prelude::*;
use model::{
    page::Boot,
    route::{PageKind, PageRoute},
};
use percent_encoding::percent_decode_str;

use crate::pages::{NotFoundPage, PageSet};

/// A page of the table, with the values of its path parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownPage {
    pub(crate) kind: PageKind,
    pub(crate) values: Vec<String>,
}

impl ShownPage {
    /// The page at `path`, if the session of `boot` may open it.
    pub(crate) fn at(path: &str, boot: &Boot) -> Option<Self> {
        let (route, values) = PageRoute::at(path)?;
        is_open(route, boot).then(|| Self::of(route, values.into_iter()))
    }

    /// The page of `route`. A dashboard with a path of its own gets its uid as the parameter.
    fn of(route: PageRoute, values: impl Iterator<Item = String>) -> Self {
        let home = route.home_of.map(str::to_owned);
        ShownPage { kind: route.kind, values: home.into_iter().chain(values).collect() }
    }
}

/// Whether the session of `boot` may open the page. A session that is limited to some dashboards has few other pages.
fn is_open(route: PageRoute, boot: &Boot) -> bool {
    boot.reach().has(route.kind) && route.home_of.is_none_or(|uid| boot.dashboards.iter().any(|link| link.uid == uid))
}

/// The page at the path of the request.
#[cfg(feature = "ssr")]
#[component]
pub(super) fn Routes(pages: PageSet) -> impl IntoView {
    use leptos::tachys::view::iterators::StaticVec;
    use leptos_router::{
        NestedRoute,
        components::{FlatRoutes, FlatRoutesProps, RouteChildren},
        hooks::use_params_map,
    };
    use model::route::PAGES;

    let boot = super::Page::get().boot();
    let routes = PAGES.into_iter().filter(|route| is_open(*route, &boot)).map(|route| {
        NestedRoute::new(table::Path(route), move || {
            let values = use_params_map();
            let values =
                route.parameters().map(|name| values.with_untracked(|values| values.get(name).unwrap_or_default()));
            page_view(pages, Some(ShownPage::of(route, values)))
        })
    });
    let children = RouteChildren::to_children(|| StaticVec::from(routes.collect::<Vec<_>>()));
    FlatRoutes(FlatRoutesProps { fallback: move || page_view(pages, None), transition: false, children })
}

/// The page at the browser's current URL.
#[cfg(not(feature = "ssr"))]
#[component]
pub(super) fn Routes(pages: PageSet) -> impl IntoView {
    let page = super::Page::get();
    let shown = Memo::new(move |_| page.location.path.with(|path| ShownPage::at(path, &page.boot())));
    move || page_view(pages, shown.get())
}

fn page_view(pages: PageSet, shown: Option<ShownPage>) -> AnyView {
    let view = shown.and_then(|ShownPage { kind, values }| (pages.view_of)(kind, values));
    view.unwrap_or_else(|| crate::view::view! { <NotFoundPage /> })
}

#[cfg(feature = "ssr")]
mod table {
    //! The table's paths as route matches of leptos_router.

    use leptos_router::{PartialPathMatch, PathSegment, PossibleRouteMatch};
    use model::route::{PageRoute, parameter_in};

    #[derive(Debug, Clone, Copy)]
    pub(super) struct Path(pub(super) PageRoute);

    impl PossibleRouteMatch for Path {
        fn optional(&self) -> bool {
            false
        }

        fn test<'a>(&self, path: &'a str) -> Option<PartialPathMatch<'a>> {
            let values = self.0.values_in(path)?.into_iter().map(str::to_owned);
            let params = self.0.parameters().map(Into::into).zip(values).collect();
            Some(PartialPathMatch::new("", params, path))
        }

        fn generate_path(&self, path: &mut Vec<PathSegment>) {
            path.extend(self.0.path.split('/').skip(1).map(|segment| {
                parameter_in(segment).map_or_else(
                    || PathSegment::Static(segment.to_owned().into()),
                    |name| PathSegment::Param(name.to_owned().into()),
                )
            }));
        }
    }
}

/// The decoded value of the parameter `name` in a URL's query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(&value.replace('+', " ")))
}

/// `text` without percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "from=2026-11-20T12%3A00&to=now&note=a+b&flag";
        assert_eq!(parameter(query, "from").as_deref(), Some("2026-11-20T12:00"));
        assert_eq!(parameter(query, "note").as_deref(), Some("a b"));
        assert_eq!(parameter(query, "flag").as_deref(), Some(""));
        assert_eq!(parameter(query, "rom"), None);
    }
}
