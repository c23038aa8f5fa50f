//! Every key of the configuration is documented with its real default, and nothing else is.

use std::collections::BTreeSet;

use chat_server::config::Key;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_documentation_names_every_key_with_its_default() {
    let documentation = read("docs/configuration.md");
    let documented: BTreeSet<(String, String)> = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| {
            let (key, rest) = line.split_once("` |")?;
            let default = rest.split('|').next()?.trim().trim_matches('`');
            Some((key.to_owned(), default.to_owned()))
        })
        .collect();
    let real: BTreeSet<(String, String)> =
        Key::all().into_iter().map(|key| (key.name, key.default)).collect();
    assert_eq!(documented, real);
}

#[test]
fn the_example_of_an_environment_names_every_variable_with_its_default() {
    let example = read(".env.example");
    let named: BTreeSet<String> = example
        .lines()
        .filter_map(|line| line.strip_prefix("#CHAT_"))
        .map(|line| format!("CHAT_{line}"))
        .filter(|line| line != "CHAT_CONFIG=")
        .collect();
    let real: BTreeSet<String> = Key::all()
        .into_iter()
        .map(|key| {
            let default = if key.default == "[]" { "" } else { key.default.trim_matches('"') };
            format!("{}={default}", key.variable())
        })
        .collect();
    assert_eq!(named, real);
}
