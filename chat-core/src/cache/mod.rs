//! A cache over any store: answers that are read often, kept for a moment, and never a source of
//! truth.
//!
//! # What may be read from it
//!
//! The engine holds two handles, the store itself and the cache over it, and keeps to this rule:
//!
//! * **What decides is read from the store itself**: whether somebody is a member or may see, join,
//!   leave or send something; what a device is greeted with, what is replayed to it, and which
//!   conversations it is told of; the order of changes, heads, and the comparison with other nodes.
//!   Writes check in their own transaction.
//! * **What is only shown may come from the cache**: lists of conversations, totals of what is
//!   unread, users, a page of members once the right to see it is decided, and a conversation's
//!   record where it decides no right.
//! * **Every write goes through the cache**, so that it knows.
//!
//! Whoever sets up an engine hands it the store itself: the engine puts the cache over it. An
//! engine over a cache would take its rights from there.
//!
//! # What it promises
//!
//! * **A stated bound.** An answer is what the store said at some moment no longer ago than
//!   [`staleness_ms`](CacheConfig::staleness_ms), whatever news was lost. Where the store itself lags,
//!   such as a replica, that comes on top. Of an answer put together from several entries
//!   ([`users`](UserStore::users), [`heads`](MessageStore::heads)) each has a moment of its own.
//! * **One's own writes.** A user who has written through this cache is never shown, by this cache,
//!   what was before. A write that failed or was given up counts, too. Only one that the store
//!   carries out after its caller has gone away may be seen late, within the bound.
//! * **No step back.** What a device has been told by this node, its user's lists show. Hence the
//!   cache hears of a change before the devices do.
//! * **No leak.** An answer is what the store said while it was true. A list that still shows a
//!   conversation to somebody who left it elsewhere shows nothing that came after the leaving.
//! * **A bound of room**, by entries, and by items on pages.
//!
//! # How
//!
//! Nothing is removed when something changes. Each entry remembers what it depends on, and the
//! generation that was current before the store was asked; it is served only while none of that has
//! changed in a later one, and it is younger than the bound. Therefore it is harmless that an answer
//! is kept after news that it was overtaken, and there is no order of removing and keeping to get
//! wrong. Changes are counted for topics, in an array of fixed size, by hash: a collision costs a
//! reload. A user's list depends on all of the user's conversations, since any may move onto it, and
//! so their ids are read with it.
//!
//! Answers that there is no such thing are not kept.

mod config;
mod conversations;
mod flight;
mod generations;
mod inbox;
mod members;
mod messages;
mod news;
mod shelf;
mod stats;
mod users;
mod visits;
mod warm;

use std::sync::Arc;

use chat_proto::{
    Conversation, ConversationId, ConversationSummary, Member, MemberProfile, User, UserId,
};

pub use config::CacheConfig;
pub(crate) use news::News;
pub use stats::{CacheCount, CacheStats};

use crate::store::{Head, InboxPosition, Store, UnreadTotal};
#[cfg(doc)]
use crate::store::{MessageStore, UserStore};
use generations::{Generations, Slot, Topic};
use shelf::{Answer, Freshness, Shelf};

/// A store that answers what is asked often from what was answered a moment ago.
///
/// It implements every trait of [`Store`] over another one: see its [module](self) for what may be
/// read from it, and what it promises. An engine has one unless told
/// [otherwise](crate::ChatBuilder::uncached).
#[derive(Debug)]
pub struct CachedStore {
    store: Arc<dyn Store>,
    freshness: Arc<Freshness>,
    users: Shelf<UserId, User>,
    names: Shelf<String, User>,
    conversations: Shelf<ConversationId, Conversation>,
    memberships: Shelf<(ConversationId, UserId), Member>,
    members: Shelf<MemberPage, Vec<MemberProfile>>,
    heads: Shelf<ConversationId, Head>,
    summaries: Shelf<(UserId, ConversationId), ConversationSummary>,
    lists: Shelf<ListPage, Vec<ConversationSummary>>,
    unread: Shelf<UserId, UnreadTotal>,
    warm: usize,
}

/// A page of members: of which conversation, after whom, and how many.
type MemberPage = (ConversationId, Option<UserId>, usize);

/// A page of conversations: whose, after which, and how many.
type ListPage = (UserId, Option<InboxPosition>, usize);

impl CachedStore {
    /// A cache over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, config: CacheConfig) -> Self {
        let staleness = config.staleness();
        let freshness = Arc::new(Freshness { generations: Generations::new(), staleness });
        let CacheConfig { entries, page_items, .. } = config;
        Self {
            store,
            users: Shelf::new(&freshness, entries),
            names: Shelf::new(&freshness, entries),
            conversations: Shelf::new(&freshness, entries),
            memberships: Shelf::new(&freshness, entries),
            members: Shelf::weighing(&freshness, page_items, weight),
            heads: Shelf::new(&freshness, entries),
            summaries: Shelf::new(&freshness, entries),
            lists: Shelf::weighing(&freshness, page_items, weight),
            unread: Shelf::new(&freshness, entries),
            warm: config.warm.min(usize::try_from(entries).unwrap_or(usize::MAX)),
            freshness,
        }
    }

    /// How often it could answer by itself, and what it holds.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            users: self.users.count(),
            names: self.names.count(),
            conversations: self.conversations.count(),
            memberships: self.memberships.count(),
            members: self.members.count(),
            heads: self.heads.count(),
            summaries: self.summaries.count(),
            lists: self.lists.count(),
            unread: self.unread.count(),
        }
    }

    /// Where to say what has happened elsewhere.
    pub(crate) fn news(&self) -> News {
        News::new(&self.freshness)
    }

    /// Where it is noted that any of these changes.
    fn slots<'a>(&self, topics: impl IntoIterator<Item = Topic<'a>>) -> Box<[Slot]> {
        self.freshness.generations.slots(topics)
    }

    /// Begins a write that changes these. What is returned is dropped when the write has ended in
    /// whichever way: returned, failed, or given up by the caller, when nobody knows what came of
    /// it.
    fn writing<'a>(&self, topics: impl IntoIterator<Item = Topic<'a>>) -> Writing<'_> {
        Writing { generations: &self.freshness.generations, changed: self.slots(topics) }
    }
}

/// A write under way.
#[derive(Debug)]
struct Writing<'a> {
    generations: &'a Generations,
    changed: Box<[Slot]>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.generations.advance(&self.changed);
    }
}

/// What a page weighs, in items. What it depends on takes about as much room as one item for every
/// 256 topics.
fn weight<V>(page: &Answer<Vec<V>>) -> usize {
    1 + page.value.len() + page.depends_on.len() / 256
}
