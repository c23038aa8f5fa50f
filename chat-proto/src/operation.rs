//! Everything that a client can ask for, over either transport, and what it counts against.

use crate::Command;

/// Which budget of a user an operation is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// None: it reaches no store, or is limited elsewhere.
    Free,
    /// A message: `limits.messagesPerSecond`.
    Send,
    /// A conversation that may have to be made. It is a read, and where it is made one of
    /// `limits.conversationsPerMinute`.
    Open,
    /// A membership that begins or ends: `limits.membershipChangesPerMinute`.
    Membership,
    /// Something is looked up: `limits.readsPerSecond`.
    Read,
    /// Others are told something that is forgotten in a moment, or a cursor moves:
    /// `limits.signalsPerSecond`.
    Signal,
    /// What was missed is told: `limits.resumeConversationsPerMinute`, by the conversations named.
    Resume,
    /// A device connects: `limits.connectsPerMinute`.
    Connect,
}

macro_rules! operations {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal: $class:ident, $cost:literal;)+) => {
        /// Something that a client can ask for. Commands of the WebSocket and paths of the REST API
        /// that do the same are one operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])+ $variant,)+
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name: the type of the command, where there is one.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Which budget it is taken from.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }

            /// How much of the budget it takes. Of [`Class::Resume`], that is for each conversation
            /// named.
            #[must_use]
            pub const fn cost(self) -> u32 {
                match self { $(Self::$variant => $cost,)+ }
            }
        }
    };
}

operations! {
    /// A device connects, and is told where its conversations stand.
    Connect = "connect": Connect, 1;
    /// `session.authenticate`; what follows is a [`Connect`](Self::Connect).
    Authenticate = "session.authenticate": Free, 0;
    /// `session.resume`.
    Resume = "session.resume": Resume, 1;
    /// `ping`.
    Ping = "ping": Free, 0;
    /// `message.send`.
    MessageSend = "message.send": Send, 1;
    /// One message, by its id (REST).
    MessageShow = "message.show": Read, 1;
    /// `history.load`.
    HistoryLoad = "history.load": Read, 1;
    /// `typing.start`.
    TypingStart = "typing.start": Signal, 1;
    /// `typing.stop`.
    TypingStop = "typing.stop": Signal, 1;
    /// `receipt.read`.
    ReceiptRead = "receipt.read": Signal, 1;
    /// `receipt.delivered`.
    ReceiptDelivered = "receipt.delivered": Signal, 1;
    /// `conversation.open`.
    ConversationOpen = "conversation.open": Open, 1;
    /// `conversation.create`.
    ConversationCreate = "conversation.create": Open, 1;
    /// `conversation.join`.
    ConversationJoin = "conversation.join": Membership, 1;
    /// `conversation.leave`.
    ConversationLeave = "conversation.leave": Membership, 1;
    /// `conversation.list`.
    ConversationList = "conversation.list": Read, 1;
    /// `conversation.show`.
    ConversationShow = "conversation.show": Read, 1;
    /// `conversation.members`.
    ConversationMembers = "conversation.members": Read, 1;
    /// What is unread in all conversations (REST).
    UnreadCount = "unread.count": Read, 1;
    /// `room.list`.
    RoomList = "room.list": Read, 1;
    /// Users whose names begin with a text (REST).
    UserSearch = "user.search": Read, 2;
    /// One user, by id (REST).
    UserShow = "user.show": Read, 1;
    /// `presence.set`. A repeat, which nobody is told of, takes 1.
    PresenceSet = "presence.set": Signal, 50;
    /// `presence.list`, which looks at up to 1,000 users.
    PresenceList = "presence.list": Read, 5;
}

impl Command {
    /// Which operation this is.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Authenticate { .. } => Operation::Authenticate,
            Self::Resume { .. } => Operation::Resume,
            Self::MessageSend(_) => Operation::MessageSend,
            Self::HistoryLoad(_) => Operation::HistoryLoad,
            Self::TypingStart { .. } => Operation::TypingStart,
            Self::TypingStop { .. } => Operation::TypingStop,
            Self::ReceiptRead { .. } => Operation::ReceiptRead,
            Self::ReceiptDelivered { .. } => Operation::ReceiptDelivered,
            Self::ConversationOpen(_) => Operation::ConversationOpen,
            Self::ConversationCreate(_) => Operation::ConversationCreate,
            Self::ConversationJoin(_) => Operation::ConversationJoin,
            Self::ConversationLeave { .. } => Operation::ConversationLeave,
            Self::ConversationList { .. } => Operation::ConversationList,
            Self::ConversationShow { .. } => Operation::ConversationShow,
            Self::ConversationMembers { .. } => Operation::ConversationMembers,
            Self::RoomList { .. } => Operation::RoomList,
            Self::PresenceSet { .. } => Operation::PresenceSet,
            Self::PresenceList {} => Operation::PresenceList,
            Self::Ping {} => Operation::Ping,
        }
    }
}
