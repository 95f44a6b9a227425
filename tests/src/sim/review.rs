//! Runs that a person reviews: planned, partly put off, applied, and applied once more.
//!
//! What somebody deselected waits in every run, also after the reviewer's process died. When a history comes to rest, somebody takes
//! that back.

use super::gate::{Ended, drive};
use super::oracle::Violation;
use super::world::World;
use calsync_core::binding::Binding;
use calsync_core::clock::{EntropyExt, SeededEntropy};
use calsync_core::{Engine, Report, Result};

/// A run, reviewed one time in four.
pub(super) async fn run(engine: &Engine, binding: &Binding, chance: &SeededEntropy) -> Result<Report> {
    if chance.below(4) > 0 {
        return engine.run(binding).await;
    }
    let mut plan = engine.plan(binding).await?;
    let put_off = chance.below(5);
    plan.select_where(|row| put_off == 0 || row.number % (put_off + 1) > 0).await?;
    let report = engine.apply(&plan).await?;
    if chance.below(2) == 0 {
        return Ok(report);
    }
    // What was put off, and what moved.
    let mut plan = engine.open_plan(&plan.id).await?;
    plan.select_where(|_| true).await?;
    let report = engine.apply(&plan).await?;
    plan.discard().await?;
    Ok(report)
}

impl World {
    /// Whatever waits because somebody deselected it is selected and carried out.
    ///
    /// # Errors
    /// C15 where that cannot be done though nothing disturbs it.
    pub(super) fn take_back(&mut self, at: usize) -> std::result::Result<(), Violation> {
        let (engine, gate) = self.process(false);
        let binding = &self.bindings[at];
        let review = async {
            let mut plan = engine.plan(binding).await?;
            plan.select_where(|_| true).await?;
            let report = engine.apply(&plan).await?;
            plan.discard().await?;
            Result::<Report>::Ok(report)
        };
        if let Ended::Finished(report) = drive(&gate, review, || ()) {
            let failed =
                |error: calsync_core::Error| Violation::new("C15", format!("a calm review failed: {error}"));
            self.tell(&report.map_err(failed)?);
        }
        Ok(())
    }
}
