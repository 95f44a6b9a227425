//! What a run did, for people and for machines.

use crate::binding::LastError;
use crate::guard::Held;
use crate::id::{BindingId, RunId};
use crate::plan::{Action, Row, Waiting};
use crate::store::Outcome;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How many rows a report holds; what is beyond is counted, and is in the journal.
pub const ROWS_MAX: usize = 1_000;

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
    /// The decisions, up to [`ROWS_MAX`].
    pub rows: Vec<Row>,
    /// Decisions beyond [`ROWS_MAX`].
    pub rows_left_out: u64,
    /// What somebody should know.
    pub warnings: Vec<String>,
    /// Requests sent, token requests and repeats included.
    pub requests: u32,
    /// What kept the run from being clean.
    pub error: Option<LastError>,
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
            requests: 0,
            error: None,
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

    /// What somebody should know, one sentence each.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
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
            if self.rows.len() < ROWS_MAX {
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
        for warning in &self.warnings {
            writeln!(f, "  ! {warning}")?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "  ! {}", error.message)?;
        }
        Ok(())
    }
}
