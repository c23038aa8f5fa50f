use redis::{Cmd, ErrorKind, Pipeline, ServerErrorKind, ToRedisArgs, Value, cmd};

use super::access::Address;
use super::error::CallError;
use super::slot::Slot;

/// What a server is asked: one command, about keys or a channel of one slot.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) slot: Slot,
    pub(super) destination: Destination,
    command: Cmd,
    /// The same with the script's text, for a server that has not seen the script.
    with_text: Option<Cmd>,
    /// Whether it does no harm to carry it out twice.
    repeatable: bool,
}

/// Which server is asked.
#[derive(Debug, Clone)]
pub(super) enum Destination {
    /// The one that has the slot.
    Slot,
    /// One that is said to have it now.
    Moved(Address),
    /// One that is taking it over and answers only if told that it is asked on purpose.
    Asking(Address),
}

/// A script that runs in the server, as one step.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }

    /// To run it with these keys, all of one slot, and arguments.
    pub(super) fn request(&self, keys: &[String], arguments: impl ToRedisArgs) -> Request {
        let with = |name: &str, script: &str| {
            let mut command = cmd(name);
            command.arg(script).arg(keys.len()).arg(keys).arg(&arguments);
            command
        };
        Request {
            slot: Slot::of(keys.first().map_or("", String::as_str)),
            destination: Destination::Slot,
            command: with("EVALSHA", &self.hash),
            with_text: Some(with("EVAL", self.text)),
            repeatable: false,
        }
    }
}

impl Request {
    /// A command about a key or a channel, which does no harm if it is carried out twice.
    pub(super) fn new(name: &str, key: &str, arguments: impl ToRedisArgs) -> Self {
        let mut command = cmd(name);
        command.arg(key).arg(arguments);
        let (slot, destination) = (Slot::of(key), Destination::Slot);
        Self { slot, destination, command, with_text: None, repeatable: true }
    }

    /// The same without arguments.
    pub(super) fn about(name: &str, key: &str) -> Self {
        Self::new(name, key, None::<&str>)
    }

    /// The same, where it does no harm if it is carried out twice.
    pub(super) fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    pub(super) fn append_to(&self, pipeline: &mut Pipeline) {
        if matches!(self.destination, Destination::Asking(_)) {
            pipeline.add_command(cmd("ASKING"));
        }
        pipeline.add_command(self.command.clone());
    }

    /// Takes from a pipeline's answers what belongs to this one.
    pub(super) fn answer_of(&self, values: &mut impl Iterator<Item = Value>) -> Value {
        if matches!(self.destination, Destination::Asking(_)) {
            values.next();
        }
        values.next().unwrap_or(Value::Nil)
    }

    /// What to ask instead, where this failed and that may help.
    pub(super) fn again(mut self, error: &CallError) -> Option<Self> {
        let CallError::Redis(error) = error else { return None };
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => self.command = self.with_text.take()?,
            ErrorKind::Server(ServerErrorKind::Moved) => {
                self.destination = Destination::Moved(redirected(error)?);
            }
            ErrorKind::Server(ServerErrorKind::Ask) => {
                self.destination = Destination::Asking(redirected(error)?);
            }
            _ if self.repeatable && error.is_connection_dropped() => {}
            _ => return None,
        }
        Some(self)
    }
}

/// The server that another names: `host:port`. One that does not know the host leaves it out, which
/// is left to the next look at the layout.
fn redirected(error: &redis::RedisError) -> Option<Address> {
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    let port = port.parse().ok()?;
    (!host.is_empty() && host != "?").then(|| Address { host: host.to_owned(), port })
}
