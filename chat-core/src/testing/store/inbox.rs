//! The list of conversations as one member sees it.

use chat_proto::{ConversationId, ConversationKind, MessagePreview};

use super::fixture::{
    append, at, direct, draft, join, leave, member, new_room, opened, room, send, send_many,
    stored, user, user_id,
};
use crate::store::{CursorKind, InboxPosition, MessageDraft, NewRoom, Store, UnreadTotal};

/// Each of the two sees the other.
pub async fn a_direct_conversation_shows_the_other(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let empty = store.summary(&ada, pair).await.unwrap().unwrap();
    assert_eq!((empty.preview, empty.last_activity_at), (None, at(0)));
    assert_eq!((empty.last_seq, empty.change_seq), (0, 2));
    let message = send(store, pair, &ada, "hello").await;
    store.record_last_seen(&bob, at(30)).await.unwrap();
    store.advance(pair, &bob, CursorKind::Delivered, None).await.unwrap();
    for (me, other, cursors, peer_cursors, unread) in
        [(&ada, &bob, (0, 0), (Some(0), Some(1)), 0), (&bob, &ada, (0, 1), (Some(0), Some(0)), 1)]
    {
        let summary = store.summary(me, pair).await.unwrap().unwrap();
        assert_eq!((summary.conversation_id, summary.conversation.id), (pair, pair));
        assert_eq!(Some(&summary.conversation), store.conversation(pair).await.unwrap().as_ref());
        assert_eq!(summary.peer, store.user(other).await.unwrap());
        assert_eq!((summary.last_seq, summary.change_seq), (1, 3));
        assert_eq!((summary.read_seq, summary.delivered_seq), cursors);
        assert_eq!((summary.peer_read_seq, summary.peer_delivered_seq), peer_cursors);
        assert_eq!((summary.unread, summary.unread_mentions), (unread, 0));
        assert_eq!(summary.preview, Some(MessagePreview::from(&message)));
        assert_eq!(summary.last_activity_at, message.created_at);
        assert_eq!(store.summaries(me, None, 10).await.unwrap(), [summary]);
    }
}

/// A room has no peer; its preview is the beginning of its last message.
pub async fn a_room_shows_its_last_message(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "Général").await;
    join(store, room, &bob).await;
    send(store, room, &ada, "first").await;
    let long = "é👩‍👩‍👧".repeat(100);
    send(store, room, &bob, &long).await;
    let summary = store.summary(&ada, room).await.unwrap().unwrap();
    assert_eq!(summary.conversation, store.conversation(room).await.unwrap().unwrap());
    assert_eq!(summary.conversation.kind, ConversationKind::Room);
    assert_eq!(summary.conversation.member_count, 2);
    assert_eq!(
        (summary.peer, summary.peer_read_seq, summary.peer_delivered_seq),
        (None, None, None)
    );
    assert_eq!((summary.last_seq, summary.change_seq, summary.unread), (2, 4, 1));
    let preview = summary.preview.unwrap();
    assert_eq!((preview.seq, &preview.sender_id, preview.created_at), (2, &bob, at(10)));
    let excerpt: String = long.chars().take(MessagePreview::CHARACTERS).collect();
    assert_eq!(preview.content, excerpt);
}

/// A direct conversation keeps its two, even when one of them has left it.
pub async fn a_peer_who_left_is_still_the_peer(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    leave(store, pair, &bob).await;
    let summary = store.summary(&ada, pair).await.unwrap().unwrap();
    assert_eq!(summary.peer.map(|peer| peer.id), Some(bob.clone()));
    assert_eq!((summary.peer_read_seq, summary.conversation.member_count), (Some(0), 1));
    assert_eq!(store.summary(&bob, pair).await.unwrap(), None);
}

/// The list is sorted by what was written last, or made last where nothing was written.
pub async fn the_most_recently_active_comes_first(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut rooms = Vec::new();
    for second in [1, 2, 3] {
        let new = new_room(&ada, "room", chat_proto::Visibility::Public);
        let new = NewRoom { created_at: at(second), ..new };
        rooms.push(opened(store.create_room(new).await).id);
    }
    let order = async || {
        let list = store.summaries(&ada, None, 10).await.unwrap();
        let places: Vec<_> = list.iter().map(|one| one.last_activity_at).collect();
        assert!(places.is_sorted_by(|a, b| a >= b));
        list.into_iter().map(|one| one.conversation_id).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [rooms[2], rooms[1], rooms[0]]);
    let sent = async |room: ConversationId, second: i64| {
        let draft = MessageDraft { created_at: at(second), ..draft(room, &ada, "hi") };
        stored(append(store, draft).await)
    };
    sent(rooms[0], 10).await;
    assert_eq!(order().await, [rooms[0], rooms[2], rooms[1]]);
    sent(rooms[1], 11).await;
    assert_eq!(order().await, [rooms[1], rooms[0], rooms[2]]);
    join(store, rooms[2], &user(store, "bob").await).await;
    assert_eq!(order().await, [rooms[1], rooms[0], rooms[2]], "a join is no activity");
}

/// What was written last comes first, whatever the clock said then: it may have gone back, or have been
/// ahead and come back. The time of the last activity does not go back with it.
pub async fn the_clock_orders_no_list(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut rooms = Vec::new();
    for second in [3_600, 0, 7_200] {
        let new = new_room(&ada, "room", chat_proto::Visibility::Public);
        let new = NewRoom { created_at: at(second), ..new };
        rooms.push(opened(store.create_room(new).await).id);
    }
    let order = async || {
        let whole = store.summaries(&ada, None, 10).await.unwrap();
        assert!(whole.is_sorted_by(|a, b| a.activity > b.activity), "{whole:?}");
        let overview = store.overview(&ada, 10).await.unwrap();
        assert_eq!(overview.summaries, whole, "a greeting begins with the same");
        let (mut paged, mut after) = (Vec::new(), None);
        while let Some(one) = store.summaries(&ada, after, 1).await.unwrap().pop() {
            after = Some(InboxPosition::of(&one));
            paged.push(one);
        }
        assert_eq!(paged, whole);
        whole.into_iter().map(|one| (one.conversation_id, one.last_activity_at)).collect::<Vec<_>>()
    };
    let [ahead, now, later] = rooms[..] else { unreachable!() };
    assert_eq!(order().await, [(later, at(7_200)), (now, at(0)), (ahead, at(3_600))]);
    let message = |room, second| MessageDraft { created_at: at(second), ..draft(room, &ada, "hi") };
    stored(append(store, message(ahead, 7_300)).await);
    stored(append(store, message(now, 10)).await);
    assert_eq!(order().await, [(now, at(10)), (ahead, at(7_300)), (later, at(7_200))]);
    stored(append(store, message(ahead, 20)).await);
    assert_eq!(order().await, [(ahead, at(7_300)), (now, at(10)), (later, at(7_200))]);
    // The last of a batch counts, for each of its conversations.
    let batch = vec![message(later, 40), message(ahead, 5), message(now, 30), message(later, 4)];
    store.append(batch).await.unwrap();
    assert_eq!(order().await, [(later, at(7_200)), (now, at(30)), (ahead, at(7_300))]);
}

/// Pages go on where the last ended, whatever the times are, which may be the same.
pub async fn pages_neither_repeat_nor_skip(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut expected = Vec::new();
    for n in 0..11 {
        let room = room(store, &ada, &format!("room {n}")).await;
        let created_at = at(10 + n % 3);
        stored(append(store, MessageDraft { created_at, ..draft(room, &ada, "hi") }).await);
        expected.push((created_at, room));
    }
    expected.reverse();
    for limit in [1, 2, 3, 5, 11] {
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let page = store.summaries(&ada, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(InboxPosition::of(last));
            listed.extend(page.iter().map(|one| (one.last_activity_at, one.conversation_id)));
        }
        assert_eq!(listed, expected, "pages of {limit}");
    }
    assert!(store.summaries(&ada, None, 0).await.unwrap().is_empty());
}

/// A conversation is in the lists of its members, and in no other.
pub async fn only_members_see_a_conversation(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let pair = direct(store, &ada, &bob).await;
    let room = room(store, &ada, "general").await;
    join(store, room, &eve).await;
    leave(store, room, &eve).await;
    send(store, room, &ada, "hello @eve").await;
    for conversation in [pair, room, ConversationId::generate()] {
        assert_eq!(store.summary(&eve, conversation).await.unwrap(), None);
        assert_eq!(store.summary(&user_id("nobody"), conversation).await.unwrap(), None);
    }
    assert_eq!(store.summaries(&eve, None, 10).await.unwrap(), []);
    assert_eq!(store.unread_total(&eve).await.unwrap(), UnreadTotal::default());
    let bobs = store.summaries(&bob, None, 10).await.unwrap();
    assert_eq!(bobs.iter().map(|one| one.conversation_id).collect::<Vec<_>>(), [pair]);
    assert_eq!(member(store, pair, &bob).await.conversation_id, pair);
}

/// Totals add up what each conversation counts, at most 100 of each.
pub async fn unread_totals_are_sums(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    assert_eq!(store.unread_total(&bob).await.unwrap(), UnreadTotal::default());
    let pair = direct(store, &ada, &bob).await;
    let (busy, quiet) = (room(store, &ada, "busy").await, room(store, &ada, "quiet").await);
    join(store, busy, &bob).await;
    join(store, quiet, &bob).await;
    send_many(store, busy, &ada, 120).await;
    send(store, pair, &ada, "@bob").await;
    send(store, pair, &ada, "there?").await;
    send(store, quiet, &bob, "hello @bob").await;
    let total = store.unread_total(&bob).await.unwrap();
    assert_eq!(
        total,
        UnreadTotal { unread: 102, unread_mentions: 1, conversations: 2, through: 129 }
    );
    store.advance(busy, &bob, CursorKind::Read, None).await.unwrap();
    let total = store.unread_total(&bob).await.unwrap();
    assert_eq!(
        total,
        UnreadTotal { unread: 2, unread_mentions: 1, conversations: 1, through: 129 }
    );
    leave(store, pair, &bob).await;
    // 122 changes of the one room, and 3 of the other: what is not a conversation of bob's is not counted.
    let none = UnreadTotal { through: 125, ..UnreadTotal::default() };
    assert_eq!(store.unread_total(&bob).await.unwrap(), none);
    let total = store.unread_total(&ada).await.unwrap();
    let expected = UnreadTotal { unread: 1, unread_mentions: 0, conversations: 1, through: 130 };
    assert_eq!(total, expected);
}

/// An overview is what the single questions answer: memberships, their heads, and the first page.
pub async fn an_overview_is_all_memberships_and_the_first_page(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    direct(store, &ada, &bob).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let id = room(store, &ada, &format!("room {n}")).await;
        join(store, id, &bob).await;
        let sent = MessageDraft { created_at: at(20 + n * 5 % 7), ..draft(id, &ada, "hi @bob") };
        stored(append(store, sent).await);
        ids.push(id);
    }
    leave(store, ids[1], &bob).await;
    leave(store, ids[2], &bob).await;
    join(store, ids[2], &bob).await;
    join(store, ids[3], &eve).await;
    store.advance(ids[4], &bob, CursorKind::Read, None).await.unwrap();
    for user in [&ada, &bob, &eve, &user_id("nobody")] {
        let mut memberships = store.memberships(std::slice::from_ref(user)).await.unwrap();
        memberships.sort_by_key(|one| one.conversation_id);
        for limit in [0, 1, 3, 100] {
            let mut overview = store.overview(user, limit).await.unwrap();
            let page = store.summaries(user, None, limit).await.unwrap();
            assert_eq!(overview.summaries, page, "{limit}");
            overview.standings.sort_by_key(|one| one.membership.conversation_id);
            assert_eq!(overview.standings.len(), memberships.len(), "beyond the limit, too");
            for (standing, membership) in overview.standings.iter().zip(&memberships) {
                assert_eq!(standing.membership, *membership);
                let head = store.visible_head(membership.conversation_id, user).await.unwrap();
                assert_eq!(Some(standing.head), head);
            }
        }
    }
    let bobs = store.memberships(&[bob]).await.unwrap();
    assert_eq!(bobs.len(), 6);
    let changes: Vec<_> =
        bobs.iter().filter(|one| one.conversation_id == ids[2]).map(|one| one.change_seq).collect();
    assert_eq!(changes, [5], "the change that brought it about is that of the last join");
}

/// The overviews of several users are those of each, in their order, whoever is asked about twice.
pub async fn overviews_are_those_of_each_user(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    for n in 0..4 {
        let id = room(store, &ada, &format!("room {n}")).await;
        join(store, id, &bob).await;
        stored(
            append(store, MessageDraft { created_at: at(20 - n), ..draft(id, &ada, "hi") }).await,
        );
    }
    stored(append(store, MessageDraft { created_at: at(18), ..draft(pair, &bob, "hi") }).await);
    let users = [bob.clone(), user_id("nobody"), ada, bob];
    for limit in [0, 2, 3, 10] {
        let overviews = store.overviews(&users, limit).await.unwrap();
        assert_eq!(overviews.len(), users.len());
        for (user, mut overview) in users.iter().zip(overviews) {
            assert_eq!(overview.summaries, store.summaries(user, None, limit).await.unwrap());
            let mut alone = store.overview(user, limit).await.unwrap();
            for overview in [&mut overview, &mut alone] {
                overview.standings.sort_by_key(|one| one.head.conversation_id);
            }
            assert_eq!(overview, alone, "{user}");
        }
    }
    assert_eq!(store.overviews(&[], 10).await.unwrap(), []);
}
