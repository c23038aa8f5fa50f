//! What lies at the edges: the first and the last time, the longest text, none and all.

use chat_proto::{
    ConversationId, DisplayName, MessageBody, RoomName, Topic, UserId, Username, Visibility,
};
use jiff::{SignedDuration, Timestamp};

use super::fixture::{
    MANY, append, at, direct, draft, draft_as, history, join, new_direct, new_room, new_user,
    opened, room, send, stored, user, user_id,
};
use crate::store::{
    AppendOutcome, EnsureUser, InboxPosition, JoinOutcome, Known, MessageDraft, NewDirect, NewRoom,
    NewUser, OpenOutcome, RoomPosition, Store,
};

/// The edges of time, in order, as they are given.
fn edges() -> [Timestamp; 8] {
    let zero = Timestamp::UNIX_EPOCH;
    let nanos = SignedDuration::from_nanos;
    [
        Timestamp::MIN,
        at(-100_000_000_000),
        zero - nanos(1_000),
        zero,
        zero + nanos(1_999),
        at(0) + nanos(999_999_999),
        at(100_000_000_000),
        // The last that can be made of a whole number of microseconds.
        Timestamp::from_second(Timestamp::MAX.as_second()).unwrap(),
    ]
}

/// A time as stores keep it.
fn kept(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap()
}

/// Every time that there is comes back, to the microsecond, wherever a time is kept.
pub async fn every_time_is_kept_to_the_microsecond(store: &dyn Store) {
    let ada = user(store, "ada").await;
    for (n, time) in edges().into_iter().enumerate() {
        let new = NewUser { created_at: time, ..new_user(&format!("user{n}")) };
        let EnsureUser::Created(other) = store.ensure_user(new).await.unwrap() else {
            panic!("the name is free");
        };
        assert_eq!((other.created_at, other.last_seen_at), (kept(time), None));
        store.record_last_seen(&other.id, time).await.unwrap();
        let other = store.user(&other.id).await.unwrap().unwrap();
        assert_eq!((other.created_at, other.last_seen_at), (kept(time), Some(kept(time))));
        let new = NewDirect { created_at: time, ..new_direct(&ada, &other.id) };
        let pair = opened(store.open_direct(new).await);
        assert_eq!(pair.created_at, kept(time));
        assert_eq!(store.conversation(pair.id).await.unwrap(), Some(pair));
        let new = NewRoom { created_at: time, ..new_room(&ada, "room", Visibility::Public) };
        let room = opened(store.create_room(new).await);
        assert_eq!(room.created_at, kept(time));
        let summary = store.summary(&ada, room.id).await.unwrap().unwrap();
        assert_eq!((summary.last_activity_at, &summary.conversation), (kept(time), &room));
        let JoinOutcome::Joined(joined, _) =
            store.join(room.id, &other.id, time, MANY).await.unwrap()
        else {
            panic!("anyone joins");
        };
        assert_eq!(joined.member.joined_at, kept(time));
        assert_eq!(store.members(room.id, Some(&ada), 1).await.unwrap(), [joined]);
        let sent = MessageDraft { created_at: time, ..draft(room.id, &ada, "now") };
        let message = stored(append(store, sent).await);
        assert_eq!(message.created_at, kept(time));
        assert_eq!(history(store, room.id).await, [message]);
        let summary = store.summary(&ada, room.id).await.unwrap().unwrap();
        assert_eq!(summary.preview.unwrap().created_at, kept(time));
        assert_eq!(summary.last_activity_at, kept(time));
    }
}

/// The list of conversations is in order, and its pages are complete, from the first time to the
/// last.
pub async fn the_list_reaches_over_all_of_time(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut expected = Vec::new();
    for time in edges() {
        let new = NewRoom { created_at: time, ..new_room(&ada, "room", Visibility::Public) };
        expected.insert(0, opened(store.create_room(new).await).id);
    }
    let (mut after, mut listed) = (None, Vec::new());
    while let Some(summary) = store.summaries(&ada, after, 1).await.unwrap().pop() {
        listed.push(summary.conversation_id);
        after = Some(InboxPosition::of(&summary));
        assert!(listed.len() <= expected.len());
    }
    assert_eq!(listed, expected);
    let oldest = store.room_by_name("room").await.unwrap().unwrap();
    assert_eq!(Some(&oldest.id), expected.last());
}

/// Text of every length that is allowed comes back, whatever its characters take.
pub async fn the_longest_texts_are_kept(store: &dyn Store) {
    let id = user_id(&"~".repeat(UserId::MAX_CHARS));
    // Lower case makes the last one longer.
    for (n, letter) in ["𠀀", "ß", "İ"].into_iter().enumerate() {
        let username = Username::parse(&letter.repeat(Username::MAX_CHARS)).unwrap();
        let display_name = DisplayName::parse(&"👩".repeat(DisplayName::MAX_CHARS)).unwrap();
        let id = if n == 0 { id.clone() } else { user_id(&format!("user{n}")) };
        let new = NewUser { id, username, display_name, created_at: at(0) };
        let EnsureUser::Created(user) = store.ensure_user(new.clone()).await.unwrap() else {
            panic!("the name is free");
        };
        assert_eq!((&user.username, &user.display_name), (&new.username, &new.display_name));
        assert_eq!(store.user(&new.id).await.unwrap().as_ref(), Some(&user));
        let found = store.user_by_name(&new.username.key()).await.unwrap();
        assert_eq!(found.as_ref(), Some(&user));
        assert_eq!(store.search_users(&new.username.key(), 9).await.unwrap(), [user]);
        let name = RoomName::parse(&letter.repeat(RoomName::MAX_CHARS)).unwrap();
        let topic = Some(Topic::parse(&"🦊".repeat(Topic::MAX_CHARS)).unwrap());
        let room = NewRoom { name, topic, ..new_room(&new.id, "room", Visibility::Public) };
        let room = opened(store.create_room(room).await);
        assert_eq!(room.topic.as_ref().unwrap().as_str().chars().count(), Topic::MAX_CHARS);
        let key = room.name.as_ref().unwrap().key();
        assert_eq!(store.room_by_name(&key).await.unwrap().as_ref(), Some(&room));
        for text in ["𝒳".repeat(4_000), format!("e{}", "\u{301}".repeat(3_999))] {
            let client_id = format!("{}{n}", "~".repeat(126));
            let content = MessageBody::parse(text, 4_000).unwrap();
            let client_id = format!("{client_id}{}", content.as_str().len() % 10);
            let sent = draft_as(&client_id, room.id, &new.id, "text");
            let message = stored(append(store, MessageDraft { content, ..sent.clone() }).await);
            assert_eq!(message.client_id.as_str(), client_id);
            assert_eq!(store.message(message.id).await.unwrap().as_ref(), Some(&message));
            let again = append(store, sent).await;
            assert_eq!(again, AppendOutcome::Repeated(message));
        }
    }
}

/// Names are the same only if they are so letter by letter, apart from case and normal form.
pub async fn names_are_compared_by_their_letters(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let names = ["\u{e9}", "e", "straße", "fin", "ı", "i", "a b", "a  b"];
    let mut ids = Vec::new();
    for name in names {
        let made = store.find_or_create_room(new_room(&ada, name, Visibility::Public)).await;
        assert!(made.as_ref().is_ok_and(OpenOutcome::is_created), "{name}");
        ids.push(opened(made).id);
    }
    for (name, id) in names.into_iter().zip(ids) {
        let key = RoomName::parse(name).unwrap().key();
        assert_eq!(store.room_by_name(&key).await.unwrap().unwrap().id, id, "{name}");
    }
    let others = [("e\u{301}", "\u{e9}"), ("STRASSE", "straße"), ("ﬁn", "fin"), ("ẞ", "ss")];
    for (other, name) in others {
        let alike = [other, name].map(|name| new_room(&ada, name, Visibility::Public));
        let [one, two] = alike.map(|room| store.find_or_create_room(room));
        assert_eq!(opened(one.await).id, opened(two.await).id, "{other} {name}");
    }
}

/// A limit of none is none, and a limit above what there is is all there is.
pub async fn limits_reach_from_none_to_all(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    for conversation in [pair, room] {
        send(store, conversation, &ada, "hi").await;
    }
    for (limit, found) in [(0, 0), (1, 1), (2, 2), (usize::MAX, 2)] {
        assert_eq!(store.search_users("", limit).await.unwrap().len(), found);
        assert_eq!(store.search_users("a", limit).await.unwrap().len(), found.min(1));
        assert_eq!(store.recent(limit).await.unwrap().len(), found);
        assert_eq!(store.public_rooms(None, limit).await.unwrap().len(), found.min(1));
        assert_eq!(store.members(room, None, limit).await.unwrap().len(), found);
        assert_eq!(store.contacts(&ada, MANY, limit).await.unwrap().len(), found.min(1));
        assert_eq!(store.summaries(&bob, None, limit).await.unwrap().len(), found);
        let overview = store.overview(&bob, limit).await.unwrap();
        assert_eq!((overview.standings.len(), overview.summaries.len()), (2, found));
        let changes = store.changes(room, 0, limit).await.unwrap();
        let told = limit.clamp(1, 3);
        assert_eq!((changes.events.len(), changes.through), (told, told as u64));
        assert_eq!(changes.complete, told == 3);
    }
    assert_eq!(store.contacts(&ada, 0, 10).await.unwrap(), []);
    assert_eq!(store.contacts(&ada, usize::MAX, 10).await.unwrap()[0].user_id, bob);
    let carl = user(store, "carl").await;
    assert_eq!(store.join(room, &carl, at(1), 0).await.unwrap(), JoinOutcome::TooMany);
    let joined = store.join(room, &carl, at(1), usize::MAX).await.unwrap();
    assert!(matches!(joined, JoinOutcome::Joined(..)));
    let changes = store.changes(room, u64::MAX, usize::MAX).await.unwrap();
    assert_eq!((changes.events.len(), changes.through, changes.complete), (0, 4, true));
}

/// A list goes on after a place whether or not anything is there.
pub async fn a_place_in_a_list_need_not_exist(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let (one, two) = (room(store, &ada, "bb").await, room(store, &ada, "dd").await);
    join(store, one, &user(store, "carl").await).await;
    for (after, found) in [("A", 2), ("ada", 1), ("adb", 1), ("carl", 0), ("zoe", 0)] {
        let page = store.members(one, Some(&user_id(after)), 9).await.unwrap();
        assert_eq!(page.len(), found, "{after}");
    }
    for (key, found) in [("", 2), ("aa", 2), ("bc", 1), ("dd", 0), ("zz", 0)] {
        // This id comes after all others of its key.
        let after = RoomPosition { key: key.to_owned(), id: ConversationId::generate() };
        let page = store.public_rooms(Some(after), 9).await.unwrap();
        assert_eq!(page.len(), found, "{key}");
    }
    stored(append(store, MessageDraft { created_at: at(20), ..draft(two, &ada, "hi") }).await);
    let whole = store.summaries(&ada, None, 9).await.unwrap();
    let [later, earlier] = [0, 1].map(|place: usize| InboxPosition::of(&whole[place]));
    let before = |after: InboxPosition| InboxPosition { activity: after.activity - 1, ..after };
    for (after, found) in [
        (InboxPosition { activity: u64::MAX, ..later }, 2),
        (InboxPosition { last_activity_at: Timestamp::MAX, ..later }, 2),
        (
            InboxPosition {
                activity: later.activity + 1,
                last_activity_at: Timestamp::MIN,
                ..later
            },
            2,
        ),
        (later, 1),
        (InboxPosition { last_activity_at: Timestamp::MIN, ..later }, 1),
        (InboxPosition { last_activity_at: Timestamp::MAX, ..earlier }, 1),
        (earlier, 0),
        (InboxPosition { last_activity_at: Timestamp::MAX, ..before(earlier) }, 0),
        (InboxPosition { activity: 0, last_activity_at: Timestamp::MIN, ..earlier }, 0),
    ] {
        let page = store.summaries(&ada, Some(after), 9).await.unwrap();
        assert_eq!(page.len(), found, "{after:?}");
    }
}

/// A question may name thousands, known and unknown, and some of them twice.
pub async fn a_question_may_name_thousands(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let mut users: Vec<UserId> = (0..3_000).map(|n| user_id(&format!("nobody-{n}"))).collect();
    let mut conversations: Vec<_> = (0..3_000).map(|_| ConversationId::generate()).collect();
    for place in [0, 1_500, 3_000] {
        users.splice(place..place, [ada.clone(), bob.clone()]);
        conversations.insert(place, pair);
    }
    assert_eq!(store.users(&users).await.unwrap().len(), 2);
    assert_eq!(store.memberships(&users).await.unwrap().len(), 2);
    assert_eq!(store.heads(&conversations).await.unwrap().len(), 1);
    let circles = store.circles(&users, MANY, MANY).await.unwrap();
    assert_eq!(circles.iter().map(|circle| circle.contacts.len()).sum::<usize>(), 6);
    let overviews = store.overviews(&users, MANY).await.unwrap();
    assert_eq!(overviews.iter().map(|overview| overview.summaries.len()).sum::<usize>(), 6);
    conversations.sort_unstable();
    conversations.dedup();
    let changes = conversations.iter().map(|id| (*id, 0)).collect();
    let known = Known { user_id: ada, changes };
    assert_eq!(store.missed(&[known], 10, 10).await.unwrap()[0].len(), 1);
}
