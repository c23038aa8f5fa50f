use std::collections::{BTreeMap, BTreeSet, HashMap};

use chat_proto::{
    ClientId, Conversation, ConversationId, ConversationKind, LoginSessionId, Member,
    MemberProfile, MemberRole, MemberState, Message, MessageId, NodeId, PresenceStatus, User,
    UserId,
};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;

use super::to_microsecond;
use crate::store::{EnsureUser, LoginSession, NewUser, StoreError};

/// Counts of unread messages stop here.
const COUNT_MAX: usize = 100;

/// Everything a [`MemoryStore`](super::MemoryStore) keeps.
#[derive(Default)]
pub(super) struct Data {
    pub(super) users: HashMap<UserId, User>,
    /// Users by name key, in the order in which a search answers.
    pub(super) user_keys: BTreeMap<String, UserId>,
    /// Users by what their names look like.
    skeletons: HashMap<String, UserId>,
    pub(super) conversations: HashMap<ConversationId, Record>,
    /// The last number of activity that was taken.
    activity: u64,
    /// Direct conversations by their two users, the lesser id first.
    pub(super) pairs: HashMap<[UserId; 2], ConversationId>,
    /// The conversations that each user is or was a member of.
    pub(super) memberships: HashMap<UserId, BTreeSet<ConversationId>>,
    /// Where each message is.
    pub(super) messages: HashMap<MessageId, (ConversationId, u64)>,
    /// How users chose to be shown while online.
    pub(super) chosen: HashMap<UserId, PresenceStatus>,
    /// On which node users are.
    pub(super) visits: HashMap<UserId, NodeId>,
    /// When nodes were last alive.
    pub(super) alive: HashMap<NodeId, (Timestamp, Instant)>,
    pub(super) passwords: HashMap<UserId, SecretString>,
    pub(super) logins: HashMap<LoginSessionId, LoginSession>,
}

/// One conversation and all that belongs to it.
pub(super) struct Record {
    /// Its `member_count` is kept current.
    pub(super) conversation: Conversation,
    pub(super) change_seq: u64,
    /// The number of the last message or, before there is one, of the opening.
    pub(super) activity: u64,
    /// When that was; never before what was so earlier.
    pub(super) last_activity_at: Timestamp,
    /// The message with `seq` n is at n - 1.
    pub(super) messages: Vec<Message>,
    /// The `seq` of each message by what makes it the same message.
    pub(super) sent: HashMap<(UserId, ClientId), u64>,
    /// Everybody who is or was a member.
    pub(super) members: BTreeMap<UserId, Membership>,
}

/// A membership and its cursors.
pub(super) struct Membership {
    pub(super) member: Member,
    /// The change by which the user joined the last time; later ones have changed the record since.
    pub(super) joined_seq: u64,
    pub(super) read_seq: u64,
    pub(super) delivered_seq: u64,
}

impl Data {
    /// Records a user, as [`UserStore::ensure_user`](crate::store::UserStore::ensure_user) has it.
    pub(super) fn ensure_user(&mut self, new: NewUser) -> EnsureUser {
        if let Some(user) = self.users.get(&new.id) {
            return EnsureUser::Existing(user.clone());
        }
        let (key, skeletons) = (new.username.key(), new.username.skeletons());
        let is_taken = |skeletons: &[String]| {
            skeletons.iter().any(|skeleton| self.skeletons.contains_key(skeleton))
        };
        if self.user_keys.contains_key(&key) || is_taken(&skeletons) {
            return EnsureUser::UsernameTaken;
        }
        if is_taken(&new.display_name.skeletons()) {
            return EnsureUser::DisplayNameTaken;
        }
        let user = User {
            id: new.id,
            username: new.username,
            display_name: new.display_name,
            created_at: to_microsecond(new.created_at),
            last_seen_at: None,
        };
        self.user_keys.insert(key, user.id.clone());
        self.skeletons.extend(skeletons.into_iter().map(|skeleton| (skeleton, user.id.clone())));
        self.users.insert(user.id.clone(), user.clone());
        EnsureUser::Created(user)
    }

    /// Refuses what only a caller's mistake can bring: databases refuse it as a foreign key.
    pub(super) fn require_user(&self, id: &UserId) -> Result<(), StoreError> {
        if self.users.contains_key(id) {
            Ok(())
        } else {
            Err(StoreError::failed("there is no such user"))
        }
    }

    /// The next number of activity.
    pub(super) const fn next_activity(&mut self) -> u64 {
        self.activity += 1;
        self.activity
    }

    /// A conversation and the user's membership in it, if that is in force.
    pub(super) fn joined(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Option<(&Record, &Membership)> {
        let record = self.conversations.get(&conversation)?;
        Some((record, record.joined(user)?))
    }

    /// The conversations of which the user is a member.
    pub(super) fn conversations_of<'a>(
        &'a self,
        user: &'a UserId,
    ) -> impl Iterator<Item = (&'a Record, &'a Membership)> {
        let ids = self.memberships.get(user).into_iter().flatten();
        ids.filter_map(move |id| self.joined(*id, user))
    }

    /// How many memberships the user has chosen.
    pub(super) fn chosen(&self, user: &UserId) -> usize {
        let chosen = self.conversations_of(user).filter(|(record, _)| {
            let conversation = &record.conversation;
            conversation.kind == ConversationKind::Room || conversation.created_by == *user
        });
        chosen.count()
    }

    /// Makes a user a member, by the conversation's next change.
    pub(super) fn join(
        &mut self,
        conversation: ConversationId,
        user: &UserId,
        role: MemberRole,
        at: Timestamp,
    ) -> Option<Member> {
        let record = self.conversations.get_mut(&conversation)?;
        self.memberships.entry(user.clone()).or_default().insert(conversation);
        Some(record.join(user, role, at))
    }

    /// Whether the user may have one more membership that counts.
    pub(super) fn may_add(&self, user: &UserId, max_memberships: usize) -> bool {
        self.chosen(user) < max_memberships
    }

    /// A membership together with who it is.
    pub(super) fn profile(&self, member: &Member) -> Option<MemberProfile> {
        let user = self.users.get(&member.user_id)?.clone();
        Some(MemberProfile { member: member.clone(), user })
    }
}

impl Record {
    /// A conversation without members, messages or changes.
    pub(super) fn new(conversation: Conversation, activity: u64) -> Self {
        Self {
            last_activity_at: conversation.created_at,
            conversation,
            change_seq: 0,
            activity,
            messages: Vec::new(),
            sent: HashMap::new(),
            members: BTreeMap::new(),
        }
    }

    pub(super) const fn last_seq(&self) -> u64 {
        self.messages.len() as u64
    }

    /// A user's membership, if it is in force.
    pub(super) fn joined(&self, user: &UserId) -> Option<&Membership> {
        self.members.get(user).filter(|entry| entry.member.state == MemberState::Joined)
    }

    fn join(&mut self, user: &UserId, role: MemberRole, at: Timestamp) -> Member {
        self.change_seq += 1;
        self.conversation.member_count += 1;
        // A room with members has an owner.
        let alone = self.conversation.member_count == 1;
        let owned = alone && self.conversation.kind == ConversationKind::Room;
        let last_seq = self.last_seq();
        let entry = self.members.entry(user.clone()).or_insert_with(|| Membership {
            member: Member {
                conversation_id: self.conversation.id,
                user_id: user.clone(),
                role,
                state: MemberState::Joined,
                change_seq: 0,
                joined_at: to_microsecond(at),
            },
            joined_seq: 0,
            read_seq: 0,
            delivered_seq: 0,
        });
        entry.member.state = MemberState::Joined;
        entry.member.change_seq = self.change_seq;
        entry.joined_seq = self.change_seq;
        if owned {
            entry.member.role = MemberRole::Owner;
        }
        entry.read_seq = entry.read_seq.max(last_seq);
        entry.delivered_seq = entry.delivered_seq.max(last_seq);
        entry.member.clone()
    }

    /// Ends a membership that is in force, by the next change; an owner's role is given up.
    pub(super) fn leave(&mut self, user: &UserId) -> Option<Member> {
        let entry = self.members.get_mut(user)?;
        if entry.member.state != MemberState::Joined {
            return None;
        }
        self.change_seq += 1;
        self.conversation.member_count -= 1;
        entry.member.state = MemberState::Left;
        entry.member.role = match entry.member.role {
            MemberRole::Owner => MemberRole::Member,
            role => role,
        };
        entry.member.change_seq = self.change_seq;
        Some(entry.member.clone())
    }

    /// Before the only owner leaves: makes the member who joined first the owner, by the next change.
    pub(super) fn hand_over(&mut self, leaving: &UserId) -> Option<Member> {
        let owns = |entry: &Membership| entry.member.role == MemberRole::Owner;
        if !self.joined(leaving).is_some_and(owns) {
            return None;
        }
        let others = self.members.values_mut().filter(|entry| {
            entry.member.state == MemberState::Joined && entry.member.user_id != *leaving
        });
        let others: Vec<_> = others.collect();
        if others.iter().any(|entry| owns(entry)) {
            return None;
        }
        // The members are in the order of their ids, and the first of the least is taken.
        let heir = others.into_iter().min_by_key(|entry| entry.member.joined_at)?;
        self.change_seq += 1;
        heir.member.role = MemberRole::Owner;
        heir.member.change_seq = self.change_seq;
        Some(heir.member.clone())
    }

    /// Messages of others after `seq`, and those that mention the user, each counted up to 100.
    pub(super) fn unread(&self, user: &UserId, seq: u64) -> (u64, u64) {
        let others = || self.after(seq).filter(|message| message.sender_id != *user);
        let mentions = others().filter(|message| message.mentions.contains(user));
        (others().take(COUNT_MAX).count() as u64, mentions.take(COUNT_MAX).count() as u64)
    }

    /// The messages after `seq`.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Message> {
        self.messages.iter().skip(usize::try_from(seq).unwrap_or(usize::MAX))
    }
}
