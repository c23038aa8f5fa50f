//! Direct conversations and rooms: how they begin and how they are found.

use chat_proto::{ConversationId, ConversationKind, MemberRole, RoomName, Topic, Visibility};
use futures::future::join_all;

use super::fixture::{
    at, direct, draft, join, leave, member, new_direct, new_room, opened, room, stored, user,
};
use crate::store::{MessageDraft, NewRoom, OpenOutcome, RoomPosition, Store};

/// Whoever of two opens it, and however often, it is one conversation with both as members.
pub async fn a_pair_has_one_direct_conversation(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    // The opener has the higher id, so that an order by id would be noticed.
    let new = new_direct(&bob, &ada);
    assert_eq!(store.direct(&ada, &bob).await.unwrap(), None);
    let outcome = store.open_direct(new.clone()).await.unwrap();
    assert!(outcome.is_created());
    let conversation = outcome.conversation().unwrap();
    assert_eq!(conversation.id, new.id);
    assert_eq!(conversation.kind, ConversationKind::Direct);
    assert_eq!(conversation.visibility, Visibility::Private);
    assert_eq!((&conversation.name, &conversation.topic), (&None, &None));
    assert_eq!((&conversation.created_by, conversation.created_at), (&bob, at(0)));
    assert_eq!(conversation.member_count, 2);
    for (opener, peer) in [(&bob, &ada), (&ada, &bob)] {
        let again = store.open_direct(new_direct(opener, peer)).await.unwrap();
        assert_eq!(again, OpenOutcome::Existing(conversation.clone()));
        let found = store.direct(opener, peer).await.unwrap();
        assert_eq!(found.as_ref(), Some(&conversation));
    }
    for (user, change_seq) in [(&bob, 1), (&ada, 2)] {
        let member = member(store, conversation.id, user).await;
        assert_eq!((member.change_seq, member.role), (change_seq, MemberRole::Member));
        assert_eq!(member.joined_at, at(0));
    }
    assert_eq!(store.conversation(conversation.id).await.unwrap(), Some(conversation));
    let eve = user(store, "eve").await;
    assert!(store.open_direct(new_direct(&ada, &eve)).await.unwrap().is_created());
}

/// Both may open it at the same moment, several times.
pub async fn a_pair_that_opens_at_once_has_one_conversation(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let calls = (0..20).map(|n| {
        let (opener, peer) = if n % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
        store.open_direct(new_direct(opener, peer))
    });
    let outcomes: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_created()).count(), 1);
    let found: Vec<_> =
        outcomes.into_iter().map(|outcome| outcome.conversation().unwrap()).collect();
    assert!(found.iter().all(|other| *other == found[0]));
    assert_eq!(store.summaries(&ada, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.heads(&[found[0].id]).await.unwrap()[0].change_seq, 2);
}

/// A room's owner is its first member, by its first change.
pub async fn a_room_begins_with_its_owner(store: &dyn Store) {
    let ada = user(store, "ada").await;
    for visibility in [Visibility::Public, Visibility::Private] {
        let new = NewRoom {
            topic: Some(Topic::parse("Engines ⚙️").unwrap()),
            ..new_room(&ada, "Général", visibility)
        };
        let room = opened(store.create_room(new.clone()).await);
        assert_eq!((room.id, room.kind), (new.id, ConversationKind::Room));
        assert_eq!((&room.name, &room.topic), (&Some(new.name), &new.topic));
        assert_eq!((room.visibility, room.member_count), (visibility, 1));
        assert_eq!((&room.created_by, room.created_at), (&ada, at(0)));
        let owner = member(store, room.id, &ada).await;
        assert_eq!((owner.role, owner.change_seq), (MemberRole::Owner, 1));
        assert_eq!(store.conversation(room.id).await.unwrap(), Some(room));
    }
    assert_eq!(store.conversation(ConversationId::generate()).await.unwrap(), None);
}

/// A name means the oldest public room that has it.
pub async fn a_room_is_found_by_name_if_it_is_public(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let rooms = [
        ("general", Visibility::Private, 0),
        ("General", Visibility::Public, 2),
        ("GENERAL", Visibility::Public, 1),
        ("general", Visibility::Public, 3),
    ];
    let mut ids = Vec::new();
    for (name, visibility, second) in rooms {
        let new = NewRoom { created_at: at(second), ..new_room(&ada, name, visibility) };
        ids.push(opened(store.create_room(new).await).id);
    }
    let found = store.room_by_name("general").await.unwrap().unwrap();
    assert_eq!(found.id, ids[2]);
    assert_eq!(store.room_by_name("General").await.unwrap(), None, "that is no key");
    assert_eq!(store.room_by_name("other").await.unwrap(), None);
}

/// A room that is found is not joined; one that is made begins as every room does.
pub async fn a_named_room_is_found_or_made(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let new = new_room(&ada, "General", Visibility::Public);
    let made = store.find_or_create_room(new.clone()).await.unwrap();
    assert!(made.is_created());
    let made = made.conversation().unwrap();
    assert_eq!((made.id, made.member_count), (new.id, 1));
    assert_eq!(member(store, new.id, &ada).await.change_seq, 1);
    let found = new_room(&bob, "GENERAL", Visibility::Public);
    let found = store.find_or_create_room(found).await.unwrap();
    assert_eq!(found, OpenOutcome::Existing(made));
    assert_eq!(store.member(new.id, &bob).await.unwrap(), None);
    store.create_room(new_room(&ada, "secret", Visibility::Private)).await.unwrap();
    let other = store.find_or_create_room(new_room(&bob, "secret", Visibility::Public)).await;
    assert!(other.unwrap().is_created(), "a private room is not found by its name");
}

/// Many may ask for the same room at the same moment.
pub async fn a_named_room_is_made_once_by_many(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let calls = (0..20).map(|n| {
        let (owner, name) = if n % 2 == 0 { (&ada, "general") } else { (&bob, "General") };
        store.find_or_create_room(new_room(owner, name, Visibility::Public))
    });
    let outcomes: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_created()).count(), 1);
    let found: Vec<_> =
        outcomes.into_iter().map(|outcome| outcome.conversation().unwrap()).collect();
    assert!(found.iter().all(|other| *other == found[0]));
    assert_eq!(store.public_rooms(None, 10).await.unwrap().len(), 1);
}

/// The number of members follows those who come and go.
pub async fn conversations_count_their_members(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let count = async || store.conversation(room).await.unwrap().unwrap().member_count;
    join(store, room, &bob).await;
    assert_eq!(count().await, 2);
    leave(store, room, &ada).await;
    assert_eq!(count().await, 1);
    join(store, room, &ada).await;
    assert_eq!(count().await, 2);
    assert_eq!(store.public_rooms(None, 10).await.unwrap()[0].member_count, 2);
}

/// The list of public rooms goes by name key and then by id, in pages that neither repeat nor skip.
pub async fn public_rooms_are_listed_by_name(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    direct(store, &ada, &bob).await;
    store.create_room(new_room(&ada, "hidden", Visibility::Private)).await.unwrap();
    let mut expected = Vec::new();
    for name in ["b", "A", "Зал", "a", "c c", "B", "a"] {
        let id = room(store, &ada, name).await;
        expected.push(RoomPosition { key: RoomName::parse(name).unwrap().key(), id });
    }
    expected.sort();
    let mut listed: Vec<RoomPosition> = Vec::new();
    loop {
        let page = store.public_rooms(listed.last().cloned(), 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        listed.extend(
            page.into_iter()
                .map(|room| RoomPosition { key: room.name.unwrap().key(), id: room.id }),
        );
    }
    assert_eq!(listed, expected);
    let all = store.public_rooms(None, 10).await.unwrap();
    assert_eq!(all.len(), expected.len());
    assert!(all.iter().all(|room| room.visibility == Visibility::Public));
}

/// A place among rooms of one name is that of its age, also when it is asked for to be made.
pub async fn the_oldest_room_of_a_name_is_found(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut rooms = Vec::new();
    for second in [5, 2, 2, 9] {
        let new = new_room(&ada, "general", Visibility::Public);
        let new = NewRoom { created_at: at(second), ..new };
        rooms.push(opened(store.create_room(new).await));
    }
    let new = NewRoom { created_at: at(1), ..new_room(&ada, "General", Visibility::Public) };
    let found = store.find_or_create_room(new).await.unwrap();
    assert_eq!(found, OpenOutcome::Existing(rooms[1].clone()));
    assert_eq!(store.room_by_name("general").await.unwrap().as_ref(), Some(&rooms[1]));
}

/// Who left a direct conversation is not brought back by who opens it again.
pub async fn a_pair_that_parted_keeps_its_conversation(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    leave(store, pair, &bob).await;
    for (opener, peer) in [(&ada, &bob), (&bob, &ada)] {
        let again = store.open_direct(new_direct(opener, peer)).await.unwrap();
        assert!(!again.is_created());
        let again = again.conversation().unwrap();
        assert_eq!(again.id, pair);
        assert_eq!(again.member_count, 1);
        assert_eq!(store.direct(opener, peer).await.unwrap(), Some(again));
    }
    assert_eq!(store.member(pair, &bob).await.unwrap(), None);
    assert_eq!(store.heads(&[pair]).await.unwrap()[0].change_seq, 3);
}

/// The conversations of the latest messages come first, each once; those without messages are not
/// among them, whatever else happened there.
pub async fn recent_conversations_are_those_of_the_latest_messages(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    assert_eq!(store.recent(10).await.unwrap(), []);
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(room(store, &ada, &format!("room {n}")).await);
    }
    ids.push(direct(store, &ada, &bob).await);
    let say = async |place: usize, second: i64, count: usize| {
        let drafts = (0..count)
            .map(|_| MessageDraft { created_at: at(second), ..draft(ids[place], &ada, "hi") });
        store.append(drafts.collect()).await.unwrap().into_iter().for_each(|one| drop(stored(one)));
    };
    let recent = async |limit: usize| -> Vec<usize> {
        let found = store.recent(limit).await.unwrap();
        let place = |id| ids.iter().position(|other| *other == id).unwrap();
        found.into_iter().map(|conversation| place(conversation.id)).collect()
    };
    assert!(recent(10).await.is_empty());
    for (second, place) in (20..).zip([0, 4, 2]) {
        say(place, second, 1).await;
    }
    join(store, ids[3], &bob).await;
    assert_eq!(recent(10).await, [2, 4, 0]);
    // Many messages in one are one conversation.
    say(0, 30, 20).await;
    assert_eq!(recent(10).await, [0, 2, 4]);
    assert_eq!(recent(2).await, [0, 2]);
    say(3, 31, 1).await;
    assert_eq!(recent(10).await, [3, 0, 2, 4]);
    let first = store.recent(1).await.unwrap().remove(0);
    assert_eq!(first.member_count, 2);
    assert_eq!(store.conversation(first.id).await.unwrap(), Some(first));
}
