use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::Target;
use crate::Failure;
use crate::client::{Rest, Visit};
use crate::measure::{Processor, resident_bytes};
use crate::world::World;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(120);

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A server that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running<'s> {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    pub(crate) world: &'s World,
    pub(crate) processor: Processor,
    /// How long it is left alone before and after what is measured.
    pub(crate) rest: Duration,
    tokens: &'s [String],
    process: Process,
}

/// A process that ends with its owner.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'s> Running<'s> {
    /// Starts it, and waits until it listens.
    pub(super) fn start(
        target: Target,
        command: &mut Command,
        world: &'s World,
        tokens: &'s [String],
        rest: Duration,
    ) -> Result<Self, Failure> {
        // What is set for another server must not reach this one.
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process(command.spawn()?);
        let stdout = process.0.stdout.take().ok_or("a process without an output")?;
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            // Nobody listens any more when it took too long.
            let _ = said.send(lines.next());
        });
        let line = heard.recv_timeout(START)?.ok_or("the server ended before it listened")??;
        let address =
            line.rsplit_once("http://").ok_or("the server does not say where it listens")?;
        let address = address.1.parse()?;
        let processor = Processor::of(process.0.id())?;
        Ok(Self { target, address, world, processor, rest, tokens, process })
    }

    /// How a user connects, to a limit as a member of a room. Direct conversations are rooms behind
    /// those that are some.
    pub(crate) fn visit(&self, user: usize, room: usize) -> Visit {
        if self.target.is_limit() {
            return Visit { path: format!("/{room}"), token: None };
        }
        Visit { path: "/api/chat/ws".into(), token: self.tokens.get(user).cloned() }
    }

    /// How many statements its store has taken, where it counts them.
    pub(crate) fn statements(&self) -> Result<Option<u64>, Failure> {
        if self.target != Target::Counted {
            return Ok(None);
        }
        let mut rest = Rest::connect(self.address, "", ANSWER)?;
        rest.get(super::statements::PATH)?;
        Ok(Some(std::str::from_utf8(rest.body())?.parse()?))
    }

    /// The memory that it has in RAM.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Failure> {
        resident_bytes(self.process.0.id())
    }
}
