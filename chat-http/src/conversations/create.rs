use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chat_core::Chat;
use chat_core::proto::{
    ConversationKind, CreateRoom, PeerTarget, RoomName, Topic, UserId, Visibility,
};
use serde::Deserialize;

use crate::extract::{Base, Caller, JsonBody};
use crate::problem::Problem;

/// What is opened. Texts are read as they are and accepted afterwards, so that a refusal has the
/// code of what is wrong with the text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    kind: Option<ConversationKind>,
    name: Option<String>,
    visibility: Option<Visibility>,
    topic: Option<String>,
    user_id: Option<UserId>,
    username: Option<String>,
}

/// `POST /conversations`: makes a room (201), or opens the direct conversation with a user, which
/// is the same one every time (200). Without a `kind`, it is a room.
pub(crate) async fn create(
    State(chat): State<Chat>,
    caller: Caller,
    base: Base,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    match body.kind.unwrap_or(ConversationKind::Room) {
        ConversationKind::Direct => {
            let peer = body.peer()?;
            Ok(Json(chat.open_direct(&caller.actor, &peer).await?).into_response())
        }
        ConversationKind::Room => {
            let room = chat.create_room(&caller.actor, body.room()?).await?;
            let location = base.location(format_args!("/conversations/{}", room.conversation_id));
            Ok((StatusCode::CREATED, location, Json(room)).into_response())
        }
        _ => Err(Problem::invalid("kind", "conversations of this kind cannot be made here")),
    }
}

impl Body {
    fn room(self) -> Result<CreateRoom, Problem> {
        let name =
            self.name.ok_or_else(|| Problem::invalid("name", "the field \"name\" is missing"))?;
        let topic = self.topic.map(|topic| Topic::parse(&topic)).transpose();
        Ok(CreateRoom {
            kind: Some(ConversationKind::Room),
            name: RoomName::parse(&name).map_err(|error| Problem::text("name", &error))?,
            visibility: self.visibility,
            topic: topic.map_err(|error| Problem::text("topic", &error))?,
        })
    }

    fn peer(self) -> Result<PeerTarget, Problem> {
        if self.user_id.is_none() && self.username.is_none() {
            return Err(Problem::invalid(
                "username",
                "a direct conversation needs a \"username\" or a \"userId\"",
            ));
        }
        Ok(PeerTarget { user_id: self.user_id, username: self.username })
    }
}
