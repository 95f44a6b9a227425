//! What a run did, for people and for machines.

use crate::binding::LastError;
use crate::guard::Held;
use crate::hours::Warning;
use crate::id::{BindingId, RunId};
use crate::plan::{Action, Row, Waiting};
use crate::store::Outcome;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How many rows a report holds; what is beyond is counted, and is in the journal.
pub const ROWS_MAX: usize = 1_000;
/// About how many bytes of memory the rows of a report take: of large appointments it holds fewer rows.
pub const ROWS_BYTES_MAX: usize = 2 << 20;

/// How the calendar was listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// Not at all: the run stopped before, or is paused.
    #[default]
    Nothing,
    /// What changed since the last run.
    Changes,
    /// Everything, for the first time.
    First,
    /// Everything, because the calendar no longer accepted where the last run stopped.
    Again,
}

/// What one run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// Of which binding.
    pub binding: BindingId,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// How the calendar was listed.
    pub listed: Listed,
    /// How many records by what was decided; a record that waits is counted once.
    pub counts: BTreeMap<Action, u64>,
    /// How many records wait, by reason.
    pub waiting: BTreeMap<Waiting, u64>,
    /// What is held back by the guards: why, and what would have been done.
    pub held: Vec<Held>,
    /// The decisions, up to [`ROWS_MAX`] and [`ROWS_BYTES_MAX`].
    pub rows: Vec<Row>,
    /// Decisions beyond that.
    pub rows_left_out: u64,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// What is outside of working hours, and no longer is.
    #[serde(default)]
    pub hours: HoursNews,
    /// Requests sent, token requests and repeats included.
    pub requests: u32,
    /// What kept the run from being clean.
    pub error: Option<LastError>,
    #[serde(skip)]
    taken: Taken,
}

/// How many warnings of working hours a report lists of each kind.
pub const HOURS_MAX: usize = 200;

/// What became of warnings of working hours in a run. All that stand are in [`crate::Engine::hours_warnings`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HoursNews {
    /// A sentence for each appointment or series that is newly outside, or that could not be judged, up to [`HOURS_MAX`].
    pub said: Vec<String>,
    /// Sentences beyond that.
    pub said_left_out: u64,
    /// The warnings that were raised, one for each occurrence, up to [`HOURS_MAX`].
    pub raised: Vec<Warning>,
    /// The warnings that are no longer true, up to [`HOURS_MAX`].
    pub withdrawn: Vec<Warning>,
    /// Warnings of either kind beyond that.
    pub left_out: u64,
}

impl HoursNews {
    pub(crate) fn say(&mut self, text: String) {
        match self.said.len() < HOURS_MAX {
            true => self.said.push(text),
            false => self.said_left_out += 1,
        }
    }

    pub(crate) fn add(&mut self, raised: Vec<Warning>, withdrawn: Vec<Warning>) {
        for (list, new) in [(&mut self.raised, raised), (&mut self.withdrawn, withdrawn)] {
            for warning in new {
                match list.len() < HOURS_MAX {
                    true => list.push(warning),
                    false => self.left_out += 1,
                }
            }
        }
    }
}

/// What the rows of a report take of the room there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    rows: usize,
    bytes: usize,
}

impl Taken {
    /// Whether there is room for another row, which is taken then.
    pub(crate) fn take(&mut self, row: &Row) -> bool {
        if self.rows >= ROWS_MAX || self.bytes >= ROWS_BYTES_MAX {
            return false;
        }
        self.rows += 1;
        self.bytes += row.size();
        true
    }
}

impl Report {
    pub(crate) fn new(run: RunId, binding: BindingId, started: DateTime<Utc>) -> Self {
        Self {
            run,
            binding,
            started,
            finished: started,
            outcome: Outcome::Complete,
            listed: Listed::Nothing,
            counts: BTreeMap::new(),
            waiting: BTreeMap::new(),
            held: Vec::new(),
            rows: Vec::new(),
            rows_left_out: 0,
            warnings: Vec::new(),
            hours: HoursNews::default(),
            requests: 0,
            error: None,
            taken: Taken::default(),
        }
    }

    /// How many records this was decided for.
    pub fn count(&self, action: Action) -> u64 {
        self.counts.get(&action).copied().unwrap_or(0)
    }

    /// Whether either side was written.
    pub fn wrote(&self) -> bool {
        self.counts.iter().any(|(action, count)| *count > 0 && !matches!(action, Action::Wait | Action::Skip))
    }

    /// What somebody should know, one sentence each: first about the run, then what is newly outside of working hours, or could not be
    /// held against them.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().chain(&self.hours.said).map(String::as_str)
    }

    /// Rows where both sides had changed the same, or one what the other deleted.
    pub fn conflicts(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.conflict)
    }

    pub(crate) fn add(&mut self, rows: &[Row]) {
        for row in rows {
            *self.counts.entry(row.action).or_default() += 1;
            if let Some(waiting) = row.waiting {
                *self.waiting.entry(waiting).or_default() += 1;
            }
            if self.taken.take(row) {
                self.rows.push(row.clone());
            } else {
                self.rows_left_out += 1;
            }
        }
    }

    pub(crate) fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "listed": self.listed, "counts": self.counts, "waiting": self.waiting, "requests": self.requests,
            "held": self.held,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Complete => "complete",
            Outcome::Partial => "complete but for what waits",
            Outcome::Stopped => "stopped early, goes on next time",
            Outcome::Failed => "failed",
        };
        let listed = match self.listed {
            Listed::Nothing => "nothing listed",
            Listed::Changes => "changes listed",
            Listed::First => "everything listed for the first time",
            Listed::Again => "everything listed again",
        };
        writeln!(f, "{}: {outcome}; {listed}; {} requests", self.binding, self.requests)?;
        let written: Vec<String> =
            self.counts.iter().map(|(action, count)| format!("{action} {count}")).collect();
        writeln!(
            f,
            "  {}",
            if written.is_empty() { "nothing to do".to_owned() } else { written.join(", ") }
        )?;
        for row in self.rows.iter().filter(|row| row.action != Action::Skip) {
            writeln!(f, "  {row}")?;
        }
        if self.rows_left_out > 0 {
            writeln!(f, "  … and {} more", self.rows_left_out)?;
        }
        for held in &self.held {
            writeln!(f, "  ! {held}")?;
        }
        for warning in self.warnings() {
            writeln!(f, "  ! {warning}")?;
        }
        if self.hours.said_left_out > 0 {
            writeln!(f, "  ! and {} more about working hours", self.hours.said_left_out)?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "  ! {}", error.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fields;
    use serde_json::json;

    fn row(bytes: usize) -> Row {
        let mut fields = Fields::new();
        fields.set("description", json!("x".repeat(bytes)));
        let row = json!({"action": Action::CreateLocal, "record": null, "key": null, "slot": null, "again": false,
            "summary": "Visit", "reason": "new in the calendar", "units": ["description"], "before": null,
            "after": fields, "lost": null, "waiting": null, "conflict": false, "guests_told": 0, "guests_untold": 0,
            "versions": [null, null]});
        serde_json::from_value(row).expect("a row")
    }

    fn held(rows: usize, bytes: usize) -> (usize, u64, u64) {
        let mut report = Report::new("run".into(), "binding".into(), DateTime::UNIX_EPOCH);
        report.add(&vec![row(bytes); rows]);
        (report.rows.len(), report.rows_left_out, report.count(Action::CreateLocal))
    }

    #[test]
    fn more_notices_of_working_hours_than_a_report_holds_are_counted() {
        let mut report = Report::new("run".into(), "binding".into(), DateTime::UNIX_EPOCH);
        let last = |report: &Report| report.to_string().lines().last().map(str::to_owned);
        for number in 0..HOURS_MAX {
            report.hours.say(format!("notice {number}"));
        }
        assert_eq!(last(&report).as_deref(), Some("  ! notice 199"));
        report.hours.say("one more".to_owned());
        report.hours.say("another".to_owned());
        assert_eq!(report.warnings().count(), HOURS_MAX);
        assert_eq!(last(&report).as_deref(), Some("  ! and 2 more about working hours"));
    }

    #[test]
    fn a_report_of_large_appointments_holds_fewer_rows_and_counts_all() {
        assert_eq!(held(1_500, 100), (1_000, 500, 1_500));
        assert_eq!(held(50, 1 << 20), (2, 48, 50));
    }
}
