use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ServerError;
use crate::program::run;
use crate::user::ServerUser;

/// What watches a server; see there.
const WATCH: &str = include_str!("watch.sh");
/// How long a server may take to start, to end, or to recover after it was killed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is asked whether a server has got there.
const INTERVAL: Duration = Duration::from_millis(20);
/// How much of a log an error shows, in bytes.
const LOG_END: u64 = 4_096;

/// A folder for a server, owned by the user it runs as. The watcher of the server removes it.
pub(crate) fn folder(name: &str, user: ServerUser) -> Result<TempDir, ServerError> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("chat-{name}-"))
        .tempdir()
        .map_err(ServerError::io("making a temporary folder"))?;
    user.own(folder.path())?;
    Ok(folder)
}

/// A server under a watcher, which ends with this value or with the whole process.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    folder: PathBuf,
    server: u32,
    watcher: Child,
    /// Open for as long as the server may live.
    lifeline: Option<ChildStdin>,
    /// Tells, or ends, when the server has exited.
    exit: Receiver<()>,
    exited: bool,
}

impl Process {
    /// Starts a server, whose output goes to the file `log` in its folder.
    pub(crate) fn start(
        name: &'static str,
        folder: PathBuf,
        words: &[String],
    ) -> Result<Self, ServerError> {
        let failed = || ServerError::io(format!("starting {name}"));
        let mut watcher = Command::new("sh")
            .args(["-c", WATCH, "watch", "run"])
            .arg(&folder)
            .args(words)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // An interrupt at the terminal ends the tests; the watcher then ends the server.
            .process_group(0)
            .spawn()
            .map_err(failed())?;
        let lifeline = watcher.stdin.take();
        let mut line = String::new();
        let said = watcher.stdout.take();
        let mut said = said.map(BufReader::new).ok_or_else(|| not_started(name, ""))?;
        said.read_line(&mut line).map_err(failed())?;
        let server = line.trim().strip_prefix("started ").and_then(|pid| pid.parse().ok());
        let (told, exit) = channel();
        thread::spawn(move || {
            // Either the server or its watcher has come to an end.
            drop(said.read_line(&mut String::new()));
            drop(told);
        });
        let Some(server) = server else {
            return Err(not_started(name, &line));
        };
        Ok(Self { name, folder, server, watcher, lifeline, exit, exited: false })
    }

    /// Sends a signal to the server and its children.
    pub(crate) fn signal(&mut self, signal: &str) -> Result<(), ServerError> {
        if self.has_exited() {
            return Err(self.error("live on"));
        }
        let server = self.server.to_string();
        run(Command::new("sh").args(["-c", WATCH, "watch", "signal", signal, &server]))?;
        Ok(())
    }

    /// Sends a signal to the server alone.
    pub(crate) fn ask(&mut self, signal: &str) -> Result<(), ServerError> {
        if !self.has_exited() {
            run(Command::new("kill").args(["-s", signal, &self.server.to_string()]))?;
        }
        Ok(())
    }

    /// Waits until something is so, for as long as the server lives and patience lasts.
    pub(crate) fn wait_until(
        &mut self,
        what: &'static str,
        mut so: impl FnMut() -> bool,
    ) -> Result<(), ServerError> {
        let give_up = Instant::now() + PATIENCE;
        while !so() {
            if self.has_exited() || Instant::now() > give_up {
                return Err(self.error(what));
            }
            thread::sleep(INTERVAL);
        }
        Ok(())
    }

    /// Waits until the server has exited.
    pub(crate) fn wait_for_exit(&mut self) -> Result<(), ServerError> {
        if !self.exited && self.exit.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            return Err(self.error("end"));
        }
        self.exited = true;
        Ok(())
    }

    /// Ends the watcher of a server that has exited, and leaves the folder as it is.
    pub(crate) fn keep_folder(mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            drop(lifeline.write_all(b"keep"));
        }
        drop(self.watcher.wait());
    }

    /// Whether the server has ended, by itself or because it was told to.
    pub(crate) fn has_exited(&mut self) -> bool {
        self.exited = self.exited
            || self.exit.recv_timeout(Duration::ZERO) == Err(RecvTimeoutError::Disconnected);
        self.exited
    }

    fn error(&self, what: &'static str) -> ServerError {
        let log = log_end(self.folder.join("log")).unwrap_or_default();
        ServerError::Server { server: self.name, what, log }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        drop(self.watcher.wait());
    }
}

fn not_started(server: &'static str, log: &str) -> ServerError {
    ServerError::Server { server, what: "start", log: log.to_owned() }
}

fn log_end(path: PathBuf) -> std::io::Result<String> {
    let length = fs::metadata(&path)?.len();
    let mut log = File::open(path)?;
    log.seek(SeekFrom::Start(length.saturating_sub(LOG_END)))?;
    let mut end = Vec::new();
    log.read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}
