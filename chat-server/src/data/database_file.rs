use std::path::{Path, PathBuf};

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
        let path = folder.join("chat.db");
        // SQLite would make it for everybody to read. Its other files take after this one.
        open_private(&path)?;
        Ok(Self { location: path.to_string_lossy().into_owned(), _lock: None })
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
        let lock = path.with_added_extension("lock");
        let Some(lock) = ProcessLock::take(&lock)? else { return Err(DataError::InUse(path)) };
        open_private(&path)?;
        Ok(Self { location: url.to_owned(), _lock: Some(lock) })
    }

    /// The same, for whoever looks at it while a server may be using it.
    pub(crate) fn shared(url: &str) -> Self {
        Self { location: url.to_owned(), _lock: None }
    }

    /// Where it is, as a store is told.
    #[must_use]
    pub(crate) fn location(&self) -> &str {
        &self.location
    }
}

/// The file that a URL names; none for a database in memory, which the store refuses, and for a
/// path with escapes, which is the store's to decode.
fn path_of(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    let names_a_file = !path.is_empty() && !path.contains(':') && !path.contains('%');
    names_a_file.then(|| Path::new(path).to_owned())
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
}
