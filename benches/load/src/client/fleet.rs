use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::connection::{Connection, Heard, source};
use super::handshake::request;
use super::http;
use super::parser::{Frame, Kind};
use crate::Failure;
use crate::measure::Latencies;

/// The most connections of one process: each is a file, and more than this many are not allowed to
/// be open.
const MOST: usize = 19_000;
/// Bytes that the system keeps for a connection which nobody reads.
const SMALL_BUFFER: usize = 4_096;
/// The same when it is to catch up.
const LARGE_BUFFER: usize = 4 * 1_024 * 1_024;
/// Handshakes that are under way at once.
const AT_ONCE: usize = 64;

/// Where to connect, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The path of the WebSocket.
    pub(crate) path: String,
    /// What proves who it is.
    pub(crate) token: Option<String>,
}

/// What a REST client asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'r> {
    pub(crate) path: &'r str,
    pub(crate) token: &'r str,
    /// What is posted; otherwise something is fetched.
    pub(crate) body: Option<&'r str>,
}

impl Request<'_> {
    fn written(&self, server: SocketAddr) -> Vec<u8> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        http::request(server, method, self.path, self.token, self.body)
    }
}

/// Something that came to a connection.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Which connection.
    pub(crate) connection: usize,
    /// When its socket was read.
    pub(crate) at: Instant,
    /// What.
    pub(crate) what: Happening,
}

/// What can come.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The handshake is through.
    Opened,
    /// It was answered with this status.
    Refused(u16),
    /// The connection has ended.
    Lost,
    /// A command was refused, in these words.
    Error(String),
    /// A request was answered with this status.
    Answered(u16),
    /// Another frame of this kind, with so many bytes in it.
    Frame(Kind, usize),
}

/// Many connections to one server.
#[derive(Debug)]
pub(crate) struct Fleet {
    server: SocketAddr,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    buffer: Box<[u8]>,
    /// Nothing is waited for beyond this.
    deadline: Instant,
}

impl Fleet {
    /// No connections yet. Whatever is done with them must be done within `patience`.
    pub(crate) fn new(server: SocketAddr, patience: Duration) -> Result<Self, Failure> {
        Ok(Self {
            server,
            poll: Poll::new()?,
            events: Events::with_capacity(4_096),
            connections: Vec::new(),
            buffer: vec![0; 256 * 1024].into(),
            deadline: Instant::now() + patience,
        })
    }

    /// How many connections have been begun.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Begins one more connection; its number is that of all before it.
    pub(crate) fn begin(&mut self, visit: &Visit) -> Result<usize, Failure> {
        let request = request(self.server, &visit.path, visit.token.as_deref());
        let number = self.next()?;
        self.add(Connection::begin(self.server, source(number), request)?)
    }

    /// Begins one more connection on which requests follow one another, with a first one.
    pub(crate) fn begin_requests(&mut self, first: &Request<'_>) -> Result<usize, Failure> {
        let number = self.next()?;
        let request = first.written(self.server);
        self.add(Connection::begin_requests(self.server, source(number), request)?)
    }

    /// The number of the next connection.
    fn next(&self) -> Result<usize, Failure> {
        let number = self.connections.len();
        if number >= MOST {
            return Err(format!("{MOST} connections are the most of one process").into());
        }
        Ok(number)
    }

    fn add(&mut self, connection: Connection) -> Result<usize, Failure> {
        let number = self.connections.len();
        self.connections.push(connection);
        self.register(number)?;
        Ok(number)
    }

    /// Connects again as a connection that has ended or is not wanted any more.
    pub(crate) fn begin_again(&mut self, number: usize, visit: &Visit) -> Result<(), Failure> {
        let request = request(self.server, &visit.path, visit.token.as_deref());
        self.connections[number] = Connection::begin(self.server, source(number), request)?;
        self.register(number)
    }

    /// The same for one on which requests follow one another.
    pub(crate) fn begin_requests_again(
        &mut self,
        number: usize,
        first: &Request<'_>,
    ) -> Result<(), Failure> {
        let request = first.written(self.server);
        self.connections[number] =
            Connection::begin_requests(self.server, source(number), request)?;
        self.register(number)
    }

    /// Reads a connection no more, and has the system keep little of what comes.
    pub(crate) fn stop_reading(&mut self, number: usize) -> Result<(), Failure> {
        let stream = self.connections[number].stream();
        socket2::SockRef::from(&*stream).set_recv_buffer_size(SMALL_BUFFER)?;
        Ok(self.poll.registry().deregister(stream)?)
    }

    /// Reads it again, as fast as others.
    pub(crate) fn go_on_reading(&mut self, number: usize) -> Result<(), Failure> {
        let stream = self.connections[number].stream();
        socket2::SockRef::from(&*stream).set_recv_buffer_size(LARGE_BUFFER)?;
        self.register(number)
    }

    /// Ends a connection without a word, as a device does that has gone.
    pub(crate) fn hang_up(&mut self, number: usize) {
        self.connections[number].hang_up();
    }

    fn register(&mut self, number: usize) -> Result<(), Failure> {
        let stream = self.connections[number].stream();
        let interest = Interest::READABLE | Interest::WRITABLE;
        Ok(self.poll.registry().register(stream, Token(number), interest)?)
    }

    /// Connects them all, a few at a time, and waits until each has had its first frame. Whatever
    /// else comes meanwhile is not told. Returns how long each took.
    pub(crate) fn connect(&mut self, visits: &[Visit]) -> Result<Latencies, Failure> {
        let (first, mut begun) = (self.len(), Vec::with_capacity(visits.len()));
        let mut latencies = Latencies::new()?;
        let mut waiting = visits.iter();
        let (mut under_way, mut ready) = (0, 0);
        let mut arrivals = Vec::new();
        while ready < visits.len() {
            while under_way < AT_ONCE
                && let Some(visit) = waiting.next()
            {
                begun.push(Instant::now());
                self.begin(visit)?;
                under_way += 1;
            }
            self.turn(&mut arrivals)?;
            for arrival in arrivals.drain(..) {
                match arrival.what {
                    Happening::Frame(Kind::Ready, ..) => {
                        latencies.record(arrival.at - begun[arrival.connection - first]);
                        ready += 1;
                        under_way -= 1;
                    }
                    Happening::Refused(status) => {
                        return Err(format!("a handshake was refused: {status}").into());
                    }
                    Happening::Lost => return Err("a connection was lost".into()),
                    Happening::Error(words) => return Err(words.into()),
                    Happening::Opened | Happening::Frame(..) | Happening::Answered(_) => {}
                }
            }
        }
        Ok(latencies)
    }

    /// Sends a request, on a connection whose last one is answered.
    pub(crate) fn ask(&mut self, connection: usize, request: &Request<'_>) {
        let request = request.written(self.server);
        self.send(connection, &request);
    }

    /// Sends a frame. A connection that breaks by it is told of as lost when it is read next.
    pub(crate) fn send(&mut self, connection: usize, frame: &[u8]) {
        // The socket tells of the error to whoever reads it, too.
        let _ = self.connections[connection].send(frame);
    }

    /// Waits until something comes, and adds it to what has.
    pub(crate) fn turn(&mut self, arrivals: &mut Vec<Arrival>) -> Result<(), Failure> {
        self.turn_until(self.deadline, arrivals)
    }

    /// The same, but returns in any case when it is so late. Fails when all patience is gone.
    pub(crate) fn turn_until(
        &mut self,
        until: Instant,
        arrivals: &mut Vec<Arrival>,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err("the server took too long".into());
        }
        let wait = until.min(self.deadline).saturating_duration_since(now);
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            let number = event.token().0;
            let connection = &mut self.connections[number];
            if event.is_readable() || event.is_error() {
                let at = Instant::now();
                let ending = event.is_read_closed() || event.is_error();
                connection.read(&mut self.buffer, ending, &mut |heard| {
                    let what = match heard {
                        Heard::Opened => Happening::Opened,
                        Heard::Refused(status) => Happening::Refused(status),
                        Heard::Lost => Happening::Lost,
                        Heard::Frame(Frame { payload: Some(words), .. }) => {
                            Happening::Error(String::from_utf8_lossy(&words).into_owned())
                        }
                        Heard::Answered(status) => Happening::Answered(status),
                        Heard::Frame(frame) => Happening::Frame(frame.kind, frame.length),
                    };
                    arrivals.push(Arrival { connection: number, at, what });
                });
            }
            if event.is_writable() && !connection.is_over() {
                let _ = connection.flush();
            }
        }
        Ok(())
    }

    /// Takes what comes, and forgets it, for this long.
    pub(crate) fn idle(&mut self, time: Duration) -> Result<Vec<Arrival>, Failure> {
        let until = Instant::now() + time;
        let mut arrivals = Vec::new();
        while Instant::now() < until {
            self.turn_until(until, &mut arrivals)?;
            arrivals.retain(|arrival| !matches!(arrival.what, Happening::Frame(..)));
        }
        Ok(arrivals)
    }
}
