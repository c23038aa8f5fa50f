use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_auth::HmacKey;
use secrecy::{ExposeSecret, SecretString};

use super::DataError;

/// The secret in a file; without the file, a new one that is there for good before it is used.
///
/// It is text, so that an operator can hand it to an application whose users are to chat here.
pub(super) fn read_or_make(path: &Path) -> Result<SecretString, DataError> {
    let failed = |source| DataError::Io { path: path.to_owned(), source };
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(DataError::Random)?;
    let secret = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    match write(path, &secret) {
        Ok(()) => Ok(secret),
        // Another process was quicker: its secret is the one.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| failed(error))
        }
        Err(error) => Err(failed(error)),
    }
}

fn read(path: &Path) -> Result<Option<SecretString>, DataError> {
    let failed = |source| DataError::Io { path: path.to_owned(), source };
    let text = match fs::read_to_string(path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "other users may read the secret: chmod 600 it");
    }
    let secret = text.expose_secret().trim();
    if secret.len() < HmacKey::MIN_BYTES {
        return Err(DataError::WeakSecret(path.to_owned()));
    }
    Ok(Some(secret.to_owned().into()))
}

/// Writes beside the file and links it into place, so that the file is never there in part, and
/// never replaces another.
fn write(path: &Path, secret: &SecretString) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let written = file
        .write_all(format!("{}\n", secret.expose_secret()).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    written?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let made = read_or_make(&path).unwrap();
        assert!(made.expose_secret().len() >= 43);
        let again = read_or_make(&path).unwrap();
        assert_eq!(made.expose_secret(), again.expose_secret());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_secret_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let made = read_or_make(&path).unwrap();
        let error = write(&path, &"another".to_owned().into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap().unwrap().expose_secret(), made.expose_secret());
    }

    #[test]
    fn a_weak_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        fs::write(&path, "changeme\n").unwrap();
        assert!(matches!(read_or_make(&path), Err(DataError::WeakSecret(_))));
    }
}
