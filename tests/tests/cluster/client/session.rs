use std::collections::{BTreeMap, BTreeSet};
use std::io::Error;
use std::time::Duration;

use chat_tests::history::Event;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::Worker;
use super::membership::Move;
use crate::link::{Link, change_of, message_of, text};

/// About how often a client sends, in milliseconds.
const PACE: std::ops::Range<usize> = 90..210;
/// The longest that it waits before it tries again, whatever it was told.
const AGAIN: Duration = Duration::from_millis(200);

/// How a session ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Within how many milliseconds the node asked it to come back somewhere else.
    pub(super) window: Option<usize>,
}

/// What waits for what in a session.
struct Progress {
    /// The `session.resume` that is not answered, or when to send another one.
    resuming: Option<u64>,
    resume_at: Option<Instant>,
    /// What came until the resume is answered, which may be ahead of what was missed.
    ahead: BTreeMap<String, BTreeSet<u64>>,
    /// The `message.send` that is not answered.
    sending: Option<u64>,
    send_at: Instant,
    /// The entering or leaving that is next.
    step: Move,
    window: Option<usize>,
}

impl Progress {
    const fn has_caught_up(&self) -> bool {
        self.resuming.is_none() && self.resume_at.is_none()
    }
}

impl Worker {
    /// Goes on with a connection until it ends.
    pub(super) async fn session(&mut self, node: usize, mut link: Link, ready: &Value) -> Ended {
        self.is_greeted(ready);
        let now = Instant::now();
        let mut progress = Progress {
            resuming: None,
            resume_at: Some(now),
            ahead: BTreeMap::new(),
            sending: None,
            send_at: now,
            step: Move::soon(),
            window: None,
        };
        if let Err(error) = self.go_on(node, &mut link, &mut progress).await {
            let trouble = format!("node {node}: {error}");
            self.status.send_modify(|status| status.trouble = Some(trouble));
        }
        self.recorder.note(Event::Disconnected);
        Ended { window: progress.window }
    }

    async fn go_on(
        &mut self,
        node: usize,
        link: &mut Link,
        progress: &mut Progress,
    ) -> Result<(), Error> {
        loop {
            let writing = *self.writing.borrow_and_update();
            let may_send = progress.has_caught_up()
                && progress.sending.is_none()
                && (writing || self.open.is_some());
            let send_at = may_send.then_some(progress.send_at);
            let is_moving = writing || self.status.borrow().is_moving;
            let may_move = self.revolving.is_some() && progress.has_caught_up() && is_moving;
            let move_at = progress.step.due().filter(|_| may_move);
            tokio::select! {
                biased;
                () = at(progress.resume_at) => self.resume(link, progress).await?,
                () = at(send_at) => self.send(link, progress).await?,
                () = at(move_at) => self.moves(link, &mut progress.step).await?,
                frame = link.frame() => self.take(node, &frame?, progress),
                changed = self.writing.changed() => changed.map_err(Error::other)?,
            }
        }
    }

    fn is_greeted(&mut self, ready: &Value) {
        let mut heads = BTreeMap::new();
        for summary in ready["conversations"].as_array().unwrap() {
            self.holds(summary);
            heads.insert(text(&summary["conversationId"]), summary["changeSeq"].as_u64().unwrap());
        }
        let online = ready["presence"].as_array().unwrap().iter();
        let online = online.map(|entry| text(&entry["userId"])).collect();
        self.recorder.note(Event::Greeted { heads, online });
    }

    async fn resume(&mut self, link: &mut Link, progress: &mut Progress) -> Result<(), Error> {
        let cursors = self.known.clone();
        self.recorder.note(Event::Resuming { cursors: cursors.clone() });
        progress.resume_at = None;
        progress.resuming = Some(link.send("session.resume", &json!({"cursors": cursors})).await?);
        Ok(())
    }

    /// Sends the message that is open, or another one.
    async fn send(&mut self, link: &mut Link, progress: &mut Progress) -> Result<(), Error> {
        let (client_id, place) = match self.open.clone() {
            Some(open) => open,
            None => {
                self.made += 1;
                let place = self.places[self.dice.throw(self.places.len())].clone();
                (format!("{}-{}", self.user, self.made), place)
            }
        };
        self.open = Some((client_id.clone(), place.clone()));
        self.status.send_modify(|status| status.is_sending = true);
        self.recorder.note(Event::Sent { place: place.clone(), client_id: client_id.clone() });
        let payload = json!({"conversationId": place, "clientId": client_id, "content": client_id});
        progress.send_at = Instant::now() + self.dice.millis(PACE.start, PACE.end);
        progress.sending = Some(link.send("message.send", &payload).await?);
        Ok(())
    }

    fn take(&mut self, node: usize, frame: &Value, progress: &mut Progress) {
        if let Some((place, change_seq, change)) = change_of(frame) {
            self.recorder.note(Event::Delivered { place: place.clone(), change_seq, change });
            self.is_told(&place, change_seq, progress);
            return;
        }
        let payload = &frame["payload"];
        match frame["type"].as_str() {
            Some("presence.changed") => {
                let (user, online) = (text(&payload["userId"]), payload["status"] != "offline");
                self.recorder.note(Event::Presence { user, online });
            }
            Some("conversation.created") => self.holds(&payload["conversation"]),
            Some("session.draining") => {
                let window = payload["reconnectAfterMs"][1].as_u64().unwrap();
                progress.window = usize::try_from(window).ok();
            }
            Some("reply" | "error") => {
                let id = frame["id"].as_u64();
                if id == progress.resuming {
                    self.is_answered_of_resume(node, frame, progress);
                } else if id == progress.sending {
                    self.is_answered_of_send(frame, progress);
                } else if progress.step.is_answered_by(id) {
                    self.has_moved(frame, &mut progress.step);
                }
            }
            _ => {}
        }
    }

    /// Moves the number of a conversation; while it catches up, only by what follows immediately.
    fn is_told(&mut self, place: &str, change_seq: u64, progress: &mut Progress) {
        let caught_up = progress.has_caught_up();
        let Some(known) = self.known.get_mut(place) else { return };
        if caught_up {
            *known = change_seq.max(*known);
        } else {
            let ahead = progress.ahead.entry(place.to_owned()).or_default();
            ahead.insert(change_seq);
            while ahead.remove(&(*known + 1)) {
                *known += 1;
            }
        }
        self.tells_what_it_knows();
    }

    fn is_answered_of_resume(&mut self, node: usize, frame: &Value, progress: &mut Progress) {
        progress.resuming = None;
        let payload = &frame["payload"];
        if frame["type"] == "error" {
            let trouble = format!("node {node}: resume: {payload}");
            self.status.send_modify(|status| status.trouble = Some(trouble));
            progress.resume_at = Some(Instant::now() + again(payload));
            return;
        }
        let reset: Vec<_> = payload["reset"].as_array().unwrap().iter().map(text).collect();
        self.recorder.note(Event::Resumed { reset: reset.clone() });
        for place in reset {
            // A leave has taken effect whose answer was lost.
            assert_eq!(Some(&place), self.revolving.as_ref(), "{}: {payload}", self.user);
            self.has_left(&place);
        }
        for (place, ahead) in std::mem::take(&mut progress.ahead) {
            if let (Some(known), Some(last)) = (self.known.get_mut(&place), ahead.last()) {
                *known = (*last).max(*known);
            }
        }
        self.status.send_modify(|status| {
            status.node = Some(node);
            status.known.clone_from(&self.known);
        });
    }

    fn is_answered_of_send(&mut self, frame: &Value, progress: &mut Progress) {
        progress.sending = None;
        let Some((client_id, place)) = self.open.clone() else { return };
        let payload = &frame["payload"];
        if frame["type"] == "reply" {
            let message = message_of(&payload["message"]);
            self.recorder.note(Event::Acknowledged { place, message });
        } else if payload["retryable"] == true {
            let trouble = format!("send: {payload}");
            self.status.send_modify(|status| status.trouble = Some(trouble));
            progress.send_at = Instant::now() + again(payload);
            return;
        } else {
            let code = text(&payload["code"]);
            self.recorder.note(Event::Refused { client_id, code });
        }
        self.open = None;
        self.status.send_modify(|status| {
            status.acknowledged += 1;
            status.is_sending = false;
        });
    }
}

/// Waits for a moment, or for ever where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// When to try again, by what an error says.
fn again(error: &Value) -> Duration {
    let told = error["retryAfterMs"].as_u64().map(Duration::from_millis);
    told.map_or(AGAIN, |told| told.clamp(Duration::from_millis(10), AGAIN))
}
