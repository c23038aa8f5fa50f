/// How often a [`CachedStore`](super::CachedStore) could answer by itself, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Users by id.
    pub users: CacheCount,
    /// Users by name.
    pub names: CacheCount,
    /// Conversations.
    pub conversations: CacheCount,
    /// Single memberships.
    pub memberships: CacheCount,
    /// Pages of a conversation's members.
    pub members: CacheCount,
    /// Heads of conversations.
    pub heads: CacheCount,
    /// Single conversations as one member sees them.
    pub summaries: CacheCount,
    /// Pages of a user's conversations.
    pub lists: CacheCount,
    /// Totals of what a user has not read.
    pub unread: CacheCount,
}

/// The count of one kind of entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCount {
    /// Questions that were answered without asking the store. Of a question for several things,
    /// each counts.
    pub hits: u64,
    /// Questions for which the store was asked, whatever it answered.
    pub misses: u64,
    /// Entries held, fresh or not.
    pub entries: u64,
}

impl CacheStats {
    /// Every kind by name, for metrics.
    #[must_use]
    pub const fn kinds(&self) -> [(&'static str, CacheCount); 9] {
        [
            ("users", self.users),
            ("names", self.names),
            ("conversations", self.conversations),
            ("memberships", self.memberships),
            ("members", self.members),
            ("heads", self.heads),
            ("summaries", self.summaries),
            ("lists", self.lists),
            ("unread", self.unread),
        ]
    }
}
