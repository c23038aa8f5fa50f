use std::collections::VecDeque;

use futures::FutureExt;

use super::{Speaker, Turn};

/// The most turns that wait. A turn is a batch of messages, so this is kept small.
const MAX_TURNS: usize = 4;

/// What a speaker said while a write was blocked.
///
/// The speaker is asked even then, so that a connection whose user is shut out ends at once. What
/// else it says waits here, up to a bound; beyond it the speaker keeps it, with bounds of its own.
#[derive(Debug, Default)]
pub(super) struct Backlog(VecDeque<Turn>);

impl Backlog {
    /// Waits for what the speaker says now, and when there is no room for more, only for its end.
    /// Safe to cancel.
    pub(super) async fn hear<P: Speaker>(&self, speaker: &mut P) -> Turn {
        if self.has_room() { speaker.next().await } else { Turn::Close(speaker.ended().await) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has_room(&self) -> bool {
        self.0.len() < MAX_TURNS && !matches!(self.0.back(), Some(Turn::Finish(_)))
    }

    /// Adds what the speaker said.
    pub(super) fn push(&mut self, turn: Turn) {
        self.0.push_back(turn);
    }

    /// The next thing to do. Safe to cancel.
    pub(super) async fn next<P: Speaker>(&mut self, speaker: &mut P) -> Turn {
        match self.pop(speaker) {
            Some(turn) => turn,
            None => speaker.next().await,
        }
    }

    /// The next thing to do, if anything waits.
    fn pop<P: Speaker>(&mut self, speaker: &mut P) -> Option<Turn> {
        if !self.is_empty()
            && self.has_room()
            && let Some(turn) = speaker.next().now_or_never()
        {
            if let Turn::Close(_) = turn {
                return Some(turn);
            }
            self.push(turn);
        }
        self.0.pop_front()
    }
}
