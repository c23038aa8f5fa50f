use super::Config;
use super::tree::Tree;

/// One thing that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name in files and on the command line, such as `limits.page_max`.
    pub name: String,
    /// Its default, as it is written in a file; empty when there is none.
    pub default: String,
}

/// Names of variables that other programs know, too, with the keys that they set. A variable of the
/// server's own is stronger.
const SHARED: &[(&str, &str)] = &[("DATABASE_URL", "store.url"), ("CLUSTER_URL", "cluster.url")];

/// What the names of variables begin with.
const PREFIX: &str = "CHAT_";

impl Key {
    /// Every key, in alphabetical order.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let defaults = Tree::of(&Config::default());
        let defaults = defaults.expect("a configuration is plain data");
        let mut keys: Vec<Self> = defaults
            .leaves()
            .into_iter()
            .map(|(name, default)| Self {
                name,
                default: if default.is_null() { String::new() } else { default.to_string() },
            })
            .collect();
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        keys
    }

    /// The name of the variable that sets it, such as `CHAT_LIMITS__PAGE_MAX`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "__").to_uppercase())
    }

    /// Whether a variable sets this key. One underscore between the parts is as good as two.
    pub(super) fn is_set_by(&self, variable: &str) -> bool {
        variable == self.variable()
            || variable == format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
            || SHARED.contains(&(variable, &self.name))
    }
}

/// Whether a variable is meant for the server.
pub(super) fn is_ours(variable: &str) -> bool {
    variable.starts_with(PREFIX)
}

/// The key that looks most like a name that is none.
pub(super) fn similar<'a>(name: &str, keys: &'a [Key]) -> Option<&'a Key> {
    let distance = |key: &&Key| edit_distance(name, &key.name);
    keys.iter().min_by_key(distance).filter(|key| distance(key) <= 3)
}

/// The fewest characters to insert, delete or replace (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_share_a_variable() {
        let keys = Key::all();
        for key in &keys {
            let setters = keys.iter().filter(|other| other.is_set_by(&key.variable())).count();
            let plain = key.variable().replace("__", "_");
            let plain_setters = keys.iter().filter(|other| other.is_set_by(&plain)).count();
            assert_eq!((setters, plain_setters), (1, 1), "{}", key.name);
        }
    }

    #[test]
    fn typing_errors_are_recognised() {
        let keys = Key::all();
        assert_eq!(similar("limit.page", &keys).unwrap().name, "limits.page");
        assert_eq!(similar("entirely_else", &keys), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
