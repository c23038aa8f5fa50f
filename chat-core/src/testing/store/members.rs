//! Joining and leaving.

use std::collections::BTreeSet;

use chat_proto::{ConversationId, MemberRole, MemberState, Visibility};
use futures::future::join_all;

use super::fixture::{
    MANY, at, direct, join, leave, member, new_room, room, send, send_many, user, user_id,
};
use crate::store::{JoinOutcome, LeaveOutcome, Store};

/// A second join changes nothing and tells of the first.
pub async fn a_user_joins_a_public_room_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    send(store, room, &ada, "hello").await;
    let profile = join(store, room, &bob).await;
    assert_eq!(profile.user, store.user(&bob).await.unwrap().unwrap());
    let joined = profile.member.clone();
    assert_eq!((joined.conversation_id, &joined.user_id), (room, &bob));
    assert_eq!((joined.role, joined.state), (MemberRole::Member, MemberState::Joined));
    assert_eq!((joined.change_seq, joined.joined_at), (3, at(1)));
    let again = store.join(room, &bob, at(9), MANY).await.unwrap();
    assert_eq!(again, JoinOutcome::Already(profile));
    assert_eq!(member(store, room, &bob).await, joined);
    assert_eq!(store.heads(&[room]).await.unwrap()[0].change_seq, 3);
}

/// What is not a public room cannot be joined, and neither can anything by nobody.
pub async fn only_public_rooms_are_joined(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let private = new_room(&ada, "secret", Visibility::Private);
    let private = store.create_room(private).await.unwrap().id;
    let pair = direct(store, &ada, &bob).await;
    let public = room(store, &ada, "general").await;
    for (room, user) in [
        (private, &eve),
        (pair, &eve),
        (ConversationId::generate(), &eve),
        (public, &user_id("nobody")),
    ] {
        let outcome = store.join(room, user, at(1), MANY).await.unwrap();
        assert_eq!(outcome, JoinOutcome::NotJoinable);
        assert_eq!(store.member(room, user).await.unwrap(), None);
    }
    assert_eq!(store.heads(&[public]).await.unwrap()[0].change_seq, 1);
}

/// Memberships of rooms count, and of direct conversations those that the user opened: nobody can
/// use up another's limit.
pub async fn only_chosen_memberships_count(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let eve = user(store, "eve").await;
    assert_eq!(store.chosen(&bob).await.unwrap(), 0);
    direct(store, &ada, &bob).await;
    assert_eq!(store.chosen(&bob).await.unwrap(), 0, "opened by somebody else");
    direct(store, &bob, &eve).await;
    assert_eq!(store.chosen(&bob).await.unwrap(), 1);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    assert_eq!(store.chosen(&bob).await.unwrap(), 2);
    leave(store, room, &bob).await;
    assert_eq!(store.chosen(&bob).await.unwrap(), 1);
    assert_eq!(store.chosen(&ada).await.unwrap(), 2);
}

/// Who has as many memberships as allowed can only go on where they are.
pub async fn a_user_has_so_many_memberships_and_no_more(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    direct(store, &bob, &ada).await;
    let (one, two) = (room(store, &ada, "one").await, room(store, &ada, "two").await);
    assert!(matches!(store.join(one, &bob, at(1), 2).await.unwrap(), JoinOutcome::Joined(_)));
    assert_eq!(store.join(two, &bob, at(1), 2).await.unwrap(), JoinOutcome::TooMany);
    assert!(matches!(store.join(one, &bob, at(1), 2).await.unwrap(), JoinOutcome::Already(_)));
    let unknown = ConversationId::generate();
    assert_eq!(store.join(unknown, &bob, at(1), 2).await.unwrap(), JoinOutcome::NotJoinable);
    assert_eq!(store.member(two, &bob).await.unwrap(), None);
    leave(store, one, &bob).await;
    assert!(matches!(store.join(two, &bob, at(1), 2).await.unwrap(), JoinOutcome::Joined(_)));
    assert_eq!(store.join(one, &bob, at(1), 2).await.unwrap(), JoinOutcome::TooMany);
}

/// The limit holds for joins of many rooms at the same moment, too.
pub async fn memberships_at_once_keep_to_the_limit(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let rooms = join_all((0..10).map(async |n| room(store, &ada, &format!("room {n}")).await));
    let rooms = rooms.await;
    let joins = rooms.iter().map(|room| store.join(*room, &bob, at(1), 4));
    let outcomes: Vec<_> = join_all(joins).await.into_iter().map(Result::unwrap).collect();
    let joined = outcomes.iter().filter(|outcome| matches!(outcome, JoinOutcome::Joined(_)));
    let refused = outcomes.iter().filter(|outcome| **outcome == JoinOutcome::TooMany);
    assert_eq!((joined.count(), refused.count()), (4, 6));
    assert_eq!(store.memberships(&[bob]).await.unwrap().len(), 4);
}

/// Leaving takes a change of its own; who is not a member cannot leave.
pub async fn a_membership_ends_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    assert_eq!(store.leave(room, &bob).await.unwrap(), LeaveOutcome::NotMember);
    let joined = join(store, room, &bob).await;
    let left = leave(store, room, &bob).await;
    assert_eq!(left.user, joined.user);
    assert_eq!((left.member.state, left.member.change_seq), (MemberState::Left, 3));
    assert_eq!(left.member.joined_at, joined.member.joined_at);
    assert_eq!(store.member(room, &bob).await.unwrap(), None);
    for (room, user) in
        [(room, &bob), (ConversationId::generate(), &bob), (room, &user_id("nobody"))]
    {
        assert_eq!(store.leave(room, user).await.unwrap(), LeaveOutcome::NotMember);
    }
    assert_eq!(store.heads(&[room]).await.unwrap()[0].change_seq, 3);
}

/// Who comes back has the role and the time of the first join.
pub async fn who_comes_back_is_who_left(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    for (user, role, joined_at) in
        [(&ada, MemberRole::Owner, at(0)), (&bob, MemberRole::Member, at(1))]
    {
        let left = leave(store, room, user).await;
        let JoinOutcome::Joined(back) = store.join(room, user, at(50), MANY).await.unwrap() else {
            panic!("who left may come back");
        };
        assert_eq!((back.member.role, back.member.joined_at), (role, joined_at));
        assert_eq!(back.member.state, MemberState::Joined);
        assert_eq!(back.member.change_seq, left.member.change_seq + 1);
        assert_eq!(member(store, room, user).await, back.member);
    }
}

/// Nothing from before a join counts as unread, the first time and every other.
pub async fn a_join_passes_over_what_was_said_before(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let cursors = async || {
        let summary = store.summary(&bob, room).await.unwrap().unwrap();
        (summary.read_seq, summary.delivered_seq, summary.unread, summary.unread_mentions)
    };
    send_many(store, room, &ada, 5).await;
    join(store, room, &bob).await;
    assert_eq!(cursors().await, (5, 5, 0, 0));
    send(store, room, &ada, "hello @bob").await;
    assert_eq!(cursors().await, (5, 5, 1, 1));
    leave(store, room, &bob).await;
    send(store, room, &ada, "and @bob?").await;
    join(store, room, &bob).await;
    assert_eq!(cursors().await, (7, 7, 0, 0));
    send(store, room, &ada, "welcome").await;
    assert_eq!(cursors().await, (7, 7, 1, 0));
}

/// The changes of joins at the same moment have consecutive numbers.
pub async fn joins_at_once_have_a_number_each(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let room = room(store, &ada, "general").await;
    let users = join_all((0..20).map(async |n| user(store, &format!("user{n}")).await)).await;
    let joins = users.iter().map(async |user| join(store, room, user).await.member.change_seq);
    let numbers: BTreeSet<u64> = join_all(joins).await.into_iter().collect();
    assert_eq!(numbers, (2..=21).collect());
    assert_eq!(store.heads(&[room]).await.unwrap()[0].change_seq, 21);
    assert_eq!(store.conversation(room).await.unwrap().unwrap().member_count, 21);
}

/// Several devices of a user may join at the same moment.
pub async fn one_user_joins_once_however_often_at_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let joins = (0..10).map(|_| store.join(room, &bob, at(1), MANY));
    let outcomes: Vec<_> = join_all(joins).await.into_iter().map(Result::unwrap).collect();
    let joined = outcomes.iter().filter(|outcome| matches!(outcome, JoinOutcome::Joined(_)));
    let already = outcomes.iter().filter(|outcome| matches!(outcome, JoinOutcome::Already(_)));
    assert_eq!((joined.count(), already.count()), (1, 9));
    let leaves = (0..10).map(|_| store.leave(room, &bob));
    let outcomes: Vec<_> = join_all(leaves).await.into_iter().map(Result::unwrap).collect();
    let left = outcomes.iter().filter(|outcome| matches!(outcome, LeaveOutcome::Left(_)));
    assert_eq!(left.count(), 1);
    assert_eq!(store.conversation(room).await.unwrap().unwrap().member_count, 1);
}
