use chat_proto::UserId;
use tokio::sync::{Mutex, MutexGuard};

/// How many locks there are.
const TURNS: usize = 256;

/// Turns of users: what is done in a user's turn is done one after the other. Users share locks by the
/// hash of their ids, so there are 256 locks however many users there are.
#[derive(Debug)]
pub(crate) struct Turns(Box<[Mutex<()>]>);

impl Turns {
    pub(crate) fn new() -> Self {
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }

    /// Waits for a user's turn, which lasts until the guard is dropped.
    pub(crate) async fn of(&self, user: &UserId) -> MutexGuard<'_, ()> {
        let sum = user
            .as_str()
            .bytes()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        self.0[sum % TURNS].lock().await
    }
}
