use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dice::Dice;

/// Where nodes are, as clients know: not those that are down, but those that do not answer.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// By the number of the node; none while it is down. Held for a few lines.
    addresses: Mutex<Vec<Option<SocketAddr>>>,
}

impl Directory {
    pub(crate) fn set(&self, node: usize, address: Option<SocketAddr>) {
        let mut addresses = self.lock();
        if addresses.len() <= node {
            addresses.resize(node + 1, None);
        }
        addresses[node] = address;
    }

    /// Any node.
    pub(crate) fn choose(&self, dice: &mut Dice) -> Option<(usize, SocketAddr)> {
        let addresses = self.lock();
        let up = addresses.iter().enumerate().filter_map(|(n, address)| Some((n, (*address)?)));
        let up: Vec<_> = up.collect();
        (!up.is_empty()).then(|| up[dice.throw(up.len())])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<SocketAddr>>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
