//! Stores in which people join and leave in wrong ways.

use std::sync::Arc;

use chat_core::MemoryStore;
use chat_core::proto::{ConversationId, UserId};
use chat_core::store::{CursorKind, CursorStore, JoinOutcome, LeaveOutcome, StoreError};
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
        if known || !matches!(outcome, JoinOutcome::Already(_)) {
            return Ok(outcome);
        }
        self.store.leave(room, user).await?;
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
    async fn leave(&self, room: ConversationId, user: &UserId)
        -> Result<LeaveOutcome, StoreError>
    {
        let known = self.store.members(room, None, usize::MAX).await?;
        let known = known.into_iter().find(|profile| profile.user.id == *user);
        yield_now().await;
        let outcome = self.store.leave(room, user).await?;
        Ok(match (known, outcome) {
            (Some(profile), LeaveOutcome::NotMember) => LeaveOutcome::Left(profile),
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
        if let JoinOutcome::Joined(profile) = &mut outcome {
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
