//! A plan as JSON lines: out, through somebody's hands, and in again.
//!
//! The first line says which plan it is, every other line is a row. Two things may be edited in a row: `state`, between `selected`
//! and `deselected`, and `match`. A line that was taken out is a row that is not wanted: it is deselected. Everything else must be as
//! it was exported; a file in which it is not is refused as a whole, with the line, and nothing is changed.

use super::kept::{Match, PlanRow, RowState};
use super::{FORMAT, Plan};
use crate::audit::Audited;
use crate::engine::Engine;
use crate::engine::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BindingId, PlanId, Tenant};
use crate::store::Batch;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};

/// The longest line that is read, in bytes: far more than an appointment as large as an answer may be, before and after.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// Says what kind of file it is.
    calsync: String,
    format: u32,
    plan: PlanId,
    tenant: Tenant,
    binding: BindingId,
}

/// What an imported file changed.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The plan as it is now.
    pub plan: Plan,
    /// The rows that are selected now and were not.
    pub selected: Vec<u64>,
    /// The rows that are deselected now and were not, those that the file lacks included.
    pub deselected: Vec<u64>,
    /// The rows that were planned again because somebody said what their records are the same as.
    pub rematched: Vec<u64>,
}

impl Plan {
    /// Writes the plan as JSON lines: a head, then a row a line. Rows that were carried out or replaced are left out. It is told in
    /// the history ([`Audited::Exported`]) before the first row is written.
    ///
    /// # Errors
    /// When the store cannot be read or told, or `out` not be written.
    pub async fn export(&self, mut out: impl Write) -> Result<()> {
        let head = Head {
            calsync: "plan".to_owned(),
            format: FORMAT,
            plan: self.id.clone(),
            tenant: self.engine.tenant.clone(),
            binding: self.binding.clone(),
        };
        let engine = &self.engine;
        let event = engine.event(Audited::Exported, &self.id, serde_json::json!({"binding": self.binding}));
        engine.shared.store.commit(Batch::telling(&engine.tenant, event)).await?;
        line(&mut out, &head)?;
        let mut rows = self.rows();
        loop {
            let page = rows.next().await?;
            if page.is_empty() {
                return out.flush().map_err(unwritable);
            }
            for row in page.iter().filter(|row| row.state.open()) {
                line(&mut out, row)?;
            }
        }
    }
}

impl Engine {
    /// Takes an exported plan back, with what was edited in it. The whole file is checked first.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], with the line, for a file that is not a plan, of another tenant, of another version of calsync, or
    /// edited in other places than `state` and `match`; [`ErrorKind::NotFound`] for a plan or a row that is not there any more;
    /// otherwise as [`Plan::rematch`].
    pub async fn import_plan(&self, lines: impl BufRead) -> Result<Imported> {
        let mut lines = numbered(lines);
        let Some(head) = lines.next() else { return Err(refused(1, "the file is empty")) };
        let (_, head) = head?;
        let head: Head = serde_json::from_str(&head)
            .map_err(|e| refused(1, "this is not the first line of an exported plan").caused_by(e))?;
        if head.calsync != "plan" {
            return Err(refused(1, "this is not an exported plan").with("it is", &head.calsync));
        }
        if head.format != FORMAT {
            return Err(refused(1, "the plan was exported by another version of calsync")
                .with("its form", head.format)
                .with("this version's", FORMAT)
                .cure("Make a new plan and export that."));
        }
        if head.tenant != self.tenant {
            return Err(refused(1, "the plan belongs to another tenant"));
        }
        let mut plan = self.open_plan(&head.plan).await?;
        if plan.binding != head.binding {
            return Err(
                refused(1, "the plan is of another binding than the file says").with("plan", &plan.id)
            );
        }
        let wanted = read(&plan, lines).await?;
        // Under one lease from the last check to the last change: what was checked still holds.
        let mut pass = self.begin(&plan.binding).await?;
        let outcome = pass.take_in(&plan, &wanted).await;
        let (selected, deselected, rematched) = pass.release_after(outcome, &mut plan).await?;
        Ok(Imported { plan, selected, deselected, rematched })
    }
}

/// What a file says of each row that it has: its state, a match that is new, and in which line.
type Wanted = BTreeMap<u64, (RowState, Option<Match>, u64)>;

impl Pass<'_> {
    /// Puts what a file says into the plan: all of it, or nothing. Answers with the rows that are selected, deselected and planned
    /// again by it.
    async fn take_in(&mut self, plan: &Plan, wanted: &Wanted) -> Result<(Vec<u64>, Vec<u64>, Vec<u64>)> {
        let mut told = Vec::new();
        for (number, (_, matched, at)) in wanted {
            if let Some(matched) = matched {
                let (root, _) = plan.row(*number).await?;
                self.matched(plan, &root, matched).await.map_err(|error| error.with("line", at))?;
                told.push((*number, matched));
            }
        }
        let state = |number: u64| wanted.get(&number).map_or(RowState::Deselected, |(state, ..)| *state);
        // The rows of a series stand or fall together: one that is not wanted takes the others along.
        let mut unwanted = BTreeSet::new();
        plan.each(|stored, kept| {
            if kept.state.open() && kept.row.writes() && state(stored.number) == RowState::Deselected {
                unwanted.insert(stored.root.clone());
            }
            Ok(())
        })
        .await?;
        let (mut selected, mut deselected) = (Vec::new(), Vec::new());
        for (goal, numbers) in [(RowState::Selected, &mut selected), (RowState::Deselected, &mut deselected)]
        {
            *numbers = plan
                .change(|stored, kept| {
                    let here = match unwanted.contains(&stored.root) {
                        true => RowState::Deselected,
                        false => state(stored.number),
                    };
                    let changes =
                        kept.state.open() && kept.row.writes() && here == goal && kept.state != goal;
                    changes.then_some(goal)
                })
                .await?;
        }
        let mut rematched = Vec::new();
        for (number, matched) in told {
            // Its counterpart may have been told from the other side already.
            let (root, kept) = plan.row(number).await?;
            if kept.state.open() {
                rematched.extend(self.match_anew(plan, &root, &kept, matched).await?);
            }
        }
        Ok((selected, deselected, rematched))
    }
}

/// Reads the rows of a file, and refuses it when anything else was edited.
async fn read(plan: &Plan, lines: impl Iterator<Item = Result<(u64, String)>>) -> Result<Wanted> {
    let mut wanted = BTreeMap::new();
    for read in lines {
        let (at, text) = read?;
        if text.trim().is_empty() {
            continue;
        }
        let row: PlanRow = serde_json::from_str(&text)
            .map_err(|e| refused(at, "this line is not a row of an exported plan").caused_by(e))?;
        let (_, stored) = plan.row(row.number).await.map_err(|error| error.with("line", at))?;
        if !stored.state.open() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the row was carried out or replaced since the plan was exported",
            )
            .with("line", at)
            .with("row", row.number)
            .cure("Nothing was imported. Export the plan again."));
        }
        if stored.row != row.row {
            return Err(
                refused(at, "more than `state` and `match` was edited in this row").with("row", row.number)
            );
        }
        let state = match row.state {
            RowState::Selected | RowState::Deselected if stored.row.writes() => row.state,
            state if state == stored.state => state,
            _ => {
                return Err(refused(
                    at,
                    "a row can be put to `selected` or `deselected`, if there is something to carry out",
                )
                .with("row", row.number));
            }
        };
        let matched = row.matched.filter(|matched| stored.matched.as_ref() != Some(matched));
        if matched.is_some() && !stored.matchable() {
            return Err(refused(at, "this row is not about a record that could have another counterpart")
                .with("row", row.number));
        }
        if wanted.insert(row.number, (state, matched, at)).is_some() {
            return Err(refused(at, "this row stands twice in the file").with("row", row.number));
        }
    }
    Ok(wanted)
}

/// The lines with their numbers, from 1; a line that is too long, or is not text, is an error.
fn numbered(mut lines: impl BufRead) -> impl Iterator<Item = Result<(u64, String)>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += 1;
        let mut line = String::new();
        match std::io::Read::take(&mut lines, LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) => None,
            Ok(_) if line.len() as u64 >= LINE_BYTES_MAX => Some(Err(refused(at, "this line is too long"))),
            Ok(_) => Some(Ok((at, line))),
            Err(error) => Some(Err(refused(at, "this line cannot be read").caused_by(error))),
        }
    })
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|e| unwritable(e.into()))?;
    writeln!(out, "{text}").map_err(unwritable)
}

fn unwritable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Config, "the plan cannot be written out").caused_by(error)
}

fn refused(line: u64, why: &'static str) -> Error {
    Error::new(ErrorKind::Config, why)
        .with("line", line)
        .cure("Nothing was imported. Edit only `state` and `match`, or export again.")
}
