use std::time::Duration;

use chat_ws::{ConnectionConfig, Ended, Speaker, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::speaker::Echo;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;
pub(crate) const FIN: u8 = 0x80;

/// Longer than anything takes that is not stuck; time is paused, so it costs nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// A client that writes whatever bytes it likes, and the server's task at the other end.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
    pub(crate) cut: CancellationToken,
    server: JoinHandle<Ended>,
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) fin: bool,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn close_code(&self) -> u16 {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        u16::from_be_bytes([self.payload[0], self.payload[1]])
    }
}

impl Peer {
    pub(crate) fn of(
        speaker: impl Speaker + 'static,
        config: ConnectionConfig,
        pipe: usize,
    ) -> Self {
        let (stream, server) = duplex(pipe);
        let cut = CancellationToken::new();
        let token = cut.clone();
        let server = tokio::spawn(async move { serve(server, speaker, &config, &token).await });
        Self { stream, cut, server }
    }

    pub(crate) fn of_echo() -> Self {
        Self::of(Echo::default(), ConnectionConfig::default(), 1024 * 1024)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap().unwrap();
    }

    /// Sends a masked frame; `head` is the opcode with the bits before it.
    pub(crate) async fn send(&mut self, head: u8, payload: &[u8]) {
        self.write(&frame(head, payload)).await;
    }

    pub(crate) async fn read(&mut self) -> Frame {
        let frame = timeout(PATIENCE, async {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).await?;
            assert_eq!(head[1] & 0x80, 0, "a server does not mask");
            let length = match head[1] {
                126 => u64::from(self.stream.read_u16().await?),
                127 => self.stream.read_u64().await?,
                short => u64::from(short),
            };
            let mut payload = vec![0; length.try_into().unwrap()];
            self.stream.read_exact(&mut payload).await?;
            let (opcode, fin) = (head[0] & 0x0f, head[0] & FIN != 0);
            std::io::Result::Ok(Frame { opcode, fin, payload })
        });
        frame.await.expect("the server says nothing").expect("the stream has ended")
    }

    /// The next frame that is no ping.
    pub(crate) async fn read_answer(&mut self) -> Frame {
        loop {
            let frame = self.read().await;
            if frame.opcode != PING {
                return frame;
            }
        }
    }

    /// How the connection ended.
    pub(crate) async fn ended(self) -> Ended {
        let server = self.server;
        drop(self.stream);
        timeout(PATIENCE, server).await.expect("the server goes on").unwrap()
    }

    /// How the connection ends while the peer keeps its end of the pipe open.
    pub(crate) async fn ends(&mut self) -> Ended {
        timeout(PATIENCE, &mut self.server).await.expect("the server goes on").unwrap()
    }

    /// The code with which the server closes, when the peer answers as it should.
    pub(crate) async fn closed_with(mut self) -> u16 {
        let code = self.read_answer().await.close_code();
        // The server may have stopped reading already.
        let _ = self.stream.write_all(&frame(FIN | CLOSE, &code.to_be_bytes())).await;
        let mut rest = Vec::new();
        timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert_eq!(rest, b"", "nothing follows a close frame");
        let Ended::ByServer(closing) = self.ended().await else { panic!("not by the server") };
        assert_eq!(closing.code(), code);
        code
    }
}

/// A frame as clients send it.
pub(crate) fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    let mut bytes = header(head, payload.len() as u64);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A header without its mask, for a payload of any length.
pub(crate) fn header(head: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![head];
    match length {
        0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}
