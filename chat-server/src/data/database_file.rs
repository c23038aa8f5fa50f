use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::DataError;
use super::lock::{ProcessLock, open_private};

/// The file of a SQLite database. Only its owner may look into it.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    location: String,
    /// For a file outside of the data folder, whose own lock covers what is in it.
    _lock: Option<ProcessLock>,
}

impl DatabaseFile {
    /// The one in a data folder, made if it is not there. Whoever holds the folder has it alone.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`].
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, DataError> {
        let path = Self::path_in_folder(folder);
        // SQLite would make it for everybody to read. Its other files take after this one.
        open_private(&path)?;
        Ok(Self { location: path.to_string_lossy().into_owned(), _lock: None })
    }

    /// Where the one in a data folder is.
    pub(crate) fn path_in_folder(folder: &Path) -> PathBuf {
        folder.join("chat.db")
    }

    /// The one that a URL names, made if it is not there, for this process alone.
    ///
    /// # Errors
    ///
    /// [`DataError::InUse`] and [`DataError::Io`].
    pub(crate) fn named_by(url: &str) -> Result<Self, DataError> {
        let Some(path) = path_of(url) else {
            return Ok(Self { location: url.to_owned(), _lock: None });
        };
        // A folder that is not there is told by the store, in better words.
        if path.parent().is_some_and(|folder| folder != Path::new("") && !folder.exists()) {
            return Ok(Self { location: url.to_owned(), _lock: None });
        }
        let lock = path.with_added_extension("lock");
        let Some(lock) = ProcessLock::take(&lock)? else { return Err(DataError::InUse(path)) };
        open_private(&path)?;
        Ok(Self { location: url.to_owned(), _lock: Some(lock) })
    }

    /// The same, for whoever looks at it while a server may be using it; none if it is not there.
    pub(crate) fn shared(url: &str) -> Option<Self> {
        let is_there = path_of(url).is_none_or(|path| path.exists());
        is_there.then(|| Self { location: url.to_owned(), _lock: None })
    }

    /// The one in a data folder, likewise.
    pub(crate) fn shared_in_folder(folder: &Path) -> Option<Self> {
        let path = Self::path_in_folder(folder);
        let location = path.to_string_lossy().into_owned();
        path.exists().then_some(Self { location, _lock: None })
    }

    /// Where it is, as a store is told.
    #[must_use]
    pub(crate) fn location(&self) -> &str {
        &self.location
    }
}

/// The file that a URL names; none for a database in memory, and for escapes that are no text: the
/// store refuses both.
fn path_of(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let names_a_file = !path.is_empty() && path != ":memory:";
    names_a_file.then(|| Path::new(&*path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        for (url, path) in [
            ("sqlite://data/chat.db", Some("data/chat.db")),
            ("sqlite:///var/lib/chat.db?mode=rwc", Some("/var/lib/chat.db")),
            ("sqlite:chat.db", Some("chat.db")),
            ("sqlite:///srv/a%20b.db", Some("/srv/a b.db")),
            ("sqlite:///srv/12:30.db", Some("/srv/12:30.db")),
            ("sqlite:///srv/%ff.db", None),
            ("sqlite::memory:", None),
            ("sqlite://", None),
        ] {
            assert_eq!(path_of(url).as_deref(), path.map(Path::new), "{url}");
        }
    }

    #[test]
    fn a_file_is_used_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let first = DatabaseFile::named_by(&url).unwrap();
        assert!(matches!(DatabaseFile::named_by(&url), Err(DataError::InUse(_))));
        drop(first);
        assert_eq!(DatabaseFile::named_by(&url).unwrap().location(), url);
    }

    #[test]
    fn who_only_looks_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        assert!(DatabaseFile::shared(&url).is_none());
        assert!(DatabaseFile::shared_in_folder(folder.path()).is_none());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
