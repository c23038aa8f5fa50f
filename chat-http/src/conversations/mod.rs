//! `/conversations`: those of the user who asks.

mod create;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod receipts;
pub(crate) mod typing;

pub(crate) use create::create;

use axum::Json;
use axum::extract::State;
use chat_core::Chat;
use chat_core::proto::{ConversationId, ConversationSummary, Page, PeerTarget};
use chat_core::store::UnreadTotal;

use crate::answer::Answer;
use crate::extract::{ActingCaller, Caller, Params, PathId};

/// `GET /conversations`: the most recently active first.
pub(crate) async fn list(
    State(chat): State<Chat>,
    caller: Caller,
    params: Params,
) -> Answer<Page<ConversationSummary>> {
    let cursor = params.cursor()?;
    Ok(Json(chat.conversations(&caller.actor, cursor.as_ref(), params.limit()?).await?))
}

/// `GET /conversations/unread-count`.
pub(crate) async fn unread_count(State(chat): State<Chat>, caller: Caller) -> Answer<UnreadTotal> {
    Ok(Json(chat.unread(&caller.actor).await?))
}

/// `GET /conversations/{id}`.
pub(crate) async fn show(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(id): PathId<ConversationId>,
) -> Answer<ConversationSummary> {
    Ok(Json(chat.conversation(&caller.actor, id).await?))
}

/// `GET /conversations/with/{username}`: the direct conversation with a user, made on first use.
/// Where no user has that name, it is read as an id.
pub(crate) async fn with(
    State(chat): State<Chat>,
    ActingCaller(caller): ActingCaller,
    PathId(username): PathId<String>,
) -> Answer<ConversationSummary> {
    let peer = PeerTarget { user_id: None, username: Some(username) };
    Ok(Json(chat.open_direct(&caller.actor, &peer).await?))
}
