//! `/rooms`: those that anybody may enter.

use axum::Json;
use axum::extract::State;
use chat_core::Chat;
use chat_core::proto::{Conversation, ConversationSummary, ConversationTarget, Page, RoomName};
use serde::Deserialize;

use crate::answer::Answer;
use crate::extract::{Caller, JsonBody, Params};
use crate::problem::Problem;

/// `GET /rooms`: public rooms, in the order of their names.
pub(crate) async fn list(
    State(chat): State<Chat>,
    caller: Caller,
    params: Params,
) -> Answer<Page<Conversation>> {
    let cursor = params.cursor()?;
    Ok(Json(chat.rooms(&caller.actor, cursor.as_ref(), params.limit()?).await?))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    name: String,
}

/// `POST /rooms/join`: joins a public room by its name. Where rooms are made on first join, an
/// unknown name makes one.
pub(crate) async fn join(
    State(chat): State<Chat>,
    caller: Caller,
    JsonBody(body): JsonBody<Body>,
) -> Answer<ConversationSummary> {
    let name = RoomName::parse(&body.name).map_err(|error| Problem::text("name", &error))?;
    let room = ConversationTarget { conversation_id: None, name: Some(name) };
    Ok(Json(chat.join_room(&caller.actor, &room).await?))
}
