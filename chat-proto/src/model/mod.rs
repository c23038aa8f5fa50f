//! Records: what a conversation is made of. The wire shows these very types; an absent field is null.

mod conversation;
mod member;
mod message;
mod user;

pub use conversation::{Conversation, ConversationKind, ConversationSummary, Visibility};
pub use member::{Member, MemberProfile, MemberRole, MemberState};
pub use message::{Message, MessagePreview};
pub use user::{PresenceEntry, PresenceStatus, User};
