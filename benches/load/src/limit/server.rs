use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use super::Writing;
use super::peer::{Peer, Said};
use crate::Failure;

const LISTENER: Token = Token(usize::MAX);
/// The most messages that are joined into one write.
const JOINED: usize = 64;

/// Serves until it is killed.
pub(super) fn serve(writing: Writing, ready: &[u8], event: &[u8]) -> Result<(), Failure> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mut server = Server {
        poll: Poll::new()?,
        peers: Vec::new(),
        rooms: Vec::new(),
        joined: event.repeat(JOINED),
        event: event.len(),
    };
    server.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "a limit listens on http://{}", listener.local_addr()?)?;
    stdout.flush()?;

    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; 64 * 1024];
    let mut waiting: BTreeMap<usize, usize> = BTreeMap::new();
    loop {
        match server.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept(&listener)?;
                continue;
            }
            let number = event.token().0;
            if event.is_readable()
                && let Some((room, messages)) = server.read(number, &mut buffer, ready)
            {
                match writing {
                    Writing::Raw => (0..messages).for_each(|_| server.deliver(room, 1)),
                    Writing::Batching => *waiting.entry(room).or_default() += messages,
                }
            }
            if event.is_writable()
                && let Some((peer, _)) = &mut server.peers[number]
                && peer.flush().is_err()
            {
                server.leave(number);
            }
        }
        while let Some((room, messages)) = waiting.pop_first() {
            server.deliver(room, messages);
        }
    }
}

/// All connections, and who is where.
struct Server {
    poll: Poll,
    /// Each with its room.
    peers: Vec<Option<(Peer, Option<usize>)>>,
    rooms: Vec<Vec<usize>>,
    /// A delivery, many times.
    joined: Vec<u8>,
    /// Bytes of one.
    event: usize,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(self.peers.len()), interest)?;
            self.peers.push(Some((Peer::new(stream), None)));
        }
    }

    /// Reads what a peer says: how many messages, and to which room.
    fn read(&mut self, number: usize, buffer: &mut [u8], ready: &[u8]) -> Option<(usize, usize)> {
        let mut messages = 0;
        loop {
            let (peer, room) = self.peers[number].as_mut()?;
            match peer.stream.read(buffer) {
                Ok(0) => break,
                Ok(count) => {
                    match peer.take(&buffer[..count], ready) {
                        Some(Said::Messages(count)) => messages += count,
                        Some(Said::Entered(entered)) => {
                            *room = Some(entered);
                            self.enter(entered, number);
                        }
                        None => break,
                    }
                    if count < buffer.len() {
                        return self.peers[number].as_ref()?.1.map(|room| (room, messages));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return (*room).map(|room| (room, messages));
                }
                Err(_) => break,
            }
        }
        self.leave(number);
        None
    }

    fn enter(&mut self, room: usize, number: usize) {
        if self.rooms.len() <= room {
            self.rooms.resize_with(room + 1, Vec::new);
        }
        self.rooms[room].push(number);
    }

    fn leave(&mut self, number: usize) {
        if let Some((_, Some(room))) = self.peers[number].take() {
            self.rooms[room].retain(|peer| *peer != number);
        }
    }

    /// Writes so many messages to everybody in a room, at once.
    fn deliver(&mut self, room: usize, messages: usize) {
        let mut broken = Vec::new();
        for number in self.rooms.get(room).into_iter().flatten() {
            if let Some((peer, _)) = &mut self.peers[*number]
                && (0..messages).step_by(JOINED).any(|sent| {
                    let bytes = (messages - sent).min(JOINED) * self.event;
                    peer.send(&self.joined[..bytes]).is_err()
                })
            {
                broken.push(*number);
            }
        }
        for number in broken {
            self.leave(number);
        }
    }
}
