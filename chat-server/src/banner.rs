use std::fmt;
use std::net::SocketAddr;

use crate::config::Config;
use crate::demo::LOGINS;

/// What a person who starts the server reads first.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) config: &'a Config,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, config } = self;
        if !config.dev {
            return write!(f, "chat-server listens on http://{address}");
        }
        writeln!(f, "chat-server, in development mode\n")?;
        writeln!(f, "  open   http://{address}\n")?;
        for login in LOGINS {
            writeln!(f, "  login  {}   password  {}", login.username, login.password)?;
        }
        writeln!(f, "\n  API    http://{address}{}", config.base_path)?;
        writeln!(f, "  token  curl -d '{{\"userId\":\"me\"}}' http://{address}/dev/token")?;
        writeln!(f, "  data   {}\n", config.data.display())?;
        write!(f, "Open the page in two browsers, one for each login. Ctrl-C stops the server.")
    }
}
