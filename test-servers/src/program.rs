use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServerError;

/// Where servers are installed beside `PATH`, which often lacks them: they are not for users.
const PLACES: [&str; 6] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/bin",
    "/opt/homebrew/bin",
    "/usr/local/pgsql/bin",
];

/// Debian has the programs of each version of Postgres in a folder of its own.
const VERSIONS: [&str; 2] = ["/usr/lib/postgresql", "/opt/homebrew/opt"];

/// A program by its name.
pub(crate) fn find(program: &'static str, package: &'static str) -> Result<PathBuf, ServerError> {
    folders()
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or(ServerError::Missing { program, package })
}

/// The folder that has all of some programs, which must be of one version: the newest of those
/// with a folder for each version, or else one of the usual ones.
pub(crate) fn find_together(
    programs: &[&'static str],
    package: &'static str,
) -> Result<PathBuf, ServerError> {
    let complete = |folder: &PathBuf| programs.iter().all(|name| folder.join(name).is_file());
    let found = versions().into_iter().chain(folders()).find(complete);
    let missing = || {
        let lacks = |program: &&&'static str| find(program, package).is_err();
        let program = programs.iter().find(lacks).or(programs.first()).copied();
        ServerError::Missing { program: program.unwrap_or_default(), package }
    };
    found.ok_or_else(missing)
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    path.into_iter().chain(PLACES.map(PathBuf::from))
}

/// The folders of versions, the newest first.
fn versions() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = VERSIONS
        .iter()
        .filter_map(|place| Path::new(place).read_dir().ok())
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let name = folder.file_name()?.to_str()?;
            let number = name.trim_start_matches("postgresql@").parse().ok()?;
            Some((number, folder.join("bin")))
        })
        .collect();
    versions.sort_unstable();
    versions.into_iter().rev().map(|(_, folder)| folder).collect()
}

/// Runs a program to its end and returns what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String, ServerError> {
    let program = command.get_program().to_owned();
    let program = || Path::new(&program).file_name().map_or_else(String::new, text);
    let output = command.stdin(Stdio::null()).output().map_err(ServerError::io(program()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(ServerError::Failed {
        program: program(),
        said: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
