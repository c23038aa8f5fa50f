//! `/auth/sessions`: where the user is logged in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chat_core::proto::{LoginSessionId, Page};
use chat_core::store::LoginSession;
use jiff::Timestamp;
use serde::Serialize;

use super::login::forget_cookie;
use crate::answer::{Answer, whole_list};
use crate::extract::{Caller, PathId};
use crate::problem::Problem;
use crate::state::AccountsApi;

/// A login session, as its user sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    id: LoginSessionId,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// Whether it is the session behind this request.
    current: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    /// How many sessions ended.
    ended: usize,
}

/// `GET /auth/sessions`.
pub(crate) async fn list(
    State(AccountsApi { accounts, .. }): State<AccountsApi>,
    caller: Caller,
) -> Answer<Page<SessionView>> {
    let current = caller.identity.login;
    let view = |session: LoginSession| SessionView {
        current: current == Some(session.id),
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        user_agent: session.user_agent,
    };
    let sessions = accounts.sessions(&caller.user.id).await?;
    Ok(whole_list(sessions.into_iter().map(view).collect()))
}

/// `DELETE /auth/sessions/{id}`.
pub(crate) async fn end(
    State(AccountsApi { api, accounts }): State<AccountsApi>,
    caller: Caller,
    PathId(session): PathId<LoginSessionId>,
) -> Result<Response, Problem> {
    if !accounts.end_session(&caller.user.id, session).await? {
        return Err(Problem::not_found());
    }
    api.chat.end_logins(&caller.user.id, &[session]);
    if caller.identity.login == Some(session) {
        return Ok((StatusCode::NO_CONTENT, forget_cookie(&api)).into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /auth/sessions`: ends all but the one behind this request.
pub(crate) async fn end_others(
    State(AccountsApi { api, accounts }): State<AccountsApi>,
    caller: Caller,
) -> Answer<Ended> {
    let ended = accounts.end_sessions(&caller.user.id, caller.identity.login).await?;
    api.chat.end_logins(&caller.user.id, &ended);
    Ok(Json(Ended { ended: ended.len() }))
}
