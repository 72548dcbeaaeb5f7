//! Keyed lists. All have the same type of key, because the code that compares two lists is large, and Leptos generates it for each type.

use std::sync::Arc;

use leptos::prelude::*;

use crate::view::view;

/// Key of an item. It has two parts for items that need two names, such as daemon and job.
pub(crate) type Key = (String, String);

/// A list with an item for each key. An item is created and removed with its key.
pub(crate) fn list(keys: Memo<Vec<Key>>, item: impl Fn(Key) -> AnyView + Send + Sync + 'static) -> AnyView {
    items(keys, Arc::new(item))
}

fn items(keys: Memo<Vec<Key>>, item: Arc<dyn Fn(Key) -> AnyView + Send + Sync>) -> AnyView {
    view! { <For each=move || keys.get() key=Clone::clone children=move |key| item(key) /> }
}
