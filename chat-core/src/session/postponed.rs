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

/// Replays that wait for a store which is away. As long as none has had to, this is a null pointer:
/// each session has one.
#[derive(Debug, Default)]
pub(super) struct Postponed(Option<Box<Waiting>>);

#[derive(Debug)]
struct Waiting {
    replays: VecDeque<Replay>,
    /// When the first is tried again.
    due: Option<Instant>,
    pause: Duration,
    /// How long a try may take.
    patience: Duration,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { replays: VecDeque::new(), due: None, pause: PAUSES.0, patience: FIRST_PATIENCE }
    }
}

impl Postponed {
    pub(super) fn has_room(&self) -> bool {
        self.replays().len() < MAX_REPLAYS
    }

    /// Adds a replay that was broken off; all are tried again after a pause, longer each time.
    pub(super) fn add(&mut self, replay: Replay) {
        let waiting = self.0.get_or_insert_default();
        waiting.replays.push_back(replay);
        waiting.due = Some(Instant::now() + waiting.pause);
        waiting.pause = (waiting.pause * 2).min(PAUSES.1);
        waiting.patience = waiting.patience.saturating_mul(2);
    }

    /// How long a try may take.
    pub(super) fn patience(&self) -> Duration {
        self.0.as_ref().map_or(FIRST_PATIENCE, |waiting| waiting.patience)
    }

    /// Notes that the store answers: the others need not wait any more.
    pub(super) fn note_progress(&mut self) {
        if let Some(waiting) = &mut self.0 {
            let replays = std::mem::take(&mut waiting.replays);
            let due = Some(Instant::now());
            self.0 = (!replays.is_empty())
                .then(|| Box::new(Waiting { replays, due, ..Waiting::default() }));
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref()?.due
    }

    /// Takes a replay whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Replay> {
        let waiting = self.0.as_mut()?;
        waiting.due.filter(|due| *due <= now)?;
        let replay = waiting.replays.pop_front();
        if waiting.replays.is_empty() {
            waiting.due = None;
        }
        replay
    }

    pub(super) fn tells_of(&self, conversation: ConversationId) -> bool {
        self.replays().any(|replay| replay.tells_of(conversation))
    }

    fn replays(&self) -> impl ExactSizeIterator<Item = &Replay> {
        self.0.as_deref().map(|waiting| waiting.replays.iter()).unwrap_or_default()
    }
}
