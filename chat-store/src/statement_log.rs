use std::time::Duration;

use log::LevelFilter;
use sqlx::ConnectOptions;

/// From when on a statement is called slow.
const SLOW: Duration = Duration::from_secs(1);

/// Leaves the driver's lines about statements, slow or not, to who looks for them with `debug`. Each
/// holds the whole statement with its line breaks, and a database in trouble makes many of them;
/// what went wrong for a caller is told by the call.
pub(crate) fn at_debug<O: ConnectOptions>(options: O) -> O {
    options.log_statements(LevelFilter::Debug).log_slow_statements(LevelFilter::Debug, SLOW)
}
