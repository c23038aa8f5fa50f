//! Pages of lists, and the opaque cursors between them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Message;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub data: Vec<T>,
    /// What follows.
    pub meta: PageMeta,
}

/// What follows a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageMeta {
    /// Hand this in to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<Cursor>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Makes a page out of at most `limit + 1` items, of which the last only shows that there is
    /// more; `position` names the place of an item in the list.
    pub fn from_overfull<P: Serialize>(
        mut data: Vec<T>,
        limit: usize,
        position: impl Fn(&T) -> P,
    ) -> Self {
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next_cursor =
            data.last().filter(|_| has_more).map(|last| Cursor::encode(&position(last)));
        Self { data, meta: PageMeta { next_cursor, has_more } }
    }

    /// The same page with every item turned into another.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(f).collect(), meta: self.meta }
    }
}

/// One page of a conversation's messages, always in ascending order of `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The messages, oldest first.
    pub data: Vec<Message>,
    /// What lies before and after.
    pub meta: HistoryMeta,
}

/// What lies around a page of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryMeta {
    /// Goes on in the direction of this page (towards older messages unless `after` was asked
    /// for); absent at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<Cursor>,
    /// Whether there is more in the direction of this page.
    pub has_more: bool,
    /// Whether there are messages before the first of this page.
    pub has_older: bool,
    /// Whether there are messages after the last of this page.
    pub has_newer: bool,
    /// The `seq` of the conversation's last message; 0 when it never had one.
    pub last_seq: u64,
}

/// A place in a list, to be handed back as it is. Its contents are not part of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list: leave it out to start at the beginning")]
pub struct CursorError;

impl Cursor {
    /// Takes a cursor as a client handed it in.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The cursor's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Writes a place down.
    ///
    /// # Panics
    ///
    /// When the place cannot be written as JSON, such as a map with keys that are not text.
    #[must_use]
    pub fn encode(position: &impl Serialize) -> Self {
        let json = serde_json::to_vec(position).expect("a position is plain data");
        Self(URL_SAFE_NO_PAD.encode(json))
    }

    /// Reads a place back.
    ///
    /// # Errors
    ///
    /// [`CursorError`] when this is not a cursor made from such a place.
    pub fn decode<P: DeserializeOwned>(&self) -> Result<P, CursorError> {
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| CursorError)?;
        serde_json::from_slice(&json).map_err(|_| CursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went() {
        let cursor = Cursor::encode(&(7u64, "x"));
        assert_eq!(cursor.decode::<(u64, String)>(), Ok((7, "x".into())));
        assert_eq!(cursor.decode::<u64>(), Err(CursorError));
        assert_eq!(Cursor::from_text("!").decode::<u64>(), Err(CursorError));
    }

    #[test]
    fn only_a_page_with_a_successor_has_a_cursor() {
        let page = Page::from_overfull(vec![1, 2, 3], 2, |n| *n);
        assert_eq!(page.data, [1, 2]);
        assert_eq!(page.meta.next_cursor.unwrap().decode(), Ok(2));
        let last = Page::from_overfull(vec![1, 2], 2, |n| *n);
        assert!(!last.meta.has_more && last.meta.next_cursor.is_none());
    }
}
