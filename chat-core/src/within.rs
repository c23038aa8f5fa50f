use std::future::Future;
use std::time::Duration;

use crate::error::ChatError;
use crate::store::StoreError;

/// Waits for a store, but not for ever.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, ChatError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ChatError::Timeout),
    }
}
