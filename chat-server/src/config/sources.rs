use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::{ConfigError, Origin};
use super::key::{self, Key};
use super::tree::{Tree, leaves_of_file, snake_case};
use super::{Config, list};

/// Where to look for values that differ from the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file.
    pub file: Option<PathBuf>,
    /// The variables of the environment, other programs' among them.
    pub environment: Vec<(String, String)>,
    /// Keys and values of the command line.
    pub command_line: Vec<(String, String)>,
    /// Whether to begin with the defaults of development.
    pub dev: bool,
}

/// A configuration that was put together.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration, checked.
    pub config: Config,
    /// Variables that are named as if for the server, but set no key. Not an error, since another
    /// program may use the same prefix.
    pub unknown_variables: Vec<String>,
    /// Variables that other programs know, too, and that are empty, so that they set nothing. Not an
    /// error, since files of variables often name what they do not set; but worth telling, since
    /// whoever meant a value gets the default.
    pub empty_variables: Vec<String>,
}

impl Sources {
    /// Splits `key=value`, as `--set` takes it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Assignment`] without an equals sign.
    pub fn assignment(text: &str) -> Result<(String, String), ConfigError> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| ConfigError::Assignment(text.to_owned()))?;
        Ok((key.trim().to_owned(), value.to_owned()))
    }

    /// Puts the configuration together and checks it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first thing that is wrong.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let defaults = if self.dev { Config::development() } else { Config::default() };
        let mut layers = Layers::over(&defaults);
        if let Some(path) = &self.file {
            let origin = Origin::File(path.clone());
            for (key, value) in leaves_of_file(&read(path)?) {
                layers.set(&key, value.clone(), &origin)?;
            }
        }
        let (mut unknown_variables, mut empty_variables) = (Vec::new(), Vec::new());
        let (own, shared): (Vec<_>, Vec<_>) =
            self.environment.iter().partition(|(variable, _)| key::is_ours(variable));
        for (variable, text) in shared.into_iter().chain(own) {
            let origin = Origin::Environment(variable.clone());
            match layers.keys.iter().find(|key| key.is_set_by(variable)) {
                Some(_) if text.is_empty() && !key::is_ours(variable) => {
                    empty_variables.push(variable.clone());
                }
                Some(key) => layers.set_text(&key.name.clone(), text, &origin)?,
                None if key::is_ours(variable) => unknown_variables.push(variable.clone()),
                None => {}
            }
        }
        for (key, text) in &self.command_line {
            layers.set_text(key, text, &Origin::CommandLine)?;
        }
        let config = Config { dev: self.dev, ..layers.into_config()? };
        config.validate()?;
        Ok(Loaded { config, unknown_variables, empty_variables })
    }
}

struct Layers {
    keys: Vec<Key>,
    tree: Tree,
    origins: HashMap<String, Origin>,
}

impl Layers {
    fn over(defaults: &Config) -> Self {
        let tree = Tree::of(defaults).expect("a configuration is plain data");
        Self { keys: Key::all(), tree, origins: HashMap::new() }
    }

    fn set(&mut self, key: &str, value: Value, origin: &Origin) -> Result<(), ConfigError> {
        let place = self.place(key, origin)?;
        *place = match (&*place, value) {
            (Value::Array(_), Value::String(text)) => list::items(&text),
            (_, value) => value,
        };
        Ok(())
    }

    /// Sets a key to what a text means for it. An empty text leaves alone what has no default, so
    /// that a list of variables may name them all.
    fn set_text(&mut self, key: &str, text: &str, origin: &Origin) -> Result<(), ConfigError> {
        let wrong = |what: &str| ConfigError::Type {
            key: key.to_owned(),
            origin: origin.clone(),
            message: format!("{text:?} is not {what}"),
        };
        let place = self.place(key, origin)?;
        *place = match place {
            Value::Number(_) => {
                text.trim().parse::<u64>().map_err(|_| wrong("a whole number"))?.into()
            }
            Value::Bool(_) => {
                text.trim().parse::<bool>().map_err(|_| wrong("true or false"))?.into()
            }
            Value::Array(_) => list::items(text),
            Value::Null if text.is_empty() => Value::Null,
            _ => text.into(),
        };
        Ok(())
    }

    fn place(&mut self, key: &str, origin: &Origin) -> Result<&mut Value, ConfigError> {
        let place = self.tree.value_mut(key).ok_or_else(|| ConfigError::UnknownKey {
            key: key.to_owned(),
            origin: origin.clone(),
            suggestion: key::similar(key, &self.keys).map(|key| key.name.clone()),
        })?;
        self.origins.insert(key.to_owned(), origin.clone());
        Ok(place)
    }

    fn into_config(self) -> Result<Config, ConfigError> {
        let origins = self.origins;
        serde_path_to_error::deserialize(self.tree.into_value()).map_err(|error| {
            let key: Vec<String> = error.path().to_string().split('.').map(snake_case).collect();
            // A path into a list ends with the place of the item.
            let key = key.join(".");
            let name = key.split('[').next().unwrap_or_default();
            ConfigError::Type {
                origin: origins.get(name).cloned().unwrap_or(Origin::Default),
                message: match name {
                    "jwt.secret" => "a text is needed".into(),
                    "listen" => "an address and a port are needed, such as 127.0.0.1:8080".into(),
                    _ => error.inner().to_string(),
                },
                key,
            }
        })
    }
}

fn read(path: &Path) -> Result<Map<String, Value>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| text[..span.start].lines().count().max(1)),
        message: error.message().trim().replace('\n', ", "),
    })
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
