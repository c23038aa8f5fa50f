//! What both databases do alike with cursors: where one may go, and what it has before it.

use chat_core::store::{CursorAdvance, CursorKind};

use crate::columns::Columns;

/// Messages of others after a cursor, counted up to 100: at most so many are looked at, but for
/// the user's own.
macro_rules! unread {
    ($conversation:literal, $user:literal, $read_seq:literal) => {
        concat!(
            "(SELECT count(*) FROM (SELECT 1 FROM chat_message n WHERE n.conversation_id = ",
            $conversation,
            " AND n.seq > ",
            $read_seq,
            " AND n.sender_id <> ",
            $user,
            " LIMIT 100) counted)"
        )
    };
}

/// The last message that a statement can see, and so count.
macro_rules! counted_through {
    ($conversation:literal) => {
        concat!(
            "(SELECT n.last_seq FROM chat_head n WHERE n.conversation_id = ",
            $conversation,
            ")"
        )
    };
}

/// Mentions by others after a cursor, counted up to 100.
macro_rules! unread_mentions {
    ($conversation:literal, $user:literal, $read_seq:literal) => {
        concat!(
            "(SELECT count(*) FROM (SELECT 1 FROM chat_mention n WHERE n.conversation_id = ",
            $conversation,
            " AND n.user_id = ",
            $user,
            " AND n.seq > ",
            $read_seq,
            " LIMIT 100) counted)"
        )
    };
}
pub(crate) use {counted_through, unread, unread_mentions};

/// Where a member's cursors stand, and how far they could go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    read_seq: u64,
    delivered_seq: u64,
    last_seq: u64,
}

/// One cursor's way, and where both stand after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) read_seq: u64,
    pub(crate) delivered_seq: u64,
}

impl Standing {
    pub(crate) fn read(row: &impl Columns) -> sqlx::Result<Self> {
        Ok(Self {
            read_seq: row.number("read_seq")?,
            delivered_seq: row.number("delivered_seq")?,
            last_seq: row.number("last_seq")?,
        })
    }

    pub(crate) fn step(&self, kind: CursorKind, seq: Option<u64>) -> Step {
        let from = match kind {
            CursorKind::Read => self.read_seq,
            CursorKind::Delivered => self.delivered_seq,
        };
        let to = seq.unwrap_or(u64::MAX).min(self.last_seq).max(from);
        let read_seq = if kind == CursorKind::Read { to } else { self.read_seq };
        Step { from, to, read_seq, delivered_seq: self.delivered_seq.max(to) }
    }
}

impl Step {
    pub(crate) const fn moves(&self) -> bool {
        self.from < self.to
    }

    /// What is told of the step, with counts that a row holds.
    pub(crate) fn advance(&self, counts: &impl Columns) -> sqlx::Result<CursorAdvance> {
        Ok(CursorAdvance {
            from: self.from,
            to: self.to,
            passed: counts.number("passed")?,
            unread: counts.number("unread")?,
            unread_mentions: counts.number("unread_mentions")?,
            counted_through: counts.number("counted_through")?,
        })
    }
}
