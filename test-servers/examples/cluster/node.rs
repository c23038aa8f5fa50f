use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often a server is asked whether it is ready.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may take to answer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long after its end a server is started again.
const AWAY: Duration = Duration::from_secs(3);
/// How long a server may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Ends the process `$1` when standard input is closed, as it is when this process is no more.
const WATCH: &str = "cat >/dev/null; kill -TERM \"$1\"";

/// One server, started again whenever it ends.
pub(crate) struct Node {
    number: usize,
    program: std::path::PathBuf,
    data: std::path::PathBuf,
    environment: Vec<(&'static str, String)>,
    /// Held for a few lines.
    state: Mutex<State>,
    ready: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Where it listens: wherever it likes at first, and there from then on.
    address: Option<SocketAddr>,
    process: Option<u32>,
    /// The lines that name the demo accounts.
    logins: Vec<String>,
}

impl Node {
    pub(crate) fn new(
        number: usize,
        program: &Path,
        folder: &Path,
        environment: &[(&'static str, String)],
    ) -> Self {
        Self {
            number,
            program: program.to_owned(),
            data: folder.join(format!("node-{number}")),
            environment: environment.to_vec(),
            state: Mutex::default(),
            ready: watch::Sender::new(false),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Where it is, once it has started.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.state().address
    }

    /// Waits until it is.
    pub(crate) async fn ready(&self) {
        // It lasts as long as this.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    pub(crate) fn logins(&self) -> Vec<String> {
        self.state().logins.clone()
    }

    /// Runs it until `stopping`. Ends earlier only when it cannot be started, and says why.
    pub(crate) async fn run(
        self: std::sync::Arc<Self>,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<(), String> {
        let mut first = true;
        loop {
            let (mut child, _watcher) = match self.start().await {
                Ok(started) => started,
                Err(error) => return Err(format!("node {} did not start: {error}", self.number)),
            };
            if !std::mem::take(&mut first) {
                println!("back       {self}");
            }
            tokio::select! {
                ended = child.wait() => {
                    let ended = ended.map_or_else(|error| error.to_string(), |it| it.to_string());
                    println!("ended      {self} ({ended})");
                }
                never = self.look() => match never {},
                () = told(&mut stopping) => {
                    terminate(&mut child).await;
                    return Ok(());
                }
            }
            self.ready.send_replace(false);
            tokio::select! {
                () = sleep(AWAY) => {}
                () = told(&mut stopping) => return Ok(()),
            }
        }
    }

    async fn start(&self) -> io::Result<(Child, Child)> {
        let listen = self.state().address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut command = Command::new(&self.program);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("CHAT_") {
                command.env_remove(variable);
            }
        }
        let mut child = command
            .arg("--data")
            .arg(&self.data)
            .args(["--set", "log.filter=warn", "serve", "--dev", "--listen", &listen.to_string()])
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for this process, which stops the servers in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let process = child.id().unwrap_or_default();
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watch", &process.to_string()])
            .stdin(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        if let Some(log) = child.stderr.take() {
            tokio::spawn(pass_on(self.number, log));
        }
        let stdout = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        self.read_greeting(stdout, process).await?;
        Ok((child, watcher))
    }

    /// Reads what a server prints once it listens: its address, and the logins.
    async fn read_greeting(
        &self,
        stdout: impl AsyncRead + Unpin + Send + 'static,
        process: u32,
    ) -> io::Result<()> {
        let mut lines = BufReader::new(stdout).lines();
        let (mut address, mut logins) = (None, Vec::new());
        while let Some(line) = lines.next_line().await? {
            if let Some(found) = line.trim().strip_prefix("open   http://") {
                address = found.parse().ok();
            } else if line.trim().starts_with("login ") {
                logins.push(line.trim().to_owned());
            } else if line.contains("Ctrl-C") {
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                *self.state() = State { address, process: Some(process), logins };
                return Ok(());
            }
        }
        Err(io::Error::other("what it says is above"))
    }

    /// Asks it again and again whether it is ready.
    async fn look(&self) -> std::convert::Infallible {
        loop {
            let address = self.state().address;
            let ready = match address {
                Some(address) => timeout(LOOK_TIMEOUT, is_ready(address)).await,
                None => Ok(Ok(false)),
            };
            let ready = matches!(ready, Ok(Ok(true)));
            self.ready.send_if_modified(|known| std::mem::replace(known, ready) != ready);
            sleep(LOOK).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "node {}   ", self.number)?;
        if let (Some(address), Some(process)) = (state.address, state.process) {
            write!(f, " http://{address}   process {process}")?;
        }
        Ok(())
    }
}

/// Waits until it is time to stop.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // Who would say so is this process itself, and is not gone before.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn is_ready(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// Hands a server's log on, with its number.
async fn pass_on(number: usize, log: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        eprintln!("node {number} | {line}");
    }
}

/// Asks a process to end, and makes it if that takes too long.
async fn terminate(child: &mut Child) {
    if let Some(process) = child.id() {
        let asked = Command::new("kill").args(["-TERM", &process.to_string()]).status();
        // If it cannot be asked, it is made.
        let _ = asked.await;
    }
    if timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        // It may have ended by itself.
        let _ = child.kill().await;
    }
}
