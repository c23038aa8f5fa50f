//! The messages of a conversation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chat_core::Chat;
use chat_core::proto::{
    ClientId, ConversationId, HistoryPage, HistoryRequest, Message, MessageSend,
};
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::extract::{Base, Caller, JsonBody, Params, PathId};
use crate::problem::Problem;

/// `GET /conversations/{id}/messages`: the last page, unless `cursor`, `before`, `after`, `around`
/// or `offset` says where.
pub(crate) async fn list(
    State(chat): State<Chat>,
    caller: Caller,
    PathId(conversation_id): PathId<ConversationId>,
    params: Params,
) -> Answer<HistoryPage> {
    let request = HistoryRequest {
        conversation_id,
        before: params.number("before")?,
        after: params.number("after")?,
        around: params.number("around")?,
        offset: params.number("offset")?,
        cursor: params.cursor()?,
        limit: params.limit()?,
    };
    Ok(Json(chat.history(&caller.actor, &request).await?))
}

/// What is sent. Where to is told by the path alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    content: String,
    client_id: Option<ClientId>,
}

/// The message, as it is told everywhere, and what only its sender is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentMessage {
    #[serde(flatten)]
    message: Message,
    /// Whether the other user of a direct conversation is online; absent in a room.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_online: Option<bool>,
}

/// `POST /conversations/{id}/messages`: 201 for a message that is stored now, and 200 with the
/// original one for a repeat of its `clientId`.
pub(crate) async fn send(
    State(chat): State<Chat>,
    caller: Caller,
    base: Base,
    PathId(conversation_id): PathId<ConversationId>,
    JsonBody(body): JsonBody<Body>,
) -> Result<impl IntoResponse, Problem> {
    let send = MessageSend { conversation_id, client_id: body.client_id, content: body.content };
    let sent = chat.send(&caller.actor, send).await?;
    let status = if sent.repeated { StatusCode::OK } else { StatusCode::CREATED };
    let location = base.location(format_args!("/messages/{}", sent.message.id));
    let message = SentMessage { message: sent.message, recipient_online: sent.recipient_online };
    Ok((status, location, Json(message)))
}
