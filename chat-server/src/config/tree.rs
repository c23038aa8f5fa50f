use serde_json::{Map, Value};

/// A configuration as a tree of tables with a value at every leaf.
///
/// Keys are written with underscores where people meet them (`page_max`), and in camel case inside,
/// as in the records of the protocol, which some of the tables are.
#[derive(Debug, Clone)]
pub(super) struct Tree(Value);

impl Tree {
    /// The tree of a record.
    pub(super) fn of(record: &impl serde::Serialize) -> serde_json::Result<Self> {
        Ok(Self(serde_json::to_value(record)?))
    }

    /// Every key, written with underscores and dots, with its value.
    pub(super) fn leaves(&self) -> Vec<(String, &Value)> {
        let mut leaves = Vec::new();
        collect("", &self.0, &snake_case, &mut leaves);
        leaves
    }

    /// The value of a key; none when there is no such key.
    pub(super) fn value_mut(&mut self, key: &str) -> Option<&mut Value> {
        if key.contains(|c: char| c.is_ascii_uppercase()) {
            return None;
        }
        let mut value = &mut self.0;
        for part in key.split('.') {
            value = value.as_object_mut()?.get_mut(&camel_case(part))?;
        }
        (!value.is_object()).then_some(value)
    }

    pub(super) fn into_value(self) -> Value {
        self.0
    }
}

/// Every key of a file's tables, as it is written there, with its value.
pub(super) fn leaves_of_file(file: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut leaves = Vec::new();
    for (name, value) in file {
        collect(name, value, &str::to_owned, &mut leaves);
    }
    leaves
}

fn collect<'a>(
    prefix: &str,
    value: &'a Value,
    rename: &dyn Fn(&str) -> String,
    leaves: &mut Vec<(String, &'a Value)>,
) {
    let Some(table) = value.as_object() else {
        leaves.push((prefix.to_owned(), value));
        return;
    };
    for (name, value) in table {
        let name = rename(name);
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        collect(&key, value, rename, leaves);
    }
}

pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (first, rest) = part.split_at_checked(1).unwrap_or((part, ""));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_there_and_back() {
        for (snake, camel) in [("listen", "listen"), ("typing_expiry_ms", "typingExpiryMs")] {
            assert_eq!(camel_case(snake), camel);
            assert_eq!(snake_case(camel), snake);
        }
    }

    #[test]
    fn a_table_is_no_value() {
        let mut tree = Tree(serde_json::json!({"limits": {"pageMax": 1}}));
        assert_eq!(tree.value_mut("limits.page_max"), Some(&mut Value::from(1)));
        assert_eq!(tree.value_mut("limits.pageMax"), None, "a key has one name");
        assert_eq!(tree.value_mut("limits"), None);
        assert_eq!(tree.value_mut("limits.pages"), None);
        assert_eq!(tree.value_mut("limits.page_max.x"), None);
    }
}
