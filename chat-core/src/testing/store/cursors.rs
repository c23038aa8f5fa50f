//! How far members have come, and what that leaves unread.

use std::collections::BTreeSet;

use chat_proto::ConversationId;
use futures::future::join_all;

use super::fixture::{
    append, direct, draft, join, leave, room, send, send_many, stored, user, user_id,
};
use crate::store::{CursorAdvance, CursorKind, Store};

use CursorKind::{Delivered, Read};

/// A cursor that is asked to move back stays where it is.
pub async fn a_cursor_moves_forward_only(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    send_many(store, pair, &ada, 10).await;
    let unread_mentions = 0;
    for (kind, unread_at) in [(Delivered, None), (Read, Some(10))] {
        for (seq, from, to) in [(4, 0, 4), (2, 4, 4), (4, 4, 4), (0, 4, 4), (7, 4, 7)] {
            let moved = store.advance(pair, &bob, kind, Some(seq)).await.unwrap().unwrap();
            let unread = unread_at.map_or(10, |all| all - to);
            let passed = to - from;
            let counted_through = 10;
            let expected =
                CursorAdvance { from, to, passed, unread, unread_mentions, counted_through };
            assert_eq!(moved, expected);
        }
    }
    let summary = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!((summary.read_seq, summary.delivered_seq, summary.unread), (7, 7, 3));
}

/// Beyond the last message there is nothing to read; without a number, the last is meant.
pub async fn a_cursor_stops_at_the_last_message(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    for seq in [None, Some(5), Some(u64::MAX)] {
        let moved = store.advance(pair, &bob, Read, seq).await.unwrap().unwrap();
        assert_eq!((moved.from, moved.to, moved.passed, moved.unread), (0, 0, 0, 0));
    }
    send_many(store, pair, &ada, 3).await;
    let moved = store.advance(pair, &bob, Delivered, Some(u64::MAX)).await.unwrap().unwrap();
    assert_eq!((moved.from, moved.to, moved.unread), (0, 3, 3));
    let moved = store.advance(pair, &bob, Read, None).await.unwrap().unwrap();
    assert_eq!((moved.from, moved.to, moved.passed, moved.unread), (0, 3, 3, 0));
    send(store, pair, &ada, "more").await;
    let summary = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!((summary.read_seq, summary.delivered_seq, summary.unread), (3, 3, 1));
}

/// Reading moves the delivered cursor, too; receiving does not move the read one.
pub async fn what_is_read_is_delivered(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    send_many(store, pair, &ada, 6).await;
    for (kind, seq, read_seq, delivered_seq) in [
        (Delivered, 2, 0, 2),
        (Read, 1, 1, 2),
        (Read, 4, 4, 4),
        (Delivered, 3, 4, 4),
        (Delivered, 6, 4, 6),
    ] {
        store.advance(pair, &bob, kind, Some(seq)).await.unwrap().unwrap();
        let bobs = store.summary(&bob, pair).await.unwrap().unwrap();
        assert_eq!((bobs.read_seq, bobs.delivered_seq), (read_seq, delivered_seq));
        let adas = store.summary(&ada, pair).await.unwrap().unwrap();
        assert_eq!((adas.read_seq, adas.delivered_seq), (0, 0));
        assert_eq!(adas.peer_read_seq, Some(read_seq));
        assert_eq!(adas.peer_delivered_seq, Some(delivered_seq));
    }
}

/// Who is not a member has no cursor to move, and who left has none any more.
pub async fn only_members_have_cursors(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    leave(store, room, &bob).await;
    send(store, room, &ada, "hello").await;
    for (conversation, user) in
        [(room, &bob), (room, &eve), (room, &user_id("nobody")), (ConversationId::generate(), &ada)]
    {
        for kind in [Read, Delivered] {
            assert_eq!(store.advance(conversation, user, kind, Some(1)).await.unwrap(), None);
        }
    }
}

/// What a user sends is unread by others only, and so is a mention in it.
pub async fn own_messages_are_never_unread(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let texts = ["@bob one", "two", "@bob three", "four @ada"];
    for text in texts {
        send(store, pair, &ada, text).await;
        send(store, pair, &bob, text).await;
    }
    let adas = store.summary(&ada, pair).await.unwrap().unwrap();
    assert_eq!((adas.read_seq, adas.unread, adas.unread_mentions), (0, 4, 1));
    let bobs = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!((bobs.read_seq, bobs.unread, bobs.unread_mentions), (0, 4, 2));
    let moved = store.advance(pair, &bob, Read, Some(4)).await.unwrap().unwrap();
    let expected = CursorAdvance {
        from: 0,
        to: 4,
        passed: 2,
        unread: 2,
        unread_mentions: 1,
        counted_through: 8,
    };
    assert_eq!(moved, expected);
    let moved = store.advance(pair, &bob, Delivered, Some(5)).await.unwrap().unwrap();
    assert_eq!(moved, CursorAdvance { from: 4, to: 5, passed: 1, ..expected });
}

/// Nobody counts further than that; how many messages a cursor passed is exact.
pub async fn counts_stop_at_a_hundred(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let drafts = (0..160).map(|_| draft(pair, &ada, "hey @bob"));
    store.append(drafts.collect()).await.unwrap().into_iter().for_each(|one| drop(stored(one)));
    for (seq, passed, unread) in [(0, 0, 100), (10, 10, 100), (60, 50, 100), (61, 1, 99)] {
        let moved = store.advance(pair, &bob, Read, Some(seq)).await.unwrap().unwrap();
        assert_eq!((moved.passed, moved.unread, moved.unread_mentions), (passed, unread, unread));
        let summary = store.summary(&bob, pair).await.unwrap().unwrap();
        assert_eq!((summary.unread, summary.unread_mentions), (unread, unread));
        let total = store.unread_total(&bob).await.unwrap();
        assert_eq!((total.unread, total.unread_mentions), (unread, unread));
    }
    append(store, draft(pair, &ada, "last")).await;
    let moved = store.advance(pair, &bob, Delivered, None).await.unwrap().unwrap();
    assert_eq!((moved.from, moved.to, moved.passed, moved.unread), (61, 161, 100, 100));
    let moved = store.advance(pair, &bob, Read, None).await.unwrap().unwrap();
    assert_eq!((moved.passed, moved.unread, moved.unread_mentions), (100, 0, 0));
}

/// Several devices move one cursor: the furthest counts, and nothing is passed twice.
pub async fn a_cursor_moved_at_once_passes_each_message_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    send_many(store, pair, &ada, 20).await;
    let moves = (1..=20).map(|seq| store.advance(pair, &bob, Read, Some(seq * 7 % 21)));
    let moved: Vec<_> =
        join_all(moves).await.into_iter().map(|one| one.unwrap().unwrap()).collect();
    assert_eq!(moved.iter().map(|one| one.passed).sum::<u64>(), moved_through(&moved));
    let summary = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!(summary.read_seq, moved_through(&moved));
    let moves = (1..=20).map(|seq| store.advance(pair, &bob, Read, Some(seq)));
    join_all(moves).await;
    let summary = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!((summary.read_seq, summary.unread), (20, 0));
    let ends: BTreeSet<_> =
        moved.iter().filter(|one| one.from < one.to).map(|one| one.from).collect();
    assert_eq!(ends.len(), moved.iter().filter(|one| one.from < one.to).count());
}

fn moved_through(moved: &[CursorAdvance]) -> u64 {
    moved.iter().map(|one| one.to).max().unwrap_or_default()
}
