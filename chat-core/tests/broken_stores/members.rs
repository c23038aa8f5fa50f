//! Stores in which people join and leave in wrong ways.

use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{
    CursorKind, CursorStore, InboxStore, JoinOutcome, LeaveOutcome, StoreError,
};
use jiff::Timestamp;
use tokio::task::yield_now;

use crate::assert_caught;

/// Joins who is a member already once more, by another change.
#[derive(Debug)]
struct JoinsAgain {
    store: Arc<MemoryStore>,
    /// Only for who was no member before the transaction began.
    in_a_race: bool,
}

member_store! { JoinsAgain: chosen leave member members memberships circles;
    async fn join(&self, room: ConversationId, user: &UserId, at: Timestamp, max: usize)
        -> Result<JoinOutcome, StoreError>
    {
        let known = self.in_a_race && self.store.member(room, user).await?.is_some();
        if self.in_a_race {
            yield_now().await;
        }
        let outcome = self.store.join(room, user, at, max).await?;
        if known || !matches!(outcome, JoinOutcome::Already(..)) {
            return Ok(outcome);
        }
        self.store.leave(room, user, true).await?;
        self.store.join(room, user, at, usize::MAX).await
    }
}

#[tokio::test]
async fn a_store_in_which_a_second_join_is_a_change_is_caught() {
    for (in_a_race, case) in [
        (false, "a_user_joins_a_public_room_once"),
        (true, "one_user_joins_once_however_often_at_once"),
    ] {
        assert_caught(
            |store, parts| parts.members = Arc::new(JoinsAgain { store, in_a_race }),
            &[case],
        )
        .await;
    }
}

/// Ends a membership that has ended already, and says so to both.
#[derive(Debug)]
struct LeavesTwice {
    store: Arc<MemoryStore>,
}

member_store! { LeavesTwice: join chosen member members memberships circles;
    async fn leave(&self, room: ConversationId, user: &UserId, even_as_last: bool)
        -> Result<LeaveOutcome, StoreError>
    {
        let known = self.store.members(room, None, usize::MAX).await?;
        let known = known.into_iter().find(|profile| profile.user.id == *user);
        yield_now().await;
        let outcome = self.store.leave(room, user, even_as_last).await?;
        Ok(match (known, outcome) {
            (Some(member), LeaveOutcome::NotMember) => LeaveOutcome::Left { member, heir: None },
            (_, outcome) => outcome,
        })
    }
}

#[tokio::test]
async fn a_store_in_which_one_leaves_twice_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(LeavesTwice { store }),
        &[
            "one_user_joins_once_however_often_at_once",
            "a_user_who_comes_and_goes_at_once_is_in_or_out",
        ],
    )
    .await;
}

/// Sets the cursors of who joins in a second step, by which time there may be new messages.
#[derive(Debug)]
struct SetsCursorsLate {
    store: Arc<MemoryStore>,
}

member_store! { SetsCursorsLate: chosen leave member members memberships circles;
    async fn join(&self, room: ConversationId, user: &UserId, at: Timestamp, max: usize)
        -> Result<JoinOutcome, StoreError>
    {
        let outcome = self.store.join(room, user, at, max).await?;
        yield_now().await;
        self.store.advance(room, user, CursorKind::Read, None).await?;
        Ok(outcome)
    }
}

#[tokio::test]
async fn a_store_that_joins_in_two_steps_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(SetsCursorsLate { store }),
        &["a_join_among_messages_passes_over_those_before_it"],
    )
    .await;
}

/// Takes who comes back for somebody new.
#[derive(Debug)]
struct ForgetsWhoLeft {
    store: Arc<MemoryStore>,
}

member_store! { ForgetsWhoLeft: chosen leave member members memberships circles;
    async fn join(&self, room: ConversationId, user: &UserId, at: Timestamp, max: usize)
        -> Result<JoinOutcome, StoreError>
    {
        let mut outcome = self.store.join(room, user, at, max).await?;
        if let JoinOutcome::Joined(profile, _) = &mut outcome {
            profile.member.joined_at = at;
        }
        Ok(outcome)
    }
}

#[tokio::test]
async fn a_store_that_forgets_who_left_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(ForgetsWhoLeft { store }),
        &["who_comes_back_is_who_left"],
    )
    .await;
}

/// Lets the only owner leave, and the room is nobody's.
#[derive(Debug)]
struct HasNoHeir {
    store: Arc<MemoryStore>,
}

member_store! { HasNoHeir: join chosen member members memberships circles;
    async fn leave(&self, room: ConversationId, user: &UserId, even_as_last: bool)
        -> Result<LeaveOutcome, StoreError>
    {
        Ok(match self.store.leave(room, user, even_as_last).await? {
            LeaveOutcome::Left { member, .. } => LeaveOutcome::Left { member, heir: None },
            outcome => outcome,
        })
    }
}

#[tokio::test]
async fn a_store_in_which_a_room_is_left_without_an_owner_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(HasNoHeir { store }),
        &["a_room_that_its_owner_leaves_is_inherited_by_the_longest_member"],
    )
    .await;
}

/// Looks who is last, and only then ends the membership.
#[derive(Debug)]
struct LooksWhoIsLast {
    store: Arc<MemoryStore>,
}

member_store! { LooksWhoIsLast: join chosen member members memberships circles;
    async fn leave(&self, room: ConversationId, user: &UserId, even_as_last: bool)
        -> Result<LeaveOutcome, StoreError>
    {
        let members = self.store.members(room, None, 2).await?;
        yield_now().await;
        if members.len() == 1 && members[0].user.id == *user && !even_as_last {
            return Ok(LeaveOutcome::LastMember);
        }
        self.store.leave(room, user, true).await
    }
}

#[tokio::test]
async fn a_store_that_looks_who_is_last_before_its_transaction_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(LooksWhoIsLast { store }),
        &["of_members_who_leave_at_once_one_is_the_last"],
    )
    .await;
}

/// Reads what the newcomer sees after the transaction of the join.
#[derive(Debug)]
struct ReadsAfterJoining {
    store: Arc<MemoryStore>,
}

member_store! { ReadsAfterJoining: chosen leave member members memberships circles;
    async fn join(&self, room: ConversationId, user: &UserId, at: Timestamp, max: usize)
        -> Result<JoinOutcome, StoreError>
    {
        let outcome = self.store.join(room, user, at, max).await?;
        yield_now().await;
        Ok(match outcome {
            JoinOutcome::Joined(profile, summary) => {
                let now = self.store.summary(user, room).await?;
                JoinOutcome::Joined(profile, now.map_or(summary, Box::new))
            }
            outcome => outcome,
        })
    }
}

#[tokio::test]
async fn a_store_that_reads_after_the_join_is_caught() {
    assert_caught(
        |store, parts| parts.members = Arc::new(ReadsAfterJoining { store }),
        &["joins_at_once_are_seen_as_they_took_effect"],
    )
    .await;
}
