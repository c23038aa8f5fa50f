//! Who takes part in a conversation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat_core::Chat;
use chat_core::proto::{
    ConversationId, ConversationSummary, ConversationTarget, MemberProfile, Page,
};

use crate::answer::Answer;
use crate::extract::{Caller, Params, PathId};
use crate::problem::Problem;

/// `GET /conversations/{id}/members`.
pub(crate) async fn list(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
    params: Params,
) -> Answer<Page<MemberProfile>> {
    let cursor = params.cursor()?;
    Ok(Json(chat.members(&caller.actor, id, cursor.as_ref(), params.limit()?).await?))
}

/// `POST /conversations/{id}/join`. Joining again changes nothing.
pub(crate) async fn join(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
) -> Answer<ConversationSummary> {
    let room = ConversationTarget { conversation_id: Some(id), name: None };
    Ok(Json(chat.join_room(&caller.actor, &room).await?))
}

/// `POST /conversations/{id}/leave`. The last member says `confirm=true`.
pub(crate) async fn leave(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
    params: Params,
) -> Result<StatusCode, Problem> {
    chat.leave_room(&caller.actor, id, params.flag("confirm")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
