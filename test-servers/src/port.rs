use std::net::{Ipv4Addr, TcpListener};

use crate::ServerError;

/// A port on the loopback interface that nobody listens on. Somebody else may take it before it is
/// used, so who starts a server there must be ready to try another.
pub(crate) fn free_port() -> Result<u16, ServerError> {
    let failed = || ServerError::io("finding a free port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
    Ok(listener.local_addr().map_err(failed())?.port())
}
