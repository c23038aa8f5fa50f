use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::Direction;
use super::switch::Switch;

/// How much is read at once, in bytes.
const READ: usize = 64 << 10;
/// How much may be on its way, in bytes. Then nothing is read, as when the network is full.
const ON_ITS_WAY: usize = 8 << 20;
/// And in how many pieces.
const PIECES: usize = 64 << 10;
/// How long a thread reads at most before it looks at the switch, while something is on its way.
const LOOK: Duration = Duration::from_millis(10);
/// The shortest time that a system waits for.
const SHORTEST: Duration = Duration::from_millis(1);

/// One direction of a connection, with a thread of its own.
pub(super) struct Pump<'a> {
    pub(super) direction: Direction,
    pub(super) from: &'a TcpStream,
    pub(super) to: &'a TcpStream,
    pub(super) switch: &'a Switch,
}

/// What has come and not yet gone.
#[derive(Default)]
struct OnItsWay {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    length: usize,
    /// Whether nothing more will come.
    ended: bool,
}

impl Pump<'_> {
    /// Passes on what comes until it ends; then the other side is told so. When that fails, both
    /// sides are told that all has ended.
    pub(super) fn run(&self) {
        if self.pass().is_err() {
            for side in [self.from, self.to] {
                // One that has hung up already needs no more.
                drop(side.shutdown(Shutdown::Both));
            }
        }
    }

    fn pass(&self) -> io::Result<()> {
        let mut on_its_way = OnItsWay::default();
        let mut buffer = vec![0; READ];
        loop {
            // Looked at before each piece, so that at most one passes while the switch is turned.
            let delay = self.switch.may_pass(self.direction)?;
            match on_its_way.next_in(delay) {
                None if on_its_way.ended => return self.to.shutdown(Shutdown::Write),
                None => on_its_way.read(self.from, None, &mut buffer)?,
                Some(Duration::ZERO) => on_its_way.write(self.to)?,
                Some(wait) => {
                    let wait = wait.clamp(SHORTEST, LOOK);
                    if on_its_way.has_room() {
                        on_its_way.read(self.from, Some(wait), &mut buffer)?;
                    } else {
                        self.switch.wait(wait);
                    }
                }
            }
        }
    }
}

impl OnItsWay {
    fn has_room(&self) -> bool {
        !self.ended && self.length < ON_ITS_WAY && self.pieces.len() < PIECES
    }

    /// How long the next piece has still to go, if there is one.
    fn next_in(&self, delay: Duration) -> Option<Duration> {
        self.pieces.front().map(|(came, _)| delay.saturating_sub(came.elapsed()))
    }

    /// Writes the next piece.
    fn write(&mut self, mut to: &TcpStream) -> io::Result<()> {
        if let Some((_, piece)) = self.pieces.pop_front() {
            self.length -= piece.len();
            to.write_all(&piece)?;
        }
        Ok(())
    }

    /// Reads what comes next, or nothing if that takes longer than may be waited.
    fn read(
        &mut self,
        mut from: &TcpStream,
        wait: Option<Duration>,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        from.set_read_timeout(wait)?;
        match from.read(buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                self.pieces.push_back((Instant::now(), buffer[..length].to_vec()));
                self.length += length;
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
        Ok(())
    }
}
