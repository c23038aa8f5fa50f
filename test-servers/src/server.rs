use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use crate::ServerError;
use crate::error::not_running;
use crate::port::free_ports;
use crate::process::{Process, folder};
use crate::user::ServerUser;

/// How often a server is started anew when somebody else was faster to take its port, or something
/// of its predecessor is still in memory.
const ATTEMPTS: u32 = 10;

/// What a server runs, and how it shows that it answers.
pub(crate) trait Kind: Debug {
    /// What folders and errors call it.
    const NAME: &'static str;

    /// Writes what the server reads when it starts; called before each start.
    fn prepare(&self, _place: &Place) -> Result<(), ServerError> {
        Ok(())
    }

    /// The program.
    fn program(&self) -> PathBuf;

    /// Its arguments.
    fn arguments(&self, place: &Place) -> Vec<String>;

    /// Whether this server, and not one of somebody else that has the port, answers.
    fn answers(&self, place: &Place) -> bool;
}

/// Where a server is.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) user: ServerUser,
    /// Its own folder, with its log.
    pub(crate) folder: PathBuf,
    /// The port for its clients, on 127.0.0.1.
    pub(crate) port: u16,
    /// A port for whatever else the server has to tell.
    pub(crate) second_port: u16,
}

impl Place {
    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The name of its folder, which no other server has.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A server that can be frozen, killed and started again, in its folder and on its port.
#[derive(Debug)]
pub(crate) struct Server<K> {
    pub(crate) kind: K,
    pub(crate) place: Place,
    /// The server, perhaps stopped or killed; none only while, or because, it does not start.
    process: Mutex<Option<Process>>,
}

impl<K: Kind> Server<K> {
    /// Starts a server in a folder of its own.
    pub(crate) fn start(kind: K) -> Result<Self, ServerError> {
        let user = ServerUser::choose()?;
        Self::start_in(folder(K::NAME, user)?, kind, user)
    }

    /// Starts a server in a folder that may hold something already, at any port that is free.
    pub(crate) fn start_in(
        folder: TempDir,
        kind: K,
        user: ServerUser,
    ) -> Result<Self, ServerError> {
        // From here on this value removes it, or the watcher.
        let folder = folder.keep();
        let place = Place { user, folder, port: 0, second_port: 0 };
        let mut server = Self { kind, place, process: Mutex::default() };
        let mut attempt = 1;
        loop {
            [server.place.port, server.place.second_port] = free_ports()?;
            match server.start_process() {
                Ok(process) => {
                    *server.lock() = Some(process);
                    return Ok(server);
                }
                Err(error) if attempt == ATTEMPTS || !is_taken(&error) => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    pub(crate) fn pause(&self) -> Result<(), ServerError> {
        self.with_process(|process| process.signal("STOP"))
    }

    pub(crate) fn resume(&self) -> Result<(), ServerError> {
        self.with_process(|process| process.signal("CONT"))
    }

    pub(crate) fn kill(&self) -> Result<(), ServerError> {
        self.with_process(|process| {
            process.signal("KILL")?;
            process.wait_for_exit()
        })
    }

    pub(crate) fn stop(&self) -> Result<(), ServerError> {
        self.with_process(|process| {
            process.ask("INT")?;
            process.wait_for_exit()
        })
    }

    pub(crate) fn runs(&self) -> bool {
        self.lock().as_mut().is_some_and(|process| !process.has_exited())
    }

    pub(crate) fn start_again(&self) -> Result<(), ServerError> {
        let mut process = self.lock();
        let runs = process.as_mut().is_some_and(|process| !process.has_exited());
        if !runs {
            if let Some(ended) = process.take() {
                ended.keep_folder();
            }
            *process = Some(self.start_process()?);
        }
        Ok(())
    }

    /// Waits until something is so, for as long as the server lives and patience lasts.
    pub(crate) fn wait_until(
        &self,
        what: &'static str,
        so: impl FnMut() -> bool,
    ) -> Result<(), ServerError> {
        self.with_process(|process| process.wait_until(what, so))
    }

    /// Starts the server at its port, which may turn out to be taken, and waits until it answers.
    fn start_process(&self) -> Result<Process, ServerError> {
        self.kind.prepare(&self.place)?;
        let mut words = self.place.user.words(&self.kind.program())?;
        words.extend(self.kind.arguments(&self.place));
        let mut attempt = 1;
        loop {
            let mut process = Process::start(K::NAME, self.place.folder.clone(), &words)?;
            let answered = process.wait_until("start", || self.kind.answers(&self.place));
            let Err(error) = answered else {
                return Ok(process);
            };
            let hangs = !process.has_exited();
            process.keep_folder();
            if hangs || is_taken(&error) || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
    }

    fn with_process<T>(
        &self,
        work: impl FnOnce(&mut Process) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        let mut process = self.lock();
        let process = process.as_mut().ok_or_else(|| not_running(K::NAME))?;
        if process.has_exited() { Err(not_running(K::NAME)) } else { work(process) }
    }
}

impl<K> Server<K> {
    pub(crate) const fn port(&self) -> u16 {
        self.place.port
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.place.folder
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Drop for Server<K> {
    /// The watcher of a process removes the folder; of a server that did not start there is none.
    fn drop(&mut self) {
        if self.lock().is_none() {
            drop(std::fs::remove_dir_all(&self.place.folder));
        }
    }
}

/// Whether somebody else has the port: all servers quote the system.
fn is_taken(error: &ServerError) -> bool {
    error.to_string().to_ascii_lowercase().contains("address already in use")
}
