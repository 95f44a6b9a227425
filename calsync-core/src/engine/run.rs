//! One bounded, cancellable pass over a binding, and its report.
//!
//! ```text
//! lease → settle what was perhaps sent → observe the CRM → list the calendar, deciding what is new there → sweep
//!       → (decide → commit → push) until nothing new comes of it → progress, health, release
//! ```

use super::Engine;
use super::act::Guard;
use super::bind::being_taken_apart;
use super::discreet::Discreet;
use super::hours::Touched;
use super::judge::Look;
use crate::binding::{Binding, BindingState, LastError};
use crate::clock::EntropyExt;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Over;
use crate::id::{BindingId, InstallationId, RunId};
use crate::plan::adopt::Pairing;
use crate::plan::{Lens, ids};
use crate::planted::{self, Fault};
use crate::provider::{Effort, Provider};
use crate::report::{Listed, Report};
use crate::store::{Batch, Lease, Outcome, RunRow, Which};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a run carries along.
pub(super) struct Pass<'a> {
    pub engine: &'a Engine,
    pub binding: Binding,
    pub provider: Arc<dyn Provider>,
    pub installation: InstallationId,
    pub lease: Lease,
    pub state: BindingState,
    pub report: Report,
    pub effort: Arc<Effort>,
    /// The other calendars of the same agent that are kept in step, in lower case.
    pub own_calendars: BTreeSet<String>,
    /// Whether this binding, of all that the agent has, invites guests.
    pub organises: bool,
    /// Whether guests are taken out of what this calendar invites to: in a plan that was drawn up for just that.
    pub guests_out: bool,
    /// What both sides had before anything linked it, as found for the plans that are made now.
    pub pairing: Pairing,
    /// The roots that a reviewer deselected.
    pub deselected: BTreeSet<(Which, String)>,
    pub run: RunId,
    /// The monotonic reading at which the lease was taken or last renewed.
    pub leased: Duration,
    /// What kept a part from being done, without ending the run.
    pub trouble: Option<Error>,
    /// Whether it stops when an operator halts everything.
    pub heeds_halt: bool,
    /// The calendar was listed once more in this run, because the first listing was not believed.
    pub listed_again: bool,
    pub guard: Guard,
    /// The agent's other bindings.
    pub siblings: Vec<BindingId>,
    /// What is held against working hours in the end.
    pub touched: Touched,
    /// What the rows of a plan are held against.
    pub shows: Option<Look>,
    /// A decision had to read something first, and stored it.
    pub looked: bool,
    /// What is new in the calendar is decided as it is seen; a plan only shows what would be done.
    pub decides: bool,
}

impl Engine {
    /// Brings one binding into step, both ways, and says what was done. Bounded in time, safe to cancel at any point, and safe
    /// to call from any number of workers: one of them runs, the others are told that the lease is taken.
    ///
    /// # Errors
    /// [`ErrorKind::LeaseLost`] when another worker has the binding; whatever the calendar or the store refused as a whole. The
    /// binding's health keeps the last error; what was done before it is done. A run that an operator halts is no error: its
    /// report is [`Outcome::Stopped`] and says who halted it and why.
    pub async fn run(&self, binding: &Binding) -> Result<Report> {
        let mut pass = self.begin_anyway(&binding.id).await?;
        if pass.binding.paused {
            return pass.leave_paused().await;
        }
        let outcome = pass.carry_out().await;
        pass.end(outcome).await
    }

    /// Takes the lease and loads what a run needs.
    pub(super) async fn begin(&self, id: &BindingId) -> Result<Pass<'_>> {
        let pass = self.begin_anyway(id).await?;
        if pass.binding.leaving {
            self.shared.store.release(&self.tenant, &pass.lease).await?;
            return Err(being_taken_apart(id));
        }
        Ok(pass)
    }

    /// The same for a binding that is on its way out.
    pub(super) async fn begin_anyway(&self, id: &BindingId) -> Result<Pass<'_>> {
        let store = &self.shared.store;
        let unknown = || Error::new(ErrorKind::NotFound, "no such binding").with("binding", id);
        let binding = store.binding(&self.tenant, id).await?.ok_or_else(unknown)?;
        let provider = self.provider(&binding.provider)?;
        let name = ids::lease_name(&binding);
        let owner = self.shared.entropy.hex();
        let lease = store.lease(&self.tenant, &name, &owner, self.shared.settings.lease_ttl).await?;
        let lease = lease.ok_or_else(|| {
            Error::new(ErrorKind::LeaseLost, "another worker is running this binding")
                .with("binding", id)
                .later()
        })?;
        let leased = self.shared.clock.monotonic();
        // Read again under the lease: settings may have moved before it was taken.
        let binding = store.binding(&self.tenant, id).await?.ok_or_else(unknown)?;
        let state = store.state(&self.tenant, id).await?;
        let mut others = store.bindings(&self.tenant).await?;
        others.retain(|other| other.id != binding.id && other.agent == binding.agent);
        let siblings = others.iter().map(|other| other.id.clone()).collect();
        let own_calendars =
            others.iter().map(|other| other.target.calendar.as_str().to_lowercase()).collect();
        others.retain(|other| other.direction.writes_remote() && !other.paused);
        let organises = others.iter().all(|other| invites_before(&binding, other));
        let started = self.shared.clock.now();
        let run = ids::run_id(started, self.shared.entropy.below(u64::from(u32::MAX)) as u32);
        let provider: Arc<dyn Provider> = Arc::new(Discreet::new(provider, &binding));
        Ok(Pass {
            engine: self,
            provider,
            installation: store.installation().await?,
            lease,
            state,
            report: Report::new(run.clone(), binding.id.clone(), started),
            effort: Arc::new(Effort::until(leased + self.shared.settings.run_time_max)),
            own_calendars,
            organises,
            guests_out: false,
            pairing: Pairing::default(),
            deselected: BTreeSet::new(),
            run,
            leased,
            trouble: None,
            heeds_halt: true,
            listed_again: false,
            guard: Guard::default(),
            siblings,
            touched: Touched::default(),
            shows: None,
            looked: false,
            decides: false,
            binding,
        })
    }
}

impl Pass<'_> {
    /// Gives the lease back without having done anything.
    pub(super) async fn leave_paused(mut self) -> Result<Report> {
        let why = if self.binding.leaving { "being taken apart" } else { "paused" };
        self.report.warnings.push(format!("the binding is {why}: nothing was done"));
        self.engine.shared.store.release(&self.binding.tenant, &self.lease).await?;
        Ok(self.report)
    }

    async fn carry_out(&mut self) -> Result<()> {
        self.bring_into_step().await?;
        self.judge_hours().await
    }

    async fn bring_into_step(&mut self) -> Result<()> {
        self.decides = true;
        self.hold().await?;
        self.settle().await?;
        self.deliver().await?;
        self.observe_local().await?;
        if !self.observe_remote().await? {
            self.report.outcome = Outcome::Stopped;
            return Ok(());
        }
        let mut decided = self.report.wrote();
        for _ in 0..self.engine.shared.settings.passes_max {
            decided |= self.act().await?;
            let delivered = self.deliver().await?;
            let pushed = self.push().await?;
            if !(std::mem::take(&mut decided) || delivered || pushed) {
                self.add_what_waited();
                return Ok(());
            }
            if self.trouble.is_some() {
                break;
            }
            if self.out_of_time() {
                self.report.outcome = Outcome::Stopped;
                break;
            }
            self.observe_local().await?;
        }
        self.count_what_waits().await
    }

    /// Stores progress and health, gives the lease back, and passes a failure on.
    pub(super) async fn end(mut self, outcome: Result<()>) -> Result<Report> {
        let finished = self.now();
        if outcome.is_err() {
            self.owe_hours();
        }
        self.report.finished = finished;
        self.report.requests = self.effort.requests();
        let error = outcome.as_ref().err().or(self.trouble.as_ref());
        self.report.error = error.map(|error| LastError {
            at: finished,
            run: self.run.clone(),
            kind: error.kind(),
            message: error.to_string(),
        });
        let halted = matches!(&outcome, Err(error) if error.kind() == ErrorKind::Halted);
        if halted {
            self.report.outcome = Outcome::Stopped;
        } else if outcome.is_err() {
            self.report.outcome = Outcome::Failed;
        } else if self.report.outcome == Outcome::Complete
            && (error.is_some() || !self.report.waiting.is_empty() || !self.report.held.is_empty())
        {
            self.report.outcome = Outcome::Partial;
        }
        self.state.health.last_attempt = Some(self.report.started);
        self.state.health.last_error.clone_from(&self.report.error);
        let unbelieved = self.report.held.iter().any(|held| held.over == Over::Listing);
        let clean = self.report.error.is_none() || planted::on(Fault::ErrorIsSuccess);
        if clean && self.report.outcome != Outcome::Stopped && !unbelieved {
            self.state.health.last_success = Some(finished);
        }
        let newly_held = self.report.held != self.state.guard.held;
        if outcome.is_ok() && self.report.outcome != Outcome::Stopped {
            self.state.guard.close(&self.report.held, finished);
        }
        tracing::info!(
            binding = %self.binding.id, run = %self.run, outcome = ?self.report.outcome,
            requests = self.report.requests, "run ended"
        );
        let lost = matches!(&outcome, Err(error) if error.kind() == ErrorKind::LeaseLost);
        if !lost {
            let mut batch = Batch { settings: None, ..Batch::of(&self.binding, &self.lease) };
            batch.release = true;
            batch.state = self.progress(outcome.is_err()).await;
            // A run that found everything halted leaves no row: a scheduler would leave one a minute.
            let idle = halted && self.report.listed == Listed::Nothing;
            let noted = self.report.wrote()
                || self.report.error.is_some()
                || self.report.listed == Listed::Again
                || newly_held;
            if noted && !idle {
                batch.run = Some(RunRow {
                    id: self.run.clone(),
                    binding: self.binding.id.clone(),
                    started: self.report.started,
                    finished,
                    outcome: self.report.outcome,
                    summary: self.report.summary(),
                    error: self.report.error.as_ref().map(|error| error.message.clone()),
                });
            }
            let stored = self.engine.shared.store.commit(batch).await;
            // The first failure says more than that its record could not be stored either.
            if outcome.is_ok() {
                stored?;
            }
        }
        if halted {
            return Ok(self.report);
        }
        outcome.map(|()| self.report)
    }

    /// What to store of the run's progress. A run that failed may hold a cursor or a position whose transaction did not
    /// happen: only what the store has counts then, or what they close would never be seen (C8).
    async fn progress(&self, failed: bool) -> Option<BindingState> {
        if !failed || planted::on(Fault::CursorOfAFailedRun) {
            return Some(self.state.clone());
        }
        let stored = self.engine.shared.store.state(&self.binding.tenant, &self.binding.id).await.ok()?;
        Some(BindingState { health: self.state.health.clone(), hours: self.state.hours.clone(), ..stored })
    }

    pub(super) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.engine.shared.clock.now()
    }

    pub(super) fn out_of_time(&self) -> bool {
        self.effort.deadline().is_some_and(|deadline| self.engine.shared.clock.monotonic() >= deadline)
    }

    /// Keeps the lease: renews it after a third of its time, stops the run after two thirds. Stops it also when an operator
    /// halted everything.
    pub(super) async fn hold(&mut self) -> Result<()> {
        self.heed_halt().await?;
        let ttl = self.engine.shared.settings.lease_ttl;
        let age = self.engine.shared.clock.monotonic().saturating_sub(self.leased);
        if age < ttl / 3 {
            return Ok(());
        }
        let lost = || Error::new(ErrorKind::LeaseLost, "the lease ran out during the run").later();
        if age >= ttl * 2 / 3 {
            return Err(lost());
        }
        let now = self.engine.shared.clock.monotonic();
        if !self.engine.shared.store.renew(&self.binding.tenant, &self.lease, ttl).await? {
            return Err(lost());
        }
        self.leased = now;
        Ok(())
    }

    pub(super) fn lens(&self) -> Lens<'_> {
        Lens::new(&*self.provider, &self.binding)
    }

    pub(super) fn batch(&self) -> Batch {
        Batch::of(&self.binding, &self.lease)
    }

    pub(super) async fn commit(&self, mut batch: Batch) -> Result<crate::store::Committed> {
        match batch.state {
            Some(_) => self.touch(&mut batch),
            None => self.touched.add(&batch),
        }
        self.engine.shared.store.commit(batch).await
    }
}

/// Of an agent's bindings just one invites guests: the one to the agent's own calendar, or the first by address. Decided
/// from settings alone, so that two of them that run at once agree about it.
fn invites_before(this: &Binding, other: &Binding) -> bool {
    let rank = |binding: &Binding| {
        let calendar = binding.target.calendar.as_str().to_lowercase();
        (calendar != binding.agent.as_str().to_lowercase(), calendar, binding.id.clone())
    };
    rank(this) < rank(other)
}
