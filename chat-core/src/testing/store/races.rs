//! Several things at once, of which each needs a place before or after the others.

use std::collections::BTreeSet;

use chat_proto::{ChangeEvent, ConversationId, Message, UserId};
use futures::future::join_all;

use super::fixture::{
    MANY, append, at, breathe, direct, draft, draft_as, head, history, join, leave, new_direct,
    opened, repeated, room, send, stored, user,
};
use crate::store::{AppendOutcome, CursorAdvance, CursorKind, JoinOutcome, LeaveOutcome, Store};

/// Two devices send with one client id at once, each in a batch of its own: it is one message, and
/// neither batch loses what is around it.
pub async fn one_client_id_in_batches_at_once_is_one_message(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    for round in 0..4 {
        let batches = (0..6).map(|n| {
            // Half of the batches name them the other way round.
            let mut same = ["a", "b"].map(|id| draft_as(&format!("{id}{round}"), pair, &ada, id));
            if n % 2 == 1 {
                same.reverse();
            }
            let [first, second] = same;
            let between = draft(pair, &ada, "between");
            store.append(vec![draft(pair, &bob, "before"), first, between, second])
        });
        let batches: Vec<_> = join_all(batches).await.into_iter().map(Result::unwrap).collect();
        let mut originals = BTreeSet::new();
        for outcome in batches.iter().flat_map(|batch| [&batch[1], &batch[3]]) {
            let (AppendOutcome::Stored(message) | AppendOutcome::Repeated(message)) = outcome
            else {
                panic!("{outcome:?}");
            };
            originals.insert((message.client_id.as_str(), message.seq));
        }
        assert_eq!(originals.len(), 2, "all tell of the same two");
        let all = batches.iter().flatten();
        let new = all.filter(|outcome| matches!(outcome, AppendOutcome::Stored(_)));
        assert_eq!(new.count(), 14);
        assert_consecutive(&history(store, pair).await, 14 * (round + 1), 2);
    }
}

/// Fails unless these are messages 1 to `count`, by changes that follow one another after as many
/// others.
fn assert_consecutive(messages: &[Message], count: usize, others: u64) {
    let numbers: Vec<_> = messages.iter().map(|one| (one.seq, one.change_seq)).collect();
    assert_eq!(numbers, (1..=count as u64).map(|seq| (seq, seq + others)).collect::<Vec<_>>());
}

/// Batches at once that name the same conversations in different orders all end, in one order for
/// each conversation.
pub async fn batches_that_cross_all_succeed(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let rooms = join_all((0..4).map(async |n| room(store, &ada, &format!("room {n}")).await)).await;
    for round in 1..=3 {
        let batches = (0..8).map(|n| {
            let mut rooms = rooms.clone();
            rooms.rotate_left(n % 4);
            if n % 2 == 1 {
                rooms.reverse();
            }
            store.append(rooms.iter().map(|room| draft(*room, &ada, "hi")).collect())
        });
        for outcomes in join_all(batches).await {
            assert_eq!(outcomes.unwrap().into_iter().map(stored).count(), 4);
        }
        for room in &rooms {
            assert_consecutive(&history(store, *room).await, 8 * round, 1);
        }
    }
}

/// After a departure is acknowledged nothing of that user is stored, whatever was under way; and
/// what was stored has its place before the departure.
pub async fn nobody_writes_after_leaving(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..6 {
        join(store, room, &bob).await;
        let sends = || {
            join_all((0..4).map(async |_| {
                let sent = draft(room, &bob, "hello");
                (sent.id, append(store, sent).await)
            }))
        };
        let leaves = async {
            let left = leave(store, room, &bob).await.member.change_seq;
            assert_eq!(
                append(store, draft(room, &bob, "too late")).await,
                AppendOutcome::NotMember
            );
            left
        };
        let (before, left, after, _) =
            futures::join!(sends(), leaves, sends(), send(store, room, &ada, "bye"));
        for (id, outcome) in before.into_iter().chain(after) {
            let found = store.message(id).await.unwrap();
            match outcome {
                AppendOutcome::Stored(message) => {
                    assert!(message.change_seq < left, "{} after {left}", message.change_seq);
                    assert_eq!(found, Some(message));
                    accepted += 1;
                }
                AppendOutcome::NotMember => {
                    assert_eq!(found, None);
                    refused += 1;
                }
                AppendOutcome::Repeated(_) => panic!("nothing was repeated"),
            }
        }
    }
    assert_eq!(accepted + refused, 48);
    let seqs: Vec<u64> = history(store, room).await.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=accepted + 6).collect::<Vec<_>>());
    assert_eq!(head(store, room).await.change_seq, 1 + accepted + 6 + 12);
}

/// Who joins while others write has read what came before the join, and nothing that came after.
pub async fn a_join_among_messages_passes_over_those_before_it(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let room = room(store, &ada, "general").await;
    let users = join_all((0..6).map(async |n| user(store, &format!("user{n}")).await)).await;
    let sends = async {
        for _ in 0..4 {
            let sends = (0..3).map(|_| send(store, room, &ada, "hello"));
            join_all(sends).await;
            breathe().await;
        }
    };
    let joins = join_all(users.iter().map(async |user| {
        for _ in 0..user.as_str().len() % 3 {
            breathe().await;
        }
        let joined = join(store, room, user).await.member.change_seq;
        // As a client does, which asks at once.
        (joined, store.summary(user, room).await.unwrap().unwrap())
    }));
    let (_, joins) = futures::join!(sends, joins);
    let messages = history(store, room).await;
    for (joined, then) in joins {
        let user = store.changes(room, joined - 1, 1).await.unwrap().events.remove(0);
        let ChangeEvent::MemberJoined { member, .. } = user else { panic!("{user:?}") };
        let before = messages.iter().filter(|message| message.change_seq < joined).count() as u64;
        let now = store.summary(&member.user.id, room).await.unwrap().unwrap();
        for summary in [then, now] {
            assert_eq!((summary.read_seq, summary.delivered_seq), (before, before));
            assert_eq!(summary.unread, summary.last_seq - before);
        }
    }
}

/// One user's joins and departures at once happen one after another: in, out, in, out.
pub async fn a_user_who_comes_and_goes_at_once_is_in_or_out(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    let calls = (0..24).map(async |n| {
        if n % 2 == 0 {
            match store.join(room, &bob, at(1), MANY).await.unwrap() {
                JoinOutcome::Joined(profile, _) => Some((profile.member.change_seq, true)),
                JoinOutcome::Already(..) => None,
                other => panic!("{other:?}"),
            }
        } else {
            match store.leave(room, &bob, false).await.unwrap() {
                LeaveOutcome::Left { member, .. } => Some((member.member.change_seq, false)),
                LeaveOutcome::NotMember => None,
                LeaveOutcome::LastMember => panic!("ada is there"),
            }
        }
    });
    let steps: BTreeSet<_> = join_all(calls).await.into_iter().flatten().collect();
    let expected = (2..).zip([true, false].into_iter().cycle()).take(steps.len());
    assert!(steps.iter().copied().eq(expected), "{steps:?}");
    let inside = steps.last().unwrap().1;
    assert_eq!(store.member(room, &bob).await.unwrap().is_some(), inside);
    let room = store.conversation(room).await.unwrap().unwrap();
    assert_eq!(room.member_count, 1 + u64::from(inside));
    assert_eq!(head(store, room.id).await.change_seq, 1 + steps.len() as u64);
}

/// Two who open their conversation at once and write as soon as they may are in one conversation,
/// with all their messages.
pub async fn a_pair_that_opens_and_writes_at_once_loses_nothing(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let calls = (0..10).map(async |n| {
        let (opener, peer) = if n % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
        let id = opened(store.open_direct(new_direct(opener, peer)).await).id;
        (id, send(store, id, opener, "hi").await)
    });
    let calls = join_all(calls).await;
    let id = calls[0].0;
    assert!(calls.iter().all(|(other, message)| (*other, message.conversation_id) == (id, id)));
    assert_consecutive(&history(store, id).await, 10, 2);
}

/// Moves a cursor to the last message, often, and returns how it went.
async fn follow(
    store: &dyn Store,
    pair: ConversationId,
    user: &UserId,
    kind: CursorKind,
) -> Vec<CursorAdvance> {
    let mut moves = Vec::new();
    for _ in 0..10 {
        moves.push(store.advance(pair, user, kind, None).await.unwrap().unwrap());
        breathe().await;
    }
    moves
}

/// A cursor that follows while messages come passes each once, and its counts are those of the
/// messages up to the one that it says it has counted through.
pub async fn a_cursor_among_messages_passes_each_once(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let sends = async {
        for n in 0..20 {
            send(store, pair, [&ada, &bob][n % 2], "@bob").await;
            breathe().await;
        }
    };
    let (_, read, delivered) = futures::join!(
        sends,
        follow(store, pair, &bob, CursorKind::Read),
        follow(store, pair, &bob, CursorKind::Delivered)
    );
    assert!(read.windows(2).all(|two| two[0].to == two[1].from), "{read:?}");
    // The delivered cursor also moves with the other.
    assert!(delivered.windows(2).all(|two| two[0].to <= two[1].from), "{delivered:?}");
    for moved in read.iter().chain(&delivered) {
        assert!(moved.from <= moved.to && moved.to <= 20);
        // Every other message is ada's, and she begins.
        assert_eq!(moved.passed, moved.to.div_ceil(2) - moved.from.div_ceil(2));
        assert!(moved.unread <= 10 && moved.unread_mentions == moved.unread);
    }
    for moved in &read {
        let through = moved.counted_through;
        assert!(moved.to <= through);
        let unread = through.div_ceil(2) - moved.to.div_ceil(2);
        assert_eq!(moved.unread, unread, "what was counted is said truly: {moved:?}");
    }
    let last = store.advance(pair, &bob, CursorKind::Read, None).await.unwrap().unwrap();
    assert_eq!(read.iter().chain([&last]).map(|moved| moved.passed).sum::<u64>(), 10);
    let summary = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!((summary.read_seq, summary.delivered_seq, summary.unread), (20, 20, 0));
}

/// A repeat that races with its sender's departure is answered with the original or refused, and
/// never stored again.
pub async fn a_repeat_that_races_with_a_departure_stores_nothing(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    let original = stored(append(store, draft_as("c1", room, &bob, "once")).await);
    for _ in 0..4 {
        let repeats = || join_all((0..3).map(|_| append(store, draft_as("c1", room, &bob, "?"))));
        let (before, _, after) = futures::join!(repeats(), leave(store, room, &bob), repeats());
        for outcome in before.into_iter().chain(after) {
            if outcome != AppendOutcome::NotMember {
                assert_eq!(repeated(outcome), original);
            }
        }
        join(store, room, &bob).await;
    }
    assert_eq!(history(store, room).await, [original]);
}

/// Of several ends of sessions that are recorded at once, the latest stays.
pub async fn last_seen_at_once_is_the_latest(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let records = (0..12).map(|n| store.record_last_seen(&ada, at(n * 7 % 12)));
    join_all(records).await.into_iter().for_each(Result::unwrap);
    let ada = store.user(&ada).await.unwrap().unwrap();
    assert_eq!(ada.last_seen_at, Some(at(11)));
}
