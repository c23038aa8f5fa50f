use std::fmt::Display;
use std::ops::RangeInclusive;

use chat_auth::HmacKey;
use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;

use super::{ClusterUrl, Config, ConfigError, DatabaseKind, DatabaseUrl};

impl Config {
    /// Checks that every value is one that the server can work with.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] for the first that is not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_addresses()?;
        self.validate_secret()?;
        self.validate_store()?;
        self.validate_cluster()?;
        self.validate_times()?;
        self.validate_sizes()
    }

    fn validate_addresses(&self) -> Result<(), ConfigError> {
        let path = &self.base_path;
        let segments = path.strip_prefix('/').unwrap_or_default();
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
                && segment.contains(|c: char| c != '.')
        };
        if !segments.split('/').all(is_segment) {
            let allowed = "a path such as /api/chat is needed, without a slash at its end";
            return Err(refused("base_path", format!("{path:?}"), allowed));
        }
        for origin in &self.origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let is_host =
                |host: &str| !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#']);
            if !host.map(|host| host.trim_end_matches('/')).is_some_and(is_host) {
                let allowed =
                    "an origin is written as browsers send it, such as https://example.org";
                return Err(refused("origins", format!("{origin:?}"), allowed));
            }
        }
        if self.data.as_os_str().is_empty() {
            return Err(refused("data", "empty", "the path of a folder is needed"));
        }
        if let Err(error) = EnvFilter::try_new(&self.log.filter) {
            let allowed = format!("a filter such as info,chat_ws=debug is needed: {error}");
            return Err(refused("log.filter", format!("{:?}", self.log.filter), allowed));
        }
        Ok(())
    }

    fn validate_secret(&self) -> Result<(), ConfigError> {
        let Some(secret) = &self.jwt.secret else { return Ok(()) };
        HmacKey::new(secret.expose_secret().as_bytes()).map(drop).map_err(|weak| {
            let value = format!("a text of {} bytes", weak.actual);
            let allowed = format!(
                "at least {} are needed; `openssl rand -base64 32` makes a good one",
                HmacKey::MIN_BYTES
            );
            refused("jwt.secret", value, allowed)
        })
    }

    fn validate_store(&self) -> Result<(), ConfigError> {
        let Some(replica) = &self.store.replica_url else { return Ok(()) };
        let is_postgres = |url: &DatabaseUrl| url.kind() == DatabaseKind::Postgres;
        if is_postgres(replica) && self.store.url.as_ref().is_some_and(is_postgres) {
            return Ok(());
        }
        let allowed = "only a Postgres database (store.url) has a replica, which is another one";
        Err(refused("store.replica_url", replica.to_string(), allowed))
    }

    fn validate_cluster(&self) -> Result<(), ConfigError> {
        let Some(broker) = self.cluster.broker() else { return Ok(()) };
        let refused = |allowed: &str| Err(refused("cluster.url", self.cluster.place(), allowed));
        if self.cluster.url.iter().map(ClusterUrl::broker).any(|other| other != broker) {
            return refused("all of its URLs must be of one broker: NATS or Redis");
        }
        if self.store.url.as_ref().map(DatabaseUrl::kind) != Some(DatabaseKind::Postgres) {
            return refused(
                "servers that are to be one share a Postgres database, while a SQLite file belongs \
                 to one server: set store.url (DATABASE_URL) to postgres://…, or take cluster.url \
                 away",
            );
        }
        if self.jwt.secret.is_none() {
            return refused(
                "jwt.secret is not set: each server would make a secret of its own, and refuse the \
                 tokens of the others. Give all of them the same; `openssl rand -base64 32` makes a \
                 good one",
            );
        }
        Ok(())
    }

    fn validate_times(&self) -> Result<(), ConfigError> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        let (limits, heartbeat, websocket) = (&self.limits, &self.heartbeat, &self.websocket);
        for (key, value, allowed) in [
            ("drain_seconds", self.drain_seconds, 0..=3_600),
            ("drain_delay_ms", self.drain_delay_ms, 0..=600_000),
            ("cluster.timeout_ms", self.cluster.timeout_ms, 100..=60_000),
            ("presence.grace_ms", self.presence.grace_ms, 0..=DAY_MS),
            ("presence.lease_ms", self.presence.lease_ms, 1_000..=DAY_MS),
            ("store.call_timeout_ms", self.store.call_timeout_ms, 10..=600_000),
            (
                "store.statement_timeout_ms",
                self.store.statement_timeout_ms,
                10..=self.store.call_timeout_ms,
            ),
            ("store.lock_timeout_ms", self.store.lock_timeout_ms, 10..=600_000),
            ("store.cache_staleness_ms", self.store.cache_staleness_ms, 1..=600_000),
            ("http.header_timeout_ms", self.http.header_timeout_ms, 10..=600_000),
            ("http.request_timeout_ms", self.http.request_timeout_ms, 10..=600_000),
            ("http.write_timeout_ms", self.http.write_timeout_ms, 10..=600_000),
            ("heartbeat.ping_interval_ms", heartbeat.ping_interval_ms, 100..=DAY_MS),
            ("heartbeat.pong_timeout_ms", heartbeat.pong_timeout_ms, 100..=DAY_MS),
            ("limits.typing_resend_ms", limits.typing_resend_ms, 100..=limits.typing_expiry_ms),
            ("limits.typing_expiry_ms", limits.typing_expiry_ms, 100..=600_000),
            (
                "websocket.authentication_timeout_ms",
                websocket.authentication_timeout_ms,
                100..=600_000,
            ),
            ("websocket.assembly_timeout_ms", websocket.assembly_timeout_ms, 100..=600_000),
            ("websocket.write_timeout_ms", websocket.write_timeout_ms, 100..=600_000),
        ] {
            within(key, value, &allowed)?;
        }
        within("store.cache_entries", self.store.cache_entries, &(1..=100_000_000))?;
        within("accounts.session_days", self.accounts.session_days, &(1..=3_650))
    }

    fn validate_sizes(&self) -> Result<(), ConfigError> {
        let (limits, connections, accounts) = (&self.limits, &self.connections, &self.accounts);
        const MIB: usize = 1024 * 1024;
        for (key, value, allowed) in [
            ("limits.text_characters", limits.text_characters, 1..=100_000),
            ("limits.frame_bytes", limits.frame_bytes, 1_024..=16 * MIB),
            ("limits.page", limits.page, 1..=limits.page_max),
            ("limits.page_max", limits.page_max, 1..=1_000),
            ("limits.sessions_per_user", limits.sessions_per_user, 1..=10_000),
            ("limits.memberships_per_user", limits.memberships_per_user, 1..=1_000_000),
            ("limits.receipt_members", limits.receipt_members, 0..=100_000),
            ("limits.presence_members", limits.presence_members, 0..=1_000_000),
            ("limits.operations_at_once", limits.operations_at_once, 1..=10_000),
            ("limits.resume_conversations", limits.resume_conversations, 1..=1_000_000),
            ("limits.resume_changes", limits.resume_changes, 1..=100_000),
            ("store.cache_warm", self.store.cache_warm, 0..=1_000_000),
            ("connections.total", connections.total, 1..=10_000_000),
            ("connections.per_address", connections.per_address, 1..=10_000_000),
            ("connections.unauthenticated", connections.unauthenticated, 1..=10_000_000),
            ("http.header_bytes", self.http.header_bytes, 8 * 1024..=MIB),
            ("http.body_bytes", self.http.body_bytes, 1_024..=16 * MIB),
            ("accounts.login_queue", accounts.login_queue, 0..=100_000),
        ] {
            within(key, value, &allowed)?;
        }
        for (key, value) in [
            ("store.max_connections", self.store.max_connections),
            ("store.breaker_failures", self.store.breaker_failures),
            ("limits.messages_per_second", limits.messages_per_second),
            ("limits.message_burst", limits.message_burst),
            ("limits.conversations_per_minute", limits.conversations_per_minute),
            ("limits.membership_changes_per_minute", limits.membership_changes_per_minute),
            ("limits.reads_per_second", limits.reads_per_second),
            ("limits.read_burst", limits.read_burst),
            ("limits.signals_per_second", limits.signals_per_second),
            ("limits.signal_burst", limits.signal_burst),
            ("limits.connects_per_minute", limits.connects_per_minute),
            ("http.requests_per_second", self.http.requests_per_second),
            ("http.request_burst", self.http.request_burst),
            ("websocket.fragments", self.websocket.fragments),
            ("websocket.frames_per_second", self.websocket.frames_per_second),
            ("websocket.frame_burst", self.websocket.frame_burst),
            ("accounts.login_failures", accounts.login_failures),
            ("accounts.logins_per_minute", accounts.logins_per_minute),
        ] {
            within(key, value, &(1..=1_000_000))?;
        }
        let resumed = limits.resume_conversations_per_minute;
        within("limits.resume_conversations_per_minute", resumed, &(1..=100_000_000))?;
        Ok(())
    }
}

fn within<T: Display + PartialOrd + Copy>(
    key: &'static str,
    value: T,
    allowed: &RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed = format!("{} to {} is allowed", allowed.start(), allowed.end());
    Err(refused(key, value.to_string(), allowed))
}

fn refused(key: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, value: value.into(), allowed: allowed.into() }
}
