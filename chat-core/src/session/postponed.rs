use std::collections::VecDeque;
use std::time::Duration;

use chat_proto::ConversationId;
use tokio::time::Instant;

use super::replay::Replay;

/// The most replays that wait. The connection of a device that needs more ends, and it resumes.
const MAX_REPLAYS: usize = 256;
/// The first pause before another try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long the first try may take. Everything else of the device waits for it, but what a slow
/// store needs it must be given at last.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);

/// Replays that wait for a store which is away.
#[derive(Debug)]
pub(super) struct Postponed {
    replays: VecDeque<Replay>,
    /// When the first is tried again.
    due: Option<Instant>,
    pause: Duration,
    /// How long a try may take.
    patience: Duration,
}

impl Default for Postponed {
    fn default() -> Self {
        Self { replays: VecDeque::new(), due: None, pause: PAUSES.0, patience: FIRST_PATIENCE }
    }
}

impl Postponed {
    pub(super) fn has_room(&self) -> bool {
        self.replays.len() < MAX_REPLAYS
    }

    /// Adds a replay that was broken off; all are tried again after a pause, longer each time.
    pub(super) fn add(&mut self, replay: Replay) {
        self.replays.push_back(replay);
        self.due = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.patience = self.patience.saturating_mul(2);
    }

    /// How long a try may take.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Notes that the store answers: the others need not wait any more.
    pub(super) fn note_progress(&mut self) {
        self.pause = PAUSES.0;
        self.patience = FIRST_PATIENCE;
        self.due = (!self.replays.is_empty()).then(Instant::now);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes a replay whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Replay> {
        self.due.filter(|due| *due <= now)?;
        let replay = self.replays.pop_front();
        if self.replays.is_empty() {
            self.due = None;
        }
        replay
    }

    pub(super) fn tells_of(&self, conversation: ConversationId) -> bool {
        self.replays.iter().any(|replay| replay.tells_of(conversation))
    }
}
