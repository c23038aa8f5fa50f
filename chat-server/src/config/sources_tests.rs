use std::io::Write;

use chat_core::PresenceScope;
use secrecy::ExposeSecret;

use super::*;
use crate::config::LogFormat;

const SECRET: &str = "canary-canary-canary-canary-canary";

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn sources(text: &str) -> (Sources, tempfile::NamedTempFile) {
    let file = file(text);
    (Sources { file: Some(file.path().to_owned()), ..Sources::default() }, file)
}

fn refusal(sources: &Sources) -> String {
    sources.load().unwrap_err().to_string()
}

#[test]
fn each_source_is_stronger_than_the_one_before() {
    let (mut sources, _file) = sources(
        "listen = \"127.0.0.1:1\"\n[limits]\npage = 10\ntext_characters = 500\nframe_bytes = 9000\n",
    );
    let default = Config::default();
    let config = sources.load().unwrap().config;
    assert_eq!(config.limits.page, 10);
    assert_eq!(config.limits.page_max, default.limits.page_max, "the rest of the table is kept");

    sources.environment = variables(&[
        ("CHAT_LIMITS__PAGE", "20"),
        ("CHAT_LIMITS__FRAME_BYTES", "8000"),
        ("CHAT_LISTEN", "127.0.0.1:2"),
        ("PATH", "/bin"),
    ]);
    sources.command_line = variables(&[("listen", "127.0.0.1:3"), ("limits.page", "30")]);
    let config = sources.load().unwrap().config;
    assert_eq!(config.limits.page, 30);
    assert_eq!(config.limits.frame_bytes, 8_000);
    assert_eq!(config.limits.text_characters, 500);
    assert_eq!(config.listen.port(), 3);
}

#[test]
fn the_environment_sets_values_of_every_kind() {
    let config = Sources {
        environment: variables(&[
            ("CHAT_JWT_SECRET", SECRET),
            ("CHAT_JWT__ISSUER", "https://host.test"),
            ("CHAT_ORIGINS", "https://a.test, http://localhost:3000,"),
            ("CHAT_ALLOW_QUERY_TOKEN", "true"),
            ("CHAT_PRESENCE__SCOPE", "everyone"),
            ("CHAT_LOG__FORMAT", "json"),
            ("CHAT_JWT__AUDIENCE", ""),
            ("CHAT_DATA", "/srv/chat"),
        ]),
        ..Sources::default()
    };
    let config = config.load().unwrap().config;
    assert_eq!(config.jwt.secret.unwrap().expose_secret(), SECRET);
    assert_eq!(config.jwt.issuer.unwrap(), "https://host.test");
    assert_eq!(config.jwt.audience, None);
    assert_eq!(config.origins, ["https://a.test", "http://localhost:3000"]);
    assert!(config.allow_query_token);
    assert_eq!(config.presence.scope, PresenceScope::Everyone);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.data, PathBuf::from("/srv/chat"));
}

#[test]
fn a_secret_of_digits_stays_what_it_is() {
    let digits = "12345678901234567890123456789012";
    let sources =
        Sources { environment: variables(&[("CHAT_JWT_SECRET", digits)]), ..Sources::default() };
    assert_eq!(sources.load().unwrap().config.jwt.secret.unwrap().expose_secret(), digits);
}

#[test]
fn unknown_keys_are_refused_with_a_hint() {
    let (sources, _file) = sources("[limits]\npages = 10\n");
    let refusal = refusal(&sources);
    assert!(refusal.contains("\"limits.pages\""), "{refusal}");
    assert!(refusal.contains("did you mean limits.page?"), "{refusal}");
    for key in ["limits", "limits.pageMax", "limits.page.max", "dev", "nonsense"] {
        let sources = Sources { command_line: variables(&[(key, "1")]), ..Sources::default() };
        assert!(matches!(sources.load(), Err(ConfigError::UnknownKey { .. })), "{key}");
    }
}

#[test]
fn unknown_variables_are_told_but_not_refused() {
    let environment = variables(&[("CHAT_LIMTS__PAGE", "1"), ("OTHER", "1")]);
    let loaded = Sources { environment, ..Sources::default() }.load().unwrap();
    assert_eq!(loaded.unknown_variables, ["CHAT_LIMTS__PAGE"]);
}

#[test]
fn refusals_name_the_key_the_value_and_what_is_allowed() {
    for (key, value, parts) in [
        ("limits.page", "0", vec!["limits.page is 0", "1 to 100"]),
        ("limits.page", "-1", vec!["limits.page", "\"-1\" is not a whole number"]),
        ("limits.page_max", "5000", vec!["limits.page_max is 5000", "1 to 1000"]),
        ("listen", "localhost", vec!["listen", "the command line", "127.0.0.1:8080"]),
        ("base_path", "/api/", vec!["base_path is \"/api/\"", "/api/chat"]),
        ("base_path", "api", vec!["base_path"]),
        ("base_path", "/", vec!["base_path"]),
        ("base_path", "/../x", vec!["base_path"]),
        ("base_path", "/{a}", vec!["base_path"]),
        ("origins", "*", vec!["origins is \"*\"", "https://example.org"]),
        ("origins", "https://a.test/path", vec!["origins"]),
        ("cookie.secure", "yes", vec!["cookie.secure", "true or false"]),
        ("presence.scope", "all", vec!["presence.scope", "everyone"]),
        ("log.filter", "chat=loud", vec!["log.filter", "info,chat_ws=debug"]),
        ("log.format", "xml", vec!["log.format", "json"]),
        ("http.header_bytes", "100", vec!["http.header_bytes is 100", "8192 to 1048576"]),
        ("drain_seconds", "100000", vec!["drain_seconds is 100000"]),
    ] {
        let sources = Sources { command_line: variables(&[(key, value)]), ..Sources::default() };
        let refusal = refusal(&sources);
        for part in parts {
            assert!(refusal.contains(part), "{key}={value}: {refusal}");
        }
    }
}

#[test]
fn no_refusal_shows_the_secret() {
    let weak = "canary";
    let sources_of = |text: &str| sources(text);
    for text in [
        format!("jwt.secret = \"{weak}\""),
        format!("jwt.secret = [\"{weak}\"]"),
        format!("jwt.secret = \"{weak}"),
        format!("jwt.secret = {weak}"),
        format!("[jwt]\nsecret = '''{weak}"),
    ] {
        let (sources, _file) = sources_of(&text);
        let error = sources.load().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{text}: {shown}");
    }
    let (sources, _file) = sources_of("jwt.secret = 918273645546372819");
    assert!(!refusal(&sources).contains("918273645546372819"));
}

#[test]
fn what_is_printed_can_be_read_again_and_hides_the_secret() {
    let environment = variables(&[("CHAT_JWT_SECRET", SECRET), ("CHAT_ORIGINS", "https://a.test")]);
    let config = Sources { environment, ..Sources::default() }.load().unwrap().config;
    let printed = config.to_toml();
    assert!(!printed.contains(SECRET) && !format!("{config:?}").contains(SECRET), "{printed}");
    assert!(printed.contains("jwt.secret = \"[redacted]\""), "{printed}");
    let (sources, _file) = sources(&printed.replace("jwt.secret", "# jwt.secret"));
    assert_eq!(sources.load().unwrap().config.origins, ["https://a.test"]);
}

#[test]
fn a_missing_or_broken_file_is_told() {
    let sources = Sources { file: Some("/does/not/exist.toml".into()), ..Sources::default() };
    assert!(refusal(&sources).contains("/does/not/exist.toml"));
    let (sources, _file) = self::sources("listen = \"127.0.0.1:1\"\n\nlimits = {\n");
    assert!(
        matches!(sources.load(), Err(ConfigError::Syntax { line: 3.., .. })),
        "{}",
        refusal(&sources)
    );
}

#[test]
fn development_has_defaults_of_its_own() {
    let config = Sources { dev: true, ..Sources::default() }.load().unwrap().config;
    assert!(config.dev && !config.cookie.secure);
    let config = Sources::default().load().unwrap().config;
    assert!(!config.dev && config.cookie.secure);
}

#[test]
fn a_database_is_named_by_the_variable_that_everybody_knows() {
    let load = |environment: &[(&str, &str)]| {
        let sources = Sources { environment: variables(environment), ..Sources::default() };
        sources.load().map(|loaded| loaded.config.store.url.unwrap().to_string())
    };
    let shared = ("DATABASE_URL", "postgres://chat:s3cret@db/chat");
    assert_eq!(load(&[shared]).unwrap(), "postgres://chat:[redacted]@db/chat");
    for own in ["CHAT_STORE__URL", "CHAT_STORE_URL"] {
        let own = (own, "sqlite://chat.db");
        assert_eq!(load(&[shared, own]).unwrap(), "sqlite://chat.db");
        assert_eq!(load(&[own, shared]).unwrap(), "sqlite://chat.db", "in whatever order");
    }
    let refused = load(&[("DATABASE_URL", "postgres://chat:s3cret@db:port/chat")]).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("DATABASE_URL") && refused.contains("port"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
    let refused = load(&[("DATABASE_URL", "mysql://chat:s3cret@db/chat")]).unwrap_err().to_string();
    assert!(
        refused.contains("postgres:// or sqlite://") && !refused.contains("s3cret"),
        "{refused}"
    );
}

#[test]
fn an_empty_variable_of_others_sets_nothing_and_is_told() {
    let (mut sources, _file) = sources("store.url = \"postgres://db/chat\"");
    sources.environment = variables(&[("DATABASE_URL", "")]);
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.config.store.url.unwrap().to_string(), "postgres://db/chat");
    assert_eq!(loaded.empty_variables, ["DATABASE_URL"]);
    sources.environment = variables(&[("CHAT_JWT__SECRET", "")]);
    assert!(sources.load().unwrap().empty_variables.is_empty());
}

#[test]
fn only_a_postgres_database_has_a_replica() {
    let load = |url: &str| {
        let pairs = [("store.url", url), ("store.replica_url", "postgres://chat:s3cret@b/chat")];
        let sources = Sources { command_line: variables(&pairs), ..Sources::default() };
        sources.load().map(drop)
    };
    load("postgres://a/chat").unwrap();
    let refused = load("sqlite://chat.db").unwrap_err().to_string();
    assert!(refused.starts_with("store.replica_url is postgres://chat:[redacted]@b"), "{refused}");
}

/// What the configuration of a server among several needs, besides its broker.
const SHARED: [(&str, &str); 2] =
    [("store.url", "postgres://chat:s3cret@db/chat"), ("jwt.secret", SECRET)];

fn of_cluster(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let command_line = variables(&[&SHARED, pairs].concat());
    Sources { command_line, ..Sources::default() }.load().map(|loaded| loaded.config)
}

#[test]
fn a_broker_is_named_by_one_url_or_several_from_every_source() {
    let two = ["nats://chat:s3cret@a:4222", "nats://chat:s3cret@b:4222"];
    let shown = "nats://chat:[redacted]@a:4222, nats://chat:[redacted]@b:4222";
    let both = two.join(",");
    let load = |file: &str, environment: &[(&str, &str)]| {
        let (mut sources, _file) = sources(file);
        sources.environment = variables(environment);
        sources.command_line = variables(&SHARED);
        let loaded = sources.load().unwrap();
        (loaded.config.cluster.place(), loaded.empty_variables)
    };
    for variable in ["CLUSTER_URL", "CHAT_CLUSTER__URL", "CHAT_CLUSTER_URL"] {
        assert_eq!(load("", &[(variable, &both)]).0, shown, "{variable}");
    }
    assert_eq!(load(&format!("[cluster]\nurl = {two:?}"), &[]).0, shown);
    assert_eq!(load(&format!("cluster.url = {both:?}"), &[]).0, shown);
    let one = load("cluster.url = 'redis://a'", &[("CLUSTER_URL", "")]);
    assert_eq!(one, ("redis://a".to_owned(), vec!["CLUSTER_URL".to_owned()]));
    let own = [("CHAT_CLUSTER__URL", "redis://own"), ("CLUSTER_URL", "redis://shared")];
    assert_eq!(load("", &own).0, "redis://own");
}

#[test]
fn what_cannot_be_a_cluster_is_refused_with_what_to_do() {
    for (pairs, parts) in [
        (&[("cluster.url", "amqp://chat:s3cret@a")][..], &["cluster.url[0]", "nats://"][..]),
        (&[("cluster.url", "nats://a,s3cret@b")], &["cluster.url[1]", "%2C"]),
        (&[("cluster.url", "nats://chat:s3/cret@a")], &["cluster.url", "%2F"]),
        (
            &[("cluster.url", "nats://chat:s3cret@a,redis://b")],
            &["nats://chat:[redacted]@a, redis://b", "of one broker"],
        ),
        (
            &[("cluster.url", "nats://chat:s3cret@a"), ("store.url", "sqlite://chat.db")],
            &["nats://chat:[redacted]@a", "share a Postgres database", "store.url"],
        ),
        (
            &[("cluster.url", "nats://a"), ("cluster.namespace", "Chat.1")],
            &["cluster.namespace", "the command line", "a-z"],
        ),
        (
            &[("cluster.url", "nats://a"), ("cluster.timeout_ms", "1")],
            &["cluster.timeout_ms is 1", "100 to 60000"],
        ),
    ] {
        let error = of_cluster(pairs).unwrap_err();
        let refusal = error.to_string();
        for part in parts {
            assert!(refusal.contains(part), "{pairs:?}: {refusal}");
        }
        assert!(!format!("{refusal}{error:?}").contains("cret"), "{refusal}");
    }
}

#[test]
fn servers_of_a_cluster_need_one_secret_and_one_database() {
    let load = |pairs: &[(&str, &str)], dev| {
        let command_line = variables(&[&[("cluster.url", "nats://a")], pairs].concat());
        let sources = Sources { command_line, dev, ..Sources::default() };
        sources.load().map(drop).map_err(|error| error.to_string())
    };
    for dev in [false, true] {
        load(&SHARED, dev).unwrap();
        let refused = load(&SHARED[..1], dev).unwrap_err();
        assert!(refused.contains("jwt.secret is not set"), "{refused}");
        let refused = load(&SHARED[1..], dev).unwrap_err();
        assert!(refused.contains("share a Postgres database"), "{refused}");
    }
}

#[test]
fn a_password_of_the_broker_is_not_printed() {
    let config = of_cluster(&[("cluster.url", "nats://chat:s3cret@a,nats://t0ken@b")]).unwrap();
    let shown = format!("{}{config:?}", config.to_toml());
    assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    let line = "cluster.url = [\"nats://chat:[redacted]@a\",\"nats://[redacted]@b\"]";
    assert!(shown.contains(line), "{shown}");
    assert_eq!(config.cluster.to_config().urls, ["nats://chat:s3cret@a", "nats://t0ken@b"]);
}
