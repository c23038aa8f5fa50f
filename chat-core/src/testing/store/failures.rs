use std::fmt;
use std::ops::Deref;
use std::panic;
use std::sync::{Arc, Mutex, Once};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use tokio_util::task::AbortOnDropHandle;

use super::bounded;
use crate::sharded::lock;
use crate::store::Store;

/// How many cases run at once, each with a store of its own.
const AT_ONCE: usize = 4;

/// A case that a store does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name of the case.
    pub case: &'static str,
    /// How it failed: where in the case, and what was seen there.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.reason)
    }
}

/// Runs every case of [`store_conformance!`](super::store_conformance) and returns those that
/// fail, in the order of the list; none of a store that keeps its promises.
///
/// This is for tests of the suite, and for programs that check a store where no test harness is.
/// The maker is called once a case. Each case runs in a task of its own for at most two minutes,
/// a few of them at once, and its panic is returned instead of being shown.
///
/// ```
/// use std::sync::Arc;
///
/// use chat_core::MemoryStore;
/// use chat_core::testing::store::failures;
///
/// # #[tokio::main]
/// # async fn main() {
/// assert_eq!(failures(async || Arc::new(MemoryStore::new())).await, []);
/// # }
/// ```
pub async fn failures<M>(maker: impl AsyncFn() -> M) -> Vec<Failure>
where
    M: Deref<Target: Store + Sized> + Send + Sync + 'static,
{
    keep_reported_panics();
    let runs = CASES.iter().map(|case| {
        let maker = &maker;
        async move { failure(case, maker().await).await }
    });
    stream::iter(runs).buffered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// A case as a value.
struct Case {
    name: &'static str,
    run: for<'a> fn(&'a dyn Store) -> BoxFuture<'a, ()>,
}

#[doc(hidden)]
#[macro_export]
macro_rules! __slice_of_cases {
    (; $($module:ident { $($case:ident)+ })+) => {
        &[$($(Case {
            name: stringify!($case),
            run: |store| Box::pin(super::$module::$case(store)),
        }),+),+]
    };
}

/// All of them.
static CASES: &[Case] = crate::__store_cases! { __slice_of_cases! };

/// Runs one case in a task.
async fn failure<M>(case: &'static Case, store: M) -> Option<Failure>
where
    M: Deref<Target: Store + Sized> + Send + Sync + 'static,
{
    let report = Arc::new(Mutex::new(String::new()));
    let run = async move { bounded((case.run)(&*store)).await };
    let task = tokio::spawn(REPORT.scope(Arc::clone(&report), run));
    AbortOnDropHandle::new(task).await.err()?;
    let reason = std::mem::take(&mut *lock(&report));
    Some(Failure { case: case.name, reason })
}

tokio::task_local! {
    /// Where a panic of the running task is told.
    static REPORT: Arc<Mutex<String>>;
}

/// Has panics of tasks that have a [`REPORT`] told there, and all others as before.
fn keep_reported_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let told = REPORT.try_with(|report| *lock(report) = panic.to_string());
            if told.is_err() {
                before(panic);
            }
        }));
    });
}
