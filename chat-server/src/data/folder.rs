use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::secret;

/// The folder that holds what a server keeps: its database and its secret. Only its owner may look
/// into it.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held while the folder is in use: two servers on one database would each number changes as if
    /// they were alone.
    lock: Option<File>,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Another process has it.
    #[error(
        "the data folder {} is used by another process: stop it, or give this one a folder of its \
         own with --data",
        .0.display()
    )]
    InUse(PathBuf),
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
        let mut folder = Self::open_shared(path)?;
        let lock_path = path.join("server.lock");
        let failed = |source| DataError::Io { path: lock_path.clone(), source };
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        folder.lock = Some(lock);
        Ok(folder)
    }

    /// Opens a folder, made if it is not there, to look into it while a server may be using it.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`].
    pub fn open_shared(path: &Path) -> Result<Self, DataError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), lock: None })
    }

    /// Where the database is, as a store is told.
    #[must_use]
    pub fn database_location(&self) -> String {
        self.path.join("chat.db").to_string_lossy().into_owned()
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
}
