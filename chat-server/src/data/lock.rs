use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::DataError;

/// Held while this process alone uses something: two servers on one file would each tell their own
/// clients only what they stored themselves.
///
/// The lock is flock(2) and belongs to the file itself, by whatever path or link it was opened. SQLite locks
/// bytes of its files by fcntl(2), of which the system knows nothing here, and the other way round.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    file: File,
}

impl ProcessLock {
    /// Takes the lock that a file stands for; none when another process has it.
    pub(super) fn take(path: &Path) -> Result<Option<Self>, DataError> {
        let file = open_private(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => {
                Err(DataError::Io { path: path.to_owned(), source })
            }
        }
    }

    /// By how many names the locked file is found.
    pub(super) fn names(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.nlink())
    }
}

/// Opens a file, made for its owner only if it is not there.
pub(super) fn open_private(path: &Path) -> Result<File, DataError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| DataError::Io { path: path.to_owned(), source })
}
