//! Plan first, apply later.
//!
//! [`Engine::plan`] observes both sides and stores what a run would do, row by row; it writes to neither side. [`Engine::apply`]
//! takes the plan up again: a family whose versions are still those of its rows is carried out, one that moved is left for the
//! next plan and named in the report, never forced.

use super::Engine;
use crate::binding::Binding;
use crate::clock::EntropyExt;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BindingId, PlanId};
use crate::plan::{Action, Row};
use crate::report::Report;
use crate::store::{PlanHeader, StoredRow, Which};
use std::collections::BTreeMap;
use std::fmt;

/// A plan in the store.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Of which binding.
    pub binding: BindingId,
    /// How many records by what would be done.
    pub counts: BTreeMap<Action, u64>,
    /// What the observation was like: warnings, requests.
    pub report: Report,
    engine: Engine,
}

/// How many rows are read from the store at once.
const ROWS_AT_ONCE: usize = 500;

impl Engine {
    /// Observes both sides and stores what a run would do. Writes to neither the CRM nor the calendar.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn plan(&self, binding: &Binding) -> Result<Plan> {
        let mut pass = self.begin(&binding.id).await?;
        let id = PlanId::new(self.shared.entropy.hex());
        let outcome = pass.draw_up(&id).await;
        let report = pass.end_quietly(outcome).await?;
        Ok(Plan {
            id,
            binding: binding.id.clone(),
            counts: report.counts.clone(),
            report,
            engine: self.clone(),
        })
    }

    /// Carries a stored plan out, as far as both sides are still as it says.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a plan that this tenant does not have; otherwise as [`Engine::run`].
    pub async fn apply(&self, plan: &Plan) -> Result<Report> {
        let missing = || Error::new(ErrorKind::NotFound, "no such plan").with("plan", &plan.id);
        let header = self.shared.store.plan(&self.tenant, &plan.id).await?.ok_or_else(missing)?;
        let mut pass = self.begin(&header.binding).await?;
        if pass.binding.paused {
            return pass.leave_paused().await;
        }
        let outcome = pass.take_up(&plan.id).await;
        pass.end(outcome).await
    }
}

impl Plan {
    /// The rows in order, from the store, a page at a time.
    pub fn rows(&self) -> PlanRows {
        PlanRows { plan: self.clone(), after: 0 }
    }
}

/// Reads the rows of a plan page by page.
#[derive(Debug)]
pub struct PlanRows {
    plan: Plan,
    after: u64,
}

impl PlanRows {
    /// The next rows; an empty answer is the end.
    ///
    /// # Errors
    /// When the store cannot be read, or holds rows that this version cannot read.
    pub async fn next(&mut self) -> Result<Vec<Row>> {
        let engine = &self.plan.engine;
        let rows =
            engine.shared.store.plan_rows(&engine.tenant, &self.plan.id, self.after, ROWS_AT_ONCE).await?;
        self.after = rows.last().map_or(self.after, |row| row.number);
        rows.into_iter().map(read_row).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)
    }
}

impl super::run::Pass<'_> {
    async fn draw_up(&mut self, id: &PlanId) -> Result<()> {
        self.settle().await?;
        self.observe_local().await?;
        if !self.observe_remote().await? {
            return Err(
                Error::new(ErrorKind::Limit, "the calendar could not be listed to the end in time").later()
            );
        }
        let hold = self.guard().await?;
        let mut number = 0;
        let made = self.now();
        let header = PlanHeader {
            id: id.clone(),
            binding: self.binding.id.clone(),
            made,
            summary: self.report.summary(),
        };
        let mut first = Some(header);
        for which in [Which::Remote, Which::Local] {
            let mut after: Option<String> = None;
            loop {
                self.hold().await?;
                let families = self.families(which, after.as_deref()).await?;
                let Some(last) = families.last() else { break };
                after = last.root(which).map(str::to_owned);
                let mut batch = self.batch();
                batch.plan = first.take();
                batch.plan_of = Some(id.clone());
                for family in families {
                    let root = family.root(which).unwrap_or_default().to_owned();
                    let plan = self.decide(which, &root, family, hold).await?;
                    self.report.add(&plan.rows);
                    for row in plan.rows {
                        number += 1;
                        let row = serde_json::to_value(&row).map_err(|e| unreadable(id).caused_by(e))?;
                        batch.plan_rows.push(StoredRow { number, root: (which, root.clone()), row });
                    }
                }
                self.commit(batch).await?;
            }
        }
        if let Some(header) = first {
            let mut batch = self.batch();
            batch.plan = Some(header);
            self.commit(batch).await?;
        }
        Ok(())
    }

    async fn take_up(&mut self, id: &PlanId) -> Result<()> {
        self.settle().await?;
        self.observe_local().await?;
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        let tenant = self.binding.tenant.clone();
        let mut planned: BTreeMap<(Which, String), Vec<Row>> = BTreeMap::new();
        let mut after = 0;
        loop {
            let rows = store.plan_rows(&tenant, id, after, ROWS_AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            after = last.number;
            for row in rows {
                let root = row.root.clone();
                planned.entry(root).or_default().push(read_row(row)?);
            }
        }
        let hold = self.guard().await?;
        for ((which, root), rows) in planned {
            self.hold().await?;
            let family = store.family(&tenant, &self.binding.id, which, &root).await?;
            let plan = self.decide(which, &root, family, hold).await?;
            let same = same_decisions(&rows, &plan.rows);
            if !same || plan.frozen {
                self.report
                    .warnings
                    .push(format!("{root}: changed since the plan was made; left for the next one"));
                continue;
            }
            let mut batch = self.batch();
            batch.groups.push(plan.group);
            let committed = self.commit(batch).await?;
            if committed.moved.is_empty() {
                self.report.add(&plan.rows);
            } else {
                self.report
                    .warnings
                    .push(format!("{root}: changed while the plan was applied; left for the next one"));
            }
        }
        self.deliver().await?;
        self.push().await?;
        Ok(())
    }

    /// Ends a plan: a dry run leaves no trace in the binding's health.
    async fn end_quietly(mut self, outcome: Result<()>) -> Result<Report> {
        let requests = self.effort.requests();
        self.report.requests = requests;
        self.report.finished = self.now();
        let released = self.engine.shared.store.release(&self.binding.tenant, &self.lease).await;
        outcome?;
        released?;
        Ok(self.report)
    }
}

fn same_decisions(then: &[Row], now: &[Row]) -> bool {
    let essence = |rows: &[Row]| -> Vec<_> {
        rows.iter()
            .map(|row| {
                (row.action, row.record.clone(), row.key.clone(), row.units.clone(), row.versions.clone())
            })
            .collect()
    };
    essence(then) == essence(now)
}

fn read_row(row: StoredRow) -> Result<Row> {
    serde_json::from_value(row.row).map_err(|e| {
        Error::new(ErrorKind::Store, "a row of the plan cannot be read").with("row", row.number).caused_by(e)
    })
}

fn unreadable(id: &PlanId) -> Error {
    Error::new(ErrorKind::Store, "a row of the plan cannot be stored").with("plan", id)
}
