use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use chat_proto::{
    ChangeEvent, ConversationId, Event, PresenceEntry, SessionId, SignalEvent, UserId,
};
use foldhash::fast::FixedState;

use super::StateSubject;

/// The session that caused an event: only its own user is told which it was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Origin {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

/// What becomes of a delivery when its receiver reads too slowly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// Never dropped: when it does not fit, the connection ends and the device resumes.
    Durable,
    /// Replaced by a newer one about the same thing.
    Latest(StateSubject),
    /// States of several things at once: kept in their order, and dropped before what is durable.
    Several,
    /// Dropped when the queue fills up.
    Droppable,
}

impl Class {
    /// The class of a signal.
    fn of(event: &SignalEvent) -> Self {
        match event {
            SignalEvent::PresenceChanged(entry) => {
                Self::Latest(StateSubject::Presence(entry.user_id.clone()))
            }
            SignalEvent::ReceiptRead { conversation_id, user_id, .. } => {
                Self::Latest(StateSubject::Read(*conversation_id, user_id.clone()))
            }
            SignalEvent::ReceiptDelivered { conversation_id, user_id, .. } => {
                Self::Latest(StateSubject::Delivered(*conversation_id, user_id.clone()))
            }
            SignalEvent::UnreadChanged { conversation_id, .. } => {
                Self::Latest(StateSubject::Unread(*conversation_id))
            }
            SignalEvent::TypingStarted { .. } | SignalEvent::TypingStopped { .. } => {
                Self::Droppable
            }
            _ => Self::Durable,
        }
    }
}

/// A frame, encoded once for all its receivers.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    text: Bytes,
    /// The same frame with its origin, for the user whose session that was.
    own: Option<(UserId, Bytes)>,
    /// The change it tells, if it tells one.
    change: Option<(ConversationId, u64)>,
    /// The conversation of which it tells something, if it tells no change.
    about: Option<ConversationId>,
}

impl Frame {
    pub(crate) fn change(event: &ChangeEvent, origin: Option<&Origin>) -> Self {
        let change = Some((event.conversation_id(), event.change_seq()));
        Self { change, ..Self::new(event.encode(), origin) }
    }

    pub(crate) fn signal(event: &SignalEvent, origin: Option<&Origin>) -> Self {
        let about = match event {
            SignalEvent::ReceiptRead { conversation_id, .. }
            | SignalEvent::ReceiptDelivered { conversation_id, .. }
            | SignalEvent::TypingStarted { conversation_id, .. }
            | SignalEvent::TypingStopped { conversation_id, .. }
            | SignalEvent::UnreadChanged { conversation_id, .. } => Some(*conversation_id),
            _ => None,
        };
        Self { about, ..Self::new(event.encode(), origin) }
    }

    fn new(text: String, origin: Option<&Origin>) -> Self {
        let own = origin.map(|o| (o.user.clone(), Event::with_origin(&text, o.session).into()));
        Self { text: text.into(), own, change: None, about: None }
    }

    /// The frame as all get it but the user whose session was its origin.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The frame as this user gets it.
    pub(crate) fn text_for(&self, user: &UserId) -> Bytes {
        match &self.own {
            Some((own, text)) if own == user => text.clone(),
            _ => self.text.clone(),
        }
    }

    /// The change it tells, if it tells one.
    pub(crate) const fn tells(&self) -> Option<(ConversationId, u64)> {
        self.change
    }

    /// The conversation of a signal, if it is about one.
    pub(crate) const fn about(&self) -> Option<ConversationId> {
        self.about
    }
}

/// One or more frames on their way to many receivers. Cloning copies a pointer.
#[derive(Debug, Clone)]
pub(crate) struct Delivery(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    frames: Vec<Frame>,
    /// What it counts against a receiver's bound.
    bytes: usize,
    class: Class,
    /// The users who get a frame of their own.
    origins: Vec<(UserTag, UserId)>,
}

/// A number that is the same for the same user, and for hardly any other: it lies with what refers to
/// the user, where the id's text does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserTag(u64);

impl UserTag {
    pub(crate) fn of(user: &UserId) -> Self {
        Self(FixedState::default().hash_one(user))
    }
}

impl Delivery {
    /// A batch of changes of one conversation.
    pub(crate) fn changes(frames: Vec<Frame>) -> Self {
        Self::new(frames, Class::Durable)
    }

    /// A signal, of the class that its kind has.
    pub(crate) fn signal(event: &SignalEvent, origin: Option<&Origin>) -> Self {
        Self::new(vec![Frame::signal(event, origin)], Class::of(event))
    }

    /// How several users are shown, as one delivery.
    pub(crate) fn presence(entries: Vec<PresenceEntry>) -> Self {
        let events = entries.into_iter().map(SignalEvent::PresenceChanged);
        Self::new(events.map(|event| Frame::signal(&event, None)).collect(), Class::Several)
    }

    fn new(frames: Vec<Frame>, class: Class) -> Self {
        let bytes = frames.iter().map(|frame| frame.text.len()).sum();
        let users = frames.iter().filter_map(|frame| Some(&frame.own.as_ref()?.0));
        let mut origins: Vec<_> = users.map(|user| (UserTag::of(user), user.clone())).collect();
        origins.sort_unstable();
        origins.dedup();
        Self(Arc::new(Parts { frames, bytes, class, origins }))
    }

    pub(crate) fn frames(&self) -> &[Frame] {
        &self.0.frames
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes
    }

    pub(crate) fn class(&self) -> &Class {
        &self.0.class
    }

    /// Whether this user gets frames that are not everybody's.
    pub(crate) fn differs_for(&self, tag: UserTag, user: &UserId) -> bool {
        self.0.origins.iter().any(|(own, origin)| *own == tag && origin == user)
    }
}

#[cfg(test)]
impl Delivery {
    /// A delivery of one frame, counted as so many bytes.
    pub(crate) fn counted(frame: Frame, bytes: usize) -> Self {
        let Self(parts) = Self::changes(vec![frame]);
        Self(Arc::new(Parts { bytes, ..Arc::into_inner(parts).expect("one owner") }))
    }
}
