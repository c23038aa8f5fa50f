//! Joining and leaving.

use std::collections::BTreeSet;

use chat_proto::{ChangeEvent, ConversationId, MemberRole, MemberState, Visibility};
use futures::future::join_all;

use super::fixture::{
    MANY, at, breathe, direct, join, leave, member, new_direct, new_room, opened, room, send,
    send_many, user, user_id,
};
use crate::store::{JoinOutcome, Known, LeaveOutcome, NewDirect, NewRoom, OpenOutcome, Store};

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
    let JoinOutcome::Already(again, summary) = again else { panic!("{again:?}") };
    assert_eq!(again, profile);
    assert_eq!(Some(*summary), store.summary(&bob, room).await.unwrap());
    assert_eq!(member(store, room, &bob).await, joined);
    assert_eq!(store.heads(&[room]).await.unwrap()[0].change_seq, 3);
}

/// What is not a public room cannot be joined, and neither can anything by nobody.
pub async fn only_public_rooms_are_joined(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let private = new_room(&ada, "secret", Visibility::Private);
    let private = opened(store.create_room(private).await).id;
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
    assert!(matches!(store.join(one, &bob, at(1), 2).await.unwrap(), JoinOutcome::Joined(..)));
    assert_eq!(store.join(two, &bob, at(1), 2).await.unwrap(), JoinOutcome::TooMany);
    assert!(matches!(store.join(one, &bob, at(1), 2).await.unwrap(), JoinOutcome::Already(..)));
    let unknown = ConversationId::generate();
    assert_eq!(store.join(unknown, &bob, at(1), 2).await.unwrap(), JoinOutcome::NotJoinable);
    assert_eq!(store.member(two, &bob).await.unwrap(), None);
    leave(store, one, &bob).await;
    assert!(matches!(store.join(two, &bob, at(1), 2).await.unwrap(), JoinOutcome::Joined(..)));
    assert_eq!(store.join(one, &bob, at(1), 2).await.unwrap(), JoinOutcome::TooMany);
}

/// The limit holds for joins of many rooms at the same moment, too.
pub async fn memberships_at_once_keep_to_the_limit(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let rooms = join_all((0..10).map(async |n| room(store, &ada, &format!("room {n}")).await));
    let rooms = rooms.await;
    let joins = rooms.iter().map(|room| store.join(*room, &bob, at(1), 4));
    let outcomes: Vec<_> = join_all(joins).await.into_iter().map(Result::unwrap).collect();
    let joined = outcomes.iter().filter(|outcome| matches!(outcome, JoinOutcome::Joined(..)));
    let refused = outcomes.iter().filter(|outcome| **outcome == JoinOutcome::TooMany);
    assert_eq!((joined.count(), refused.count()), (4, 6));
    assert_eq!(store.memberships(&[bob]).await.unwrap().len(), 4);
}

/// Leaving takes a change of its own; who is not a member cannot leave.
pub async fn a_membership_ends_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    assert_eq!(store.leave(room, &bob, true).await.unwrap(), LeaveOutcome::NotMember);
    let joined = join(store, room, &bob).await;
    let left = leave(store, room, &bob).await;
    assert_eq!(left.user, joined.user);
    assert_eq!((left.member.state, left.member.change_seq), (MemberState::Left, 3));
    assert_eq!(left.member.joined_at, joined.member.joined_at);
    assert_eq!(store.member(room, &bob).await.unwrap(), None);
    for (room, user) in
        [(room, &bob), (ConversationId::generate(), &bob), (room, &user_id("nobody"))]
    {
        assert_eq!(store.leave(room, user, true).await.unwrap(), LeaveOutcome::NotMember);
    }
    assert_eq!(store.heads(&[room]).await.unwrap()[0].change_seq, 3);
}

/// Who comes back has the time of the first join, and the role that was left with: an owner's is given
/// up by leaving.
pub async fn who_comes_back_is_who_left(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    for (user, role, joined_at) in
        [(&bob, MemberRole::Member, at(1)), (&ada, MemberRole::Member, at(0))]
    {
        let left = leave(store, room, user).await;
        let JoinOutcome::Joined(back, _) = store.join(room, user, at(50), MANY).await.unwrap()
        else {
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
    let joined = outcomes.iter().filter(|outcome| matches!(outcome, JoinOutcome::Joined(..)));
    let already = outcomes.iter().filter(|outcome| matches!(outcome, JoinOutcome::Already(..)));
    assert_eq!((joined.count(), already.count()), (1, 9));
    let leaves = (0..10).map(|_| store.leave(room, &bob, true));
    let outcomes: Vec<_> = join_all(leaves).await.into_iter().map(Result::unwrap).collect();
    let left = outcomes.iter().filter(|outcome| matches!(outcome, LeaveOutcome::Left { .. }));
    assert_eq!(left.count(), 1);
    assert_eq!(store.conversation(room).await.unwrap().unwrap().member_count, 1);
}

/// The limit holds for whatever adds memberships, all at the same moment: rooms made by their name and
/// without, direct conversations, and joins.
pub async fn conversations_made_at_once_keep_to_the_limit(store: &dyn Store) {
    const MOST: usize = 4;
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let peers = join_all((0..16).map(async |n| user(store, &format!("peer{n}")).await)).await;
    let rooms = join_all((0..4).map(async |n| room(store, &bob, &format!("open {n}")).await)).await;
    for round in 0..3 {
        let owner = user(store, &format!("owner{round}")).await;
        let new = |name: String| NewRoom {
            max_memberships: MOST,
            ..new_room(&owner, &name, Visibility::Public)
        };
        let made = join_all((0..16).map(async |n| {
            let outcome = match (round, n % 4) {
                (0, _) | (2, 0) => store.create_room(new("made".into())).await,
                (1, _) | (2, 1) => {
                    let max_memberships = MOST;
                    let new = new_direct(&owner, &peers[n]);
                    store.open_direct(NewDirect { max_memberships, ..new }).await
                }
                (_, 2) => store.find_or_create_room(new(format!("named {n}"))).await,
                _ => {
                    let joined = store.join(rooms[n / 4], &owner, at(1), MOST).await.unwrap();
                    return matches!(joined, JoinOutcome::Joined(..));
                }
            };
            breathe().await;
            let outcome = outcome.unwrap();
            assert!(outcome.is_created() || outcome == OpenOutcome::TooMany, "{outcome:?}");
            outcome.is_created()
        }));
        assert_eq!(made.await.into_iter().filter(|made| *made).count(), MOST);
        assert_eq!(store.memberships(std::slice::from_ref(&owner)).await.unwrap().len(), MOST);
        // What is there already is found, however many memberships there are.
        let found =
            NewRoom { max_memberships: 0, ..new_room(&owner, "open 1", Visibility::Public) };
        assert_eq!(opened(store.find_or_create_room(found).await).id, rooms[1]);
    }
    let pair = direct(store, &ada, &bob).await;
    let again = NewDirect { max_memberships: 0, ..new_direct(&ada, &bob) };
    assert_eq!(opened(store.open_direct(again).await).id, pair);
}

/// When the only owner leaves, who joined first inherits, by a change of its own, which is told to those
/// who were there before and after.
pub async fn a_room_that_its_owner_leaves_is_inherited_by_the_longest_member(store: &dyn Store) {
    let (ada, bob, cy) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "cy").await);
    let room = room(store, &ada, "general").await;
    // Who joined first is not who comes first by id, nor by change.
    for (user, second) in [(&bob, 9), (&cy, 5)] {
        assert!(matches!(
            store.join(room, user, at(second), MANY).await.unwrap(),
            JoinOutcome::Joined(..)
        ));
    }
    let outcome = store.leave(room, &ada, false).await.unwrap();
    let LeaveOutcome::Left { member: left, heir: Some(heir) } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((&heir.user.id, heir.member.role), (&cy, MemberRole::Owner));
    assert_eq!((heir.member.change_seq, heir.member.state), (4, MemberState::Joined));
    assert_eq!(heir.member.joined_at, at(5));
    assert_eq!((left.member.change_seq, left.member.role), (5, MemberRole::Member));
    assert_eq!(member(store, room, &cy).await, heir.member);
    let told = async |since| store.changes(room, since, 10).await.unwrap().events;
    let (conversation_id, member) = (room, *heir);
    let updated =
        ChangeEvent::MemberUpdated { conversation_id, change_seq: 4, member: member.clone() };
    let gone = ChangeEvent::MemberLeft { conversation_id, change_seq: 5, member: left };
    assert_eq!(told(3).await, [updated.clone(), gone.clone()]);
    // To who does not know of the joining it is told, as it stands.
    let joined = ChangeEvent::MemberJoined { conversation_id, change_seq: 4, member };
    assert_eq!(told(2).await, [joined, gone.clone()]);
    let known = Known { user_id: bob.clone(), changes: vec![(room, 3)] };
    let missed = store.missed(&[known], 100, 100).await.unwrap().remove(0).remove(0);
    assert_eq!(missed.changes.unwrap().events, [updated, gone]);
    let ids = [cy.clone()];
    // What brought the membership about is the joining still.
    let [membership] = &store.memberships(&ids).await.unwrap()[..] else { panic!("one") };
    assert_eq!((membership.conversation_id, membership.change_seq), (room, 3));
    let circle = store.circles(&ids, 10, 10).await.unwrap().remove(0);
    assert_eq!(circle.memberships, std::slice::from_ref(membership));
    let overview = store.overview(&cy, 10).await.unwrap();
    assert_eq!(overview.standings[0].membership, *membership);
    // Who comes back owns nothing, and the next to inherit is who joined first of those who are there.
    let back = join(store, room, &ada).await;
    assert_eq!(back.member.role, MemberRole::Member);
    let outcome = store.leave(room, &cy, false).await.unwrap();
    let LeaveOutcome::Left { heir: Some(heir), .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(heir.user.id, ada);
    let back = join(store, room, &cy).await;
    let since = back.member.change_seq - 1;
    assert!(matches!(&told(since).await[..], [ChangeEvent::MemberJoined { .. }]));
    assert_eq!(leave(store, room, &bob).await.member.role, MemberRole::Member);
}

/// The last member leaves only when that is meant, and a room that nobody is a member of belongs to who
/// joins it next.
pub async fn the_last_member_leaves_when_that_is_meant(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    assert_eq!(store.leave(room, &ada, false).await.unwrap(), LeaveOutcome::LastMember);
    assert_eq!(store.heads(&[room]).await.unwrap()[0].change_seq, 1);
    assert_eq!(member(store, room, &ada).await.role, MemberRole::Owner);
    assert_eq!(store.leave(room, &bob, false).await.unwrap(), LeaveOutcome::NotMember);
    let outcome = store.leave(room, &ada, true).await.unwrap();
    let LeaveOutcome::Left { member: left, heir: None } = outcome else { panic!("{outcome:?}") };
    assert_eq!((left.member.change_seq, left.member.state), (2, MemberState::Left));
    assert_eq!(join(store, room, &bob).await.member.role, MemberRole::Owner);
    assert_eq!(join(store, room, &ada).await.member.role, MemberRole::Member);
}

/// However many leave at once, a room that has members has one owner, and one of them is the last.
pub async fn of_members_who_leave_at_once_one_is_the_last(store: &dyn Store) {
    let users = join_all((0..6).map(async |n| user(store, &format!("user{n}")).await)).await;
    let room = room(store, &users[0], "general").await;
    for _ in 0..4 {
        for user in &users {
            let _already = store.join(room, user, at(1), MANY).await.unwrap();
        }
        let leaves = users.iter().map(|user| store.leave(room, user, false));
        let outcomes: Vec<_> = join_all(leaves).await.into_iter().map(Result::unwrap).collect();
        let last = outcomes.iter().filter(|outcome| **outcome == LeaveOutcome::LastMember);
        assert_eq!(last.count(), 1, "{outcomes:?}");
        let members = store.members(room, None, 10).await.unwrap();
        let roles: Vec<_> = members.iter().map(|profile| profile.member.role).collect();
        assert_eq!(roles, [MemberRole::Owner]);
    }
}

/// What a join answers is the room as it stood when the join took effect, whatever races with it.
pub async fn joins_at_once_are_seen_as_they_took_effect(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let room = room(store, &ada, "general").await;
    let users = join_all((0..12).map(async |n| user(store, &format!("user{n}")).await)).await;
    for round in 0..3 {
        let calls = users.iter().map(async |user| {
            let (joined, _) = futures::join!(store.join(room, user, at(1), MANY), async {
                breathe().await;
                store.leave(room, user, false).await.unwrap()
            });
            match joined.unwrap() {
                JoinOutcome::Joined(profile, summary) => {
                    assert_eq!(summary.change_seq, profile.member.change_seq);
                    assert_eq!((summary.unread, summary.conversation_id), (0, room));
                    assert!(summary.conversation.member_count >= 2);
                }
                other => panic!("round {round}: {other:?}"),
            }
            store.leave(room, user, false).await.unwrap();
        });
        join_all(calls).await;
    }
}
