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
use axum::response::{IntoResponse, Response};
use chat_core::auth::Login;
use chat_core::proto::User;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::CallerId;
use crate::state::Api;

/// Somebody who has just logged in: the token for programs, the cookie for browsers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedIn<'a> {
    user: &'a User,
    token: &'a str,
    expires_at: Timestamp,
}

/// Ends the connections of the sessions that had to go for this login, and hands the login out.
fn logged_in(api: &Api, status: StatusCode, login: &Login) -> Response {
    api.chat.end_logins(&login.user.id, &login.ended);
    let expires_at = login.session.expires_at;
    let cookie = api.config.session_cookie.issue(&login.token, expires_at, Timestamp::now());
    let body = LoggedIn { user: &login.user, token: login.token.expose_secret(), expires_at };
    let mut response = (status, [(SET_COOKIE, cookie)], Json(body)).into_response();
    response.extensions_mut().insert(CallerId(login.user.id.clone()));
    response
}
