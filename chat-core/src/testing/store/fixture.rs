//! What the cases begin with: people, rooms and messages in one line each.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chat_proto::{
    ClientId, Conversation, ConversationId, DisplayName, Member, MemberProfile, Message,
    MessageBody, MessageId, RoomName, UserId, Username, Visibility,
};
use jiff::Timestamp;

use crate::store::{
    AppendOutcome, ConversationStore, EnsureUser, Head, JoinOutcome, LeaveOutcome, MessageDraft,
    NewDirect, NewRoom, NewUser, OpenOutcome, Store, StoreError, UserStore,
};

/// More memberships than any case needs.
pub(super) const MANY: usize = 10_000;

/// A moment, in seconds after some beginning.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(super) fn user_id(id: &str) -> UserId {
    id.parse().unwrap()
}

/// A user to be recorded, with the same text as id, unique name and name to show.
pub(super) fn new_user(name: &str) -> NewUser {
    named_user(name, name, name)
}

pub(super) fn named_user(id: &str, username: &str, display_name: &str) -> NewUser {
    NewUser {
        id: user_id(id),
        username: Username::parse(username).unwrap(),
        display_name: DisplayName::parse(display_name).unwrap(),
        created_at: at(0),
    }
}

/// Records a user.
pub(super) async fn user(store: &(impl UserStore + ?Sized), name: &str) -> UserId {
    match store.ensure_user(new_user(name)).await.unwrap() {
        EnsureUser::Created(user) => user.id,
        other => panic!("{other:?}"),
    }
}

/// A room to be made.
pub(super) fn new_room(owner: &UserId, name: &str, visibility: Visibility) -> NewRoom {
    NewRoom {
        id: ConversationId::generate(),
        name: RoomName::parse(name).unwrap(),
        topic: None,
        visibility,
        owner: owner.clone(),
        created_at: at(0),
        max_memberships: MANY,
    }
}

/// Makes a public room.
pub(super) async fn room(
    store: &(impl ConversationStore + ?Sized),
    owner: &UserId,
    name: &str,
) -> ConversationId {
    opened(store.create_room(new_room(owner, name, Visibility::Public)).await).id
}

/// The conversation that must have been found or made.
pub(super) fn opened(outcome: Result<OpenOutcome, StoreError>) -> Conversation {
    outcome.unwrap().conversation().unwrap()
}

/// A direct conversation to be opened.
pub(super) fn new_direct(opener: &UserId, peer: &UserId) -> NewDirect {
    NewDirect {
        id: ConversationId::generate(),
        opener: opener.clone(),
        peer: peer.clone(),
        created_at: at(0),
        max_memberships: MANY,
    }
}

/// Opens a direct conversation.
pub(super) async fn direct(
    store: &(impl ConversationStore + ?Sized),
    opener: &UserId,
    peer: &UserId,
) -> ConversationId {
    opened(store.open_direct(new_direct(opener, peer)).await).id
}

/// Makes a user a member of a public room.
pub(super) async fn join(store: &dyn Store, room: ConversationId, user: &UserId) -> MemberProfile {
    match store.join(room, user, at(1), MANY).await.unwrap() {
        JoinOutcome::Joined(profile, _) => profile,
        other => panic!("{other:?}"),
    }
}

/// Ends a membership.
pub(super) async fn leave(store: &dyn Store, room: ConversationId, user: &UserId) -> MemberProfile {
    match store.leave(room, user, true).await.unwrap() {
        LeaveOutcome::Left { member, .. } => member,
        other => panic!("{other:?}"),
    }
}

/// A message to be stored, with a client id of its own.
pub(super) fn draft(conversation: ConversationId, sender: &UserId, text: &str) -> MessageDraft {
    let content = MessageBody::parse(text, 10_000).unwrap();
    MessageDraft {
        id: MessageId::generate(),
        conversation_id: conversation,
        sender_id: sender.clone(),
        client_id: ClientId::generate(),
        mentions: content.mentions(),
        content,
        created_at: at(10),
    }
}

/// The same with a given client id.
pub(super) fn draft_as(
    client_id: &str,
    conversation: ConversationId,
    sender: &UserId,
    text: &str,
) -> MessageDraft {
    let client_id = client_id.parse().unwrap();
    MessageDraft { client_id, ..draft(conversation, sender, text) }
}

/// Stores one message.
pub(super) async fn append(store: &dyn Store, draft: MessageDraft) -> AppendOutcome {
    let mut outcomes = store.append(vec![draft]).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// Sends a message that must be stored.
pub(super) async fn send(
    store: &dyn Store,
    conversation: ConversationId,
    sender: &UserId,
    text: &str,
) -> Message {
    stored(append(store, draft(conversation, sender, text)).await)
}

/// Sends that many messages in one batch.
pub(super) async fn send_many(
    store: &dyn Store,
    conversation: ConversationId,
    sender: &UserId,
    count: usize,
) -> Vec<Message> {
    let drafts = (1..=count).map(|n| draft(conversation, sender, &format!("message {n}")));
    let outcomes = store.append(drafts.collect()).await.unwrap();
    outcomes.into_iter().map(stored).collect()
}

/// The message of an outcome that must be a stored one.
pub(super) fn stored(outcome: AppendOutcome) -> Message {
    match outcome {
        AppendOutcome::Stored(message) => message,
        other => panic!("{other:?}"),
    }
}

/// The message of an outcome that must be a repeated one.
pub(super) fn repeated(outcome: AppendOutcome) -> Message {
    match outcome {
        AppendOutcome::Repeated(message) => message,
        other => panic!("{other:?}"),
    }
}

/// The membership of a user who must be a member.
pub(super) async fn member(
    store: &dyn Store,
    conversation: ConversationId,
    user: &UserId,
) -> Member {
    store.member(conversation, user).await.unwrap().unwrap()
}

/// All of a conversation's messages.
pub(super) async fn history(store: &dyn Store, conversation: ConversationId) -> Vec<Message> {
    store.messages(conversation, 1..=u64::MAX).await.unwrap()
}

/// How far a conversation is that exists.
pub(super) async fn head(store: &dyn Store, conversation: ConversationId) -> Head {
    let heads = store.heads(&[conversation]).await.unwrap();
    assert_eq!(heads.len(), 1);
    heads[0]
}

/// Lets others go on, so that calls overlap also where the store answers without waiting.
pub(super) async fn breathe() {
    tokio::task::yield_now().await;
}

/// What a writer has been told, for readers beside it.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The highest number that was acknowledged.
    number: AtomicU64,
    /// Whether there will be no more.
    all: AtomicBool,
}

impl Told {
    /// Notes that a number was acknowledged.
    pub(super) fn note(&self, number: u64) {
        self.number.fetch_max(number, Ordering::SeqCst);
    }

    /// What was acknowledged until now: a read that begins after this must show it.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// Ends the [`more`](Self::more) of the readers.
    pub(super) fn end(&self) {
        self.all.store(true, Ordering::SeqCst);
    }

    /// Whether a reader should look again: until it has looked once after the end.
    pub(super) async fn more(&self, ended: &mut bool) -> bool {
        breathe().await;
        let again = !*ended;
        *ended = self.all.load(Ordering::SeqCst);
        again
    }
}
