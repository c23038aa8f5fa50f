use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use super::Direction;
use super::pump::Pump;
use super::switch::Switch;
use crate::ServerError;

/// How many connections there are at most; further ones are closed at once. Each has two threads.
const CONNECTIONS: usize = 1_024;
/// How much stack a thread of a connection has, in bytes; what it reads is elsewhere.
const STACK: usize = 128 << 10;
/// How long a connection on the same machine may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait when the system has no room for another connection.
const AGAIN: Duration = Duration::from_millis(20);

/// Accepts connections in a thread that ends, after all theirs, when the switch is cut.
pub(super) fn spawn(
    listener: TcpListener,
    switch: &Arc<Switch>,
) -> Result<JoinHandle<()>, ServerError> {
    let switch = Arc::clone(switch);
    let spawned = Builder::new().name("proxy".into()).spawn(move || accept(listener, &switch));
    spawned.map_err(ServerError::io("starting a proxy"))
}

/// Has the thread look at the switch: any connection does. One that is refused finds it gone.
pub(super) fn wake(address: SocketAddr, switch: &Switch) {
    while let Err(error) = TcpStream::connect_timeout(&address, CONNECT) {
        if error.kind() == ErrorKind::ConnectionRefused {
            return;
        }
        switch.wait(AGAIN);
    }
}

fn accept(listener: TcpListener, switch: &Arc<Switch>) {
    let mut connections: Vec<JoinHandle<()>> = Vec::new();
    while !switch.is_cut() {
        let Ok((client, _)) = listener.accept() else {
            switch.wait(AGAIN);
            continue;
        };
        for ended in connections.extract_if(.., |connection| connection.is_finished()) {
            join(ended);
        }
        if connections.len() < CONNECTIONS {
            let switch = Arc::clone(switch);
            let serve = move || serve(&client, &switch);
            // Without a thread there is no connection.
            connections.extend(Builder::new().stack_size(STACK).spawn(serve));
        }
    }
    drop(listener);
    connections.into_iter().for_each(join);
}

fn join(thread: JoinHandle<()>) {
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Passes a connection on for as long as both sides and the switch want. Errors are ends, too, and
/// there is nobody to tell but the two sides.
fn serve(client: &TcpStream, switch: &Switch) {
    let admitted = switch.admit(client).and_then(|_client| {
        switch.may_pass(Direction::ToServer)?;
        let server = TcpStream::connect_timeout(&switch.server(), CONNECT)?;
        let _server = switch.admit(&server)?;
        pass(client, &server, switch)
    });
    drop(admitted);
}

fn pass(client: &TcpStream, server: &TcpStream, switch: &Switch) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        let back = Pump { direction: Direction::FromServer, from: server, to: client, switch };
        let back = Builder::new().stack_size(STACK).spawn_scoped(scope, move || back.run())?;
        Pump { direction: Direction::ToServer, from: client, to: server, switch }.run();
        back.join().unwrap_or_else(|panic| resume_unwind(panic));
        Ok(())
    })
}
