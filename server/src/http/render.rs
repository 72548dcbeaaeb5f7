//! `/render/d/{uid}.png`, `/render/d/{uid}/{panel}.png`, and the same with `.svg`.

use std::time::Duration;

use access::{Action, Principal};
use app::picture::Setting;
use axum::{
    extract::{OriginalUri, Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use dashboards::DashboardRegistry;
use model::{clock::now_ms, dashboard::Dashboard, range::TimeRange};
use render::{
    AlertPictures, Format, ParamsError, PictureFailure, PictureLinks, Pictures, RenderRequest, Subject, params,
};

use super::{Rights, Route, Who, api::error::ApiError, pages, slices::PanelState};
use crate::state::AppState;

/// Maximum time to wait for an image's data.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long clients may cache images of a past time range, in seconds.
const PAST_KEPT: i64 = 600;
/// How long clients may cache images of a live time range, at most.
const LIVE_KEPT: i64 = 60;

/// The routes: images for viewers of pages, and images of alerts by signed links.
pub(crate) fn routes() -> Vec<Route<AppState>> {
    vec![
        Route::get("/render/d/{file}", Rights::PAGES, dashboard),
        Route::get("/render/d/{uid}/{file}", Rights::PAGES, panel),
        Route::get("/render/alert/{file}", Rights::OPEN, alert),
        Route::delete("/api/picture-links", Rights::OF_ALL.of(Who::Admins), withdraw_links),
    ]
}

impl From<ParamsError> for ApiError {
    fn from(error: ParamsError) -> Self {
        match error {
            ParamsError::Invalid(message) => ApiError::bad_request(message),
            ParamsError::NotFound(message) => ApiError::not_found(message),
        }
    }
}

/// `DELETE /api/picture-links`: invalidates all signed links that exist.
async fn withdraw_links(
    State(picture_links): State<PictureLinks>,
    principal: Principal,
) -> Result<StatusCode, ApiError> {
    let withdrawn = picture_links.withdraw();
    withdrawn.map_err(|error| ApiError::internal("the links to pictures could not be withdrawn", error))?;
    principal.actor().did(Action::WithdrawPictureLinks, "", "");
    Ok(StatusCode::NO_CONTENT)
}

/// The image of a signed link.
async fn alert(
    State(alert_pictures): State<AlertPictures>,
    State(picture_links): State<PictureLinks>,
    Path(file): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let gone = || ApiError::not_found("this link leads to no picture: it is not whole, or its time is over");
    let query = uri.query().unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(candidate, _)| candidate == name).map(|(_, value)| value.into_owned())
    };
    let name = file.strip_suffix(".png").ok_or_else(gone)?;
    let until = value("until").and_then(|until| until.parse().ok()).ok_or_else(gone)?;
    let signature = value("signature").ok_or_else(gone)?;
    let subject = picture_links.open(name, until, &signature, now_ms()).ok_or_else(gone)?;
    let body = alert_pictures.draw(&subject).await.map_err(refused)?;
    let left_secs = until.saturating_sub(now_ms() / 1_000).clamp(0, PAST_KEPT);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(Format::Png.media_type())),
        (header::CACHE_CONTROL, text(&format!("private, max-age={left_secs}"))),
    ];
    Ok((headers, body).into_response())
}

async fn dashboard(
    State(library): State<DashboardRegistry>,
    State(panels): State<PanelState>,
    State(pictures): State<Pictures>,
    principal: Principal,
    Path(file): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let now_ms = now_ms();
    let (name, format) = params::named(&file)?;
    let wanted = params::RenderParams::parse(uri.query().unwrap_or_default(), now_ms)?;
    let dashboard = seen(&library, &principal, name)?;
    let size = wanted.dashboard_size(dashboard);
    check_size(&pictures, size)?;
    let _begun = pictures.begin().map_err(refused)?;
    let data = pages::panels(&panels, principal.scope(), dashboard, wanted.range, now_ms, PATIENCE).await;
    let setting = Setting::new(wanted.range, now_ms, wanted.theme, data.values()).in_zone(wanted.zone);
    let what = Subject::Dashboard(Box::new(dashboard.clone()), data);
    answer(&pictures, RenderRequest { what, setting, size, zoom: 1.0 }, format, wanted.range, name).await
}

async fn panel(
    State(library): State<DashboardRegistry>,
    State(panels): State<PanelState>,
    State(pictures): State<Pictures>,
    principal: Principal,
    Path((uid, file)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let now_ms = now_ms();
    let (id, format) = params::named(&file)?;
    let wanted = params::RenderParams::parse(uri.query().unwrap_or_default(), now_ms)?;
    let panel = params::panel_of(seen(&library, &principal, &uid)?, id)?;
    let size = (wanted.width.unwrap_or(params::PANEL.0), wanted.height.unwrap_or(params::PANEL.1));
    check_size(&pictures, size)?;
    let _begun = pictures.begin().map_err(refused)?;
    let data = pages::panel_data(&panels, principal.scope(), panel, wanted.range, now_ms, PATIENCE).await;
    let setting = Setting::new(wanted.range, now_ms, wanted.theme, [&data]).in_zone(wanted.zone);
    let what = Subject::Panel(Box::new(panel.clone()), data);
    answer(&pictures, RenderRequest { what, setting, size, zoom: 1.0 }, format, wanted.range, &format!("{uid}-{id}"))
        .await
}

/// A dashboard that a session may see.
fn seen<'a>(library: &'a DashboardRegistry, principal: &Principal, uid: &str) -> Result<&'a Dashboard, ApiError> {
    let dashboard = library.get(uid).filter(|dashboard| principal.may_see(&dashboard.uid));
    dashboard.ok_or_else(|| {
        let seen: Vec<String> = library.links(&principal.session).into_iter().map(|link| link.uid).collect();
        ApiError::not_found(format!("there is no dashboard {uid:?} that you may see: use one of {}", seen.join(", ")))
    })
}

/// Rejects a size before any data is queried.
fn check_size(pictures: &Pictures, (width, height): (u32, u32)) -> Result<(), ApiError> {
    let most = pictures.most_pixels();
    if u64::from(width) * u64::from(height) <= most {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "{width} x {height} pixels are more than the {most} of a picture: ask for less width or height, or raise limits.picture_pixels"
    )))
}

fn refused(failure: PictureFailure) -> ApiError {
    match &failure {
        PictureFailure::Busy => ApiError::busy(failure.to_string()),
        PictureFailure::Picture(_) | PictureFailure::TooLarge => ApiError::bad_request(failure.to_string()),
        PictureFailure::Broken => ApiError::internal("the picture could not be drawn", failure),
    }
}

async fn answer(
    pictures: &Pictures,
    order: RenderRequest,
    format: Format,
    range: TimeRange,
    name: &str,
) -> Result<Response, ApiError> {
    let now_ms = order.setting.now_ms;
    let body = pictures.draw(order, format).await.map_err(refused)?;
    let kept = match range.resolve(now_ms).1 < now_ms.saturating_sub(LIVE_KEPT * 1_000) {
        true => PAST_KEPT,
        false => (range.step_ms(now_ms) / 1_000).clamp(1, LIVE_KEPT),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CACHE_CONTROL, text(&format!("private, max-age={kept}"))),
        (header::VARY, HeaderValue::from_static("authorization, x-api-key, cookie")),
        (header::CONTENT_DISPOSITION, text(&format!("inline; filename=\"{name}.{}\"", format.extension()))),
    ];
    Ok((headers, body).into_response())
}

/// A header value of safe characters.
fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("inline"))
}
