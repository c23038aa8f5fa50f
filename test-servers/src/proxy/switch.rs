use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Direction;

/// What all connections of a proxy do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    Cut,
    Blackhole,
}

/// What the threads of a proxy look at before they pass anything on.
#[derive(Debug)]
pub(super) struct Switch {
    server: SocketAddr,
    /// Held to look or to turn, never while something is read or written.
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    to_server: Duration,
    from_server: Duration,
    /// How many sockets were admitted.
    admitted: u64,
    /// All sockets in use, to be shut when all is cut.
    sockets: HashMap<u64, TcpStream>,
}

/// Forgets a socket when it is no longer used.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    switch: &'a Switch,
    number: u64,
}

impl Switch {
    pub(super) fn new(server: SocketAddr) -> Self {
        let (to_server, from_server) = (Duration::ZERO, Duration::ZERO);
        let (admitted, sockets) = (0, HashMap::new());
        let state = State { mode: Mode::Pass, to_server, from_server, admitted, sockets };
        Self { server, state: Mutex::new(state), turned: Condvar::new() }
    }

    /// Where connections are passed on to.
    pub(super) const fn server(&self) -> SocketAddr {
        self.server
    }

    pub(super) fn is_cut(&self) -> bool {
        self.lock().mode == Mode::Cut
    }

    /// Does something else from now on, without delays.
    pub(super) fn turn(&self, mode: Mode) {
        let mut state = self.lock();
        state.mode = mode;
        (state.to_server, state.from_server) = (Duration::ZERO, Duration::ZERO);
        if mode == Mode::Cut {
            for socket in state.sockets.values() {
                // One that has hung up already needs no more.
                drop(socket.shutdown(Shutdown::Both));
            }
        }
        self.turned.notify_all();
    }

    pub(super) fn delay(&self, direction: Direction, time: Duration) {
        let mut state = self.lock();
        match direction {
            Direction::ToServer => state.to_server = time,
            Direction::FromServer => state.from_server = time,
        }
        self.turned.notify_all();
    }

    /// Sees to it that a socket is shut when all is cut; fails when that is so already.
    pub(super) fn admit(&self, socket: &TcpStream) -> io::Result<Admitted<'_>> {
        let socket = socket.try_clone()?;
        let mut state = self.lock();
        if state.mode == Mode::Cut {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let number = state.admitted;
        state.admitted += 1;
        state.sockets.insert(number, socket);
        Ok(Admitted { switch: self, number })
    }

    /// Waits until something may pass, and tells how much later than it came; fails when all is cut.
    pub(super) fn may_pass(&self, direction: Direction) -> io::Result<Duration> {
        let held_back = |state: &mut State| state.mode == Mode::Blackhole;
        let state = self.turned.wait_while(self.lock(), held_back);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        match (state.mode, direction) {
            (Mode::Cut, _) => Err(ErrorKind::ConnectionAborted.into()),
            (_, Direction::ToServer) => Ok(state.to_server),
            (_, Direction::FromServer) => Ok(state.from_server),
        }
    }

    /// Waits for a time, or until the switch is turned.
    pub(super) fn wait(&self, time: Duration) {
        drop(self.turned.wait_timeout(self.lock(), time));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.switch.lock().sockets.remove(&self.number);
    }
}
