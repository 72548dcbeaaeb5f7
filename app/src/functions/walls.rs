//! What the page of the walls asks for.

#![allow(missing_docs)] // the macro makes a struct of each function's arguments, whose fields have the names of those

use leptos::{prelude::*, server_fn::error::ServerFnError};
use model::route::{PageKind, PageRoute};

use super::{Change, carry_out};

/// Has a wall show something else.
///
/// # Errors
/// There is no such wall, it has no such dashboard, or the sender may not.
#[server(name = SteerWall, prefix = "/do", endpoint = "steer-wall")]
pub async fn steer_wall(
    name: String,
    action: String,
    #[server(default)] dashboard: String,
) -> Result<(), ServerFnError> {
    let page = PageRoute::path_of(PageKind::Walls);
    carry_out(Change::SteerWall { name, action, dashboard }, page, page).await
}
