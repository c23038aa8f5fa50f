use std::sync::{Arc, OnceLock};

use chat_core::proto::UserId;

/// Who sent a request, in the extensions of its answer: for a host that writes a log of requests.
///
/// It is there whenever the request's credential was good, even if the answer is a refusal, and
/// where somebody has just logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerId(pub UserId);

/// Carries the caller from wherever the request is handled to its answer. In the extensions of
/// the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerSlot(Arc<OnceLock<UserId>>);

impl CallerSlot {
    /// Notes who asks. The first note counts.
    pub(crate) fn fill(&self, user: &UserId) {
        let _ = self.0.set(user.clone());
    }

    pub(crate) fn caller(&self) -> Option<CallerId> {
        self.0.get().cloned().map(CallerId)
    }
}
