use serde::{Serialize, Serializer};
use uuid::Uuid;

/// An id inside of JSON, to be opened with `unhex`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hex(pub(super) Uuid);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0.as_simple())
    }
}
