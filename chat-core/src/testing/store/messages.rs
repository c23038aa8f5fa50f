//! One message: what is kept of it, and how it is found again.

use chat_proto::{
    ChangeEvent, ConversationId, DisplayName, MENTIONS_MAX, MessageId, MessagePreview, UserId,
    Username, Visibility,
};
use jiff::SignedDuration;

use super::fixture::{
    append, at, direct, draft, draft_as, history, join, leave, new_room, opened, room, send,
    send_many, stored, user, user_id,
};
use crate::store::{AppendOutcome, CursorKind, EnsureUser, Head, MessageDraft, NewUser, Store};

/// What an append returns is what is read back, to the microsecond.
pub async fn a_message_comes_back_as_it_was_stored(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let draft = MessageDraft {
        created_at: at(10) + SignedDuration::from_nanos(999_999_999),
        ..draft_as("~!@#$%^&*()\"'\\{}", pair, &ada, "hello")
    };
    let message = stored(append(store, draft.clone()).await);
    assert_eq!((message.id, message.conversation_id), (draft.id, pair));
    assert_eq!((message.seq, message.change_seq), (1, 3));
    assert_eq!((&message.sender_id, &message.client_id), (&ada, &draft.client_id));
    assert_eq!((&message.content, message.mentions.len()), (&draft.content, 0));
    assert_eq!(message.created_at, at(10) + SignedDuration::from_micros(999_999));
    assert_eq!(store.message(message.id).await.unwrap(), Some(message.clone()));
    assert_eq!(history(store, pair).await, std::slice::from_ref(&message));
    let again = append(store, draft).await;
    assert_eq!(again, AppendOutcome::Repeated(message));
}

/// Every text that a message may have survives the way into the store and back.
pub async fn text_is_kept_byte_for_byte(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let texts = [
        "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪",
        "مرحبا \u{202E}txet detrever\u{202C} שלום",
        "Z\u{323}\u{307}\u{301}a\u{308}lgo",
        "\u{FFFF}\u{FFFE}\u{FDD0}\u{10FFFF}\u{E000}",
        "\"quotes\" 'single' `back` \\backslash\\ \\\" \\u0041 \\n",
        "\u{1}\u{2}\u{8}\u{b}\u{c}\u{1f}\u{7f}\u{85}visible",
        "tabs\tand\r\nlines\n\u{2028}\u{2029}",
        "'; DROP TABLE chat_message; --",
        "{\"json\": [null, true, 1e400]}",
        "<script>alert(1)</script> &amp; %00 %s ${x} {{y}}",
        "  spaces at both ends  ",
        "ﬁ Å Å é e\u{301}",
        "\u{FEFF}bom",
    ];
    let drafts: Vec<_> = texts.iter().map(|text| draft(pair, &ada, text)).collect();
    let outcomes = store.append(drafts.clone()).await.unwrap();
    let read = history(store, pair).await;
    assert_eq!(read.len(), texts.len());
    for ((outcome, read), text) in outcomes.into_iter().zip(read).zip(texts) {
        assert_eq!(read.content.as_str(), text);
        assert_eq!(stored(outcome), read);
        assert_eq!(store.message(read.id).await.unwrap(), Some(read));
    }
    for (outcome, text) in store.append(drafts).await.unwrap().into_iter().zip(texts) {
        assert!(
            matches!(&outcome, AppendOutcome::Repeated(message) if message.content.as_str() == text)
        );
    }
    for text in texts {
        send(store, pair, &ada, text).await;
        let summary = store.summary(&bob, pair).await.unwrap().unwrap();
        assert_eq!(summary.preview.unwrap().content, text);
    }
}

/// Who is not a member, never or no longer, stores nothing and takes no number.
pub async fn only_members_write(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    leave(store, room, &bob).await;
    for (room, sender) in
        [(room, &bob), (room, &eve), (room, &user_id("nobody")), (ConversationId::generate(), &ada)]
    {
        let refused = draft(room, sender, "hello");
        let id = refused.id;
        assert_eq!(append(store, refused).await, AppendOutcome::NotMember);
        assert_eq!(store.message(id).await.unwrap(), None);
    }
    let message = send(store, room, &ada, "hello").await;
    assert_eq!((message.seq, message.change_seq), (1, 4));
    join(store, room, &bob).await;
    assert_eq!(send(store, room, &bob, "back").await.seq, 2);
}

/// Mentions are of members, each once, in the order of the text.
pub async fn a_mention_is_of_a_member(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "Bob").await, user(store, "eve").await);
    let zoe = user(store, "zoe").await;
    let room = room(store, &ada, "general").await;
    join(store, room, &bob).await;
    join(store, room, &eve).await;
    leave(store, room, &eve).await;
    let text = "@zoe @bob @nobody @eve @ada";
    let mentioning = draft(room, &ada, &format!("{text} @BOB"));
    assert_eq!(mentioning.mentions.len(), 6);
    let message = stored(append(store, mentioning.clone()).await);
    assert_eq!(message.mentions, [bob.clone(), ada.clone()]);
    assert_eq!(store.message(message.id).await.unwrap(), Some(message.clone()));
    join(store, room, &zoe).await;
    let again = append(store, mentioning).await;
    assert_eq!(again, AppendOutcome::Repeated(message), "a stored message does not change");
    let message = send(store, room, &bob, text).await;
    assert_eq!(message.mentions, [zoe, bob, ada]);
    assert_eq!(history(store, room).await[1], message);
    assert!(send(store, room, &eve_back(store, room).await, "nobody").await.mentions.is_empty());
}

/// Of the names that a text may mean, the longest that is a member's counts, whatever the form in
/// which either was written, and however long ago its name was accepted.
pub async fn a_mention_is_of_the_longest_name(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let mut members = Vec::new();
    for (n, name) in
        ["zoe", "zo\u{eb}", "सत", "x", "x.", "y-", "ada@example.org"].into_iter().enumerate()
    {
        let username = Username::from_stored(name.to_owned());
        let display_name = DisplayName::from(&username);
        let id = user_id(&format!("m{n}"));
        let new = NewUser { id: id.clone(), username, display_name, created_at: at(0) };
        assert!(matches!(store.ensure_user(new).await.unwrap(), EnsureUser::Created(_)), "{name}");
        members.push(id);
    }
    let stranger = user(store, "stranger").await;
    let pair = direct(store, &ada, &members[1]).await;
    let room = room(store, &ada, "general").await;
    for member in &members {
        join(store, room, member).await;
    }
    for (text, expected) in [
        ("@zoe\u{308} and @ZOË", vec![1]),
        ("@zoe, @zoe\u{308}", vec![0, 1]),
        ("@सत्या", vec![]),
        ("@x. @y-, @x!", vec![4, 5, 3]),
        ("@ada@example.org.", vec![6]),
        ("@stranger", vec![]),
    ] {
        let message = send(store, room, &ada, text).await;
        let expected: Vec<_> = expected.into_iter().map(|n: usize| members[n].clone()).collect();
        assert_eq!(message.mentions, expected, "{text}");
        assert_eq!(message.content.as_str(), text, "the text itself stays as it is");
        assert_eq!(store.message(message.id).await.unwrap(), Some(message));
    }
    for (text, expected) in [("@zoe", vec![]), ("@zoe\u{308}?", vec![members[1].clone()])] {
        assert_eq!(send(store, pair, &ada, text).await.mentions, expected, "{text}");
    }
    join(store, room, &stranger).await;
    assert_eq!(send(store, room, &ada, "@stranger").await.mentions, [stranger]);
}

/// A message mentions at most twenty members. Names that are no member's do not count.
pub async fn only_members_count_as_mentions(store: &dyn Store) {
    let ada = user(store, "ada").await;
    let room = room(store, &ada, "general").await;
    let mut text: String = (0..200).map(|n| format!("@nobody{n}z ")).collect();
    for n in 0..25 {
        let name = format!("member{n}z");
        text.push_str(&format!("@{name} @{name} "));
        join(store, room, &user(store, &name).await).await;
    }
    let expected: Vec<_> = (0..MENTIONS_MAX).map(|n| user_id(&format!("member{n}z"))).collect();
    let message = send(store, room, &ada, &text).await;
    assert_eq!(message.mentions, expected);
    assert_eq!(store.message(message.id).await.unwrap(), Some(message));
}

async fn eve_back(store: &dyn Store, room: ConversationId) -> chat_proto::UserId {
    join(store, room, &user_id("eve")).await.user.id
}

/// History is what lies in a range, both ends included.
pub async fn history_is_a_range(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let other = room(store, &ada, "other").await;
    assert!(history(store, pair).await.is_empty());
    let all = send_many(store, pair, &ada, 10).await;
    send_many(store, other, &ada, 10).await;
    for (range, expected) in [
        (1..=10, &all[..]),
        (3..=5, &all[2..5]),
        (7..=7, &all[6..7]),
        (0..=2, &all[..2]),
        (9..=u64::MAX, &all[8..]),
        (11..=20, &[]),
        (u64::MAX..=u64::MAX, &[]),
        (0..=0, &[]),
    ] {
        assert_eq!(store.messages(pair, range.clone()).await.unwrap(), expected, "{range:?}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "an empty range is a range")]
    let empty = 5..=4;
    assert!(store.messages(pair, empty).await.unwrap().is_empty());
    assert!(history(store, ConversationId::generate()).await.is_empty());
}

/// A message is found by its id, whatever conversation it is in.
pub async fn messages_are_found_by_id(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    for conversation in [direct(store, &ada, &bob).await, room(store, &ada, "general").await] {
        for message in send_many(store, conversation, &ada, 3).await {
            assert_eq!(store.message(message.id).await.unwrap(), Some(message));
        }
    }
    assert_eq!(store.message(MessageId::generate()).await.unwrap(), None);
}

/// A head counts messages and changes apart.
pub async fn heads_tell_how_far_conversations_are(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let room = room(store, &ada, "general").await;
    send_many(store, pair, &ada, 3).await;
    let unknown = ConversationId::generate();
    let mut heads = store.heads(&[room, unknown, pair]).await.unwrap();
    heads.sort_by_key(|head| head.last_seq);
    let heads: Vec<_> =
        heads.iter().map(|head| (head.conversation_id, head.last_seq, head.change_seq)).collect();
    assert_eq!(heads, [(room, 0, 1), (pair, 3, 5)]);
    assert_eq!(store.heads(&[room, pair, room]).await.unwrap().len(), 2, "each once");
    assert!(store.heads(&[]).await.unwrap().is_empty());
    assert!(store.heads(&[unknown]).await.unwrap().is_empty());
}

/// The clock of a server may go back. Nothing about a conversation goes by it: the last message is
/// the one with the highest number.
pub async fn the_clock_orders_no_messages(store: &dyn Store) {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    let pair = direct(store, &ada, &bob).await;
    let backwards = |seconds: [i64; 3]| -> Vec<MessageDraft> {
        let draft = |second| MessageDraft { created_at: at(second), ..draft(pair, &ada, "tick") };
        seconds.map(draft).into()
    };
    for seconds in [[50, 40, 60], [30, 70, 20]] {
        let messages: Vec<_> =
            store.append(backwards(seconds)).await.unwrap().into_iter().map(stored).collect();
        assert_eq!(messages.iter().map(|one| one.created_at).collect::<Vec<_>>(), seconds.map(at));
    }
    let messages = history(store, pair).await;
    assert_eq!(messages.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(store.messages(pair, 2..=4).await.unwrap(), messages[1..4]);
    let changes = store.changes(pair, 2, 100).await.unwrap();
    let told = changes.events.iter().map(ChangeEvent::change_seq);
    assert_eq!(told.collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    let page = store.changes(pair, 3, 2).await.unwrap();
    assert_eq!((page.through, page.complete), (5, false));
    let summary = store.summary(&bob, pair).await.unwrap().unwrap();
    assert_eq!(summary.preview, Some(MessagePreview::from(&messages[5])));
    assert_eq!(summary.last_activity_at, at(70), "it never goes back");
    let moved = store.advance(pair, &bob, CursorKind::Read, Some(5)).await.unwrap().unwrap();
    assert_eq!((moved.passed, moved.unread), (5, 1));
}

/// Members see how far a conversation is. Who is not one, never or no longer, sees nothing, which
/// is what there is to see of a conversation that does not exist.
pub async fn a_head_is_visible_to_members_only(store: &dyn Store) {
    let (ada, bob, eve) =
        (user(store, "ada").await, user(store, "bob").await, user(store, "eve").await);
    let pair = direct(store, &ada, &bob).await;
    let open = room(store, &ada, "general").await;
    let private = new_room(&ada, "secret", Visibility::Private);
    let private = opened(store.create_room(private).await).id;
    join(store, open, &bob).await;
    send(store, open, &ada, "hello").await;
    let visible =
        async |conversation, user: &UserId| store.visible_head(conversation, user).await.unwrap();
    for (conversation, members, strangers) in
        [(pair, vec![&ada, &bob], vec![&eve]), (private, vec![&ada], vec![&bob, &eve])]
    {
        let head = store.heads(&[conversation]).await.unwrap().pop();
        for member in members {
            assert_eq!(visible(conversation, member).await, head);
        }
        for stranger in strangers {
            assert_eq!(visible(conversation, stranger).await, None);
        }
    }
    assert_eq!(visible(open, &eve).await, None, "not even of a room that anyone may join");
    assert_eq!(visible(open, &user_id("nobody")).await, None);
    assert_eq!(visible(ConversationId::generate(), &ada).await, None);
    let expected = |last_seq, change_seq| Head { conversation_id: open, last_seq, change_seq };
    assert_eq!(visible(open, &bob).await, Some(expected(1, 3)));
    leave(store, open, &bob).await;
    assert_eq!(visible(open, &bob).await, None);
    assert_eq!(visible(open, &ada).await, Some(expected(1, 4)));
    join(store, open, &bob).await;
    assert_eq!(visible(open, &bob).await, Some(expected(1, 5)));
}
