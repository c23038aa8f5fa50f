use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Failure;

/// One HTTP connection on which one request follows the other.
#[derive(Debug)]
pub(crate) struct Rest {
    stream: BufReader<TcpStream>,
    /// What every request says.
    headers: String,
    body: Vec<u8>,
}

impl Rest {
    /// Connects as whom the token names. Each answer must come within `patience`.
    pub(crate) fn connect(
        server: SocketAddr,
        token: &str,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let headers = format!("Host: {server}\r\nAuthorization: Bearer {token}\r\n");
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream), headers, body: Vec::new() })
    }

    /// Asks for a page, and returns how many bytes it has.
    pub(crate) fn get(&mut self, path: &str) -> Result<usize, Failure> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut line) = (String::new(), 0, String::new());
        self.stream.read_line(&mut status)?;
        while line != "\r\n" {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err("the connection was lost".into());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        if status.split(' ').nth(1) != Some("200") {
            let body = String::from_utf8_lossy(&self.body);
            return Err(format!("{path} was answered with {}: {body}", status.trim()).into());
        }
        Ok(length)
    }

    /// What the last answer held.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}
