use std::sync::Arc;
use std::time::Duration;

use chat_proto::{User, UserId};

use super::Gather;
use crate::store::forward::forward_store;
use crate::store::{Circle, EnsureUser, Known, Missed, NewUser, Overview, StoreError, StoreParts};
use crate::tasks::Tasks;

/// A store that is asked together by those who arrive in one moment: who they are, where they belong,
/// how their conversations stand, and what they missed; and who is seen for the first time is recorded
/// together with the others. All other calls go on as they come, and so do
/// those about several users, which somebody has put together already.
#[derive(Debug)]
pub(crate) struct GatheredStore {
    parts: StoreParts,
    users: Arc<Gather<UserId, (), Option<User>>>,
    /// Those who are seen for the first time, to be recorded: the one write that arrivals make.
    first_seen: Arc<Gather<NewUser, (), EnsureUser>>,
    circles: Arc<Gather<UserId, (usize, usize), Circle>>,
    overviews: Arc<Gather<UserId, usize, Overview>>,
    missed: Arc<Gather<Known, (u64, usize), Vec<Missed>>>,
}

impl GatheredStore {
    /// Asks a store, which may take so long for a call.
    pub(crate) fn new(parts: StoreParts, patience: Duration, tasks: &Tasks) -> Self {
        let StoreParts { users, members, inbox, .. } = parts.clone();
        Self {
            users: Gather::new("gather.users", patience, tasks, move |ids: Arc<[UserId]>, ()| {
                let users = Arc::clone(&users);
                async move {
                    if let [id] = &*ids {
                        return Ok(vec![users.user(id).await?]);
                    }
                    let found = users.users(&ids).await?;
                    let known = |id: &UserId| found.iter().find(|user| user.id == *id).cloned();
                    Ok(ids.iter().map(known).collect())
                }
            }),
            first_seen: Gather::new("gather.first_seen", patience, tasks, {
                let users = Arc::clone(&parts.users);
                move |new: Arc<[NewUser]>, ()| {
                    let users = Arc::clone(&users);
                    async move { users.ensure_users(new.to_vec()).await }
                }
            }),
            circles: Gather::new("gather.circles", patience, tasks, {
                move |users: Arc<[UserId]>, (max_members, limit)| {
                    let members = Arc::clone(&members);
                    async move { members.circles(&users, max_members, limit).await }
                }
            }),
            overviews: Gather::new("gather.overviews", patience, tasks, {
                let inbox = Arc::clone(&inbox);
                move |users: Arc<[UserId]>, limit| {
                    let inbox = Arc::clone(&inbox);
                    async move { inbox.overviews(&users, limit).await }
                }
            }),
            missed: Gather::new("gather.missed", patience, tasks, {
                move |questions: Arc<[Known]>, (max_gap, limit)| {
                    let inbox = Arc::clone(&inbox);
                    async move { inbox.missed(&questions, max_gap, limit).await }
                }
            }),
            parts,
        }
    }

    async fn ensure_users(&self, mut users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        match (users.pop(), users.is_empty()) {
            (Some(user), true) => Ok(vec![self.first_seen.ask(user, ()).await?]),
            (last, _) => {
                users.extend(last);
                self.parts.users.ensure_users(users).await
            }
        }
    }

    async fn circles(
        &self,
        users: &[UserId],
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Circle>, StoreError> {
        match users {
            [user] => Ok(vec![self.circles.ask(user.clone(), (max_members, limit)).await?]),
            _ => self.parts.members.circles(users, max_members, limit).await,
        }
    }

    async fn overviews(&self, users: &[UserId], limit: usize) -> Result<Vec<Overview>, StoreError> {
        match users {
            [user] => Ok(vec![self.overviews.ask(user.clone(), limit).await?]),
            _ => self.parts.inbox.overviews(users, limit).await,
        }
    }

    async fn missed(
        &self,
        questions: &[Known],
        max_gap: u64,
        limit: usize,
    ) -> Result<Vec<Vec<Missed>>, StoreError> {
        match questions {
            [known] => Ok(vec![self.missed.ask(known.clone(), (max_gap, limit)).await?]),
            _ => self.parts.inbox.missed(questions, max_gap, limit).await,
        }
    }
}

macro_rules! gather {
    ($this:ident . users . user ( $id:expr ), $kind:ident) => {
        $this.users.ask($id.clone(), ()).await
    };
    ($this:ident . users . ensure_users ( $users:expr ), $kind:ident) => {
        GatheredStore::ensure_users($this, $users).await
    };
    ($this:ident . members . circles ( $($argument:expr),* ), $kind:ident) => {
        GatheredStore::circles($this, $($argument),*).await
    };
    ($this:ident . inbox . overviews ( $($argument:expr),* ), $kind:ident) => {
        GatheredStore::overviews($this, $($argument),*).await
    };
    ($this:ident . inbox . missed ( $($argument:expr),* ), $kind:ident) => {
        GatheredStore::missed($this, $($argument),*).await
    };
    ($this:ident . $part:ident . $method:ident ( $($argument:expr),* ), $kind:ident) => {
        $this.parts.$part.$method($($argument),*).await
    };
}

forward_store!(GatheredStore, gather);
