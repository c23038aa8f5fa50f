use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::quiet::{QUIET, Watch};
use super::{Figures, Ratio, Spread};
use crate::Failure;

type Turns<'c> = Box<dyn FnMut() -> Result<Figures, Failure> + 'c>;

/// Several sides that are measured in turns.
pub(crate) struct Comparison<'c> {
    sides: Vec<(String, Turns<'c>)>,
}

/// What came of a comparison: rounds in which every side had its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Record")]
pub(crate) struct Interleaved {
    sides: Vec<String>,
    rounds: Vec<Vec<Turn>>,
    /// Rounds that were not quiet and were done again.
    repeated: Vec<Vec<Turn>>,
}

/// What a file says of one; it may say anything.
#[derive(Deserialize)]
struct Record {
    sides: Vec<String>,
    rounds: Vec<Vec<Turn>>,
    #[serde(default)]
    repeated: Vec<Vec<Turn>>,
}

/// A side's turn in a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Turn {
    side: usize,
    /// Seconds since the comparison began.
    began: f64,
    ended: f64,
    /// The share of the machine that others used meanwhile.
    others: f64,
    figures: Figures,
}

impl<'c> Comparison<'c> {
    pub(crate) fn new() -> Self {
        Self { sides: Vec::new() }
    }

    /// Adds a side: what it does in its turn.
    pub(crate) fn side(&mut self, name: &str, turn: impl FnMut() -> Result<Figures, Failure> + 'c) {
        self.sides.push((name.to_owned(), Box::new(turn)));
    }

    /// Goes through so many rounds, after one that does not count. Each round begins with another
    /// side. A round in which others used much of the machine is done again at once, at most so many
    /// times in all; a last one is kept as it is.
    pub(crate) fn run(mut self, rounds: usize, repeats: usize) -> Result<Interleaved, Failure> {
        let clock = Instant::now();
        let (mut counted, mut repeated) = (Vec::with_capacity(rounds), Vec::new());
        self.round(0, clock)?;
        while counted.len() < rounds {
            let number = counted.len() + 1;
            let turns = self.round(number, clock)?;
            let others = turns.iter().map(|turn| turn.others).fold(0.0, f64::max);
            if others > QUIET && repeated.len() < repeats {
                let percent = others * 100.0;
                println!("round {number} is done again: others used {percent:.1} % of the machine");
                repeated.push(turns);
            } else {
                counted.push(turns);
            }
        }
        let sides = self.sides.into_iter().map(|(name, _)| name).collect();
        Record { sides, rounds: counted, repeated }.try_into()
    }

    /// Each side's turn.
    fn round(&mut self, number: usize, clock: Instant) -> Result<Vec<Turn>, Failure> {
        let count = self.sides.len();
        let mut turns = Vec::with_capacity(count);
        for turn in 0..count {
            let side = (number + turn) % count;
            let (name, measure) = &mut self.sides[side];
            let watch = Watch::begin()?;
            let began = clock.elapsed().as_secs_f64();
            let figures = measure().map_err(|error| format!("{name}: {error}"))?;
            let ended = clock.elapsed().as_secs_f64();
            turns.push(Turn { side, began, ended, others: watch.end()?, figures });
        }
        Ok(turns)
    }
}

impl TryFrom<Record> for Interleaved {
    type Error = Failure;

    /// Looks at every turn: each side has one in each round, none overlaps another, and the rounds
    /// begin with different sides.
    fn try_from(Record { sides, rounds, repeated }: Record) -> Result<Self, Failure> {
        let mut clock = f64::NEG_INFINITY;
        let mut first = None;
        for turns in &rounds {
            let mut order: Vec<usize> = turns.iter().map(|turn| turn.side).collect();
            if sides.len() > 1 && order.first() == first.as_ref() {
                return Err("two rounds begin with the same side".into());
            }
            first = order.first().copied();
            order.sort_unstable();
            if !order.iter().copied().eq(0..sides.len()) {
                return Err("a round lacks a side".into());
            }
            for turn in turns {
                if !(clock <= turn.began && turn.began <= turn.ended) {
                    return Err("two turns overlap".into());
                }
                clock = turn.ended;
            }
        }
        Ok(Self { sides, rounds, repeated })
    }
}

impl Interleaved {
    /// The names of the sides.
    pub(crate) fn sides(&self) -> &[String] {
        &self.sides
    }

    /// How many rounds were counted.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// In how many of them others used much of the machine.
    pub(crate) fn disturbed(&self) -> usize {
        let others = |turns: &&Vec<Turn>| turns.iter().any(|turn| turn.others > QUIET);
        self.rounds.iter().filter(others).count()
    }

    /// How many more were not quiet and were done again.
    pub(crate) fn repeated(&self) -> usize {
        self.repeated.len()
    }

    /// The figures of one side, round by round.
    pub(crate) fn figures(&self, side: &str) -> Vec<&Figures> {
        let turns = self.rounds.iter().flatten();
        turns.filter(|turn| self.sides[turn.side] == side).map(|turn| &turn.figures).collect()
    }

    /// One figure of one side over the rounds; none when a round lacks it.
    pub(crate) fn spread(&self, side: &str, metric: &str) -> Option<Spread> {
        Spread::of(self.values(&[side.to_owned()], metric)?)
    }

    /// How the sum of some sides relates to the sum of others, each round by itself.
    pub(crate) fn ratio(&self, metric: &str, of: &[String], over: &[String]) -> Option<Ratio> {
        let (of, over) = (self.values(of, metric)?, self.values(over, metric)?);
        Ratio::of(of.into_iter().zip(over).map(|(of, over)| of / over))
    }

    /// The greatest share of the machine that others used during a turn, and the median.
    pub(crate) fn others(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().flatten().map(|turn| turn.others))
    }

    /// For each round the sum of a figure over some sides.
    fn values(&self, sides: &[String], metric: &str) -> Option<Vec<f64>> {
        let mut sums = vec![0.0; self.rounds.len()];
        for side in sides {
            let figures = self.figures(side);
            if figures.len() != sums.len() {
                return None;
            }
            for (sum, figures) in sums.iter_mut().zip(figures) {
                *sum += figures.values.get(metric)?;
            }
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn sides_take_turns_and_the_first_round_does_not_count() {
        let order = RefCell::new(String::new());
        let mut comparison = Comparison::new();
        for (name, value) in [("a", 3.0), ("b", 2.0), ("c", 1.0)] {
            let order = &order;
            comparison.side(name, move || {
                order.borrow_mut().push_str(name);
                Ok(Figures::default().with("n", value))
            });
        }
        let outcome = comparison.run(3, 0).unwrap();
        assert_eq!(order.into_inner(), "abcbcacababc");
        assert_eq!(outcome.rounds(), 3);
        let ratio = outcome.ratio("n", &names(&["a"]), &names(&["b", "c"])).unwrap();
        assert_eq!(ratio.spread().median, 1.0);
        assert_eq!(outcome.ratio("m", &names(&["a"]), &names(&["b"])), None);
        assert_eq!(outcome.ratio("n", &names(&["a"]), &names(&["d"])), None);
    }

    fn turn(side: usize, began: f64, ended: f64) -> Turn {
        Turn { side, began, ended, others: 0.0, figures: Figures::default().with("n", 1.0) }
    }

    fn check(rounds: Vec<Vec<Turn>>) -> Result<Interleaved, Failure> {
        Record { sides: names(&["a", "b"]), rounds, repeated: Vec::new() }.try_into()
    }

    #[test]
    fn a_record_of_sides_that_were_not_interleaved_is_refused() {
        let one = || vec![turn(0, 0.0, 1.0), turn(1, 1.0, 2.0)];
        assert!(check(vec![one(), vec![turn(1, 2.0, 3.0), turn(0, 3.0, 4.0)]]).is_ok());
        assert!(check(vec![one(), vec![turn(0, 2.0, 3.0), turn(1, 3.0, 4.0)]]).is_err());
        assert!(check(vec![vec![turn(0, 0.0, 1.0)], vec![turn(1, 1.0, 2.0)]]).is_err());
        assert!(check(vec![vec![turn(0, 0.0, 1.0), turn(1, 0.5, 2.0)]]).is_err());
        assert!(check(vec![one(), vec![turn(1, 1.5, 3.0), turn(0, 3.0, 4.0)]]).is_err());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let outcome = check(vec![vec![turn(0, 0.0, 1.0), turn(1, 1.0, 2.0)]]).unwrap();
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Interleaved>(&text).unwrap(), outcome);
        let swapped = text.replacen("\"side\":1", "\"side\":0", 1);
        assert!(serde_json::from_str::<Interleaved>(&swapped).is_err());
    }
}
