//! What both databases do alike to store a batch of messages: decide what becomes of each draft,
//! and number those that are new.

use std::collections::{BTreeSet, HashMap};

use chat_core::proto::{ClientId, ConversationId, Mention, Message, UserId, mentioned};
use chat_core::store::{AppendOutcome, MessageDraft};

use crate::failure::Failure;
use crate::value::{integer, json, to_microsecond};

/// What is decided about a batch.
pub(crate) struct Batch {
    decisions: Vec<Decision>,
    /// The drafts to be stored, in their order.
    pub(crate) new: Vec<MessageDraft>,
    /// The members that each of them mentions, each once, in the order of its text.
    mentions: Vec<Vec<UserId>>,
}

/// What will become of a draft.
enum Decision {
    /// It is stored, as the message with this place among the new ones.
    Store(usize),
    /// It repeats the new message with this place.
    Repeat(usize),
    /// Nothing needs to be stored.
    Decided(AppendOutcome),
}

impl Batch {
    /// Decides about drafts, given the exceptions among them by their places: those that are
    /// refused, or that repeat what is stored.
    pub(crate) fn decide(
        drafts: impl IntoIterator<Item = MessageDraft>,
        mut exceptions: HashMap<i64, AppendOutcome>,
    ) -> Self {
        let mut decisions = Vec::new();
        let mut new: Vec<MessageDraft> = Vec::new();
        let mut places: HashMap<(ConversationId, UserId, ClientId), usize> = HashMap::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            if let Some(outcome) = exceptions.remove(&integer(index)) {
                decisions.push(Decision::Decided(outcome));
                continue;
            }
            let key = (draft.conversation_id, draft.sender_id.clone(), draft.client_id.clone());
            let place = *places.entry(key).or_insert(new.len());
            if place == new.len() {
                decisions.push(Decision::Store(place));
                new.push(draft);
            } else {
                decisions.push(Decision::Repeat(place));
            }
        }
        let mentions = vec![Vec::new(); new.len()];
        Self { decisions, new, mentions }
    }

    /// Takes the members whose the keys in [`named`] are.
    pub(crate) fn mention(&mut self, members: &Mentioned) {
        for (draft, mentions) in self.new.iter().zip(&mut self.mentions) {
            if let Some(members) = members.get(&draft.conversation_id) {
                *mentions = mentioned(&draft.mentions, |key| members.get(key).cloned());
            }
        }
    }

    /// How much is new in each conversation.
    pub(crate) fn growth(&self) -> HashMap<ConversationId, Growth> {
        let mut growth: HashMap<_, Growth> = HashMap::new();
        for (place, draft) in self.new.iter().enumerate() {
            let growth: &mut Growth = growth.entry(draft.conversation_id).or_default();
            let sent_at = draft.created_at.as_microsecond();
            growth.last_at =
                if growth.messages == 0 { sent_at } else { growth.last_at.max(sent_at) };
            growth.messages += 1;
            growth.place = integer(place).min(ACTIVITY_STEP - 1);
        }
        growth
    }

    /// The new messages, given the numbers before the first of each conversation, which are left
    /// as they are after the last.
    pub(crate) fn number(
        &self,
        numbers: &mut HashMap<ConversationId, Numbers>,
    ) -> Result<Vec<Message>, Failure> {
        let message = |(draft, mentions): (&MessageDraft, &Vec<UserId>)| {
            let next = numbers
                .get_mut(&draft.conversation_id)
                .ok_or(Failure::Refused("a conversation has members but no head"))?;
            next.seq += 1;
            next.change_seq += 1;
            Ok(next.message(draft, mentions.clone()))
        };
        self.new.iter().zip(&self.mentions).map(message).collect()
    }

    /// What is answered once the new messages are stored.
    pub(crate) fn outcomes(self, messages: &[Message]) -> Vec<AppendOutcome> {
        let outcomes = self.decisions.into_iter().map(|decision| match decision {
            Decision::Store(place) => AppendOutcome::Stored(messages[place].clone()),
            Decision::Repeat(place) => AppendOutcome::Repeated(messages[place].clone()),
            Decision::Decided(outcome) => outcome,
        });
        outcomes.collect()
    }
}

/// The keys of the names that drafts may mention, each with its conversation. A place in a text has
/// few, so there are at most about as many as the texts have characters.
pub(crate) fn named(drafts: &[MessageDraft]) -> BTreeSet<(ConversationId, String)> {
    let keys = drafts.iter().flat_map(|draft| {
        let keys = draft.mentions.iter().flat_map(Mention::keys);
        keys.map(|key| (draft.conversation_id, key))
    });
    keys.collect()
}

/// Which member a key stands for in a conversation.
pub(crate) type Mentioned = HashMap<ConversationId, HashMap<String, UserId>>;

/// How far apart the numbers of activity are that batches begin with on Postgres. A batch has a number
/// for each of its messages; in one with more, the last ones share theirs.
const ACTIVITY_STEP: i64 = 1024;

/// How much is new in a conversation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Growth {
    pub(crate) messages: u64,
    /// The latest time that one of them was sent at, in microseconds.
    pub(crate) last_at: i64,
    /// The place of the last of them among all new messages.
    pub(crate) place: i64,
}

/// The numbers that a conversation has taken last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) seq: u64,
    pub(crate) change_seq: u64,
}

impl Numbers {
    /// The message that a draft has become by taking them.
    pub(crate) fn message(self, draft: &MessageDraft, mentions: Vec<UserId>) -> Message {
        Message {
            id: draft.id,
            conversation_id: draft.conversation_id,
            seq: self.seq,
            change_seq: self.change_seq,
            sender_id: draft.sender_id.clone(),
            client_id: draft.client_id.clone(),
            content: draft.content.clone(),
            mentions,
            created_at: to_microsecond(draft.created_at),
        }
    }
}

/// The mentions to be counted as unread. Nobody has to be told of a mention of oneself.
pub(crate) fn mentions_of_others(
    messages: &[Message],
) -> impl Iterator<Item = (&Message, &UserId)> {
    let mentions = messages
        .iter()
        .flat_map(|message| message.mentions.iter().map(move |user| (message, user)));
    mentions.filter(|(message, user)| message.sender_id != **user)
}

/// The mentions of a message as they are kept: a JSON array, or nothing for none.
pub(crate) fn stored_mentions(message: &Message) -> Result<Option<String>, Failure> {
    (!message.mentions.is_empty()).then(|| json(&message.mentions)).transpose()
}
