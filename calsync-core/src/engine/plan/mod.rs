//! Plan first, review, apply later.
//!
//! [`Engine::plan`] observes both sides and stores what a run would do, row by row; it writes to neither side. Whoever reviews it
//! selects and deselects rows, says which records are the same, and may do so in a file. [`Engine::apply`] carries out what is
//! selected, as far as both sides are still as the rows say; what moved is planned again and waits for another look, never forced.
//!
//! The rows of a series and its occurrences, or of a single record, stand or fall together: selecting one selects all of them.

mod apply;
mod file;
mod guests;
mod kept;
mod review;
mod table;

pub use file::Imported;
pub use kept::{Match, PlanRow, RowState};
pub use review::PlanRows;

use super::Engine;
use crate::binding::Binding;
use crate::clock::EntropyExt;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Held;
use crate::id::{BindingId, PlanId};
use crate::plan::{Action, Row, is_deselected};
use crate::report::Report;
use crate::store::{PlanHeader, StoredRow, Which};
use chrono::{DateTime, Utc};
use kept::Kept;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of stored plans and of plan files; another one is refused.
const FORMAT: u32 = 1;

/// How many rows are read from the store at once.
const ROWS_AT_ONCE: usize = 500;

/// How many rows a handle keeps to be shown.
const ROWS_SHOWN: usize = 1_000;

/// A plan in the store. The handle shows it as it was when it was made, opened or last changed through this handle.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its id: keep it to open the plan again later, in another process too.
    pub id: PlanId,
    /// Of which binding.
    pub binding: BindingId,
    /// When it was made.
    pub made: DateTime<Utc>,
    /// How many records by what would be done, whether selected or not.
    pub counts: BTreeMap<Action, u64>,
    /// How many rows by what is to become of them.
    pub states: BTreeMap<RowState, u64>,
    /// What somebody should know about the observation.
    pub warnings: Vec<String>,
    /// What the guards would hold back, why, and how much of it; a listing that is not believed among them.
    pub held: Vec<Held>,
    /// It was drawn up by [`Engine::plan_guests_out`], and is about nothing but that.
    pub guests_out: bool,
    shown: Vec<PlanRow>,
    engine: Engine,
}

/// What is stored with a plan besides its rows.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Summary {
    #[serde(default)]
    format: u32,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    held: Vec<Held>,
    #[serde(default)]
    guests_out: bool,
}

impl Engine {
    /// Observes both sides and stores what a run would do. Writes to neither the CRM nor the calendar, and to the store nothing
    /// but what was observed and the plan: no link, no base, no intent, no journal. What an earlier run may have written without
    /// hearing the answer waits ([`Waiting::Unsettled`](crate::plan::Waiting)).
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn plan(&self, binding: &Binding) -> Result<Plan> {
        let mut pass = self.begin(&binding.id).await?;
        let id = PlanId::new(self.shared.entropy.hex());
        let outcome = pass.draw_up(&id).await;
        pass.end_quietly(outcome).await?;
        self.open_plan(&id).await
    }

    /// A plan that was made before, by this process or another.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a plan that this tenant does not have; [`ErrorKind::Config`] for one that another version of
    /// calsync made: make a new one.
    pub async fn open_plan(&self, id: &PlanId) -> Result<Plan> {
        let header = self.plan_header(id).await?;
        let summary: Summary = serde_json::from_value(header.summary).unwrap_or_default();
        let mut plan = Plan {
            id: header.id,
            binding: header.binding,
            made: header.made,
            counts: BTreeMap::new(),
            states: BTreeMap::new(),
            warnings: summary.warnings,
            held: summary.held,
            guests_out: summary.guests_out,
            shown: Vec::new(),
            engine: self.clone(),
        };
        plan.look_again().await?;
        Ok(plan)
    }

    /// Carries out what is selected of a stored plan, as far as both sides are still as it says, which is looked up first. Rows that a reviewer deselected
    /// are left waiting, in runs as well, until they are selected in a plan and applied. Rows whose ground moved are planned again:
    /// they are in the plan under new numbers, and carried out once they are selected.
    ///
    /// # Errors
    /// As [`Engine::open_plan`] and [`Engine::run`].
    pub async fn apply(&self, plan: &Plan) -> Result<Report> {
        let header = self.plan_header(&plan.id).await?;
        let mut pass = self.begin_anyway(&header.binding).await?;
        if pass.binding.paused {
            return pass.leave_paused().await;
        }
        let outcome = match pass.take_up(&plan.id).await {
            Ok(()) => pass.judge_hours().await,
            failed => failed,
        };
        pass.end(outcome).await
    }

    async fn plan_header(&self, id: &PlanId) -> Result<PlanHeader> {
        let missing = || {
            Error::new(ErrorKind::NotFound, "no such plan")
                .with("plan", id)
                .cure("Make a new one with Engine::plan.")
        };
        let header = self.shared.store.plan(&self.tenant, id).await?.ok_or_else(missing)?;
        let summary: Summary = serde_json::from_value(header.summary.clone()).unwrap_or_default();
        if summary.format != FORMAT {
            return Err(Error::new(ErrorKind::Config, "the plan was made by another version of calsync")
                .with("plan", id)
                .with("its form", summary.format)
                .with("this version's", FORMAT)
                .cure("Nothing of it was carried out just now. Make a new one with Engine::plan."));
        }
        Ok(header)
    }
}

impl super::run::Pass<'_> {
    /// Sees what is on both sides now, and decides nothing.
    pub(super) async fn observe_both(&mut self) -> Result<()> {
        self.observe_local().await?;
        if !self.observe_remote().await? {
            return Err(
                Error::new(ErrorKind::Limit, "the calendar could not be listed to the end in time").later()
            );
        }
        self.pair_up().await
    }

    async fn draw_up(&mut self, id: &PlanId) -> Result<()> {
        // It writes to neither side, and shows an operator who halted everything what waits.
        self.heeds_halt = false;
        self.observe_both().await?;
        let hold = self.guard().await?;
        // Deselected before: shown as what it would be, and deselected again.
        let reviewed = std::mem::take(&mut self.deselected);
        let mut number = 0;
        self.show_hours().await;
        self.put_header(id).await?;
        for which in [Which::Remote, Which::Local] {
            let mut pages = self.pages(which);
            loop {
                self.hold().await?;
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                let mut batch = self.batch();
                batch.plan_of = Some(id.clone());
                for family in page {
                    let root = family.root(which).unwrap_or_default().to_owned();
                    if self.planned_with_counterpart(which, &root) {
                        continue;
                    }
                    let deselected = is_deselected(&family, &reviewed);
                    let plan = self.decide(which, &root, family, hold).await?;
                    for row in plan.rows {
                        number += 1;
                        let state = RowState::of(&row, !deselected);
                        batch.plan_rows.push(kept::store(number, &(which, root.clone()), state, None, row)?);
                    }
                }
                self.commit(batch).await?;
            }
        }
        Ok(())
    }

    /// Stores a plan that has no rows yet.
    async fn put_header(&mut self, id: &PlanId) -> Result<()> {
        let (warnings, held) = (self.report.warnings.clone(), self.report.held.clone());
        let summary = Summary { format: FORMAT, warnings, held, guests_out: self.guests_out };
        let header = PlanHeader {
            id: id.clone(),
            binding: self.binding.id.clone(),
            made: self.now(),
            summary: serde_json::to_value(summary).map_err(|e| unstorable(id).caused_by(e))?,
        };
        let mut batch = self.batch();
        batch.plan = Some(header);
        self.commit(batch).await.map(drop)
    }

    /// Ends a plan: a dry run leaves no trace in the binding's health.
    pub(super) async fn end_quietly(self, outcome: Result<()>) -> Result<()> {
        let released = self.engine.shared.store.release(&self.binding.tenant, &self.lease).await;
        outcome?;
        released
    }
}

/// The rows of a family that are still of interest, as they stand next to each other in a plan.
#[derive(Debug, Default)]
struct FamilyRows {
    root: Option<(Which, String)>,
    rows: Vec<(u64, Kept)>,
}

impl FamilyRows {
    /// Adds a row, or hands the rows of another family back first.
    fn add(&mut self, row: &StoredRow, kept: Kept) -> Option<FamilyRows> {
        let next = self.root.as_ref().is_some_and(|root| *root != row.root);
        let before = next.then(|| std::mem::take(self));
        self.root = Some(row.root.clone());
        self.rows.push((row.number, kept));
        before
    }

    fn decided(&self) -> Vec<&Row> {
        self.rows.iter().map(|(_, kept)| &kept.row).collect()
    }
}

fn unstorable(id: &PlanId) -> Error {
    Error::new(ErrorKind::Store, "a row of the plan cannot be stored").with("plan", id)
}
