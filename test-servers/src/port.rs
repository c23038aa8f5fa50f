use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use crate::ServerError;

/// Where systems take no ports for outgoing connections from, as they are set up usually. So while
/// a server is down, nobody else comes by its port, nor does a connection to it meet itself.
const PORTS: Range<u16> = 10_240..32_768;
/// How many of them are tried before the system chooses one.
const ATTEMPTS: u32 = 100;

/// Ports on the loopback interface that nobody listens on. Somebody else may take them before they
/// are used, so who starts a server there must be ready to try others.
pub(crate) fn free_ports() -> Result<[u16; 2], ServerError> {
    // Both are held until both are known, so they differ.
    let held = [listen()?, listen()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    let [one, other] = held.each_ref().map(port);
    let failed = || ServerError::io("finding a free port");
    Ok([one.map_err(failed())?, other.map_err(failed())?])
}

/// Listens on a port of the loopback interface that nobody else listens on.
pub(crate) fn listen() -> Result<TcpListener, ServerError> {
    let random = RandomState::new();
    let count = u64::from(PORTS.end - PORTS.start);
    let candidates = (0..ATTEMPTS).map(|attempt| random.hash_one(attempt) % count);
    candidates
        .filter_map(|number| PORTS.start.checked_add(u16::try_from(number).ok()?))
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok)
        .map_err(ServerError::io("finding a free port"))
}
