//! Telling a device what it missed, from the store, before what is live.

use std::collections::VecDeque;

use bytes::Bytes;
use chat_proto::{ChangeEvent, ConversationId, FrameId, Reply, ServerFrame, SignalEvent, UserId};
use foldhash::HashMap;
use futures::{FutureExt, TryFutureExt};

use crate::chat::{Actor, Chat};
use crate::error::ChatError;
use crate::hub::{Floors, Unsubscribed};
use crate::store::{Changes, Known, only};
use crate::tasks::Running;

/// Changes read from the store at once.
const PAGE: usize = 64;

/// A `session.resume` whose turn has come.
#[derive(Debug)]
pub(super) struct Resume {
    pub(super) id: Option<FrameId>,
    /// The last change known of each conversation.
    pub(super) cursors: Vec<(ConversationId, u64)>,
}

impl Resume {
    /// The answer to one that is not carried out.
    pub(super) fn refused(self, error: &ChatError) -> Bytes {
        ServerFrame::Error { id: self.id, payload: error.payload() }.encode().into()
    }
}

/// A replay in progress: conversation by conversation, page by page, at the pace of the reader.
#[derive(Debug)]
pub(super) struct Replay {
    stage: Stage,
    /// What is being read for the stage, as a task: it goes on, and its timeout runs, even while the
    /// transport asks for nothing.
    reading: Option<Running<Result<Read, ChatError>>>,
    /// The answer to give at the end, for a replay that was asked for.
    answer: Option<Answer>,
}

/// What a stage reads.
#[derive(Debug)]
enum Read {
    SortedOut(SortedOut),
    /// The frames that announce a conversation.
    Announced(Vec<Bytes>),
    /// Nothing is to be announced, since the user has left: the frame that tells so, if there is one.
    Left(Option<Bytes>),
    Changes(Changes),
    /// What the store says now is worth asking for.
    Again,
}

#[derive(Debug)]
enum Stage {
    /// It is not yet known which conversations have gone on.
    Asked(Vec<(ConversationId, u64)>),
    /// A conversation is to be announced, and then told.
    Appeared(Part),
    /// These are to be told.
    Telling(VecDeque<Part>),
    Done,
}

/// What is to be told of one conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) conversation: ConversationId,
    /// The changes after this one …
    pub(super) since: u64,
    /// … up to this one, or up to the last.
    pub(super) until: Option<u64>,
}

impl Part {
    fn is_told(&self) -> bool {
        self.until.is_some_and(|until| self.since >= until)
    }
}

#[derive(Debug, Default)]
struct Answer {
    id: Option<FrameId>,
    replayed: u64,
    reset: Vec<ConversationId>,
}

impl Replay {
    /// Replays what a client asks for, and answers it.
    pub(super) fn resume(resume: Resume) -> Self {
        let answer = Answer { id: resume.id, ..Answer::default() };
        Self { stage: Stage::Asked(resume.cursors), reading: None, answer: Some(answer) }
    }

    /// Announces a conversation and replays its changes.
    pub(super) const fn appeared(part: Part) -> Self {
        Self { stage: Stage::Appeared(part), reading: None, answer: None }
    }

    /// Breaks off a replay that the store, being away, cannot go on with. One that was asked for is
    /// answered by the error: the client, which knows how far it was told, asks again. Any other is
    /// handed back to be gone on with later; until then no change of its conversations may pass.
    pub(super) fn break_off(
        mut self,
        error: &ChatError,
        floors: &mut Floors,
    ) -> Result<Bytes, Self> {
        if let Some(Answer { id, .. }) = self.answer {
            return Ok(ServerFrame::Error { id, payload: error.payload() }.encode().into());
        }
        self.reading = None;
        // What is not let pass meanwhile is read when the replay goes on, to its end.
        let parts = match &mut self.stage {
            Stage::Appeared(part) => std::slice::from_mut(part),
            Stage::Telling(parts) => parts.make_contiguous(),
            Stage::Asked(_) | Stage::Done => &mut [],
        };
        for part in parts {
            part.until = None;
            floors.bar(part.conversation);
        }
        Err(self)
    }

    /// Goes on with what was broken off, but not with what the device has been told since, having
    /// asked for it.
    pub(super) fn go_on(mut self, floors: &Floors) -> Self {
        if let Stage::Telling(parts) = &mut self.stage {
            parts.retain(|part| floors.is_barred(part.conversation));
        }
        self
    }

    /// Whether a client waits for its answer.
    pub(super) const fn was_asked_for(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether it tells of this conversation.
    pub(super) fn tells_of(&self, conversation: ConversationId) -> bool {
        match &self.stage {
            Stage::Appeared(part) => part.conversation == conversation,
            Stage::Telling(parts) => parts.iter().any(|part| part.conversation == conversation),
            Stage::Asked(_) | Stage::Done => false,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Reads and encodes the next page. Safe to cancel: what is being read is then taken next time.
    pub(super) async fn step(
        &mut self,
        chat: &Chat,
        user: &UserId,
        floors: &mut Floors,
    ) -> Result<Vec<Bytes>, ChatError> {
        if self.reading.is_none() {
            let Some(reading) = self.begin_reading(chat, user) else {
                let mut frames = Vec::new();
                self.finish(&mut frames);
                return Ok(frames);
            };
            self.reading = Some(reading);
        }
        let Some(reading) = &mut self.reading else { return Ok(Vec::new()) };
        let read = reading.await;
        self.reading = None;
        // Nobody knows what a task would have read that broke off.
        let read = read.unwrap_or(Err(ChatError::Timeout))?;
        Ok(self.take(read, chat, user, floors))
    }

    /// Begins to read what the stage needs; none where that is nothing.
    fn begin_reading(
        &mut self,
        chat: &Chat,
        user: &UserId,
    ) -> Option<Running<Result<Read, ChatError>>> {
        let (reader, user) = (chat.clone(), user.clone());
        let stage = match &mut self.stage {
            Stage::Asked(cursors) => {
                let cursors = cursors.clone();
                async move { sort_out(&reader, &user, &cursors).await.map(Read::SortedOut) }.boxed()
            }
            Stage::Appeared(part) => {
                let part = *part;
                async move { announce(&reader, &user, part).await }.boxed()
            }
            Stage::Telling(queue) => {
                while queue.front().is_some_and(Part::is_told) {
                    queue.pop_front();
                }
                let Part { conversation, since, .. } = *queue.front()?;
                let reading =
                    async move { changes_since(&reader, &user, conversation, since).await };
                reading.map_ok(Read::Changes).boxed()
            }
            Stage::Done => return None,
        };
        Some(chat.start("session.replay", stage))
    }

    /// Goes on by what was read.
    fn take(&mut self, read: Read, chat: &Chat, user: &UserId, floors: &mut Floors) -> Vec<Bytes> {
        let mut frames = Vec::new();
        match (read, &mut self.stage) {
            (Read::SortedOut(SortedOut { begun, behind, reset }), Stage::Asked(_)) => {
                if let Some(answer) = &mut self.answer {
                    answer.reset = reset;
                }
                self.stage = Stage::Telling(behind);
                for (conversation, changes) in begun {
                    frames.extend(self.tell(conversation, changes, chat, user, floors));
                }
            }
            (Read::Announced(announced), Stage::Appeared(part)) => {
                floors.replace(part.conversation, part.since);
                self.stage = Stage::Telling([*part].into());
                return announced;
            }
            (Read::Left(left), Stage::Appeared(part)) => {
                floors.bar(part.conversation);
                self.stage = Stage::Done;
                return left.into_iter().collect();
            }
            (Read::Changes(mut changes), Stage::Telling(queue)) => {
                let Some(part) = queue.front_mut() else { return frames };
                let conversation = part.conversation;
                if let Some(until) = part.until {
                    changes.events.retain(|event| event.change_seq() <= until);
                    changes.complete |= changes.through >= until;
                    changes.through = changes.through.min(until);
                }
                end_with_leaving(&mut changes, user);
                part.since = changes.through;
                if changes.complete {
                    queue.pop_front();
                }
                frames = self.tell(conversation, changes, chat, user, floors);
            }
            // Asked again with the next step; nothing else is read for another stage.
            _ => return frames,
        }
        self.finish(&mut frames);
        frames
    }

    /// Encodes changes that were read, and notes that the device has been told of them.
    fn tell(
        &mut self,
        conversation: ConversationId,
        changes: Changes,
        chat: &Chat,
        user: &UserId,
        floors: &mut Floors,
    ) -> Vec<Bytes> {
        let Changes { events, through, .. } = changes;
        chat.engine.router.news.replayed(user, &events);
        floors.replace(conversation, through);
        if let Some(answer) = &mut self.answer {
            answer.replayed += events.len() as u64;
        }
        events.into_iter().map(|event| event.encode().into()).collect()
    }

    /// Ends once everything is told, with the answer.
    fn finish(&mut self, frames: &mut Vec<Bytes>) {
        if matches!(&self.stage, Stage::Telling(queue) if queue.is_empty()) {
            self.stage = Stage::Done;
            frames.extend(self.answer.take().map(Answer::encode));
        }
    }
}

impl Answer {
    fn encode(self) -> Bytes {
        let reply = Reply::Resumed { replayed: self.replayed, reset: self.reset };
        ServerFrame::Reply { id: self.id, payload: Box::new(reply) }.encode().into()
    }
}

/// What is to be told of the conversations that a client asks for.
#[derive(Debug, Default)]
struct SortedOut {
    /// What was read of the first that have gone on.
    begun: Vec<(ConversationId, Changes)>,
    /// What is yet to be read.
    behind: VecDeque<Part>,
    /// Those that cannot be replayed.
    reset: Vec<ConversationId>,
}

/// Finds out which conversations have gone on, which cannot be replayed, and what is first.
async fn sort_out(
    chat: &Chat,
    user: &UserId,
    cursors: &[(ConversationId, u64)],
) -> Result<SortedOut, ChatError> {
    let max_gap = chat.config().limits.resume_changes as u64;
    // The device is told of every conversation of its user, so the store need not be asked of others.
    let changes = chat.engine.router.hub.subscribed(user, cursors);
    let missed = if changes.is_empty() {
        Vec::new()
    } else {
        let _turn = chat.read_turn(user).await?;
        let known = Known { user_id: user.clone(), changes };
        let inbox = &chat.engine.stores.inbox;
        let reading = inbox.missed(std::slice::from_ref(&known), max_gap, PAGE);
        only(chat.within(reading).await?)?
    };
    let mut missed: HashMap<_, _> =
        missed.into_iter().map(|one| (one.conversation_id, one)).collect();
    let mut sorted = SortedOut::default();
    for &(conversation, since) in cursors {
        let missed = missed.remove(&conversation);
        let gap = missed.as_ref().and_then(|missed| missed.change_seq.checked_sub(since));
        match (gap, missed.and_then(|missed| missed.changes)) {
            (Some(0), _) => {}
            (Some(gap), changes) if gap <= max_gap => {
                let mut part = Part { conversation, since, until: None };
                let mut complete = false;
                if let Some(changes) = changes {
                    complete = changes.complete;
                    part.since = changes.through;
                    sorted.begun.push((conversation, changes));
                }
                if !complete {
                    sorted.behind.push_back(part);
                }
            }
            // Too much, or a change that never was, or no conversation of this user's.
            (Some(_) | None, _) => sorted.reset.push(conversation),
        }
    }
    Ok(sorted)
}

/// The next page of what has changed in a conversation.
async fn changes_since(
    chat: &Chat,
    user: &UserId,
    conversation: ConversationId,
    since: u64,
) -> Result<Changes, ChatError> {
    let _turn = chat.read_turn(user).await?;
    chat.within(chat.engine.stores.messages.changes(conversation, since, PAGE)).await
}

/// Reads the frames that make a conversation and who is there known, or, when the user is not a
/// member any more, the one that tells of the leaving: a device that was told of the conversation
/// before has yet to be told of that.
async fn announce(chat: &Chat, user: &UserId, part: Part) -> Result<Read, ChatError> {
    let Part { conversation, since, .. } = part;
    let router = &chat.engine.router;
    // Before anything is read, so that what is read and what is live overlap.
    let unopened = router.hear_unopened(&[conversation]).await;
    router.open_at(unopened, &[]).await?;
    match chat.own_summary(&Actor::user(user.clone()), conversation).await {
        Ok(mut summary) => {
            // What follows is told change by change, so this is how it stood when the user joined:
            // the cursors were put at the last message.
            summary.change_seq = since;
            summary.last_seq = summary.read_seq;
            summary.unread = 0;
            summary.unread_mentions = 0;
            summary.preview = summary.preview.filter(|preview| preview.seq <= summary.last_seq);
            // One page, however many there are: whoever wants the rest asks for it.
            let members = chat.first_members(conversation).await?;
            let others = members.data.iter().map(|one| &one.user.id).filter(|id| *id != user);
            let others: Vec<_> = others.cloned().collect();
            let count = summary.conversation.member_count;
            let here = chat.engine.presence.of_members(others, count).await;
            let event = SignalEvent::ConversationCreated {
                conversation_id: conversation,
                conversation: Box::new(summary),
                members,
            };
            let here = here.into_iter().map(SignalEvent::PresenceChanged);
            let frames = std::iter::once(event).chain(here).map(|event| event.encode().into());
            Ok(Read::Announced(frames.collect()))
        }
        Err(ChatError::NotFound) => {
            // The user has left since; a lane that never hears of it must not go on.
            match router.hub.unsubscribe(user, conversation, since + 1) {
                // Joined again in the same moment.
                Unsubscribed::JoinedAgain { .. } => Ok(Read::Again),
                Unsubscribed::Done { .. } | Unsubscribed::Unknown => {
                    router.close(&[conversation]);
                    Ok(Read::Left(last_word(chat, user, part).await?))
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// The frame that tells a user of having left.
async fn last_word(chat: &Chat, user: &UserId, part: Part) -> Result<Option<Bytes>, ChatError> {
    let mut since = part.since;
    loop {
        let changes = changes_since(chat, user, part.conversation, since).await?;
        if let Some(left) = changes.events.iter().find(|event| is_leaving(event, user)) {
            return Ok(Some(left.encode().into()));
        }
        if changes.complete || changes.through <= since {
            return Ok(None);
        }
        since = changes.through;
    }
}

/// Takes away what happened after the user has left: it is not for the user.
fn end_with_leaving(changes: &mut Changes, user: &UserId) {
    let Some(place) = changes.events.iter().position(|event| is_leaving(event, user)) else {
        return;
    };
    changes.events.truncate(place + 1);
    changes.through = changes.events[place].change_seq();
    changes.complete = true;
}

fn is_leaving(event: &ChangeEvent, user: &UserId) -> bool {
    matches!(event, ChangeEvent::MemberLeft { member, .. } if member.member.user_id == *user)
}
