use sqlx::error::DatabaseError;

use crate::failure::Remedy;

/// What can be done about an error of SQLite.
pub(crate) fn remedy(error: &(dyn DatabaseError + 'static)) -> Remedy {
    match primary_code(error) {
        Some(FULL) => Remedy::MakeRoom,
        Some(NOMEM | BUSY | LOCKED | INTERRUPT | IOERR | CANTOPEN | PROTOCOL) => Remedy::Wait,
        _ => Remedy::Repair,
    }
}

// Primary result codes (https://www.sqlite.org/rescode.html).
pub(super) const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
pub(super) const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const FULL: i32 = 13;
pub(super) const CORRUPT: i32 = 11;
pub(super) const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
pub(super) const NOTADB: i32 = 26;

/// The kind of an error of SQLite: the low byte of its extended code.
pub(super) fn primary_code(error: &(dyn DatabaseError + 'static)) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xFF)
}
