//! What is left of a database whose file is empty or gone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::DataError;

/// Files that a server leaves before its database has anything in it, and what a file system brings.
const EMPTY_HANDED: &[&str] = &["server.lock", "chat.db.lock", "lost+found"];

/// Refuses to begin with nothing where something was: a copy that broke off, or a disk that was full,
/// leaves an empty file, and a server that takes it for a new one starts an empty world without a word.
///
/// # Errors
///
/// [`DataError::Lost`] and [`DataError::Io`].
pub(super) fn refuse_lost(path: &Path, folder: &Path) -> Result<(), DataError> {
    let length = match fs::metadata(path) {
        Ok(found) => Some(found.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(source) => return Err(DataError::Io { path: path.to_owned(), source }),
    };
    let remains = match length {
        Some(1..) => None,
        // Changes that were never merged into the file; SQLite would remove them.
        None => log_of(path),
        Some(0) => log_of(path).or_else(|| kept_in(folder, path)),
    };
    match remains {
        None => Ok(()),
        Some(beside) => Err(DataError::Lost { path: path.to_owned(), beside }),
    }
}

/// The write-ahead log of a database, if there is anything in it.
fn log_of(path: &Path) -> Option<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let log = PathBuf::from(name);
    fs::metadata(&log).is_ok_and(|found| found.len() > 0).then_some(log)
}

/// Something in the data folder that a server makes once it has a database, if there is any.
fn kept_in(folder: &Path, path: &Path) -> Option<PathBuf> {
    let same = |other: &Path| other.file_name() == path.file_name();
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut kept: Vec<PathBuf> = entries
        .filter(|entry| !EMPTY_HANDED.iter().any(|name| entry.file_name() == *name))
        .filter(|entry| entry.metadata().is_ok_and(|found| found.is_dir() || found.len() > 0))
        .map(|entry| entry.path())
        .filter(|other| !same(other))
        .collect();
    kept.sort();
    kept.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(folder: &Path) -> Option<PathBuf> {
        match refuse_lost(&folder.join("chat.db"), folder) {
            Ok(()) => None,
            Err(DataError::Lost { beside, .. }) => {
                Some(beside.strip_prefix(folder).unwrap().into())
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn an_empty_file_beside_what_a_server_keeps_is_no_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(lost(folder.path()), None, "nothing is there");
        write("server.lock", "");
        write("chat.db", "");
        assert_eq!(lost(folder.path()), None, "a first start that broke off");
        write("secret.key", "secret");
        assert_eq!(lost(folder.path()), Some("secret.key".into()));
        write("chat.db", "SQLite format 3");
        assert_eq!(lost(folder.path()), None);
        fs::remove_file(folder.path().join("chat.db")).unwrap();
        assert_eq!(lost(folder.path()), None, "whoever removes it wants to begin anew");
        write("chat.db-wal", "changes");
        assert_eq!(lost(folder.path()), Some("chat.db-wal".into()));
        write("chat.db", "");
        assert_eq!(lost(folder.path()), Some("chat.db-wal".into()));
    }
}
