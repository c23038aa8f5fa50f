use chat_proto::{ConversationId, ConversationKind, UserId};

use super::Chat;
use crate::error::ChatError;
use crate::sharded::Sharded;

/// Entries in one part of the table from which on it begins anew.
const FULL: usize = 512;

/// Who talks with whom in direct conversations: facts that never change, so they are remembered.
#[derive(Debug)]
pub(super) struct Pairs {
    /// The two users of a direct conversation; none for a room.
    known: Sharded<ConversationId, Option<[UserId; 2]>>,
}

impl Pairs {
    pub(super) fn new() -> Self {
        Self { known: Sharded::new() }
    }
}

impl Chat {
    /// The other user of a direct conversation; none in a room.
    pub(super) async fn peer(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<UserId>, ChatError> {
        let known = self.engine.pairs.known.lock(&conversation).get(&conversation).cloned();
        let pair = match known {
            Some(pair) => pair,
            None => {
                let pair = self.read_pair(conversation).await?;
                let mut table = self.engine.pairs.known.lock(&conversation);
                if table.len() >= FULL {
                    table.clear();
                }
                table.insert(conversation, pair.clone());
                pair
            }
        };
        Ok(pair.and_then(|pair| pair.into_iter().find(|other| other != user)))
    }

    async fn read_pair(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<[UserId; 2]>, ChatError> {
        let stores = &self.engine.shown;
        let found = self.within(stores.conversations.conversation(conversation)).await?;
        if found.is_none_or(|found| found.kind != ConversationKind::Direct) {
            return Ok(None);
        }
        let members = self.within(stores.members.members(conversation, None, 2)).await?;
        let users: Vec<_> = members.into_iter().map(|member| member.member.user_id).collect();
        Ok(users.try_into().ok())
    }
}
