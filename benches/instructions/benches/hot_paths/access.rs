//! Whether somebody may do something.

use std::hint::black_box;

use chat_core::access::{Action, Decision, decide};
use chat_core::proto::{
    Conversation, ConversationKind, Member, MemberRole, MemberState, Visibility,
};
use gungraun::{library_benchmark, library_benchmark_group};
use jiff::Timestamp;

use crate::frames::{PLACE, USER, id};

/// Something that may be wanted, and what decides it.
type Question = (Action, Conversation, Option<Member>);

/// Every combination of an action, a kind of conversation and a state of membership.
fn questions() -> Vec<Question> {
    let mut questions = Vec::new();
    for (kind, visibility) in [
        (ConversationKind::Room, Visibility::Public),
        (ConversationKind::Room, Visibility::Private),
        (ConversationKind::Direct, Visibility::Private),
    ] {
        for state in [None, Some(MemberState::Left), Some(MemberState::Joined)] {
            for action in [Action::View, Action::Join, Action::Leave] {
                let conversation = Conversation {
                    id: id(PLACE),
                    kind,
                    visibility,
                    name: None,
                    topic: None,
                    created_by: id(USER),
                    created_at: Timestamp::UNIX_EPOCH,
                    member_count: 2,
                };
                let member = state.map(|state| Member {
                    conversation_id: id(PLACE),
                    user_id: id(USER),
                    role: MemberRole::Member,
                    state,
                    change_seq: 1,
                    joined_at: Timestamp::UNIX_EPOCH,
                });
                questions.push((action, conversation, member));
            }
        }
    }
    questions
}

#[library_benchmark]
#[bench::every_combination(questions())]
fn decide_each(questions: Vec<Question>) -> (Vec<Question>, usize) {
    let allowed = questions
        .iter()
        .map(|(action, conversation, member)| {
            decide(black_box(*action), black_box(conversation), black_box(member.as_ref()))
        })
        .filter(|decision| *decision == Decision::Allow)
        .count();
    (questions, allowed)
}

library_benchmark_group!(name = access, benchmarks = [decide_each]);
