mod acceptor;
mod pump;
mod switch;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::switch::{Mode, Switch};
use crate::ServerError;
use crate::port::listen;
use crate::text::led_to;

/// A network that fails on demand: a port of the loopback interface whose connections are passed on
/// to another address, until it is told otherwise.
///
/// Nothing is ever lost or changed within a connection. What is delayed or held back comes later, in
/// order, as it does in a network whose packets are sent again.
///
/// A connection is accepted before the other side is asked. When that refuses, it ends at once.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    switch: Arc<Switch>,
    /// The thread that accepts connections and ends after theirs; none while all is cut. Whoever
    /// turns the switch holds the lock, so that one does so after another.
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

/// A direction through a [`TcpProxy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From whoever connected to the server behind the proxy.
    ToServer,
    /// From the server to whoever connected.
    FromServer,
}

impl TcpProxy {
    /// Starts to pass connections on to an address.
    ///
    /// # Errors
    ///
    /// When the address cannot be resolved, or no port is free.
    pub fn start(server: impl ToSocketAddrs) -> Result<Self, ServerError> {
        let failed = || ServerError::io("resolving the address behind a proxy");
        let mut servers = server.to_socket_addrs().map_err(failed())?;
        let server = servers.next().ok_or(io::ErrorKind::NotFound.into()).map_err(failed())?;
        let listener = listen()?;
        let address = listener.local_addr().map_err(ServerError::io("starting a proxy"))?;
        let switch = Arc::new(Switch::new(server));
        let acceptor = Mutex::new(Some(acceptor::spawn(listener, &switch)?));
        Ok(Self { address, switch, acceptor })
    }

    /// Where to connect to.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the server that leads through the proxy: only host and port are others.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        led_to(&self.address.to_string(), url)
    }

    /// Ends all faults: passes on what was held back, at once, and whatever comes. This is how a
    /// proxy begins.
    ///
    /// # Errors
    ///
    /// When all was cut, and somebody else has taken the port meanwhile.
    pub fn pass(&self) -> Result<(), ServerError> {
        self.turn(Mode::Pass)
    }

    /// Delays everything that goes in a direction by this time, until another fault or
    /// [`Self::pass`]. How much goes
    /// through does not change, up to some megabytes on their way for each connection.
    pub fn delay(&self, direction: Direction, time: Duration) {
        let _acceptor = self.lock();
        self.switch.delay(direction, time);
    }

    /// Closes all connections and refuses new ones.
    pub fn cut(&self) {
        self.stop(&mut self.lock());
    }

    /// Lets nothing through: connections stay open, new ones are accepted, and both sides wait. Even
    /// that one side has hung up is not told to the other. [`Self::pass`] delivers what was held
    /// back; to have it lost, [`Self::cut`] first.
    ///
    /// # Errors
    ///
    /// When all was cut, and somebody else has taken the port meanwhile.
    pub fn blackhole(&self) -> Result<(), ServerError> {
        self.turn(Mode::Blackhole)
    }

    fn turn(&self, mode: Mode) -> Result<(), ServerError> {
        let mut acceptor = self.lock();
        let listener = match *acceptor {
            Some(_) => None,
            None => {
                let failed = ServerError::io(format!("listening at {} again", self.address));
                Some(TcpListener::bind(self.address).map_err(failed)?)
            }
        };
        self.switch.turn(mode);
        if let Some(listener) = listener {
            *acceptor = Some(acceptor::spawn(listener, &self.switch)?);
        }
        Ok(())
    }

    /// Ends all threads.
    fn stop(&self, acceptor: &mut Option<JoinHandle<()>>) {
        self.switch.turn(Mode::Cut);
        let Some(thread) = acceptor.take() else {
            return;
        };
        acceptor::wake(self.address, &self.switch);
        if let Err(panic) = thread.join()
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.cut();
    }
}
