//! The harness works: every kind of work is done a little, and what came of it is written down. How
//! fast it was is not looked at.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;
use std::process::Command;

const CHAT_LOAD: &str = env!("CARGO_BIN_EXE_chat-load");
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

fn chat_load(arguments: &[&str]) -> String {
    let output = Command::new(CHAT_LOAD).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Plays a scenario of this folder, whose bars must be met.
fn play(scenario: &str, folder: &str) -> String {
    let settings = ["--unpinned", "--rest-ms=20", "--repeats=0", "--scenario-folder", FOLDER];
    let said = chat_load(&[&["run", scenario, "--folder", folder], settings.as_slice()].concat());
    assert!(!said.contains("not measured") && !said.contains("MISSED"), "{said}");
    said
}

#[test]
fn a_small_scenario_is_played_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let said = play("small", folder);
    assert!(said.contains("cpu_per_delivery_ns: memory / raw told only"), "{said}");

    chat_load(&["report", "--folder", folder, "--docs", folder]);
    let page = std::fs::read_to_string(Path::new(folder).join("performance.md")).unwrap();
    assert!(page.contains("### small: a room"), "{page}");
    assert!(Path::new(folder).join("performance/small.svg").is_file());
}

/// Where it was built, as it is with the whole workspace: another package's program cannot be asked
/// for.
#[test]
fn the_server_is_measured() {
    if Path::new(CHAT_LOAD).with_file_name("chat-server").is_file() {
        let folder = tempfile::tempdir().unwrap();
        play("server", folder.path().to_str().unwrap());
    }
}
