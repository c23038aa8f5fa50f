//! Compares what was counted with what is committed: `chat-instructions check BASELINE` or
//! `chat-instructions accept BASELINE`, with gungraun's summaries, one in a line, as input.

mod baseline;
mod comparison;
mod counts;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use comparison::Comparison;

/// Instructions by the name of what was counted.
type Counts = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check", path] => check(Path::new(path)),
        ["accept", path] => accept(Path::new(path)),
        _ => Err("usage: chat-instructions check|accept BASELINE < SUMMARIES".into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("instructions: {error}");
        ExitCode::FAILURE
    })
}

fn check(path: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let committed = baseline::read(&std::fs::read_to_string(path)?)?;
    let comparison = Comparison::of(&committed, &counts::read(std::io::stdin().lock())?);
    print!("{comparison}");
    Ok(if comparison.is_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn accept(path: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let counted = counts::read(std::io::stdin().lock())?;
    std::fs::write(path, baseline::write(&counted))?;
    println!("instructions: {} counts are the baseline now", counted.len());
    Ok(ExitCode::SUCCESS)
}
