use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use chat_core::proto::{LoginSessionId, User};
use jiff::Timestamp;
use serde::Serialize;

use crate::extract::Caller;
use crate::problem::Problem;
use crate::state::Api;

/// The user who asks, and the end of the credential used.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Me {
    #[serde(flatten)]
    user: User,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<LoginSessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// `GET /auth/me`.
///
/// A login session lasts longer each time it is used, and its cookie with it: a browser, whose
/// pages ask this first, is handed the same token again with the session's new end.
pub(crate) async fn me(State(api): State<Api>, caller: Caller) -> Result<Response, Problem> {
    let Caller { user, identity, cookie, .. } = caller;
    let renewed = match (cookie, identity.login, identity.expires_at) {
        (Some(token), Some(_), Some(end)) => {
            let cookie = api.config.session_cookie.issue(&token, end, Timestamp::now());
            Some((SET_COOKIE, cookie))
        }
        _ => None,
    };
    let me = Me { user, session_id: identity.login, expires_at: identity.expires_at };
    Ok((AppendHeaders(renewed), Json(me)).into_response())
}
