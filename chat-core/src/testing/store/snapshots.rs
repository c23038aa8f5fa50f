//! Reading while others write: an answer shows one moment, in which everything has happened that
//! was acknowledged before the question.

use chat_proto::{ChangeEvent, ConversationId, ConversationSummary, UserId};
use futures::future::join_all;

use super::fixture::{
    Told, at, breathe, direct, draft, head, history, join, leave, member, room, send, stored, user,
};
use crate::store::{CursorKind, MessageDraft, Overview, Store};

/// How often a writer writes. Each is a commit, and each is one more chance to be seen half.
const WRITES: u64 = 12;

/// Stores batches of three, and tells the `seq` of the last.
async fn write_batches(store: &dyn Store, to: ConversationId, sender: &UserId, told: &Told) {
    for _ in 0..WRITES {
        let drafts = (0..3).map(|n| draft(to, sender, &format!("message {n}"))).collect();
        for outcome in store.append(drafts).await.unwrap() {
            told.note(stored(outcome).seq);
        }
        breathe().await;
    }
}

/// History has no hole at its end, whole batches only, and all that was acknowledged.
pub async fn history_read_while_it_grows_has_no_hole(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let told = Told::default();
    let writes = async {
        let senders = [&ada, &bob].map(|sender| write_batches(store, pair, sender, &told));
        join_all(senders).await;
        told.end();
    };
    let read = async || {
        let mut ended = false;
        while told.more(&mut ended).await {
            let acknowledged = told.number();
            let messages = history(store, pair).await;
            let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
            assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
            assert_eq!(seqs.len() % 3, 0, "a batch is seen whole or not at all");
            assert!(seqs.len() as u64 >= acknowledged);
            let Some(last) = messages.last() else { continue };
            assert_eq!(store.message(last.id).await.unwrap().as_ref(), Some(last));
            let found = store.messages(pair, last.seq..=last.seq).await.unwrap();
            assert_eq!(found, std::slice::from_ref(last));
        }
    };
    futures::join!(writes, read(), read());
    assert_eq!(head(store, pair).await.last_seq, 6 * WRITES);
}

/// A head never moves back in one way of asking, never lags behind what was acknowledged, and never
/// runs ahead of what can be read. What is about to be acknowledged may be seen in one way before it
/// is in the other.
pub async fn heads_read_while_messages_come_are_true(store: &dyn Store) {
    read_heads_while_messages_come(store, false).await;
}

/// The same in all ways of asking together: a head that was seen in one way is seen in the other. A
/// cache does not promise this of a write that is not acknowledged.
pub async fn heads_never_move_back_however_they_are_asked_for(store: &dyn Store) {
    read_heads_while_messages_come(store, true).await;
}

async fn read_heads_while_messages_come(store: &dyn Store, as_one: bool) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let told = Told::default();
    let writes = async {
        write_batches(store, pair, &ada, &told).await;
        told.end();
    };
    let read = async || {
        let (mut ended, mut before) = (false, [0; 2]);
        while told.more(&mut ended).await {
            for visible in [false, true] {
                let acknowledged = told.number();
                let head = if visible {
                    store.visible_head(pair, &bob).await.unwrap().unwrap()
                } else {
                    head(store, pair).await
                };
                assert_eq!(head.change_seq, head.last_seq + 2, "two joins and the messages");
                let before = &mut before[usize::from(visible && !as_one)];
                assert!(head.last_seq >= acknowledged.max(*before));
                *before = head.last_seq;
                let shown = store.messages(pair, 1..=head.last_seq).await.unwrap();
                assert_eq!(shown.len() as u64, head.last_seq);
            }
        }
    };
    futures::join!(writes, read(), read());
}

/// Changes of many writers become visible in the order of their numbers: who has read up to one
/// never misses an earlier one.
pub async fn changes_become_visible_in_their_order(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    let users = join_all((0..6).map(async |n| user(store, &format!("user{n}")).await)).await;
    let told = Told::default();
    let writes = async {
        let sends = (0..4).map(async |n| {
            for _ in 0..WRITES / 2 {
                let sender = [&ada, &bob][n % 2];
                told.note(send(store, room, sender, "hi").await.change_seq);
                breathe().await;
            }
        });
        let joins = async {
            for user in &users {
                told.note(join(store, room, user).await.member.change_seq);
                breathe().await;
            }
        };
        futures::join!(join_all(sends), joins);
        told.end();
    };
    let read = async |limit: usize| {
        let (mut ended, mut since) = (false, 0);
        while told.more(&mut ended).await {
            loop {
                let acknowledged = told.number();
                let page = store.changes(room, since, limit).await.unwrap();
                let numbers: Vec<_> = page.events.iter().map(ChangeEvent::change_seq).collect();
                assert_eq!(numbers, (since + 1..=page.through).collect::<Vec<_>>());
                since = page.through;
                if page.complete {
                    assert!(since >= acknowledged);
                    break;
                }
            }
        }
        assert_eq!(since, 2 + 2 * WRITES + 6);
    };
    futures::join!(writes, read(1_000), read(2));
}

/// Fails unless all of a summary is of one moment, given that message n says n at second n, that
/// somebody else sends them all, and that as many members have joined.
fn assert_one_moment(summary: &ConversationSummary, joins: u64) {
    let last = summary.last_seq;
    assert_eq!(summary.change_seq, last + joins);
    let shown = summary.preview.as_ref().map(|one| (one.seq, one.content.clone(), one.created_at));
    let second = i64::try_from(last).unwrap();
    assert_eq!(shown, (last > 0).then(|| (last, last.to_string(), at(second))));
    assert_eq!(summary.last_activity_at, at(second));
    assert!(summary.read_seq <= summary.delivered_seq && summary.delivered_seq <= last);
    assert_eq!(summary.unread, last - summary.read_seq);
}

/// Drafts that [`assert_one_moment`] knows: numbers that follow one another.
fn counting(to: ConversationId, sender: &UserId, seqs: [u64; 2]) -> [MessageDraft; 2] {
    seqs.map(|seq| MessageDraft {
        created_at: at(i64::try_from(seq).unwrap()),
        ..draft(to, sender, &seq.to_string())
    })
}

/// The preview is of the last message, and the counts are those of the head, while messages come
/// and cursors move.
pub async fn a_summary_shows_one_moment(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let told = Told::default();
    let writes = async {
        for n in 0..WRITES {
            let drafts = counting(pair, &ada, [2 * n + 1, 2 * n + 2]);
            store.append(drafts.into()).await.unwrap();
            told.note(2 * n + 2);
            breathe().await;
            let kind = if n % 2 == 0 { CursorKind::Read } else { CursorKind::Delivered };
            store.advance(pair, &bob, kind, Some(2 * n + 1)).await.unwrap().unwrap();
            breathe().await;
        }
        told.end();
    };
    let read = async |listed: bool| {
        let mut ended = false;
        while told.more(&mut ended).await {
            let acknowledged = told.number();
            let summary = if listed {
                store.summaries(&bob, None, 10).await.unwrap().remove(0)
            } else {
                store.summary(&bob, pair).await.unwrap().unwrap()
            };
            assert_one_moment(&summary, 2);
            assert!(summary.last_seq >= acknowledged);
        }
    };
    futures::join!(writes, read(false), read(true));
}

/// Fails unless both halves of an overview are of one moment.
fn assert_halves_agree(overview: &Overview, limit: usize) {
    assert_eq!(overview.summaries.len(), overview.standings.len().min(limit));
    for summary in &overview.summaries {
        let id = summary.conversation_id;
        let standing = overview.standings.iter().find(|one| one.head.conversation_id == id);
        let head = standing.unwrap().head;
        assert_eq!((summary.last_seq, summary.change_seq), (head.last_seq, head.change_seq));
    }
    for standing in &overview.standings {
        assert!(standing.membership.change_seq <= standing.head.change_seq);
        assert_eq!(standing.membership.conversation_id, standing.head.conversation_id);
    }
}

/// Memberships, heads and the list are of one moment while messages come and the user joins and
/// leaves, and a batch for two conversations is seen in both or in neither.
pub async fn an_overview_shows_one_moment(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let rooms = [room(store, &ada, "one").await, room(store, &ada, "two").await];
    let third = room(store, &ada, "three").await;
    for room in rooms {
        join(store, room, &bob).await;
    }
    let told = Told::default();
    let writes = async {
        for n in 1..=WRITES {
            let mut drafts = Vec::new();
            for room in rooms {
                drafts.push(counting(room, &ada, [n, n]).into_iter().next().unwrap());
            }
            store.append(drafts).await.unwrap();
            told.note(n);
            breathe().await;
            if n % 2 == 1 {
                join(store, third, &bob).await;
            } else {
                leave(store, third, &bob).await;
            }
            breathe().await;
        }
        told.end();
    };
    let read = async |limit: usize| {
        let mut ended = false;
        while told.more(&mut ended).await {
            let acknowledged = told.number();
            let overview = store.overview(&bob, limit).await.unwrap();
            assert_halves_agree(&overview, limit);
            let heads: Vec<u64> = overview
                .standings
                .iter()
                .filter(|one| rooms.contains(&one.head.conversation_id))
                .map(|one| one.head.last_seq)
                .collect();
            assert_eq!(heads.len(), 2);
            assert_eq!(heads[0], heads[1], "a batch is seen whole or not at all");
            assert!(heads[0] >= acknowledged);
            for summary in &overview.summaries {
                let joins = if summary.conversation_id == third { continue } else { 2 };
                assert_one_moment(summary, joins);
            }
        }
    };
    futures::join!(writes, read(10), read(1));
}

/// What a user has not read grows with what is acknowledged, and with nothing else.
pub async fn totals_keep_up_with_messages(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let told = Told::default();
    let writes = async {
        write_batches(store, pair, &ada, &told).await;
        told.end();
    };
    let read = async {
        let mut ended = false;
        while told.more(&mut ended).await {
            let acknowledged = told.number();
            let total = store.unread_total(&bob).await.unwrap();
            assert!(total.unread >= acknowledged);
            assert_eq!(total.unread % 3, 0, "a batch is seen whole or not at all");
            assert_eq!(total.conversations, u64::from(total.unread > 0));
            assert_eq!(total.unread, (total.through - 2).min(100), "both are of one moment");
        }
    };
    futures::join!(writes, read);
}

/// Fails unless every way to ask shows the same state of a room in which both are members.
async fn assert_all_agree(store: &dyn Store, room: ConversationId, (seq, change_seq): (u64, u64)) {
    let bob: UserId = "bob".parse().unwrap();
    let head = head(store, room).await;
    assert_eq!((head.last_seq, head.change_seq), (seq, change_seq));
    assert_eq!(store.visible_head(room, &bob).await.unwrap(), Some(head));
    let messages = history(store, room).await;
    assert_eq!(messages.len() as u64, seq);
    if let Some(last) = messages.last() {
        assert_eq!(store.message(last.id).await.unwrap().as_ref(), Some(last));
    }
    let changes = store.changes(room, change_seq - 1, 10).await.unwrap();
    assert_eq!((changes.through, changes.events.len()), (change_seq, 1));
    let summary = store.summary(&bob, room).await.unwrap().unwrap();
    assert_eq!((summary.last_seq, summary.change_seq), (seq, change_seq));
    let listed = store.summaries(&bob, None, 10).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&summary));
    let overview = store.overview(&bob, 10).await.unwrap();
    assert_eq!((overview.standings[0].head, &overview.summaries[0]), (head, &summary));
    assert_eq!(store.unread_total(&bob).await.unwrap().unread, summary.unread);
    assert_eq!(Some(&summary.conversation), store.conversation(room).await.unwrap().as_ref());
    let members = store.members(room, None, 10).await.unwrap();
    assert_eq!(members.len() as u64, summary.conversation.member_count);
    for profile in members {
        let listed = store.memberships(std::slice::from_ref(&profile.user.id)).await.unwrap();
        // The change by which the user joined, which a promotion is not.
        assert!(listed[0].change_seq <= profile.member.change_seq);
        assert_eq!(member(store, room, &profile.user.id).await, profile.member);
    }
}

/// One after another: every read after a write shows it, whichever read it is.
pub async fn what_was_acknowledged_is_in_every_read(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    assert_all_agree(store, room, (0, 2)).await;
    for n in 1..=3 {
        send(store, room, &ada, "hello").await;
        assert_all_agree(store, room, (n, n + 2)).await;
        store.advance(room, &bob, CursorKind::Read, Some(n - 1)).await.unwrap().unwrap();
        let summary = store.summary(&bob, room).await.unwrap().unwrap();
        assert_eq!((summary.read_seq, summary.unread), (n - 1, 1));
    }
    // The owner leaves, and bob inherits: two changes.
    leave(store, room, &ada).await;
    assert_all_agree(store, room, (3, 7)).await;
    join(store, room, &ada).await;
    assert_all_agree(store, room, (3, 8)).await;
}
