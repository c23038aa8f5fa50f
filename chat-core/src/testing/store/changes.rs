//! Catching up: what has changed since a number.

use chat_proto::{ChangeEvent, ConversationId};
use futures::future::join_all;

use super::fixture::{breathe, direct, history, join, leave, room, send, send_many, user};
use crate::store::{Changes, Store};

/// The numbers of the changes that an answer tells.
fn numbers(changes: &Changes) -> Vec<u64> {
    changes.events.iter().map(ChangeEvent::change_seq).collect()
}

/// Joins, messages and departures are told in the order of their numbers, with all they brought.
pub async fn changes_tell_all_since_a_number(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let first = send(store, room, &ada, "hello").await;
    let joined = join(store, room, &bob).await;
    let second = send(store, room, &ada, "welcome @bob").await;
    let changes = store.changes(room, 0, 100).await.unwrap();
    assert_eq!(numbers(&changes), [1, 2, 3, 4]);
    assert_eq!((changes.through, changes.complete), (4, true));
    let owner = store.members(room, None, 1).await.unwrap().remove(0);
    let conversation_id = room;
    let expected = [
        ChangeEvent::MemberJoined { conversation_id, change_seq: 1, member: owner },
        ChangeEvent::MessageCreated { conversation_id, change_seq: 2, message: first },
        ChangeEvent::MemberJoined { conversation_id, change_seq: 3, member: joined },
        ChangeEvent::MessageCreated { conversation_id, change_seq: 4, message: second },
    ];
    assert_eq!(changes.events, expected);
    let left = leave(store, room, &bob).await;
    let changes = store.changes(room, 4, 100).await.unwrap();
    let expected = ChangeEvent::MemberLeft { conversation_id, change_seq: 5, member: left };
    assert_eq!(changes.events, [expected]);
    let other = direct(store, &ada, &bob).await;
    assert_eq!(numbers(&store.changes(other, 0, 100).await.unwrap()), [1, 2]);
}

/// After the last change there is nothing, and that is complete.
pub async fn changes_end_at_the_head(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    send_many(store, pair, &ada, 3).await;
    for since in [5, 6, 1_000, i64::MAX as u64] {
        let changes = store.changes(pair, since, 10).await.unwrap();
        assert_eq!(changes, Changes { events: Vec::new(), through: 5, complete: true });
    }
    let unknown = store.changes(ConversationId::generate(), 0, 10).await.unwrap();
    assert_eq!(unknown, Changes { events: Vec::new(), through: 0, complete: true });
}

/// An answer that is cut off says how far it reaches; from there the next goes on.
pub async fn changes_come_in_pages(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let room = room(store, &ada, "general").await;
    for n in 0..4 {
        send_many(store, room, &ada, 2).await;
        join(store, room, &user(store, &format!("user{n}")).await).await;
    }
    let all = store.changes(room, 0, 13).await.unwrap();
    assert_eq!(numbers(&all), (1..=13).collect::<Vec<_>>());
    assert!(all.complete, "a page that is just full is complete");
    for limit in [1, 2, 3, 5, 12] {
        let (mut since, mut events) = (0, Vec::new());
        loop {
            let page = store.changes(room, since, limit).await.unwrap();
            assert!(page.events.len() <= limit);
            assert!(page.through > since);
            since = page.through;
            assert_eq!(page.events.last().unwrap().change_seq(), page.through);
            events.extend(page.events);
            if page.complete {
                break;
            }
        }
        assert_eq!((since, &events), (13, &all.events), "pages of {limit}");
    }
}

/// However messages and memberships take turns, each number has after it what all have after theirs.
pub async fn changes_are_found_among_comings_and_goings(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    for (messages, visits) in [(0, 2), (3, 0), (1, 3), (5, 1), (0, 1), (2, 0)] {
        send_many(store, room, &ada, messages).await;
        for _ in 0..visits {
            join(store, room, &bob).await;
            leave(store, room, &bob).await;
        }
    }
    let all = store.changes(room, 0, 100).await.unwrap();
    assert_eq!((all.through, all.complete), (26, true));
    assert_eq!(numbers(&all), [1, 6, 7, 8, 9, 16, 17, 18, 19, 20, 24, 25, 26]);
    for since in 0..=26 {
        let after = all.events.iter().filter(|event| event.change_seq() > since);
        let after: Vec<_> = after.cloned().collect();
        let told = store.changes(room, since, 100).await.unwrap();
        assert_eq!((told.events, told.through), (after.clone(), 26), "since {since}");
        let told = store.changes(room, since, 3).await.unwrap();
        assert_eq!(told.events, after[..after.len().min(3)], "three since {since}");
    }
}

/// Of who came and went and came again, only the last is told, and the numbers have holes.
pub async fn of_a_member_the_last_change_is_told(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    leave(store, room, &bob).await;
    send(store, room, &ada, "where is bob?").await;
    join(store, room, &bob).await;
    join(store, room, &eve).await;
    leave(store, room, &eve).await;
    let changes = store.changes(room, 0, 100).await.unwrap();
    assert_eq!(numbers(&changes), [1, 4, 5, 7]);
    assert_eq!((changes.through, changes.complete), (7, true));
    assert!(matches!(&changes.events[2],
        ChangeEvent::MemberJoined { member, .. } if member.user.id == bob));
    assert!(matches!(&changes.events[3],
        ChangeEvent::MemberLeft { member, .. } if member.user.id == eve));
    let page = store.changes(room, 1, 2).await.unwrap();
    assert_eq!((numbers(&page), page.through, page.complete), (vec![4, 5], 5, false));
    leave(store, room, &bob).await;
    let changes = store.changes(room, 5, 100).await.unwrap();
    assert_eq!((numbers(&changes), changes.through), (vec![7, 8], 8));
}

/// An answer never reaches further than what it tells, even while others write.
pub async fn changes_are_read_from_one_snapshot(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let writes = async {
        for _ in 0..10 {
            send_many(store, room, &ada, 3).await;
            breathe().await;
            join(store, room, &bob).await;
            breathe().await;
            leave(store, room, &bob).await;
            breathe().await;
        }
    };
    let reads = join_all((0..4).map(async |_| {
        for _ in 0..20 {
            let changes = store.changes(room, 1, 1_000).await.unwrap();
            assert!(changes.complete);
            // Only bob's first change of a pair is ever overtaken, by the one after it or later.
            let told = numbers(&changes);
            assert!(told.is_sorted() && told.last().is_none_or(|last| *last == changes.through));
            let messages = told.len() as u64
                - changes
                    .events
                    .iter()
                    .filter(|event| !matches!(event, ChangeEvent::MessageCreated { .. }))
                    .count() as u64;
            let stored = history(store, room).await;
            let before = stored.iter().filter(|message| message.change_seq <= changes.through);
            assert_eq!(before.count() as u64, messages);
            breathe().await;
        }
    }));
    futures::join!(writes, reads);
}
