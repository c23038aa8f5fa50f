use std::collections::BTreeSet;
use std::time::Duration;

use super::{Change, Message};

/// Something that must not have happened. Clients are called by their user, and by a number where a
/// test has several of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Numbers of messages have a hole, a repeat, or another order than their changes.
    #[error("{place}: message {seq} of the store stands where {expected} should")]
    Numbering {
        /// Which conversation.
        place: String,
        /// What stands there.
        seq: u64,
        /// What should.
        expected: u64,
    },
    /// A client id is stored twice.
    #[error("{place}: {client_id} of {sender} is stored as {seqs:?}")]
    Doubled {
        /// Which conversation.
        place: String,
        /// Whose.
        sender: String,
        /// Its client id.
        client_id: String,
        /// The messages.
        seqs: Vec<u64>,
    },
    /// The store has a message that its sender never sent.
    #[error("{place}: {message:?} is in the store, but was never sent")]
    Invented {
        /// Which conversation.
        place: String,
        /// Which message.
        message: Message,
    },
    /// A message was acknowledged, and the store has it not, or otherwise.
    #[error("{client}, {place}: acknowledged as {acknowledged:?}, but stored is {stored:?}")]
    Lost {
        /// Whose.
        client: String,
        /// Which conversation.
        place: String,
        /// What the answer said.
        acknowledged: Message,
        /// What is in its place.
        stored: Option<Message>,
    },
    /// A client's messages are stored in another order than they were sent in.
    #[error("{client}, {place}: {later} was sent after {earlier}, but is stored before it")]
    Overtaken {
        /// Whose.
        client: String,
        /// Which conversation.
        place: String,
        /// Sent first.
        earlier: String,
        /// Sent later.
        later: String,
    },
    /// A send was refused for good.
    #[error("{client}: {client_id} was refused: {code}")]
    Refused {
        /// Whose.
        client: String,
        /// Which.
        client_id: String,
        /// Why.
        code: String,
    },
    /// Something was told that the store has not, or has otherwise.
    #[error("{client}, {place}: told of {change:?} as change {change_seq}, which is not stored")]
    NotStored {
        /// Who was told.
        client: String,
        /// Which conversation.
        place: String,
        /// The number of the change.
        change_seq: u64,
        /// What was told.
        change: Change,
    },
    /// Something was told to who is not a member.
    #[error("{client}, {place}: told of change {change_seq}, without being a member")]
    Leaked {
        /// Who was told.
        client: String,
        /// Which conversation.
        place: String,
        /// The number of the change.
        change_seq: u64,
    },
    /// Something from before a client left was told after the leave was answered.
    #[error("{client}, {place}: told of change {change_seq} after the leave was answered")]
    Late {
        /// Who was told.
        client: String,
        /// Which conversation.
        place: String,
        /// The number of the change.
        change_seq: u64,
    },
    /// A change was told again.
    #[error("{client}, {place}: told of change {change_seq} again, at {at:?}")]
    Again {
        /// Who was told.
        client: String,
        /// Which conversation.
        place: String,
        /// The number of the change.
        change_seq: u64,
        /// When.
        at: Duration,
    },
    /// A change was told after a later one.
    #[error("{client}, {place}: told of change {change_seq} after {known}, at {at:?}")]
    OutOfOrder {
        /// Who was told.
        client: String,
        /// Which conversation.
        place: String,
        /// The number of the change.
        change_seq: u64,
        /// The later one.
        known: u64,
        /// When.
        at: Duration,
    },
    /// Changes were passed over.
    #[error("{client}, {place}: {missing:?} were passed over, as seen at {at:?} by {by}")]
    Gap {
        /// Who was not told.
        client: String,
        /// Which conversation.
        place: String,
        /// The numbers of the changes.
        missing: BTreeSet<u64>,
        /// What came in their place.
        by: String,
        /// When.
        at: Duration,
    },
    /// A client has not been told everything at the end.
    #[error("{client}, {place}: knows {known} at the end, and has not been told of {missing:?}")]
    Behind {
        /// Who.
        client: String,
        /// Which conversation.
        place: String,
        /// The last change it was told.
        known: u64,
        /// What is missing.
        missing: BTreeSet<u64>,
    },
    /// Reading a conversation showed something else than the store has.
    #[error("{client}, {place}: read {read:?} where the store has {stored:?}")]
    Misread {
        /// Who.
        client: String,
        /// Which conversation.
        place: String,
        /// What was read first that is different.
        read: Option<Message>,
        /// What the store has in its place.
        stored: Option<Message>,
    },
    /// A user was shown as online long after the last session.
    #[error(
        "{client} was told at {at:?} that {user} is online, who has no session since {since:?}"
    )]
    Ghost {
        /// Who was told.
        client: String,
        /// Of whom.
        user: String,
        /// When.
        at: Duration,
        /// When the user's last session ended; none if there was none at all.
        since: Option<Duration>,
    },
    /// A user was shown as offline, but has a session.
    #[error("{client} was told at {at:?} that {user} is offline, who was never away for {grace:?}")]
    Flicker {
        /// Who was told.
        client: String,
        /// Of whom.
        user: String,
        /// When.
        at: Duration,
        /// How long a user may be away.
        grace: Duration,
    },
    /// A user has a session and is not shown as online when all has settled.
    #[error("{client} was told at {at:?} who is online, and {user} was missing")]
    Unseen {
        /// Who was told.
        client: String,
        /// Who was missing.
        user: String,
        /// When.
        at: Duration,
    },
}
