use std::io::Error;
use std::time::Duration;

use chat_tests::history::Event;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Worker;
use crate::link::{Link, text};

/// About how long a client stays in its revolving room, or away from it, in milliseconds.
const STAY: std::ops::Range<usize> = 100..900;

/// A join or a leave on its way.
#[derive(Debug)]
pub(super) struct Move {
    /// The command that is not answered.
    command: Option<u64>,
    /// When the next one is due.
    at: Instant,
    joining: bool,
}

impl Move {
    pub(super) fn soon() -> Self {
        Self { command: None, at: Instant::now(), joining: false }
    }

    /// When it is time for another one; none while one is on its way.
    pub(super) const fn due(&self) -> Option<Instant> {
        if self.command.is_none() { Some(self.at) } else { None }
    }

    pub(super) fn is_answered_by(&self, id: Option<u64>) -> bool {
        self.command.is_some() && self.command == id
    }
}

impl Worker {
    /// Enters the revolving room, or leaves it.
    pub(super) async fn moves(&mut self, link: &mut Link, step: &mut Move) -> Result<(), Error> {
        let Some(place) = self.revolving.clone() else { return Ok(()) };
        step.joining = !self.known.contains_key(&place);
        let kind = if step.joining { "conversation.join" } else { "conversation.leave" };
        self.status.send_modify(|status| status.is_moving = true);
        if step.joining {
            self.recorder.note(Event::Joining { place: place.clone() });
        }
        // Whoever is the last one there means to leave, too.
        let payload = match step.joining {
            true => json!({"conversationId": place}),
            false => json!({"conversationId": place, "confirm": true}),
        };
        step.command = Some(link.send(kind, &payload).await?);
        Ok(())
    }

    /// What came of it. Whatever failed may have taken effect, and is tried again.
    pub(super) fn has_moved(&mut self, frame: &Value, step: &mut Move) {
        step.command = None;
        step.at = Instant::now() + self.dice.millis(STAY.start, STAY.end);
        let payload = &frame["payload"];
        let gone = !step.joining && payload["code"] == "not_found";
        if frame["type"] == "error" && !gone {
            step.at = Instant::now() + Duration::from_millis(100);
            assert_eq!(payload["retryable"], true, "{}: {payload}", self.user);
            return;
        }
        self.status.send_modify(|status| status.is_moving = false);
        if step.joining {
            self.holds(&payload["conversation"]);
        } else if let Some(place) = self.revolving.clone() {
            self.has_left(&place);
        }
    }

    /// Begins to hold the conversation of a summary, unless it holds it already.
    pub(super) fn holds(&mut self, summary: &Value) {
        let place = text(&summary["conversationId"]);
        let change_seq = summary["changeSeq"].as_u64().unwrap();
        if !self.known.contains_key(&place) {
            self.recorder.note(Event::Holds { place: place.clone(), change_seq });
            self.known.insert(place, change_seq);
            self.tells_what_it_knows();
        }
    }

    pub(super) fn has_left(&mut self, place: &str) {
        self.recorder.note(Event::Left { place: place.to_owned() });
        self.known.remove(place);
        self.tells_what_it_knows();
    }

    pub(super) fn tells_what_it_knows(&self) {
        self.status.send_modify(|status| status.known.clone_from(&self.known));
    }
}
