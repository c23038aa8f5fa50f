//! Coming back: what was missed in several conversations at once.

use chat_proto::{ChangeEvent, ConversationId, UserId};

use super::fixture::{
    Told, breathe, direct, head, join, leave, room, send, send_many, user, user_id,
};
use crate::store::{Changes, Known, Missed, Store};

fn known(user: &UserId, changes: &[(ConversationId, u64)]) -> Known {
    Known { user_id: user.clone(), changes: changes.to_vec() }
}

async fn missed(store: &dyn Store, known: Known, max_gap: u64, limit: usize) -> Vec<Missed> {
    store.missed(&[known], max_gap, limit).await.unwrap().remove(0)
}

/// Of each conversation, how many changes came, up to which, and whether that is all.
fn told(missed: &[Missed]) -> Vec<Option<(usize, u64, bool)>> {
    let changes = missed.iter().map(|missed| missed.changes.as_ref());
    changes.map(|told| told.map(|told| (told.events.len(), told.through, told.complete))).collect()
}

/// Each question is answered for itself, in the order asked, with what changes tell.
pub async fn each_is_told_what_each_missed(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let room = room(store, &ada, "general").await;
    send_many(store, pair, &ada, 3).await;
    send(store, room, &ada, "hello").await;
    join(store, room, &bob).await;
    send(store, room, &ada, "welcome @bob").await;
    join(store, room, &user(store, "eve").await).await;
    let questions = [
        known(&bob, &[(room, 0), (pair, 3)]),
        known(&user_id("nobody"), &[(pair, 0)]),
        known(&ada, &[(pair, 0), (room, 2)]),
        known(&bob, &[]),
        known(&bob, &[(pair, 4)]),
    ];
    let answers = store.missed(&questions, 100, 100).await.unwrap();
    assert_eq!(answers.len(), questions.len());
    for (answer, question) in answers.iter().zip(&questions) {
        if question.user_id.as_str() == "nobody" {
            assert_eq!(*answer, []);
            continue;
        }
        assert_eq!(answer.len(), question.changes.len());
        for (missed, (conversation, since)) in answer.iter().zip(&question.changes) {
            assert_eq!(missed.conversation_id, *conversation);
            assert_eq!(missed.change_seq, head(store, *conversation).await.change_seq);
            let changes = store.changes(*conversation, *since, 100).await.unwrap();
            assert_eq!(missed.changes.as_ref(), Some(&changes));
            assert!(!changes.events.is_empty());
        }
    }
    assert_eq!(store.missed(&[], 100, 100).await.unwrap(), [] as [Vec<Missed>; 0]);
}

/// Only what goes on is told, to members, and up to a gap.
pub async fn what_cannot_be_told_is_passed_over(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let (gone, kept) = (room(store, &ada, "gone").await, room(store, &ada, "kept").await);
    join(store, gone, &bob).await;
    leave(store, gone, &bob).await;
    join(store, kept, &bob).await;
    send_many(store, kept, &ada, 8).await;
    let pair = direct(store, &ada, &bob).await;
    let missed = async |since, max_gap| {
        let asked = [(gone, 0), (ConversationId::generate(), 0), (kept, since), (pair, 0)];
        let missed = missed(store, known(&bob, &asked), max_gap, 100).await;
        let ids: Vec<_> = missed.iter().map(|one| (one.conversation_id, one.change_seq)).collect();
        assert_eq!(ids, [(kept, 10), (pair, 2)], "where the user is a member");
        told(&missed)
    };
    let all = Some((2, 2, true));
    assert_eq!(missed(0, 10).await, [Some((10, 10, true)), all]);
    assert_eq!(missed(9, 2).await, [Some((1, 10, true)), all]);
    for (since, max_gap) in [(0, 9), (7, 2), (10, 10), (11, 10), (u64::MAX, u64::MAX)] {
        assert_eq!(missed(since, max_gap).await, [None, all], "{since} {max_gap}");
    }
    assert_eq!(missed(0, u64::MAX).await, [Some((10, 10, true)), all]);
}

/// Changes are counted out over all conversations of a question, those passed over left aside, and
/// for each question anew.
pub async fn what_was_missed_is_counted_out(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut asked = Vec::new();
    for (name, messages) in [("one", 4), ("two", 30), ("three", 3), ("four", 2)] {
        let room = room(store, &ada, name).await;
        send_many(store, room, &ada, messages).await;
        asked.push((room, 1));
    }
    for (limit, expected) in [
        (0, [None, None, None, None]),
        (1, [Some((1, 2, false)), None, None, None]),
        (4, [Some((4, 5, true)), None, None, None]),
        (6, [Some((4, 5, true)), None, Some((2, 3, false)), None]),
        (8, [Some((4, 5, true)), None, Some((3, 4, true)), Some((1, 2, false))]),
        (usize::MAX, [Some((4, 5, true)), None, Some((3, 4, true)), Some((2, 3, true))]),
    ] {
        let question = known(&ada, &asked);
        let answers = store.missed(&[question.clone(), question], 10, limit).await.unwrap();
        for answer in answers {
            assert_eq!(told(&answer), expected, "{limit}");
            for missed in answer {
                let Some(Changes { events, .. }) = missed.changes else { continue };
                let numbers: Vec<_> = events.iter().map(ChangeEvent::change_seq).collect();
                assert_eq!(numbers, (2..2 + events.len() as u64).collect::<Vec<_>>());
            }
        }
    }
}

/// What is told of a conversation is of one moment, in which all has happened that was acknowledged.
pub async fn what_was_missed_is_read_from_one_snapshot(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let acknowledged = Told::default();
    let writes = async {
        for _ in 0..30 {
            acknowledged.note(send(store, pair, &ada, "hi").await.change_seq);
            breathe().await;
        }
        acknowledged.end();
    };
    let read = async || {
        let mut ended = false;
        while acknowledged.more(&mut ended).await {
            let least = acknowledged.number();
            let missed = missed(store, known(&bob, &[(pair, 0)]), 100, 100).await.remove(0);
            let Changes { events, through, complete } = missed.changes.unwrap();
            assert!(complete && through == missed.change_seq && through >= least);
            assert_eq!(events.len() as u64, through);
        }
    };
    futures::join!(writes, read(), read());
}
