//! Lists whose items stay while their keys stay. All have the same type of key: Leptos' differences between lists are generated for
//! each type, and are large.

use std::sync::Arc;

use leptos::prelude::*;

use crate::view::view;

/// Names an item of a list: in two parts, for what is named by two words.
pub(crate) type Key = (String, String);

/// An item for each key. It is drawn when its key comes and goes with its key.
pub(crate) fn list(keys: Memo<Vec<Key>>, item: impl Fn(Key) -> AnyView + Send + Sync + 'static) -> AnyView {
    items(keys, Arc::new(item))
}

fn items(keys: Memo<Vec<Key>>, item: Arc<dyn Fn(Key) -> AnyView + Send + Sync>) -> AnyView {
    view! { <For each=move || keys.get() key=Clone::clone children=move |key| item(key) /> }
}
