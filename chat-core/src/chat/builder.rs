use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::arrivals::Arrivals;
use super::pairs::Pairs;
use super::ready::Readiness;
use super::{Chat, Engine, keeper};
use crate::appender::Appender;
use crate::broker::Broker;
use crate::cache::{CacheConfig, CachedStore};
use crate::config::ChatConfig;
use crate::gather::GatheredStore;
use crate::limit::{Budgets, CountedLimit, Counting, Limit, SharedLimits, Turns};
use crate::memory::MemoryPresence;
use crate::presence::{Presence, PresenceStore};
use crate::router::{Router, causes};
use crate::store::{
    ConversationStore, CursorStore, InboxStore, LoginSessionStore, MemberStore, MessageStore,
    ProbeStore, Store, StoreParts, UserStore, VisitStore,
};
use crate::tasks::Tasks;
use crate::typing::TypingTable;
use crate::within::within;

/// Sets up an engine. Only the store is needed.
#[derive(Debug)]
pub struct ChatBuilder {
    config: ChatConfig,
    stores: StoreParts,
    broker: Option<Arc<dyn Broker>>,
    presence: Arc<dyn PresenceStore>,
    limits: Option<Arc<dyn SharedLimits>>,
    logins: Option<Arc<dyn LoginSessionStore>>,
    cache: Option<CacheConfig>,
}

macro_rules! aggregate {
    ($(#[$doc:meta])* $field:ident: $store:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, store: Arc<dyn $store>) -> Self {
            self.stores.$field = store;
            self
        }
    };
}

impl ChatBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            config: ChatConfig::default(),
            stores: store.into(),
            broker: None,
            presence: Arc::new(MemoryPresence::new()),
            limits: None,
            logins: None,
            cache: Some(CacheConfig::default()),
        }
    }

    /// How the engine behaves. Default: [`ChatConfig::default`].
    #[must_use]
    pub fn config(mut self, config: ChatConfig) -> Self {
        self.config = config;
        self
    }

    /// How the engine hears of other nodes that share its store. Default: it is alone.
    #[must_use]
    pub fn broker(mut self, broker: Arc<dyn Broker>) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Where nodes share who is online. Default: in this engine's memory, for a node that is alone.
    #[must_use]
    pub fn presence(mut self, presence: Arc<dyn PresenceStore>) -> Self {
        self.presence = presence;
        self
    }

    /// Where nodes count limits together. Default: each counts alone, as it does when this does not
    /// answer.
    #[must_use]
    pub fn limits(mut self, limits: Arc<dyn SharedLimits>) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Where logins are kept, so that a session ends whose login has ended without news of it: looked
    /// at soon after a session begins, and with every comparison with the store. Default: only
    /// [`Chat::end_logins`] ends sessions.
    #[must_use]
    pub fn logins(mut self, logins: Arc<dyn LoginSessionStore>) -> Self {
        self.logins = Some(logins);
        self
    }

    /// How much the [cache](crate::cache) over the store keeps, and for how long. Default:
    /// [`CacheConfig::default`].
    #[must_use]
    pub fn cache(mut self, config: CacheConfig) -> Self {
        self.cache = Some(config);
        self
    }

    /// Reads everything from the store itself, every time.
    #[must_use]
    pub fn uncached(mut self) -> Self {
        self.cache = None;
        self
    }

    aggregate!(
        /// Replaces the store's users, by a decorator or a mock.
        users: UserStore
    );
    aggregate!(
        /// Replaces the store's conversations, by a decorator or a mock.
        conversations: ConversationStore
    );
    aggregate!(
        /// Replaces the store's memberships, by a decorator or a mock.
        members: MemberStore
    );
    aggregate!(
        /// Replaces the store's messages, by a decorator or a mock.
        messages: MessageStore
    );
    aggregate!(
        /// Replaces the store's cursors, by a decorator or a mock.
        cursors: CursorStore
    );
    aggregate!(
        /// Replaces the store's lists of conversations, by a decorator or a mock.
        inbox: InboxStore
    );
    aggregate!(
        /// Replaces where it is kept who is on which node, by a decorator or a mock.
        visits: VisitStore
    );
    aggregate!(
        /// Replaces what is asked whether the store works, by a decorator or a mock.
        probe: ProbeStore
    );

    /// Starts the engine.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, since the engine starts its tasks.
    #[must_use]
    pub fn build(self) -> Chat {
        let config = Arc::new(self.config);
        let limits = config.limits;
        let tasks = Tasks::default();
        let gathered = GatheredStore::new(self.stores, config.call_timeout(), &tasks);
        let stores = StoreParts::from(Arc::new(gathered) as Arc<dyn Store>);
        let cache = self.cache.map(|cache| cached(&stores, cache, config.call_timeout(), &tasks));
        let shown = match &cache {
            Some(cache) => StoreParts::from(Arc::clone(cache) as Arc<dyn Store>),
            None => stores.clone(),
        };
        let broker = self.broker.clone();
        let shared = broker.is_some();
        let router = Router::new(
            stores.clone(),
            cache.as_ref().map(|cache| cache.news()).unwrap_or_default(),
            self.broker,
            tasks.clone(),
            Arc::clone(&config),
        );
        let appender = Appender::new(
            shown.messages.clone(),
            Arc::clone(&router),
            config.call_timeout(),
            tasks.clone(),
        );
        let presence = Arc::new(Presence::new(
            self.presence,
            StoreParts {
                users: shown.users.clone(),
                visits: shown.visits.clone(),
                ..stores.clone()
            },
            Arc::clone(&router),
            Arc::clone(&config),
            shared,
        ));
        let typing = Arc::new(Mutex::new(TypingTable::new(
            Duration::from_millis(limits.typing_resend_ms),
            Duration::from_millis(limits.typing_expiry_ms),
        )));
        keeper::start(&tasks, &config, &router, &presence, &typing, self.logins);
        let counting = Arc::new(Counting::new(self.limits));
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let engine = Engine {
            sends: CountedLimit::new(
                Limit::Sends,
                limits.messages_per_second,
                second,
                limits.message_burst,
                Arc::clone(&counting),
            ),
            openings: CountedLimit::new(
                Limit::Openings,
                limits.conversations_per_minute,
                minute,
                limits.conversations_per_minute,
                Arc::clone(&counting),
            ),
            counting,
            budgets: Budgets::new(&limits),
            turns: Turns::new(limits.operations_at_once),
            arrivals: Arrivals::default(),
            pairs: Pairs::new(),
            readiness: Readiness::new(stores.probe.clone(), broker),
            config,
            stores,
            shown,
            cache,
            router,
            appender,
            presence,
            typing,
            tasks,
            draining: AtomicBool::new(false),
        };
        Chat { engine: Arc::new(engine) }
    }
}

/// A cache over a store, which it begins to warm.
fn cached(
    stores: &StoreParts,
    config: CacheConfig,
    patience: Duration,
    tasks: &Tasks,
) -> Arc<CachedStore> {
    let cache = Arc::new(CachedStore::new(Arc::new(stores.clone()), config));
    let warming = Arc::clone(&cache);
    tasks.spawn_idle("cache.warm", async move {
        match within(patience, warming.warm()).await {
            Ok(conversations) => tracing::debug!(conversations, "the cache is warm"),
            Err(error) => tracing::debug!(error = %causes(&error), "the cache is not warmed"),
        }
    });
    cache
}
