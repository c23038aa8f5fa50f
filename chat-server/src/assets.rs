use std::borrow::Cow;
use std::fmt::Write as _;

use axum::body::Bytes;
use rust_embed::RustEmbed;

/// The files of the web page. In a debug build they are read from the source folder at every
/// request, so that an edit shows at once; a release build carries them.
#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

/// One file of the web page.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) bytes: Bytes,
    /// The type, by the name's ending.
    pub(crate) content_type: &'static str,
    /// The version, by the content.
    pub(crate) etag: String,
}

impl Asset {
    /// The file with this path, if it is one of the page.
    pub(crate) fn find(path: &str) -> Option<Self> {
        let content_type = content_type(path)?;
        let file = Files::get(path)?;
        let mut etag = String::from("\"");
        for byte in &file.metadata.sha256_hash()[..16] {
            write!(etag, "{byte:02x}").ok()?;
        }
        etag.push('"');
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Some(Self { bytes, content_type, etag })
    }
}

/// Files with other endings are not served, whatever else may lie in the folder.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_there_and_nothing_beside_it() {
        let page = Asset::find("index.html").unwrap();
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert_eq!(page.etag.len(), 34);
        for path in ["", "Cargo.toml", "../Cargo.toml", "../src/lib.rs", "/etc/passwd", "x.html"] {
            assert!(Asset::find(path).is_none(), "{path}");
        }
    }
}
