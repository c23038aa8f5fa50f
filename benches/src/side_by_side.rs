use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// How long each of many operations took.
pub type Durations = Vec<Duration>;

type Round<'r> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Durations> + 'r>> + 'r>;

/// Several ways to do the same, measured in turns: each round has a go at every way, beginning with
/// another one each time, so that what else the machine does falls on all alike.
pub struct SideBySide<'r> {
    title: String,
    ways: Vec<(String, Round<'r>)>,
}

/// What one way took in one round.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rate: f64,
    p50: Duration,
    p99: Duration,
}

impl fmt::Debug for SideBySide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideBySide").field("title", &self.title).finish_non_exhaustive()
    }
}

impl<'r> SideBySide<'r> {
    /// Begins a comparison.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ways: Vec::new() }
    }

    /// Adds a way: what it does in one round, and how long each operation of it took. The others
    /// are compared with the first.
    #[must_use]
    pub fn way<F>(mut self, name: impl Into<String>, round: impl Fn() -> F + 'r) -> Self
    where
        F: Future<Output = Durations> + 'r,
    {
        self.ways.push((name.into(), Box::new(move || Box::pin(round()))));
        self
    }

    /// Runs so many rounds, after one that does not count, and prints a table: medians over the
    /// rounds, and the ratio of the rates with its least and greatest value.
    ///
    /// # Panics
    ///
    /// When a round measures nothing.
    pub fn run(self, runtime: &Runtime, rounds: usize) {
        let mut figures: Vec<Vec<Figures>> = vec![Vec::new(); self.ways.len()];
        for round in 0..=rounds {
            for turn in 0..self.ways.len() {
                let way = (turn + round) % self.ways.len();
                let began = Instant::now();
                let durations = runtime.block_on(self.ways[way].1());
                let measured = Figures::of(durations, began.elapsed());
                if round > 0 {
                    figures[way].push(measured);
                }
            }
        }
        println!("\n{} ({rounds} rounds in turns; medians)", self.title);
        println!("{:<34} {:>10} {:>10} {:>10}  rate, compared", "", "per s", "p50 µs", "p99 µs");
        let first = figures[0].clone();
        for ((name, _), figures) in self.ways.iter().zip(&figures) {
            let ratios = figures.iter().zip(&first).map(|(own, first)| own.rate / first.rate);
            let [least, middle, most] = spread(ratios.collect());
            println!(
                "{name:<34} {:>10.0} {:>10.0} {:>10.0}  {middle:.2} ({least:.2} to {most:.2})",
                spread(figures.iter().map(|one| one.rate).collect())[1],
                spread(figures.iter().map(|one| micros(one.p50)).collect())[1],
                spread(figures.iter().map(|one| micros(one.p99)).collect())[1],
            );
        }
    }
}

impl Figures {
    fn of(mut durations: Durations, elapsed: Duration) -> Self {
        assert!(!durations.is_empty(), "a round measures something");
        durations.sort_unstable();
        let at = |hundredths: usize| durations[(durations.len() - 1) * hundredths / 100];
        let rate = durations.len() as f64 / elapsed.as_secs_f64();
        Self { rate, p50: at(50), p99: at(99) }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The least, the middle and the greatest of some values.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_unstable_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}
