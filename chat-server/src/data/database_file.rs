use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::DataError;
use super::lock::ProcessLock;
use super::remains;

/// The file of a SQLite database. Only its owner may look into it.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    location: String,
    /// What keeps others away from it; nothing for who only looks.
    _locks: Vec<ProcessLock>,
}

impl DatabaseFile {
    /// The one in a data folder, made if it is not there, for this process alone.
    ///
    /// # Errors
    ///
    /// [`DataError::InUse`], [`DataError::Lost`], [`DataError::Linked`] and [`DataError::Io`].
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, DataError> {
        let path = Self::path_in_folder(folder);
        remains::refuse_lost(&path, folder)?;
        Ok(Self { location: path.to_string_lossy().into_owned(), _locks: vec![claim(&path)?] })
    }

    /// Where the one in a data folder is.
    pub(crate) fn path_in_folder(folder: &Path) -> PathBuf {
        folder.join("chat.db")
    }

    /// The one that a URL names, made if it is not there, for this process alone. `folder` is the data
    /// folder, which may remember that there was a database.
    ///
    /// # Errors
    ///
    /// [`DataError::InUse`], [`DataError::Lost`], [`DataError::Linked`] and [`DataError::Io`].
    pub(crate) fn named_by(url: &str, folder: &Path) -> Result<Self, DataError> {
        let Some(path) = path_of(url) else {
            return Ok(Self { location: url.to_owned(), _locks: Vec::new() });
        };
        // A folder that is not there is told by the store, in better words.
        if path.parent().is_some_and(|folder| folder != Path::new("") && !folder.exists()) {
            return Ok(Self { location: url.to_owned(), _locks: Vec::new() });
        }
        remains::refuse_lost(&path, folder)?;
        // The only lock that the version before knows.
        let former = path.with_added_extension("lock");
        let Some(former) = ProcessLock::take(&former)? else { return Err(DataError::InUse(path)) };
        Ok(Self { location: url.to_owned(), _locks: vec![former, claim(&path)?] })
    }

    /// The same, for whoever looks at it while a server may be using it; none if it is not there.
    pub(crate) fn shared(url: &str) -> Option<Self> {
        let is_there = path_of(url).is_none_or(|path| path.exists());
        is_there.then(|| Self { location: url.to_owned(), _locks: Vec::new() })
    }

    /// The one in a data folder, likewise.
    pub(crate) fn shared_in_folder(folder: &Path) -> Option<Self> {
        let path = Self::path_in_folder(folder);
        let location = path.to_string_lossy().into_owned();
        path.exists().then_some(Self { location, _locks: Vec::new() })
    }

    /// Where it is, as a store is told.
    #[must_use]
    pub(crate) fn location(&self) -> &str {
        &self.location
    }
}

/// Locks a database file, made for its owner only if it is not there: SQLite would make it for everybody
/// to read. Its other files take after this one.
///
/// A file with a second name is refused: SQLite keeps its log beside the name by which it was
/// opened, so that who opens the other name would miss what is in the log.
fn claim(path: &Path) -> Result<ProcessLock, DataError> {
    let Some(lock) = ProcessLock::take(path)? else {
        return Err(DataError::InUse(path.to_owned()));
    };
    let names = lock.names().map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    if names > 1 { Err(DataError::Linked(path.to_owned())) } else { Ok(lock) }
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
    use std::os::unix::fs::symlink;

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
        let named = |url: &str| DatabaseFile::named_by(url, folder.path());
        let first = named(&url).unwrap();
        assert!(matches!(named(&url), Err(DataError::InUse(_))));
        drop(first);
        assert_eq!(named(&url).unwrap().location(), url);
    }

    #[test]
    fn a_file_is_the_same_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("data")).unwrap();
        let first = DatabaseFile::in_folder(&at("data")).unwrap();
        symlink(at("data/chat.db"), at("link.db")).unwrap();
        symlink(at("data"), at("linked")).unwrap();
        for path in ["data/chat.db", "data/../data/chat.db", "link.db", "linked/chat.db"] {
            let url = format!("sqlite://{}", at(path).display());
            let second = DatabaseFile::named_by(&url, &at("other"));
            assert!(matches!(second, Err(DataError::InUse(_))), "{path}: {second:?}");
        }
        assert!(matches!(DatabaseFile::in_folder(&at("linked")), Err(DataError::InUse(_))));
        drop(first);
        DatabaseFile::named_by(&format!("sqlite:{}", at("link.db").display()), &at("other"))
            .unwrap();
    }

    #[test]
    fn a_file_with_two_names_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        drop(DatabaseFile::in_folder(folder.path()).unwrap());
        std::fs::hard_link(at("chat.db"), at("same.db")).unwrap();
        let url = format!("sqlite://{}", at("same.db").display());
        for refused in
            [DatabaseFile::in_folder(folder.path()), DatabaseFile::named_by(&url, &at("other"))]
        {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, DataError::Linked(_)), "{refused:?}");
            assert!(refused.to_string().contains("hard link"), "{refused}");
        }
        std::fs::remove_file(at("same.db")).unwrap();
        DatabaseFile::in_folder(folder.path()).unwrap();
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
