use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::program::find;
use crate::server::{Kind, Place, Server};
use crate::{Postgres, ServerError};

/// How many connections to the server the pooler has at most, over all databases.
const MAX_SERVER_CONNECTIONS: u32 = 64;
/// How long a connection on the same machine may take.
const CONNECT: Duration = Duration::from_secs(1);
/// The file of its settings.
const SETTINGS: &str = "pgbouncer.ini";

/// A pooler before a Postgres server, in transaction mode: each transaction, and each statement
/// outside of one, may meet another connection of the server.
///
/// Only what such a pooler must understand is configured, as somebody else would have it: no
/// startup parameters are ignored, and no prepared statements are followed.
#[derive(Debug)]
pub struct PgBouncer {
    server: Server<Pooler>,
}

impl PgBouncer {
    /// Starts a pooler before all databases of a server that asks for no password.
    ///
    /// # Errors
    ///
    /// When PgBouncer is not installed, or does not start.
    pub fn start(postgres: &Postgres) -> Result<Self, ServerError> {
        Self::start_with(postgres, &[])
    }

    /// The same with settings of a test's own, as in `pgbouncer.ini`.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start), and when a setting is refused.
    pub fn start_with(postgres: &Postgres, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        let program = find("pgbouncer", "pgbouncer")?;
        let settings = settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        let server = Server::start(Pooler { program, postgres: postgres.port(), settings })?;
        Ok(Self { server })
    }

    /// The URL of a database behind the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.server.port())
    }
}

#[derive(Debug)]
struct Pooler {
    program: PathBuf,
    /// The port of the server behind it.
    postgres: u16,
    /// Settings after the usual ones, one a line.
    settings: String,
}

impl Kind for Pooler {
    const NAME: &'static str = "pgbouncer";

    fn prepare(&self, place: &Place) -> Result<(), ServerError> {
        let users = place.path("users.txt");
        place.user.write(&users, "\"postgres\" \"\"\n")?;
        let settings = configuration(place.port, self.postgres, &users) + &self.settings;
        place.user.write(&place.path(SETTINGS), &settings)
    }

    fn program(&self) -> PathBuf {
        self.program.clone()
    }

    fn arguments(&self, place: &Place) -> Vec<String> {
        vec![place.path(SETTINGS).display().to_string()]
    }

    fn answers(&self, place: &Place) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
        TcpStream::connect_timeout(&address, CONNECT).is_ok()
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
