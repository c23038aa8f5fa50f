//! Who may do what: pure decisions from facts, without a store.

use chat_proto::{Conversation, ConversationKind, Member, MemberState, Visibility};

/// Something a user wants to do with a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See it: its messages, members, typing and receipts.
    View,
    /// Become a member.
    Join,
    /// Cease to be one.
    Leave,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Allow,
    /// As far as this user is concerned, there is no such conversation.
    Hide,
    /// The user sees the conversation but may not do this.
    Deny(&'static str),
}

/// Decides whether a user with this membership, if any, may do this to this conversation.
#[must_use]
pub fn decide(action: Action, conversation: &Conversation, member: Option<&Member>) -> Decision {
    let joined = member.is_some_and(|member| member.state == MemberState::Joined);
    let open = conversation.kind == ConversationKind::Room
        && conversation.visibility == Visibility::Public;
    match action {
        Action::View | Action::Leave if !joined => Decision::Hide,
        Action::Join if !joined && !open => Decision::Hide,
        Action::Leave if conversation.kind == ConversationKind::Direct => {
            Decision::Deny("a direct conversation cannot be left")
        }
        Action::View | Action::Join | Action::Leave => Decision::Allow,
    }
}

#[cfg(test)]
mod tests {
    use chat_proto::{ConversationId, MemberRole, UserId};
    use jiff::Timestamp;

    use super::*;

    fn conversation(kind: ConversationKind, visibility: Visibility) -> Conversation {
        Conversation {
            id: ConversationId::generate(),
            kind,
            visibility,
            name: None,
            topic: None,
            created_by: UserId::generate(),
            created_at: Timestamp::UNIX_EPOCH,
            member_count: 2,
        }
    }

    fn member(of: &Conversation, state: MemberState) -> Member {
        Member {
            conversation_id: of.id,
            user_id: UserId::generate(),
            role: MemberRole::Member,
            state,
            change_seq: 1,
            joined_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_combination_is_decided() {
        use Action::{Join, Leave, View};
        use Decision::{Allow, Hide};
        use MemberState::{Joined, Left};

        let public = conversation(ConversationKind::Room, Visibility::Public);
        let private = conversation(ConversationKind::Room, Visibility::Private);
        let direct = conversation(ConversationKind::Direct, Visibility::Private);
        let denied = Decision::Deny("a direct conversation cannot be left");
        for (room, state, [view, join, leave]) in [
            (&public, None, [Hide, Allow, Hide]),
            (&public, Some(Left), [Hide, Allow, Hide]),
            (&public, Some(Joined), [Allow, Allow, Allow]),
            (&private, None, [Hide, Hide, Hide]),
            (&private, Some(Left), [Hide, Hide, Hide]),
            (&private, Some(Joined), [Allow, Allow, Allow]),
            (&direct, None, [Hide, Hide, Hide]),
            (&direct, Some(Joined), [Allow, Allow, denied]),
        ] {
            let member = state.map(|state| member(room, state));
            for (action, expected) in [(View, view), (Join, join), (Leave, leave)] {
                let decision = decide(action, room, member.as_ref());
                assert_eq!(decision, expected, "{action:?} of {state:?} in {room:?}");
            }
        }
    }
}
