//! The table of a benchmark: a line for each thing that was measured, with what is aimed at beside it.

use serde_json::Value;
use std::fmt;

/// What a line aims at, and whether it got there.
pub(crate) struct Aim(pub(crate) String, pub(crate) bool);

impl Aim {
    pub(crate) fn at_most(max: f64, got: f64, unit: &str) -> Self {
        Self(format!("{max}{unit} at most"), got <= max)
    }

    pub(crate) fn none() -> Self {
        Self(String::new(), true)
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, met) = self;
        write!(f, "{text}{}", if *met { "" } else { ": MISSED" })
    }
}

/// Says what the columns are.
pub(crate) fn head() {
    println!(
        "{:<28} {:>8} {:>9} {:>8} {:>7} {:>9} {:>8} {:>8} {:>6}  aim",
        "", "seconds", "per sec", "cpu s", "MB", "requests", "commits", "floor", "ratio"
    );
}

/// One line of the table. What was not measured stays empty.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) seconds: Option<f64>,
    /// What is counted by the second.
    pub(crate) count: u32,
    pub(crate) processor: Option<f64>,
    pub(crate) megabytes: Option<f64>,
    pub(crate) requests: Option<f64>,
    pub(crate) commits: Option<f64>,
    pub(crate) floor: Option<f64>,
}

impl Line {
    pub(crate) fn of(step: &Value, count: u32, floor: Option<f64>) -> Self {
        let figure = |name: &str| step[name].as_f64();
        Self {
            seconds: figure("seconds"),
            count,
            processor: figure("processor"),
            megabytes: figure("resident"),
            requests: figure("requests"),
            commits: figure("commits"),
            floor,
        }
    }

    pub(crate) fn timed(seconds: f64, count: u32) -> Self {
        Self { seconds: Some(seconds), count, ..Self::default() }
    }

    /// How many times the floor it took.
    pub(crate) fn ratio(&self) -> f64 {
        self.seconds.zip(self.floor).map_or(f64::NAN, |(seconds, floor)| seconds / floor)
    }

    pub(crate) fn print(&self, what: &str, aim: &Aim) {
        let cell = |figure: Option<f64>, digits: usize, width: usize| match figure {
            Some(figure) => format!(" {figure:width$.digits$}"),
            None => format!(" {:width$}", ""),
        };
        let rate = self.seconds.filter(|_| self.count > 0).map(|seconds| f64::from(self.count) / seconds);
        let line = [
            cell(self.seconds, 3, 8),
            cell(rate, 0, 9),
            cell(self.processor, 3, 8),
            cell(self.megabytes, 1, 7),
            cell(self.requests, 0, 9),
            cell(self.commits, 0, 8),
            cell(self.floor, 2, 8),
            cell(self.floor.map(|_| self.ratio()), 2, 6),
        ];
        println!("{}", format!("{what:<28}{}  {aim}", line.concat()).trim_end());
    }
}
