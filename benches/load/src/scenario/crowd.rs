use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::exchange::message;
use crate::Failure;
use crate::client::{Arrival, Fleet, Happening, Kind, Request, masked_text};
use crate::measure::Latencies;
use crate::target::Running;

/// How long what is under way may take at the end of a step.
const SETTLING: Duration = Duration::from_secs(5);

/// Users in rooms, half with a WebSocket and half with requests, and what they wait for. A user's
/// connection has the user's number.
pub(super) struct Crowd<'s> {
    server: &'s Running<'s>,
    fleet: Fleet,
    users: Vec<User>,
    /// When each message of each room was due. Its messages are so far apart that they are stored in
    /// the order in which they were sent.
    sent: Vec<Vec<Instant>>,
    /// How many rooms are whole.
    rooms: usize,
    messages: usize,
    requests: usize,
    pub(super) errors: usize,
    /// From when a message was due to each WebSocket of its room.
    pub(super) delivery: Latencies,
    /// The same to the answer that it is stored, over the WebSocket and over REST.
    pub(super) reply: Latencies,
    pub(super) posted: Latencies,
    /// From when a list or page was due to its last byte.
    pub(super) fetched: Latencies,
}

enum User {
    /// With a WebSocket: whether it has been greeted, how many messages it has had, and since when
    /// its own are unanswered.
    Listening { ready: bool, room: usize, had: usize, unanswered: VecDeque<Instant> },
    /// With requests, one after the other: what was due since when, of which the first is under way.
    /// A connection that nothing is asked on for some seconds is ended by the server.
    Asking { ready: bool, is_open: bool, room: usize, due: VecDeque<(Instant, Asked)> },
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    List,
    Page { room: usize },
    Send { room: usize },
}

impl<'s> Crowd<'s> {
    pub(super) fn new(server: &'s Running<'s>, fleet: Fleet) -> Result<Self, Failure> {
        Ok(Self {
            server,
            fleet,
            users: Vec::new(),
            sent: vec![Vec::new(); server.world.rooms.len()],
            rooms: 0,
            messages: 0,
            requests: 0,
            errors: 0,
            delivery: Latencies::new()?,
            reply: Latencies::new()?,
            posted: Latencies::new()?,
            fetched: Latencies::new()?,
        })
    }

    /// Has users connect until there are so many: every other one by a WebSocket, and the others by
    /// a first request, for their conversations. Returns a while after all have been answered.
    pub(super) fn grow(&mut self, users: usize) -> Result<(), Failure> {
        for (room, members) in self.server.world.rooms.iter().enumerate().skip(self.rooms) {
            let Some(last) = members.members.last().filter(|last| **last < users) else { break };
            while self.users.len() <= *last {
                let number = self.users.len();
                self.enter(number, room)?;
            }
            self.rooms = room + 1;
        }
        let mut arrivals = Vec::new();
        while self.users.iter().any(|user| !user.is_ready()) {
            self.fleet.turn(&mut arrivals)?;
            self.take_all(&mut arrivals)?;
        }
        // Events wait a moment for a resume, which nobody here asks for.
        arrivals.extend(self.fleet.idle(self.server.rest)?);
        self.take_all(&mut arrivals)
    }

    fn enter(&mut self, number: usize, room: usize) -> Result<(), Failure> {
        let visit = self.server.visit(number, 0);
        if number.is_multiple_of(2) {
            self.fleet.begin(&visit)?;
            let unanswered = VecDeque::new();
            self.users.push(User::Listening { ready: false, room, had: 0, unanswered });
        } else {
            let token = visit.token.ok_or("only a server has pages")?;
            let path = Asked::List.path(self.server)?;
            self.fleet.begin_requests(&Request { path: &path, token: &token, body: None })?;
            let due = VecDeque::from([(Instant::now(), Asked::List)]);
            self.users.push(User::Asking { ready: false, is_open: true, room, due });
        }
        Ok(())
    }

    /// Begins to count times anew; errors stay.
    pub(super) fn forget_times(&mut self) -> Result<(), Failure> {
        self.delivery = Latencies::new()?;
        self.reply = Latencies::new()?;
        self.posted = Latencies::new()?;
        self.fetched = Latencies::new()?;
        Ok(())
    }

    /// So many messages and requests a second for some time, and then nothing until all have been
    /// answered.
    pub(super) fn go_on(
        &mut self,
        time: Duration,
        messages_per_second: u32,
        requests_per_second: u32,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let every = |rate: u32| Duration::from_secs(1) / rate.max(1);
        let (message, request) = (every(messages_per_second), every(requests_per_second));
        let (mut next_message, mut next_request) = (began, began);
        let mut arrivals = Vec::new();
        while next_message < began + time || next_request < began + time {
            if next_message.min(next_request) > Instant::now() {
                let due = next_message.min(next_request);
                self.fleet.turn_until(due, &mut arrivals)?;
                self.take_all(&mut arrivals)?;
            } else if next_message <= next_request {
                self.send(next_message)?;
                next_message += message;
            } else {
                self.fetch(next_request)?;
                next_request += request;
            }
        }
        let until = Instant::now() + SETTLING;
        while self.is_waiting() && Instant::now() < until {
            self.fleet.turn_until(until, &mut arrivals)?;
            self.take_all(&mut arrivals)?;
        }
        Ok(())
    }

    /// Deliveries that have not come.
    pub(super) fn undelivered(&self) -> usize {
        let missing = |user: &User| match user {
            User::Listening { room, had, .. } => self.sent[*room].len().saturating_sub(*had),
            User::Asking { .. } => 0,
        };
        self.users.iter().map(missing).sum()
    }

    fn is_waiting(&self) -> bool {
        let unanswered = |user: &User| match user {
            User::Listening { unanswered, .. } => !unanswered.is_empty(),
            User::Asking { due, .. } => !due.is_empty(),
        };
        self.users.iter().any(unanswered) || self.undelivered() > 0
    }

    /// The next message, to the next room.
    fn send(&mut self, due: Instant) -> Result<(), Failure> {
        let (room, turn) = (self.messages % self.rooms, self.messages / self.rooms);
        let sender = &self.server.world.rooms[room];
        let sender = sender.members[(turn + room) % sender.members.len()];
        self.messages += 1;
        self.sent[room].push(due);
        match &mut self.users[sender] {
            User::Listening { unanswered, .. } => {
                unanswered.push_back(due);
                let frame = message(self.messages, self.server.world.rooms[room].id);
                self.fleet.send(sender, &masked_text(&frame));
                Ok(())
            }
            User::Asking { .. } => self.ask(sender, due, Asked::Send { room }),
        }
    }

    /// The next list or page, for the next who asks.
    fn fetch(&mut self, due: Instant) -> Result<(), Failure> {
        let asking = self.users.len() / 2;
        let (number, turn) = (2 * (self.requests % asking) + 1, self.requests / asking);
        let User::Asking { room, .. } = self.users[number] else { return Ok(()) };
        self.requests += 1;
        // Neighbours want something else, and each wants something else when it is its turn again.
        let asked = match (number / 2 + turn) % 2 {
            0 => Asked::List,
            _ => Asked::Page { room },
        };
        self.ask(number, due, asked)
    }

    /// Asks at once, or when what was asked before is answered.
    fn ask(&mut self, number: usize, since: Instant, asked: Asked) -> Result<(), Failure> {
        let User::Asking { due, .. } = &mut self.users[number] else { return Ok(()) };
        due.push_back((since, asked));
        if due.len() == 1 { self.begin(number, asked) } else { Ok(()) }
    }

    fn begin(&mut self, number: usize, asked: Asked) -> Result<(), Failure> {
        let token = self.server.visit(number, 0).token.ok_or("only a server has pages")?;
        let body = format!(r#"{{"content":"{}"}}"#, chat_benches::TEXT);
        let body = matches!(asked, Asked::Send { .. }).then_some(body.as_str());
        let path = asked.path(self.server)?;
        let request = Request { path: &path, token: &token, body };
        match &mut self.users[number] {
            User::Asking { is_open, .. } if !*is_open => {
                *is_open = true;
                self.fleet.begin_requests_again(number, &request)?;
            }
            _ => self.fleet.ask(number, &request),
        }
        Ok(())
    }

    fn take_all(&mut self, arrivals: &mut Vec<Arrival>) -> Result<(), Failure> {
        arrivals.drain(..).try_for_each(|arrival| self.take(&arrival))
    }

    fn take(&mut self, Arrival { connection, at, what }: &Arrival) -> Result<(), Failure> {
        match (&mut self.users[*connection], what) {
            (User::Listening { ready, .. }, Happening::Frame(Kind::Ready, _)) => *ready = true,
            (User::Listening { room, had, .. }, Happening::Frame(Kind::Message, _)) => {
                let since = self.sent[*room].get(*had).ok_or("a message came that nobody sent")?;
                self.delivery.record(at.saturating_duration_since(*since));
                *had += 1;
            }
            (User::Listening { unanswered, .. }, Happening::Frame(Kind::Reply, _)) => {
                if let Some(since) = unanswered.pop_front() {
                    self.reply.record(at.saturating_duration_since(since));
                }
            }
            (User::Listening { unanswered, .. }, Happening::Error(_)) => {
                unanswered.pop_front();
                self.errors += 1;
            }
            (User::Asking { ready, due, .. }, Happening::Answered(status)) => {
                *ready = true;
                let (since, asked) = due.pop_front().ok_or("an answer came to no request")?;
                let next = due.front().copied();
                let times = match asked {
                    Asked::Send { .. } => &mut self.posted,
                    Asked::List | Asked::Page { .. } => &mut self.fetched,
                };
                times.record(at.saturating_duration_since(since));
                self.errors += usize::from(!matches!(status, 200 | 201));
                if let Some((_, asked)) = next {
                    self.begin(*connection, asked)?;
                }
            }
            (User::Asking { is_open, due, .. }, Happening::Lost) => {
                *is_open = false;
                // It was ended while this was on its way.
                if let Some((_, asked)) = due.front().copied() {
                    self.begin(*connection, asked)?;
                }
            }
            // Whoever is not let in, or let go, is missed by all that follows.
            (_, Happening::Refused(status)) => {
                return Err(format!("a handshake was refused: {status}").into());
            }
            (_, Happening::Lost) => return Err("a connection was lost".into()),
            _ => {}
        }
        Ok(())
    }
}

impl User {
    const fn is_ready(&self) -> bool {
        match self {
            Self::Listening { ready, .. } | Self::Asking { ready, .. } => *ready,
        }
    }
}

impl Asked {
    fn path(self, server: &Running<'_>) -> Result<String, Failure> {
        Ok(match self {
            Self::List => "/api/chat/conversations?limit=50".into(),
            Self::Page { room } | Self::Send { room } => {
                let id = server.world.rooms.get(room).ok_or("a room is needed")?.id;
                format!("/api/chat/conversations/{id}/messages")
            }
        })
    }
}
