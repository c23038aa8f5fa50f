use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::frame::masked_pong;
use super::handshake::{Answer, answer};
use super::http;
use super::parser::{Frame, Kind, Parser};

/// One connection of a client.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    state: State,
    parser: Parser,
    /// What the server has yet to take.
    unsent: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// The answer to the handshake, as far as it has come.
    Handshake(Vec<u8>),
    Open,
    /// No WebSocket: one answer comes after the other. The next, as far as it has come.
    Requests(Vec<u8>),
    Over,
}

/// What came of reading.
#[derive(Debug)]
pub(super) enum Heard {
    /// The handshake is through.
    Opened,
    /// The handshake was answered with this status.
    Refused(u16),
    /// A frame.
    Frame(Frame),
    /// A request was answered with this status.
    Answered(u16),
    /// The server has ended the connection, or it broke.
    Lost,
}

/// Ports of one address run out, so each takes part of the connections.
const PER_ADDRESS: usize = 1_000;

/// The address that the connection with this number comes from: 127.0.1.1 and on.
pub(super) fn source(number: usize) -> Ipv4Addr {
    let host = number / PER_ADDRESS;
    let byte = |value: usize| u8::try_from(value % 250).unwrap_or_default();
    Ipv4Addr::new(127, 0, 1 + byte(host / 250), 1 + byte(host))
}

impl Connection {
    /// Begins to connect, for a WebSocket.
    pub(super) fn begin(
        server: SocketAddr,
        source: Ipv4Addr,
        handshake: Vec<u8>,
    ) -> io::Result<Self> {
        Self::open(server, source, handshake, State::Handshake(Vec::new()))
    }

    /// Begins to connect, for requests, of which this is the first.
    pub(super) fn begin_requests(
        server: SocketAddr,
        source: Ipv4Addr,
        request: Vec<u8>,
    ) -> io::Result<Self> {
        Self::open(server, source, request, State::Requests(Vec::new()))
    }

    /// The socket is closed without lingering, so that no port is kept from the next round.
    fn open(
        server: SocketAddr,
        source: Ipv4Addr,
        unsent: Vec<u8>,
        state: State,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.set_linger(Some(std::time::Duration::ZERO))?;
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => {
                return Err(error);
            }
            _ => {}
        }
        let stream = TcpStream::from_std(socket.into());
        Ok(Self { stream, state, parser: Parser::default(), unsent })
    }

    pub(super) const fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Sends now what can be sent, and the rest later.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        match self.stream.write(bytes) {
            Ok(sent) => self.unsent.extend_from_slice(&bytes[sent..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.unsent.extend_from_slice(bytes);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Goes on sending.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has come. `is_ending` says that the server's end has been seen, behind which
    /// nothing will be told any more.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        is_ending: bool,
        tell: &mut impl FnMut(Heard),
    ) {
        while !self.is_over() {
            match self.stream.read(buffer) {
                Ok(0) => self.lose(tell),
                Ok(count) => {
                    self.take(&buffer[..count], tell);
                    // All has been read, as a full buffer would have told otherwise (epoll(7)).
                    if count < buffer.len() && !is_ending {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.lose(tell),
            }
        }
    }

    /// Ends it.
    pub(super) fn hang_up(&mut self) {
        self.state = State::Over;
        // One that is gone already cannot be ended.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    fn lose(&mut self, tell: &mut impl FnMut(Heard)) {
        self.state = State::Over;
        tell(Heard::Lost);
    }

    fn take(&mut self, bytes: &[u8], tell: &mut impl FnMut(Heard)) {
        match &mut self.state {
            State::Open => self.frames(bytes, tell),
            State::Over => {}
            State::Requests(coming) => {
                coming.extend_from_slice(bytes);
                while let Some((status, end)) = http::answer(coming) {
                    coming.drain(..end);
                    tell(Heard::Answered(status));
                }
            }
            State::Handshake(head) => {
                head.extend_from_slice(bytes);
                match answer(head) {
                    Answer::Incomplete => {}
                    Answer::Refused(status) => {
                        self.state = State::Over;
                        tell(Heard::Refused(status));
                    }
                    Answer::Open(rest) => {
                        let rest = rest.to_vec();
                        self.state = State::Open;
                        tell(Heard::Opened);
                        self.frames(&rest, tell);
                    }
                }
            }
        }
    }

    fn frames(&mut self, bytes: &[u8], tell: &mut impl FnMut(Heard)) {
        let mut pings = Vec::new();
        self.parser.feed(bytes, Kind::Ping as u8 | Kind::Error as u8, &mut |frame| {
            if frame.kind == Kind::Ping {
                pings.extend(masked_pong(frame.payload.as_deref().unwrap_or_default()));
            } else {
                tell(Heard::Frame(frame));
            }
        });
        if !pings.is_empty() && self.send(&pings).is_err() {
            self.lose(tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_come_from_many_addresses() {
        assert_eq!(source(0), Ipv4Addr::new(127, 0, 1, 1));
        assert_eq!(source(999), source(0));
        assert_eq!(source(1_000), Ipv4Addr::new(127, 0, 1, 2));
        let addresses: std::collections::BTreeSet<_> = (0..20_000).map(source).collect();
        assert_eq!(addresses.len(), 20);
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
    }
}
