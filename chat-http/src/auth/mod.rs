//! `/auth`: who is asking, and the engine's own accounts.

mod login;
mod me;
mod password;
mod register;
pub(crate) mod sessions;

pub(crate) use login::{login, logout};
pub(crate) use me::me;
pub(crate) use password::change_password;
pub(crate) use register::register;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use chat_core::auth::Login;
use chat_core::proto::User;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::CallerId;
use crate::state::Api;

/// Somebody who has just logged in: the tokens for programs, and the same in cookies for browsers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedIn<'a> {
    user: &'a User,
    token: &'a str,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<&'a str>,
}

/// Ends the connections of the sessions that had to go for this login, and hands the login out.
fn logged_in(api: &Api, status: StatusCode, login: &Login) -> Response {
    api.chat.end_logins(&login.user.id, &login.ended);
    let expires_at = login.session.expires_at;
    let (cookies, now) = (api.config.session_cookie, Timestamp::now());
    let session = Some((SET_COOKIE, cookies.issue(&login.token, expires_at, now)));
    let device = login.device.as_ref();
    let set = [session, device.map(|device| (SET_COOKIE, cookies.issue_device(device, now)))];
    let body = LoggedIn {
        user: &login.user,
        token: login.token.expose_secret(),
        expires_at,
        device_token: device.map(|device| device.token.expose_secret()),
    };
    let set = AppendHeaders(set.into_iter().flatten());
    let mut response = (status, set, Json(body)).into_response();
    response.extensions_mut().insert(CallerId(login.user.id.clone()));
    response
}
