use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chat_core::proto::ConversationId;

use crate::Failure;
use crate::client::{Arrival, Fleet, Happening, Kind, masked_text};
use crate::measure::Latencies;
use crate::world::Place;

/// Messages on their way, between connections that take part in one conversation each.
#[derive(Debug)]
pub(super) struct Exchange {
    places: Vec<Place>,
    members: Vec<Member>,
    /// For each place the messages of this run: since when each is under way, and how many have yet
    /// to get it.
    sent: Vec<Vec<(Instant, usize)>>,
    /// Messages that each place had before this run.
    before: Vec<usize>,
    /// Whose turn it is. A place comes again when its message is done, behind all others.
    turns: VecDeque<usize>,
    begun: usize,
    done: usize,
    outcome: Exchanged,
}

/// A connection.
#[derive(Debug, Default)]
struct Member {
    /// In which place.
    place: Option<usize>,
    /// Messages that it has had in all.
    had: usize,
    /// Since when each of its own is unanswered.
    unanswered: VecDeque<Instant>,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) deliveries: usize,
    pub(super) time: Duration,
    /// From the sending of a message to each of its receivers.
    pub(super) deliveries_after: Latencies,
    /// From the sending of a message to the reply, which says that it is stored.
    pub(super) replies_after: Latencies,
}

impl Exchanged {
    fn new() -> Result<Self, Failure> {
        let (deliveries_after, replies_after) = (Latencies::new()?, Latencies::new()?);
        Ok(Self { deliveries: 0, time: Duration::ZERO, deliveries_after, replies_after })
    }
}

impl Exchange {
    /// Between connections that are there, none of which has had a message.
    pub(super) fn new(places: Vec<Place>) -> Result<Self, Failure> {
        let connections = places.iter().flat_map(|place| &place.connections);
        let count = connections.max().map_or(0, |last| last + 1);
        let mut members = Vec::new();
        members.resize_with(count, Member::default);
        for (number, place) in places.iter().enumerate() {
            place.connections.iter().for_each(|one| members[*one].place = Some(number));
        }
        Ok(Self {
            sent: vec![Vec::new(); places.len()],
            before: vec![0; places.len()],
            turns: VecDeque::new(),
            begun: 0,
            done: 0,
            outcome: Exchanged::new()?,
            members,
            places,
        })
    }

    /// Sends so many messages, so many at a time, and waits until everybody has the last.
    pub(super) fn run(
        &mut self,
        fleet: &mut Fleet,
        messages: usize,
        outstanding: usize,
    ) -> Result<Exchanged, Failure> {
        self.start(outstanding)?;
        let began = Instant::now();
        let mut arrivals = Vec::new();
        while self.done < messages {
            self.send_more(fleet, messages, outstanding);
            fleet.turn(&mut arrivals)?;
            for arrival in arrivals.drain(..) {
                self.take(&arrival)?;
            }
        }
        self.finish(began.elapsed())
    }

    /// Begins to count anew, with so many messages at a time.
    pub(super) fn start(&mut self, outstanding: usize) -> Result<(), Failure> {
        for (before, sent) in self.before.iter_mut().zip(&mut self.sent) {
            *before += sent.len();
            sent.clear();
        }
        let rounds = 0..outstanding.div_ceil(self.places.len().max(1));
        self.turns = rounds.flat_map(|_| 0..self.places.len()).collect();
        (self.begun, self.done, self.outcome) = (0, 0, Exchanged::new()?);
        Ok(())
    }

    /// Sends until so many are under way, or have been sent in all.
    pub(super) fn send_more(&mut self, fleet: &mut Fleet, messages: usize, outstanding: usize) {
        while self.begun < messages
            && self.under_way() < outstanding
            && let Some(place) = self.turns.pop_front()
        {
            self.send(fleet, place, Instant::now());
        }
    }

    /// Sends one, from the next member of its place, whose time counts from `since`.
    pub(super) fn send(&mut self, fleet: &mut Fleet, place: usize, since: Instant) {
        let Place { id, connections } = &self.places[place];
        let sender = connections[(self.before[place] + self.sent[place].len()) % connections.len()];
        let frame = masked_text(&message(self.begun, *id));
        self.begun += 1;
        self.sent[place].push((since, connections.len()));
        self.members[sender].unanswered.push_back(since);
        fleet.send(sender, &frame);
    }

    /// How many have reached everybody.
    pub(super) const fn done(&self) -> usize {
        self.done
    }

    /// How many are under way.
    pub(super) const fn under_way(&self) -> usize {
        self.begun - self.done
    }

    /// Takes what came to a connection; what came to one that takes no part, too.
    pub(super) fn take(&mut self, arrival: &Arrival) -> Result<(), Failure> {
        let Some(member) = self.members.get_mut(arrival.connection) else { return Ok(()) };
        let Some(place) = member.place else { return Ok(()) };
        match &arrival.what {
            Happening::Frame(Kind::Message, ..) => {
                let sent = member.had.checked_sub(self.before[place]);
                let sent = sent.and_then(|number| self.sent[place].get_mut(number));
                let (since, missing) = sent.ok_or("a message came that nobody sent")?;
                member.had += 1;
                self.outcome.deliveries += 1;
                self.outcome.deliveries_after.record(arrival.at.saturating_duration_since(*since));
                *missing -= 1;
                if *missing == 0 {
                    self.done += 1;
                    self.turns.push_back(place);
                }
            }
            Happening::Frame(Kind::Reply, ..) => {
                if let Some(since) = member.unanswered.pop_front() {
                    let time = arrival.at.saturating_duration_since(since);
                    self.outcome.replies_after.record(time);
                }
            }
            Happening::Error(words) => return Err(words.clone().into()),
            Happening::Frame(Kind::Close, ..) | Happening::Lost => {
                return Err("a connection was lost".into());
            }
            _ => {}
        }
        Ok(())
    }

    /// What came of it, in so much time.
    pub(super) fn finish(&mut self, time: Duration) -> Result<Exchanged, Failure> {
        let outcome = std::mem::replace(&mut self.outcome, Exchanged::new()?);
        Ok(Exchanged { time, ..outcome })
    }
}

/// A command that sends a message of common length.
pub(super) fn message(number: usize, conversation: ConversationId) -> String {
    let text = chat_benches::TEXT;
    format!(
        r#"{{"id":{number},"type":"message.send","payload":{{"conversationId":"{conversation}","content":"{text}"}}}}"#
    )
}
