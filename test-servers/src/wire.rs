use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server of this machine may take to say the next thing. What asks whether it answers
/// at all has more patience.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer, in bytes.
const LIMIT: usize = 16 << 20;

/// Says something to a server of this machine and returns what it says, up to where it has said
/// enough or hangs up.
pub(crate) fn ask(port: u16, request: &str, enough: impl Fn(&str) -> bool) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(request.as_bytes())?;
    let mut said = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = stream.read(&mut buffer)?;
        said.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&said);
        if length == 0 || enough(&text) {
            return Ok(text.into_owned());
        }
        if said.len() > LIMIT {
            return Err(ErrorKind::FileTooLarge.into());
        }
    }
}
