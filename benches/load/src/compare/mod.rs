//! Comparisons whose sides take turns, and the only way to a ratio.
//!
//! What else a machine does changes from minute to minute, so two figures that were taken one after
//! the other tell nothing about each other. A [`Ratio`] has no constructor but
//! [`Interleaved::ratio`], and an [`Interleaved`] comes only from [`Comparison::run`], or from a
//! record of one that is checked turn by turn.

mod bar;
mod figures;
mod interleaved;
mod quiet;
mod ratio;

pub(crate) use bar::Bar;
pub(crate) use figures::Figures;
pub(crate) use interleaved::{Comparison, Interleaved};
pub(crate) use quiet::QUIET;
pub(crate) use ratio::{Ratio, Spread};
