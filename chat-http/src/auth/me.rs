use axum::Json;
use chat_core::proto::{LoginSessionId, User};
use jiff::Timestamp;
use serde::Serialize;

use crate::answer::Answer;
use crate::extract::Caller;

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
pub(crate) async fn me(caller: Caller) -> Answer<Me> {
    Ok(Json(Me {
        user: caller.user,
        session_id: caller.identity.login,
        expires_at: caller.identity.expires_at,
    }))
}
