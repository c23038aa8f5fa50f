//! Batches of messages: numbers, repeats and refusals.

use std::collections::BTreeMap;

use chat_proto::ConversationId;
use futures::future::join_all;

use super::fixture::{
    append, at, direct, draft, draft_as, history, join, leave, repeated, room, send, send_many,
    stored, user,
};
use crate::store::{AppendOutcome, MessageDraft, Store};

/// Numbers follow one another in the order of the drafts, from batch to batch.
pub async fn a_batch_is_numbered_in_its_order(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let mut drafts: Vec<_> = (1..=10).map(|n| draft(pair, &ada, &format!("{n}"))).collect();
    // The ids sort the other way, so that an order by id would be noticed.
    let mut ids: Vec<_> = drafts.iter().map(|draft| draft.id).collect();
    ids.reverse();
    drafts.iter_mut().zip(ids).for_each(|(draft, id)| draft.id = id);
    let messages: Vec<_> =
        store.append(drafts.clone()).await.unwrap().into_iter().map(stored).collect();
    for (n, (message, draft)) in (1..).zip(messages.iter().zip(&drafts)) {
        assert_eq!((message.id, &message.content), (draft.id, &draft.content));
        assert_eq!((message.seq, message.change_seq), (n, n + 2));
    }
    assert_eq!(history(store, pair).await, messages);
    let next = send(store, pair, &bob, "next").await;
    assert_eq!((next.seq, next.change_seq), (11, 13));
}

/// Each conversation counts for itself.
pub async fn a_batch_reaches_many_conversations(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut rooms = Vec::new();
    for n in 0..5 {
        rooms.push(room(store, &ada, &format!("room {n}")).await);
    }
    let drafts = (0..25).map(|n| draft(rooms[n % 5], &ada, &format!("{n}"))).collect();
    for (n, outcome) in store.append(drafts).await.unwrap().into_iter().enumerate() {
        let message = stored(outcome);
        let seq = n as u64 / 5 + 1;
        assert_eq!(message.conversation_id, rooms[n % 5]);
        assert_eq!((message.seq, message.change_seq), (seq, seq + 1));
    }
    for head in store.heads(&rooms).await.unwrap() {
        assert_eq!((head.last_seq, head.change_seq), (5, 6));
    }
}

/// A client id that was used is answered with what was stored then, and takes no number.
pub async fn a_repeat_is_answered_with_the_original(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let original = stored(append(store, draft_as("c1", pair, &ada, "first @bob")).await);
    send(store, pair, &bob, "between").await;
    for text in ["first @bob", "something else"] {
        let again = repeated(append(store, draft_as("c1", pair, &ada, text)).await);
        assert_eq!(again, original);
    }
    let outcomes = store.append(vec![
        draft(pair, &ada, "before"),
        draft_as("c1", pair, &ada, "in the middle"),
        draft(pair, &ada, "after"),
    ]);
    let mut outcomes = outcomes.await.unwrap().into_iter();
    assert_eq!(stored(outcomes.next().unwrap()).seq, 3);
    assert_eq!(repeated(outcomes.next().unwrap()), original);
    assert_eq!(stored(outcomes.next().unwrap()).seq, 4);
    assert_eq!(history(store, pair).await.len(), 4);
}

/// The same within one batch: the first draft is the message, the others repeat it.
pub async fn a_repeat_within_a_batch_is_answered_with_the_original(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let outcomes = store.append(vec![
        draft_as("c1", pair, &ada, "one @bob"),
        draft_as("c2", pair, &ada, "two"),
        draft_as("c1", pair, &ada, "one again"),
        draft_as("c1", pair, &bob, "bob's own"),
        draft_as("c1", pair, &ada, "and again"),
    ]);
    let outcomes = outcomes.await.unwrap();
    let messages = history(store, pair).await;
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0].mentions, [bob]);
    let stored = |n: usize| AppendOutcome::Stored(messages[n].clone());
    let repeated = || AppendOutcome::Repeated(messages[0].clone());
    assert_eq!(outcomes, [stored(0), stored(1), repeated(), stored(2), repeated()]);
}

/// Two senders may use the same client id, and so may one sender in two conversations.
pub async fn a_client_id_belongs_to_a_sender_and_a_conversation(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let room = room(store, &ada, "general").await;
    let mut ids = Vec::new();
    for (conversation, sender) in [(pair, &ada), (pair, &bob), (room, &ada)] {
        ids.push(stored(append(store, draft_as("1", conversation, sender, "hi")).await).id);
    }
    let case = stored(append(store, draft_as("A", pair, &ada, "hi")).await);
    let other_case = stored(append(store, draft_as("a", pair, &ada, "hi")).await);
    assert_ne!(case.id, other_case.id, "client ids are compared byte by byte");
    let again = repeated(append(store, draft_as("1", room, &ada, "hi")).await);
    assert_eq!(again.id, ids[2]);
}

/// Some drafts of a batch are refused; the others are stored, without a hole in their numbers.
pub async fn a_batch_outlives_the_refusal_of_some(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let pair = direct(store, &ada, &bob).await;
    let outcomes = store.append(vec![
        draft(pair, &eve, "let me in"),
        draft(pair, &ada, "one"),
        draft(ConversationId::generate(), &ada, "where"),
        draft(pair, &bob, "two"),
        draft(pair, &eve, "let me in"),
    ]);
    let outcomes = outcomes.await.unwrap();
    let refused = |n: usize| outcomes[n] == AppendOutcome::NotMember;
    assert!(refused(0) && refused(2) && refused(4));
    assert_eq!(stored(outcomes[1].clone()).seq, 1);
    assert_eq!(stored(outcomes[3].clone()).seq, 2);
    assert_eq!(history(store, pair).await.len(), 2);
}

/// After a membership has ended, even what was sent before is not answered.
pub async fn a_former_member_cannot_even_repeat(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    let sent = draft(room, &bob, "hello");
    let original = stored(append(store, sent.clone()).await);
    leave(store, room, &bob).await;
    assert_eq!(append(store, sent.clone()).await, AppendOutcome::NotMember);
    join(store, room, &bob).await;
    assert_eq!(repeated(append(store, sent).await), original);
}

/// A batch has up to 1,024 drafts; of these, every eighth is a repeat.
pub async fn a_large_batch_is_stored_whole(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let rooms = [direct(store, &ada, &bob).await, room(store, &ada, "general").await];
    join(store, rooms[1], &bob).await;
    let text = "x".repeat(4_000);
    let drafts: Vec<_> = (0..1_024)
        .map(|n| {
            let original = if n % 8 == 7 { n - 2 } else { n };
            let sender = [&ada, &bob][original / 2 % 2];
            draft_as(&format!("c{original}"), rooms[original % 2], sender, &text)
        })
        .collect();
    let outcomes = store.append(drafts.clone()).await.unwrap();
    assert_eq!(outcomes.len(), 1_024);
    let mut next: BTreeMap<ConversationId, u64> = BTreeMap::new();
    for (n, outcome) in outcomes.iter().enumerate() {
        if n % 8 == 7 {
            let AppendOutcome::Stored(original) = &outcomes[n - 2] else { panic!("draft {n}") };
            assert_eq!(*outcome, AppendOutcome::Repeated(original.clone()));
        } else {
            let message = stored(outcome.clone());
            assert_eq!(message.id, drafts[n].id);
            let seq = next.entry(message.conversation_id).or_default();
            *seq += 1;
            assert_eq!(message.seq, *seq);
        }
    }
    assert_eq!(next.values().sum::<u64>(), 896);
    for room in rooms {
        assert_eq!(history(store, room).await.len() as u64, next[&room]);
    }
    let again = store.append(drafts).await.unwrap();
    assert!(again.iter().all(|outcome| matches!(outcome, AppendOutcome::Repeated(_))));
}

/// Nothing is stored, and nothing is answered.
pub async fn an_empty_batch_is_nothing(store: &dyn Store) {
    assert_eq!(store.append(Vec::new()).await.unwrap(), []);
}

/// Messages and joins at the same moment: the numbers of both kinds have no hole.
pub async fn appends_at_once_have_consecutive_numbers(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    let users = join_all((0..10).map(async |n| user(store, &format!("user{n}")).await)).await;
    let sends = (0..50).map(async |n| {
        let sender = if n % 2 == 0 { &ada } else { &bob };
        let message = send(store, room, sender, &format!("message {n}")).await;
        (message.seq, message.change_seq)
    });
    let joins = users.iter().map(async |user| join(store, room, user).await.member.change_seq);
    let (sent, joined) = futures::join!(join_all(sends), join_all(joins));
    let mut seqs: Vec<u64> = sent.iter().map(|(seq, _)| *seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    let mut changes: Vec<u64> = sent.iter().map(|(_, change)| *change).chain(joined).collect();
    changes.sort_unstable();
    assert_eq!(changes, (3..=62).collect::<Vec<_>>());
    let messages = history(store, room).await;
    assert!(messages.is_sorted_by_key(|message| message.change_seq), "one order for both numbers");
}

/// A sender that is not sure may repeat while the first is still under way.
pub async fn a_repeat_at_once_is_stored_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    send_many(store, pair, &bob, 2).await;
    let sends = (0..20).map(|_| append(store, draft_as("c1", pair, &ada, "once")));
    let outcomes = join_all(sends).await;
    let original = history(store, pair).await.remove(2);
    let stored = AppendOutcome::Stored(original.clone());
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == stored).count(), 1);
    let repeated = AppendOutcome::Repeated(original);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == repeated).count(), 19);
    assert_eq!(store.heads(&[pair]).await.unwrap()[0].last_seq, 3);
}

/// A client id is known for ever: however much was stored since, and however late its repeat comes.
pub async fn a_client_id_is_known_for_ever(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let original = stored(append(store, draft_as("c1", pair, &ada, "first")).await);
    for _ in 0..3 {
        send_many(store, pair, &ada, 1_024).await;
    }
    let later = || MessageDraft {
        created_at: at(10_000_000_000),
        ..draft_as("c1", pair, &ada, "three hundred years later")
    };
    assert_eq!(repeated(append(store, later()).await), original);
    leave(store, pair, &bob).await;
    assert_eq!(repeated(append(store, later()).await), original);
    assert_eq!(store.heads(&[pair]).await.unwrap()[0].last_seq, 3_073);
}
