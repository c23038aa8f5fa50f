use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::port::free_port;
use crate::process::{Process, folder};
use crate::program::find;
use crate::user::ServerUser;
use crate::{Postgres, ServerError};

/// How often another port is tried.
const ATTEMPTS: u32 = 5;
/// How many connections to the server the pooler has at most, over all databases.
const MAX_SERVER_CONNECTIONS: u32 = 64;
/// How long a connection on the same machine may take.
const CONNECT: Duration = Duration::from_secs(1);

/// A pooler before a Postgres server, in transaction mode: each transaction, and each statement
/// outside of one, may meet another connection of the server.
///
/// Only what such a pooler must understand is configured, as somebody else would have it: no
/// startup parameters are ignored, and no prepared statements are followed.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    /// Kept until this is dropped; a mutex, so that several tests may share it.
    _process: Mutex<Process>,
}

impl PgBouncer {
    /// Starts a pooler before all databases of a server that asks for no password.
    ///
    /// # Errors
    ///
    /// When PgBouncer is not installed, or does not start.
    pub fn start(postgres: &Postgres) -> Result<Self, ServerError> {
        let user = ServerUser::choose()?;
        let program = find("pgbouncer", "pgbouncer")?;
        let mut attempt = 1;
        loop {
            match Self::start_at(free_port()?, postgres, user, &program) {
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn start_at(
        port: u16,
        postgres: &Postgres,
        user: ServerUser,
        program: &Path,
    ) -> Result<Self, ServerError> {
        let folder = folder("pgbouncer", user)?;
        let settings = folder.path().join("pgbouncer.ini");
        let users = folder.path().join("users.txt");
        for (file, text) in [
            (&settings, configuration(port, postgres.port(), &users)),
            (&users, "\"postgres\" \"\"\n".to_owned()),
        ] {
            std::fs::write(file, text)
                .map_err(ServerError::io("writing the settings of pgbouncer"))?;
            user.own(file)?;
        }
        let mut words = user.words(program)?;
        words.push(settings.display().to_string());
        let mut process = Process::start("pgbouncer", folder.path().to_owned(), &words)?;
        let _ = folder.keep();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        process.wait_until("start", || TcpStream::connect_timeout(&address, CONNECT).is_ok())?;
        Ok(Self { port, _process: Mutex::new(process) })
    }

    /// The URL of a database behind the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

/// The pooler keeps a connection for some time after its last use, and it has a pool for each
/// database. So that many databases, one a test, do not use up the connections of the server, the
/// limit is that of the user: at it, the pooler closes idle connections of other databases.
fn configuration(port: u16, server: u16, users: &Path) -> String {
    let users = users.display();
    format!(
        "[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
max_client_conn = 500
default_pool_size = 8
max_user_connections = {MAX_SERVER_CONNECTIONS}
"
    )
}
