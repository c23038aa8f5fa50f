use async_trait::async_trait;
use chat_proto::{ConversationId, ConversationSummary, UserId};

use super::CachedStore;
use super::generations::Topic;
use super::shelf::Answer;
use crate::store::{
    InboxPosition, InboxStore, Known, Membership, Missed, Overview, StoreError, UnreadTotal,
};

#[async_trait]
impl InboxStore for CachedStore {
    async fn summaries(
        &self,
        user: &UserId,
        after: Option<InboxPosition>,
        limit: usize,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let read = async {
            let (all, page) = match after {
                None => {
                    let Overview { standings, summaries } =
                        self.store.overview(user, limit).await?;
                    let memberships = standings.into_iter().map(|standing| standing.membership);
                    (memberships.collect(), summaries)
                }
                Some(_) => {
                    let all = self.conversations_of(user).await?;
                    (all, self.store.summaries(user, after, limit).await?)
                }
            };
            let topics = of_all(user, &all).chain(page.iter().flat_map(of_one));
            Ok(Some(Answer { depends_on: self.slots(topics), value: page }))
        };
        let page = self.lists.get_or_read((user.clone(), after, limit), read).await?;
        Ok(page.unwrap_or_default())
    }

    async fn summary(
        &self,
        user: &UserId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        let read = async {
            let found = self.store.summary(user, conversation).await?;
            Ok(found.map(|summary| {
                let topics = of_one(&summary).chain([Topic::Inbox(user)]);
                Answer { depends_on: self.slots(topics), value: summary }
            }))
        };
        self.summaries.get_or_read((user.clone(), conversation), read).await
    }

    async fn unread_total(&self, user: &UserId) -> Result<UnreadTotal, StoreError> {
        let read = async {
            let all = self.conversations_of(user).await?;
            let total = self.store.unread_total(user).await?;
            Ok(Some(Answer { depends_on: self.slots(of_all(user, &all)), value: total }))
        };
        Ok(self.unread.get_or_read(user.clone(), read).await?.unwrap_or_default())
    }

    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        self.store.overviews(users, limit).await
    }

    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError> {
        self.store.missed(questions, max_gap, limit).await
    }
}

impl CachedStore {
    async fn conversations_of(&self, user: &UserId) -> Result<Vec<Membership>, StoreError> {
        self.store.memberships(std::slice::from_ref(user)).await
    }
}

/// What depends on all of a user's conversations.
fn of_all<'a>(user: &'a UserId, all: &'a [Membership]) -> impl Iterator<Item = Topic<'a>> {
    let changes = all.iter().map(|membership| Topic::Changes(membership.conversation_id));
    changes.chain([Topic::Inbox(user)])
}

/// What one conversation on a list depends on, beside the user whose list it is. The cursors of
/// others are shown of a direct conversation only. The number of members changes by changes.
fn of_one(summary: &ConversationSummary) -> impl Iterator<Item = Topic<'_>> {
    let peer = summary.peer.iter();
    let id = summary.conversation_id;
    let of_peer = peer.flat_map(move |peer| [Topic::Record(&peer.id), Topic::Cursors(id)]);
    of_peer.chain([Topic::Changes(id)])
}
