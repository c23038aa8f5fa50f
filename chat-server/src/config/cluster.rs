use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chat_cluster::{ClusterConfig, Namespace};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cluster_url::{BrokerKind, ClusterUrl};

/// Several servers as one (`[cluster]`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// Where the broker is that servers speak through: one URL, or those of several servers of one
    /// broker. Without one, this server is alone. `CLUSTER_URL` sets it, too.
    pub url: Vec<ClusterUrl>,
    /// What all names at the broker begin with. Default `chat`.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub namespace: Namespace,
    /// A file of certificates (PEM) that the broker's may be signed with. Default none: those that
    /// the web trusts.
    pub ca_file: Option<PathBuf>,
    /// How long connecting to the broker, or one exchange with it, may take. Default 5,000.
    pub timeout_ms: u64,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self { url: Vec::new(), namespace: Namespace::default(), ca_file: None, timeout_ms: 5_000 }
    }
}

impl ClusterSettings {
    /// The broker that is used; none when this server is alone.
    #[must_use]
    pub fn broker(&self) -> Option<BrokerKind> {
        self.url.first().map(ClusterUrl::broker)
    }

    /// Where it is: for people, and so without passwords.
    #[must_use]
    pub fn place(&self) -> String {
        let urls: Vec<String> = self.url.iter().map(ToString::to_string).collect();
        urls.join(", ")
    }

    /// The same for who connects.
    #[must_use]
    pub fn to_config(&self) -> ClusterConfig {
        ClusterConfig {
            namespace: self.namespace.clone(),
            ca_file: self.ca_file.clone(),
            timeout: Duration::from_millis(self.timeout_ms),
            ..ClusterConfig::new(self.url.iter().map(ClusterUrl::expose))
        }
    }
}

fn to_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Namespace, D::Error> {
    let text = String::deserialize(deserializer)?;
    Namespace::from_str(&text).map_err(serde::de::Error::custom)
}
