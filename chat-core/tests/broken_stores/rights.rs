//! Stores that let in who has no right, or no right any more.

use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, Member, UserId};
use chat_core::store::{AppendOutcome, Head, JoinOutcome, MemberStore, MessageDraft, StoreError};
use jiff::Timestamp;
use tokio::task::yield_now;

use crate::{assert_caught, store_anyway, was_member};

/// Asks for the membership first, and then begins to store, by which time it may have ended.
#[derive(Debug)]
struct ChecksMembershipFirst {
    store: Arc<MemoryStore>,
}

message_store! { ChecksMembershipFirst: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut members = Vec::new();
        for draft in &drafts {
            let member = self.store.member(draft.conversation_id, &draft.sender_id).await?;
            members.push(member.is_some());
        }
        yield_now().await;
        let mut outcomes = self.store.append(drafts.clone()).await?;
        for ((outcome, draft), member) in outcomes.iter_mut().zip(drafts).zip(members) {
            if member && *outcome == AppendOutcome::NotMember {
                *outcome = store_anyway(&self.store, draft).await?;
            }
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_checks_membership_before_its_transaction_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(ChecksMembershipFirst { store }),
        &["nobody_writes_after_leaving"],
    )
    .await;
}

/// Lets everybody write who ever was a member.
#[derive(Debug)]
struct LetsFormerMembersWrite {
    store: Arc<MemoryStore>,
}

message_store! { LetsFormerMembersWrite: message messages changes heads visible_head;
    async fn append(&self, drafts: Vec<MessageDraft>) -> Result<Vec<AppendOutcome>, StoreError> {
        let mut outcomes = self.store.append(drafts.clone()).await?;
        for (outcome, draft) in outcomes.iter_mut().zip(drafts) {
            if *outcome == AppendOutcome::NotMember
                && was_member(&self.store, draft.conversation_id, &draft.sender_id).await?
            {
                *outcome = store_anyway(&self.store, draft).await?;
            }
        }
        Ok(outcomes)
    }
}

#[tokio::test]
async fn a_store_that_lets_former_members_write_is_caught() {
    assert_caught(
        |store, parts| parts.messages = Arc::new(LetsFormerMembersWrite { store }),
        &[
            "only_members_write",
            "a_former_member_cannot_even_repeat",
            "nobody_writes_after_leaving",
        ],
    )
    .await;
}

/// Shows how far a conversation is to who left it, or to anybody.
#[derive(Debug)]
struct ShowsHeads {
    store: Arc<MemoryStore>,
    to_anybody: bool,
}

message_store! { ShowsHeads: append message messages changes heads;
    async fn visible_head(&self, room: ConversationId, user: &UserId)
        -> Result<Option<Head>, StoreError>
    {
        if self.to_anybody || was_member(&self.store, room, user).await? {
            return Ok(self.store.heads(&[room]).await?.pop());
        }
        self.store.visible_head(room, user).await
    }
}

#[tokio::test]
async fn a_store_that_shows_a_head_to_strangers_is_caught() {
    for to_anybody in [false, true] {
        assert_caught(
            |store, parts| parts.messages = Arc::new(ShowsHeads { store, to_anybody }),
            &["a_head_is_visible_to_members_only"],
        )
        .await;
    }
}

/// Has a membership go on after it has ended.
#[derive(Debug)]
struct KeepsMemberships {
    store: Arc<MemoryStore>,
}

member_store! { KeepsMemberships: join chosen leave members memberships circles;
    async fn member(&self, room: ConversationId, user: &UserId)
        -> Result<Option<Member>, StoreError>
    {
        let member = self.store.member(room, user).await?;
        if member.is_none() && was_member(&self.store, room, user).await? {
            let mut members = self.store.members(room, None, 1).await?;
            return Ok(members.pop().map(|other| Member { user_id: user.clone(), ..other.member }));
        }
        Ok(member)
    }
}

#[tokio::test]
async fn a_store_whose_memberships_do_not_end_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(KeepsMemberships { store }),
        &["a_membership_ends_once"],
    )
    .await;
}

/// Counts the user's memberships first, and then begins to add one.
#[derive(Debug)]
struct ChecksTheLimitFirst {
    store: Arc<MemoryStore>,
}

member_store! { ChecksTheLimitFirst: chosen leave member members memberships circles;
    async fn join(&self, room: ConversationId, user: &UserId, at: Timestamp, max: usize)
        -> Result<JoinOutcome, StoreError>
    {
        let chosen = self.store.chosen(user).await?;
        yield_now().await;
        let max = if chosen < max { usize::MAX } else { max };
        self.store.join(room, user, at, max).await
    }
}

#[tokio::test]
async fn a_store_that_checks_a_limit_before_its_transaction_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(ChecksTheLimitFirst { store }),
        &["memberships_at_once_keep_to_the_limit"],
    )
    .await;
}
