use std::io::{self, ErrorKind, Write};

use mio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::client::Parser;

/// One connection of a limit.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) stream: TcpStream,
    /// The request, until it is answered.
    request: Option<Vec<u8>>,
    parser: Parser,
    /// What the client has yet to take. Bounded by what the generator has outstanding.
    unsent: Vec<u8>,
}

/// What a peer has said.
pub(super) enum Said {
    /// It is in this room now.
    Entered(usize),
    /// So many messages.
    Messages(usize),
}

impl Peer {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, request: Some(Vec::new()), parser: Parser::default(), unsent: Vec::new() }
    }

    /// Takes what was read. None when it makes no sense.
    pub(super) fn take(&mut self, bytes: &[u8], ready: &[u8]) -> Option<Said> {
        let Some(request) = &mut self.request else {
            let mut messages = 0;
            self.parser.feed(bytes, 0, &mut |_| messages += 1);
            return Some(Said::Messages(messages));
        };
        request.extend_from_slice(bytes);
        if !request.ends_with(b"\r\n\r\n") {
            return Some(Said::Messages(0));
        }
        let request = String::from_utf8(self.request.take()?).ok()?;
        let room = request.split(' ').nth(1)?.rsplit('/').next()?.parse().ok()?;
        let name = "Sec-WebSocket-Key: ";
        let key = request.lines().find_map(|line| line.strip_prefix(name))?;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\n\
             Connection: Upgrade\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Protocol: chat.v1\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.send(answer.as_bytes()).ok()?;
        self.send(ready).ok()?;
        Some(Said::Entered(room))
    }

    /// One write; what does not fit follows when there is room.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = if self.unsent.is_empty() { written(self.stream.write(bytes))? } else { 0 };
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match written(self.stream.write(&self.unsent))? {
                0 => break,
                sent => drop(self.unsent.drain(..sent)),
            }
        }
        Ok(())
    }
}

fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
