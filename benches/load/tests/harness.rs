//! The harness works: every kind of work is done a little, and what came of it is written down. How
//! fast it was is not looked at.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::path::Path;
use std::process::Command;

fn chat_load(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chat-load")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_small_scenario_is_played_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small.toml");
    let said = chat_load(&["run", scenario, "--unpinned", "--rest-ms=20", "--folder", folder]);
    assert!(said.contains("cpu_per_delivery_ns: memory / raw told only"), "{said}");
    assert!(!said.contains("not measured") && !said.contains("MISSED"), "{said}");

    chat_load(&["report", "--folder", folder, "--docs", folder]);
    let page = std::fs::read_to_string(Path::new(folder).join("performance.md")).unwrap();
    assert!(page.contains("### small: a room"), "{page}");
    assert!(Path::new(folder).join("performance/small.svg").is_file());
}
