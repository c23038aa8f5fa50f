use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::lock::ProcessLock;
use super::secret;

/// The folder that holds what a server keeps: its database and its secrets. Only its owner may look
/// into it.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: Option<ProcessLock>,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Another process has it.
    #[error(
        "{} is used by another process: stop it, or give this one a folder (--data) or a database \
         (store.url) of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// The database is empty or gone, and something that belongs to it is not.
    #[error(
        "{} is empty or missing, but {} shows that there was a database: restore it from a backup. To \
         begin with nothing instead, move both away",
        path.display(), beside.display()
    )]
    Lost {
        /// Where the database was.
        path: PathBuf,
        /// What is left.
        beside: PathBuf,
    },
    /// The database file has more than one name.
    #[error(
        "{} has another name as well (a hard link), and whoever opens that misses what is written by \
         this one: remove the other name, or replace it by a symbolic link or a copy",
        .0.display()
    )]
    Linked(PathBuf),
    /// There is none, where one is to be looked into.
    #[error(
        "there is no data folder {}: name the one of the server with --data, or start the server \
         once, which makes it",
        .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be made, read or written.
    #[error("{} cannot be used", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The secret in it is too short.
    #[error(
        "the secret in {} is too short: remove the file, and a new one is made (tokens signed with \
         the old one end)",
        .0.display()
    )]
    WeakSecret(PathBuf),
    /// The system has no random numbers.
    #[error("no random numbers can be had")]
    Random(#[source] getrandom::Error),
}

impl DataFolder {
    /// Opens a folder, made if it is not there, for this process alone.
    ///
    /// # Errors
    ///
    /// [`DataError`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "other users may look into the data folder: chmod 700 it"
            );
        }
        let Some(lock) = ProcessLock::take(&path.join("server.lock"))? else {
            return Err(DataError::InUse(path.to_owned()));
        };
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }

    /// Opens a folder that is there, to look into it while a server may be using it.
    ///
    /// # Errors
    ///
    /// [`DataError::Missing`], so that a mistyped path makes no secret that no server knows, and
    /// [`DataError::Io`].
    pub fn open_shared(path: &Path) -> Result<Self, DataError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Self { path: path.to_owned(), _lock: None }),
            Ok(_) => Err(DataError::Missing(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DataError::Missing(path.to_owned()))
            }
            Err(source) => Err(DataError::Io { path: path.to_owned(), source }),
        }
    }

    /// The secret that tokens are signed with where none is configured: made at first use, and the
    /// same from then on.
    ///
    /// # Errors
    ///
    /// [`DataError`].
    pub fn secret(&self) -> Result<SecretString, DataError> {
        secret::read_or_make(&self.path.join("secret.key"))
    }

    /// The secret that tokens of development are signed with: made at first use, and the same from
    /// then on. It is another one than [`DataFolder::secret`], so that these tokens are worth
    /// nothing once the folder is served in earnest.
    ///
    /// # Errors
    ///
    /// [`DataError`].
    pub fn development_secret(&self) -> Result<SecretString, DataError> {
        secret::read_or_make(&self.path.join("dev.key"))
    }
}
