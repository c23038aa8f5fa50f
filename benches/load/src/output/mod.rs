//! What came of a scenario: as a table, and as a record with every round.

mod machine;
mod record;
mod report;
mod svg;
mod table;

pub(crate) use machine::Machine;
pub(crate) use record::{CaseRecord, Record};
pub(crate) use report::write_report;
pub(crate) use table::table;
