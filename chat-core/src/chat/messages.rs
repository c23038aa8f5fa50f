use std::ops::RangeInclusive;

use chat_proto::{
    ClientId, ConversationId, Cursor, CursorError, HistoryMeta, HistoryPage, HistoryRequest,
    Message, MessageBody, MessageId, MessageSend, Operation, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, Chat};
use crate::appender::Appending;
use crate::error::ChatError;
use crate::limit::Counted;
use crate::store::{AppendOutcome, MessageDraft};

/// A message that is stored durably.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The message; the original one when this send repeated an earlier one.
    pub message: Message,
    /// Whether it did.
    pub repeated: bool,
    /// Whether the other user of a direct conversation is online; none in a room.
    pub recipient_online: Option<bool>,
}

/// A message that has its place in line.
#[derive(Debug)]
pub(crate) struct Sending {
    conversation: ConversationId,
    sender: UserId,
    appending: Appending,
}

impl Chat {
    /// Sends a message, and returns once it is stored durably.
    ///
    /// Sending the same client id in the same conversation again stores nothing and returns the
    /// message stored first.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::Text`], [`ChatError::NotFound`] when there is no
    /// such conversation or the actor is not a member, [`ChatError::Busy`], or a failure of the
    /// store, after which the message may be stored or not: send it again with the same client id.
    pub async fn send(&self, actor: &Actor, message: MessageSend) -> Result<Sent, ChatError> {
        let counted = self.engine.sends.check(&actor.user_id).await;
        counted.map_err(|retry_after| ChatError::RateLimited { retry_after })?;
        let sending = self.begin_send(actor, message)?;
        self.finish_send(sending).await
    }

    /// Counts a message that the actor is about to send.
    pub(crate) fn count_send(&self, actor: &Actor) -> Result<Counted, ChatError> {
        let counted = self.engine.sends.count(&actor.user_id);
        counted.map_err(|retry_after| ChatError::RateLimited { retry_after })
    }

    /// Checks a message that was counted, and puts it in line. Sends of one caller are stored in the order of these
    /// calls, whichever is awaited first.
    pub(crate) fn begin_send(
        &self,
        actor: &Actor,
        message: MessageSend,
    ) -> Result<Sending, ChatError> {
        let engine = &self.engine;
        if engine.tasks.stopping() {
            return Err(ChatError::Busy);
        }
        let content = MessageBody::parse(message.content, engine.config.limits.text_characters)?;
        let draft = MessageDraft {
            id: MessageId::generate(),
            conversation_id: message.conversation_id,
            sender_id: actor.user_id.clone(),
            client_id: message.client_id.unwrap_or_else(ClientId::generate),
            mentions: content.mentions(),
            content,
            created_at: Timestamp::now(),
        };
        let appending = engine.appender.submit(draft, actor.origin())?;
        Ok(Sending {
            conversation: message.conversation_id,
            sender: actor.user_id.clone(),
            appending,
        })
    }

    pub(crate) async fn finish_send(&self, sending: Sending) -> Result<Sent, ChatError> {
        let Sending { conversation, sender, appending } = sending;
        let (message, repeated) = match appending.outcome().await? {
            AppendOutcome::Stored(message) => (message, false),
            AppendOutcome::Repeated(message) => (message, true),
            AppendOutcome::NotMember => return Err(ChatError::NotFound),
        };
        self.end_typing(conversation, &sender);
        // The message is stored: nothing that follows may turn that into a failure.
        let chat = self.clone();
        let asking = async move { chat.is_peer_online(conversation, &sender).await };
        let recipient_online = self.engine.tasks.drive("message.peer", asking).await.flatten();
        Ok(Sent { message, repeated, recipient_online })
    }

    /// Whether the other user of a direct conversation is online; none in a room, or where that is
    /// not found out.
    async fn is_peer_online(&self, conversation: ConversationId, user: &UserId) -> Option<bool> {
        match self.peer(conversation, user).await {
            Ok(Some(peer)) => Some(self.engine.presence.is_shown_online(&peer).await),
            Ok(None) | Err(_) => None,
        }
    }

    /// A message, by id.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`] when there is none or the actor is not a
    /// member of its conversation, or a failure of the store.
    pub async fn message(&self, actor: &Actor, id: MessageId) -> Result<Message, ChatError> {
        let _turn = self.begin_read(actor, Operation::MessageShow).await?;
        let stores = &self.engine.stores;
        let message = self.within(stores.messages.message(id)).await?;
        let message = message.ok_or(ChatError::NotFound)?;
        let asking = stores.members.member(message.conversation_id, &actor.user_id);
        self.within(asking).await?.map(|_| message).ok_or(ChatError::NotFound)
    }

    /// A page of a conversation's messages.
    ///
    /// # Errors
    ///
    /// [`ChatError::Invalid`] when the request names more than one place, [`ChatError::NotFound`]
    /// when there is no such conversation or the actor is not a member,
    /// [`ChatError::PageTooLarge`], [`ChatError::Cursor`], [`ChatError::RateLimited`], or a failure of
    /// the store.
    pub async fn history(
        &self,
        actor: &Actor,
        request: &HistoryRequest,
    ) -> Result<HistoryPage, ChatError> {
        let _turn = self.begin_read(actor, Operation::HistoryLoad).await?;
        let limit = self.page_size(request.limit)?;
        let place = Place::of(request)?;
        let id = request.conversation_id;
        let stores = &self.engine.stores;
        let head = self.within(stores.messages.visible_head(id, &actor.user_id)).await?;
        let last_seq = head.ok_or(ChatError::NotFound)?.last_seq;
        let seqs = place.window(last_seq, limit as u64);
        let data = if seqs.is_empty() {
            Vec::new()
        } else {
            self.within(stores.messages.messages(id, seqs.clone())).await?
        };
        Ok(HistoryPage { data, meta: place.meta(&seqs, last_seq) })
    }
}

/// Where in a conversation a page lies. As a cursor it names the page that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Latest,
    Before(u64),
    After(u64),
    Around(u64),
    Offset(u64),
}

impl Place {
    fn of(request: &HistoryRequest) -> Result<Self, ChatError> {
        let cursor = request.cursor.as_ref().map(Cursor::decode).transpose()?;
        if matches!(cursor, Some(Self::Latest | Self::Around(_) | Self::Offset(_))) {
            return Err(CursorError.into());
        }
        let places = [
            cursor,
            request.before.map(Self::Before),
            request.after.map(Self::After),
            request.around.map(Self::Around),
            request.offset.map(Self::Offset),
        ];
        let mut named = places.into_iter().flatten();
        match (named.next(), named.next()) {
            (place, None) => Ok(place.unwrap_or(Self::Latest)),
            (_, Some(_)) => {
                Err(ChatError::Invalid("give one of before, after, around, offset and cursor"))
            }
        }
    }

    /// The messages of the page: `limit` of them, or fewer at an end of the conversation.
    ///
    /// Messages have consecutive numbers, so a page is a range of numbers.
    fn window(self, last_seq: u64, limit: u64) -> RangeInclusive<u64> {
        let before = |end: u64| {
            let last = end.saturating_sub(1).min(last_seq);
            last.saturating_sub(limit - 1).max(1)..=last
        };
        match self {
            Self::Latest => before(u64::MAX),
            Self::Before(seq) => before(seq),
            Self::Offset(count) => before(last_seq.saturating_sub(count).saturating_add(1)),
            Self::After(seq) => {
                let first = seq.saturating_add(1);
                first..=first.saturating_add(limit - 1).min(last_seq)
            }
            Self::Around(seq) => {
                let centre = seq.clamp(1, last_seq.max(1));
                // At the end, what is missing there is made up for from before.
                let last_page = last_seq.saturating_sub(limit - 1);
                let first = centre.saturating_sub(limit / 2).min(last_page).max(1);
                first..=first.saturating_add(limit - 1).min(last_seq)
            }
        }
    }

    fn meta(self, seqs: &RangeInclusive<u64>, last_seq: u64) -> HistoryMeta {
        let (has_older, has_newer) = if seqs.is_empty() {
            // Nothing there: everything lies on the side the page turned its back on.
            (
                matches!(self, Self::After(_)) && last_seq > 0,
                matches!(self, Self::Before(_) | Self::Offset(_)) && last_seq > 0,
            )
        } else {
            (*seqs.start() > 1, *seqs.end() < last_seq)
        };
        let forwards = matches!(self, Self::After(_));
        let has_more = if forwards { has_newer } else { has_older };
        let next = if forwards { Self::After(*seqs.end()) } else { Self::Before(*seqs.start()) };
        HistoryMeta {
            next_cursor: has_more.then(|| Cursor::encode(&next)),
            has_more,
            has_older,
            has_newer,
            last_seq,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn windows_lie_where_they_should() {
        for (place, last, window) in [
            (Place::Latest, 100, 91..=100),
            (Place::Latest, 3, 1..=3),
            (Place::Before(50), 100, 40..=49),
            (Place::Before(5), 100, 1..=4),
            (Place::Before(500), 100, 91..=100),
            (Place::After(50), 100, 51..=60),
            (Place::After(95), 100, 96..=100),
            (Place::Around(50), 100, 45..=54),
            (Place::Around(2), 100, 1..=10),
            (Place::Around(94), 100, 89..=98),
            (Place::Around(97), 100, 91..=100),
            (Place::Around(100), 100, 91..=100),
            (Place::Around(u64::MAX), 100, 91..=100),
            (Place::Around(3), 3, 1..=3),
            (Place::Offset(0), 100, 91..=100),
            (Place::Offset(10), 100, 81..=90),
            (Place::Offset(95), 100, 1..=5),
        ] {
            assert_eq!(place.window(last, 10), window, "{place:?} of {last}");
        }
        for (place, last) in [
            (Place::Latest, 0),
            (Place::Before(1), 100),
            (Place::Before(0), 100),
            (Place::After(100), 100),
            (Place::After(u64::MAX), 100),
            (Place::Offset(100), 100),
            (Place::Around(7), 0),
        ] {
            assert!(place.window(last, 10).is_empty(), "{place:?} of {last}");
        }
    }

    proptest! {
        /// Following the cursors visits every message once, whatever the size of a page.
        #[test]
        fn pages_partition_the_history(last in 0u64..300, limit in 1u64..40) {
            for (start, forwards) in [(Place::Latest, false), (Place::After(0), true)] {
                let mut seen = Vec::new();
                let mut place = Some(start);
                while let Some(at) = place {
                    let seqs = at.window(last, limit);
                    let mut page: Vec<_> = seqs.clone().collect();
                    if !forwards { page.reverse(); }
                    seen.extend(page);
                    let meta = at.meta(&seqs, last);
                    prop_assert_eq!(meta.has_more, meta.next_cursor.is_some());
                    place = meta.next_cursor.map(|cursor| cursor.decode().unwrap());
                }
                if !forwards { seen.reverse(); }
                prop_assert_eq!(seen, (1..=last).collect::<Vec<_>>());
            }
        }
    }
}
