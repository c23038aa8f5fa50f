//! How a session begins.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chat_proto::{
    ConversationId, ConversationSummary, Ready, ServerFrame, SessionId, User, UserId,
};
use foldhash::HashSet;
use jiff::Timestamp;
use tokio::time::Instant;

use super::Session;
use super::pipeline::Pipeline;
use super::postponed::Postponed;
use crate::auth::Identity;
use crate::chat::{Actor, Chat, inbox_page};
use crate::error::ChatError;
use crate::hub::{Device, Floors};
use crate::presence::Audience;
use crate::store::{Membership, Overview};

/// Conversations told of in `session.ready`.
const READY_CONVERSATIONS: usize = 200;

impl Chat {
    /// Attaches a device of a user whose credential was checked.
    ///
    /// The user is recorded at first sight, and is online from now on. Drop the session to detach
    /// the device.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`] when the user's devices connected too often,
    /// [`ChatError::TooMany`] when the user has as many sessions here as allowed,
    /// [`ChatError::Busy`] while the engine drains or when so many arrive that no turn is found within
    /// four seconds, or a failure of the store.
    pub async fn attach(&self, identity: &Identity) -> Result<Session, ChatError> {
        if self.is_draining() {
            return Err(ChatError::Busy);
        }
        self.charge_connect(&identity.claims.id)?;
        let arrival = self.arrival().await?;
        let session = Session::attach(self.clone(), identity).await;
        self.has_arrived(arrival);
        session
    }
}

impl Session {
    async fn attach(chat: Chat, identity: &Identity) -> Result<Self, ChatError> {
        let user = chat.admit(&identity.claims).await?;
        let device = Arc::new(Device::new(user.id.clone(), identity.login));
        let engine = &chat.engine;
        if !engine.router.hub.attach(&device, engine.config.limits.sessions_per_user) {
            return Err(ChatError::TooMany("too many connections of this user: close one first"));
        }
        // From here on, dropping the session undoes what was done.
        let mut session = Self {
            pipeline: Pipeline::new(chat.clone(), actor(&user, &device), Arc::clone(&device)),
            chat,
            user,
            device,
            greeting: None,
            items: VecDeque::new(),
            floors: Floors::default(),
            replay: None,
            postponed: Postponed::default(),
            held_until: None,
            expires: identity.expires_at.map(instant_of),
            answers_first: false,
            last: None,
            handed_on: 0,
            closing: None,
        };
        // The login may have ended before the device was there to be told of it.
        if let Some(login) = identity.login {
            let router = &session.chat.engine.router;
            router.ended_logins.note_fresh(&session.user.id, login);
            if router.ended_logins.contains(login) {
                router.end_logins_here(&session.user.id, &[login]);
            }
        }
        // The drain may have passed over the devices before this one was there.
        if session.chat.is_draining() {
            return Err(ChatError::Busy);
        }
        session.greet().await?;
        Ok(session)
    }

    /// Subscribes the device, and says where its conversations stand.
    async fn greet(&mut self) -> Result<(), ChatError> {
        let (chat, user) = (&self.chat, &self.user.id);
        chat.engine.router.hear_user(user).await;
        let mut audience = chat.engine.presence.arrive(user).await?;
        if audience.is_none() {
            audience = chat.engine.presence.told(user, &[]).await;
        }
        let memberships = match audience.as_mut().and_then(Audience::take_memberships) {
            Some(memberships) => memberships,
            None => {
                let reading = chat.engine.stores.members.memberships(std::slice::from_ref(user));
                chat.within(reading).await?
            }
        };
        let Subscribed { summaries, ended } =
            subscribe(chat, user, self.device.id, memberships).await?;
        for conversation in ended {
            self.floors.bar(conversation);
        }
        let page = inbox_page(summaries, READY_CONVERSATIONS);
        for summary in &page.data {
            self.floors.raise(summary.conversation_id, summary.change_seq);
        }
        let presence = self.chat.engine.presence.seen_by(&self.user.id, audience).await;
        let config = self.chat.config();
        let ready = Ready {
            session_id: self.device.id,
            user: self.user.clone(),
            server_time: Timestamp::now(),
            limits: config.limits,
            heartbeat: config.heartbeat,
            next_cursor: page.meta.next_cursor,
            has_more: page.meta.has_more,
            conversations: page.data,
            // Who is online is worth less than being connected.
            presence: presence.unwrap_or_default(),
        };
        let window = Duration::from_millis(config.resume_window_ms);
        self.held_until = Some(Instant::now() + window);
        let frame = ServerFrame::Ready { payload: Box::new(ready) };
        self.greeting = Some(frame.encode().into());
        Ok(())
    }
}

/// What a device is told of from the beginning.
#[derive(Debug, Default)]
struct Subscribed {
    /// The beginning of the user's list of conversations.
    summaries: Vec<ConversationSummary>,
    /// Conversations that the user left since the memberships were read. What was told of them in
    /// that moment is not for this device.
    ended: Vec<ConversationId>,
}

/// Makes a user's devices be told of the user's conversations, and returns the beginning of their
/// list: read after that, and all from one snapshot, so that nothing falls between.
async fn subscribe(
    chat: &Chat,
    user: &UserId,
    device: SessionId,
    memberships: Vec<Membership>,
) -> Result<Subscribed, ChatError> {
    let engine = &chat.engine;
    let router = &engine.router;
    let mut ids = Vec::with_capacity(memberships.len());
    for membership in memberships {
        let conversation = membership.conversation_id;
        router.subscribe(user, conversation, membership.change_seq, Some(device));
        ids.push(conversation);
    }
    if ids.is_empty() && router.hub.subscriptions(user).is_empty() {
        // There is nothing to tell, and of what is joined from now on the user's devices are told.
        router.news.told(user);
        return Ok(Subscribed::default());
    }
    let unopened = router.hear_unopened(&ids).await;
    let told = router.hub.subscriptions(user);
    let reading = engine.stores.inbox.overview(user, READY_CONVERSATIONS + 1);
    let Overview { standings, summaries } = chat.within(reading).await?;
    router.news.told(user);
    let (memberships, heads): (Vec<_>, Vec<_>) =
        standings.into_iter().map(|standing| (standing.membership, standing.head)).unzip();
    router.open_at(unopened, &heads).await?;
    // Whoever left since the list was read was not yet subscribed when the news came.
    router.set_right(vec![(user, told)], &memberships).await?;
    let in_force: HashSet<_> = memberships.iter().map(|one| one.conversation_id).collect();
    ids.retain(|id| !in_force.contains(id));
    Ok(Subscribed { summaries, ended: ids })
}

fn actor(user: &User, device: &Device) -> Actor {
    Actor { user_id: user.id.clone(), session_id: Some(device.id) }
}

/// The moment of the monotonic clock that a point in time falls on.
fn instant_of(time: Timestamp) -> Instant {
    let left = time.duration_since(Timestamp::now());
    // A credential that lasts longer than a century does not end.
    let left = left.max(jiff::SignedDuration::ZERO).min(jiff::SignedDuration::from_hours(900_000));
    Instant::now() + left.unsigned_abs()
}
