use std::sync::Arc;

use axum::extract::FromRef;
use chat_core::Chat;
use chat_core::auth::Accounts;

use crate::HttpConfig;

/// What every handler works with.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) chat: Chat,
    pub(crate) config: Arc<HttpConfig>,
}

/// What the handlers of accounts work with: they exist only where there are accounts.
#[derive(Debug, Clone)]
pub(crate) struct AccountsApi {
    pub(crate) api: Api,
    pub(crate) accounts: Arc<dyn Accounts>,
}

impl FromRef<Api> for Chat {
    fn from_ref(api: &Api) -> Self {
        api.chat.clone()
    }
}

impl FromRef<AccountsApi> for Api {
    fn from_ref(accounts: &AccountsApi) -> Self {
        accounts.api.clone()
    }
}
