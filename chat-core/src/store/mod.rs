//! Storage: one small trait for each aggregate, and what every implementation must promise.
//!
//! A store is the only truth. The engine keeps nothing that it could not read again, so several
//! engines may share one store. What an implementer must keep, beyond each method's own words:
//!
//! * **Durable before it returns.** A method that writes returns only once the write survives the
//!   end of the process and, where the medium allows, a power cut.
//! * **One number a change.** Every change of a conversation — a message, a join, a leave — takes
//!   the next `change_seq` of that conversation, and every message the next `seq`, both from 1 and
//!   without a hole, in the transaction that makes the change. Changes of one conversation become
//!   visible in the order of their numbers.
//! * **No clock orders.** When a message is stored or a conversation made, it takes a number of activity
//!   higher than all that the store gave before, whatever the clocks of the callers say: by it lists are
//!   sorted. Calls that run at once may take theirs in any order. The time of a conversation's last
//!   activity never goes back.
//! * **All or nothing.** A method that fails has changed nothing, except that a caller cannot know
//!   whether a write took effect when the connection to the store broke.
//! * **Joined members only.** A user is a member only while the membership's state is
//!   [`Joined`](chat_proto::MemberState::Joined).
//!
//! `chat_core::testing::store_conformance!` (feature `testing`) turns these promises into tests of
//! any implementation, in one line. [`MemoryStore`](crate::MemoryStore) is the smallest complete one.

mod account;
mod conversation;
mod cursor;
mod error;
pub(crate) mod forward;
mod inbox;
mod login;
mod member;
mod message;
mod parts;
mod probe;
mod user;
mod visit;

use std::fmt::Debug;

pub use account::{Account, AccountStore, CreateAccount, NewAccount, account_named};
pub use conversation::{ConversationStore, NewDirect, NewRoom, OpenOutcome, RoomPosition};
pub use cursor::{CursorAdvance, CursorKind, CursorStore};
pub use error::StoreError;
pub use inbox::{InboxPosition, InboxStore, Known, Missed, Overview, Standing, UnreadTotal};
pub use login::{LoginSession, LoginSessionStore, TokenHash};
pub use member::{Circle, Contact, JoinOutcome, LeaveOutcome, MemberStore, Membership};
pub use message::{AppendOutcome, Changes, Head, MessageDraft, MessageStore};
pub use parts::StoreParts;
pub use probe::ProbeStore;
pub use user::{EnsureUser, NewUser, UserStore, user_named};
pub use visit::VisitStore;

#[cfg(feature = "testing")]
pub use self::{
    account::MockAccountStore, conversation::MockConversationStore, cursor::MockCursorStore,
    inbox::MockInboxStore, login::MockLoginSessionStore, member::MockMemberStore,
    message::MockMessageStore, probe::MockProbeStore, user::MockUserStore, visit::MockVisitStore,
};

/// Everything the engine needs to keep: the sum of the aggregates.
///
/// Implemented by itself for whatever implements them all. Accounts and login sessions are apart
/// ([`AccountStore`], [`LoginSessionStore`]), since a host that has users of its own needs neither.
pub trait Store:
    UserStore
    + ConversationStore
    + MemberStore
    + MessageStore
    + CursorStore
    + InboxStore
    + VisitStore
    + ProbeStore
{
}

impl<S> Store for S where
    S: UserStore
        + ConversationStore
        + MemberStore
        + MessageStore
        + CursorStore
        + InboxStore
        + VisitStore
        + ProbeStore
{
}

/// Supertraits of every aggregate: shared between tasks, and shown in diagnostics.
pub trait Aggregate: Debug + Send + Sync + 'static {}

impl<S: Debug + Send + Sync + 'static> Aggregate for S {}

/// The answer to a question about one, from a store that was asked about several.
pub(crate) fn only<T>(mut answers: Vec<T>) -> Result<T, StoreError> {
    match (answers.pop(), answers.is_empty()) {
        (Some(answer), true) => Ok(answer),
        _ => Err(StoreError::failed("the store answered another number of questions")),
    }
}
