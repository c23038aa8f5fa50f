use bytes::Bytes;

/// How long a tag is, in bytes.
const LENGTH: usize = 8;

/// What every payload of this node begins with. Redis brings back to a node what the node has
/// published itself, if it has subscribed to it; by the tag it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag([u8; LENGTH]);

impl Tag {
    /// One that no other node has.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A payload with the tag.
    pub(super) fn put_before(&self, payload: &[u8]) -> Vec<u8> {
        [&self.0, payload].concat()
    }

    /// What follows the tag, if the tag is this one.
    pub(super) fn of_own<'a>(&self, tagged: &'a [u8]) -> Option<&'a [u8]> {
        tagged.strip_prefix(&self.0)
    }

    /// What follows a tag, whoever's it is. None where there is none.
    pub(super) fn strip(mut tagged: Bytes) -> Option<Bytes> {
        (tagged.len() >= LENGTH).then(|| tagged.split_off(LENGTH))
    }
}
