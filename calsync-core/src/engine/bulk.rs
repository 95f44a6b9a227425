//! Many agents at once: asking about their calendars, and carrying out what was proposed.
//!
//! Several addresses are asked about at a time, by this one future: nothing is spawned, and dropping it ends all of them. One
//! that fails is a row; a limit of the service is met by all, so all of them wait. Both calls write nothing to either side:
//! one only asks, the other changes bindings, and appointments move in runs.
//!
//! Applying holds a lease of its own, so that two administrators do not bind the same calendar twice, and decides each row
//! again from the bindings as they are then.

use super::Engine;
use crate::binding::Binding;
use crate::clock::EntropyExt;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::{AgentId, BindingId};
use crate::provider::{Effort, Target};
use crate::roster::{
    Agent, Answer, Applied, AppliedRow, Done, Progress, Proposals, Row, Template, Verdict, decide, unasked,
};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many addresses are asked about at once: a quarter of a second each keeps 500 below half a minute, and far from the
/// usual limits of a service per minute.
const AT_ONCE: usize = 8;
/// How often a limit of the service is waited for before what is left stays unasked.
const PAUSES_MAX: u32 = 5;
/// How long, where the service does not say.
const PAUSE: Duration = Duration::from_secs(60);

impl Engine {
    /// Proposes a binding for each of these agents by address, and what becomes of the bindings of agents who are gone. The
    /// same call with the list as it is later picks up who was added, renamed, or left. What is bound already is not asked
    /// about. Nothing is stored, and nothing is written to either side.
    ///
    /// Takes no longer than a run may; what could not be asked about by then is [`Verdict::Unasked`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an unknown provider, and when the store cannot be read. What goes wrong with one address is
    /// said in its row.
    pub async fn propose_bindings(
        &self,
        agents: impl IntoIterator<Item = Agent>,
        template: Template,
    ) -> Result<Proposals> {
        self.propose_bindings_with(agents, template, |_| ()).await
    }

    /// As [`Engine::propose_bindings`], and says after each address how far it is.
    ///
    /// # Errors
    /// As [`Engine::propose_bindings`].
    pub async fn propose_bindings_with(
        &self,
        agents: impl IntoIterator<Item = Agent>,
        template: Template,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Proposals> {
        let agents: Vec<Agent> = agents.into_iter().collect();
        let mut proposals = Proposals {
            tenant: self.tenant.clone(),
            template,
            agents,
            answers: BTreeMap::new(),
            rows: Vec::new(),
        };
        self.complete(&mut proposals, progress).await?;
        Ok(proposals)
    }

    /// Corrects an agent's address in these proposals, asks about the new one, and decides all rows again; what was selected
    /// and is still proposed stays selected. The CRM should hear of it too, or the next list has the old address.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the list has no such agent; else as [`Engine::propose_bindings`].
    pub async fn correct_address(
        &self,
        proposals: &mut Proposals,
        agent: &AgentId,
        address: impl Into<String>,
    ) -> Result<()> {
        self.own(proposals)?;
        let address = address.into();
        let mut found = proposals.agents.iter_mut().filter(|other| other.id == *agent).peekable();
        if found.peek().is_none() {
            return Err(Error::new(ErrorKind::NotFound, "the list has no such agent").with("agent", agent));
        }
        found.for_each(|found| found.address.clone_from(&address));
        // Whoever corrects an address may have shared its calendar just now.
        proposals.answers.remove(&crate::roster::folded(&address));
        self.complete(proposals, |_| ()).await
    }

    /// Carries the selected rows out, each by itself: one that fails does not stop the others. Safe to repeat, and safe where
    /// bindings changed meanwhile: each row is decided again from the bindings as they are now, and what is not the same any
    /// more is left and named. Nothing is written to either side; the bindings' runs do that.
    ///
    /// # Errors
    /// [`ErrorKind::LeaseLost`] while another worker applies proposals of this tenant, [`ErrorKind::Config`] for the
    /// proposals of another tenant, and when the store fails. What was done before is done.
    pub async fn apply_bindings(&self, proposals: &Proposals) -> Result<Applied> {
        self.own(proposals)?;
        self.provider(&proposals.template.provider)?;
        let store = &self.shared.store;
        let owner = self.shared.entropy.hex();
        let ttl = self.shared.settings.lease_ttl;
        let lease = store.lease(&self.tenant, "bindings", &owner, ttl).await?.ok_or_else(|| {
            Error::new(ErrorKind::LeaseLost, "another worker is applying proposals")
                .with("tenant", &self.tenant)
                .later()
        })?;
        let mut applied = Applied { rows: Vec::new() };
        let mut outcome = Ok(());
        for row in proposals.selected() {
            let done = match store.renew(&self.tenant, &lease, ttl).await {
                Ok(true) => self.carry_out_row(proposals, row).await,
                Ok(false) => Err(Error::new(ErrorKind::LeaseLost, "another worker took over").later()),
                Err(error) => Err(error),
            };
            let done = match done {
                Ok(done) => done,
                // Nobody else's row would fare better.
                Err(error) if of_the_store(error.kind()) => {
                    outcome = Err(error);
                    break;
                }
                Err(error) => Done::Failed(error.to_string()),
            };
            applied.rows.push(AppliedRow { agent: row.agent.clone(), address: row.address.clone(), done });
        }
        store.release(&self.tenant, &lease).await?;
        outcome.map(|()| applied)
    }

    fn own(&self, proposals: &Proposals) -> Result<()> {
        if proposals.tenant == self.tenant {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "the proposals were made for another tenant")
            .with("tenant", &self.tenant)
            .cure("Apply them with the engine of the tenant that they were made for."))
    }

    /// Asks what is missing and decides.
    async fn complete(&self, proposals: &mut Proposals, progress: impl FnMut(Progress) + Send) -> Result<()> {
        let bindings = self.bindings().await?;
        let rows = decide(&proposals.agents, &bindings, &proposals.answers, &proposals.template);
        let fresh = self.ask(unasked(&rows), &proposals.template, progress).await?;
        proposals.answers.extend(fresh);
        proposals.rows = proposals.redecided(&bindings);
        Ok(())
    }

    /// The answers, as far as there was time for them.
    async fn ask(
        &self,
        addresses: Vec<String>,
        template: &Template,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<BTreeMap<String, Answer>> {
        let provider = &self.provider(&template.provider)?;
        let clock = &self.shared.clock;
        let deadline = clock.monotonic() + self.shared.settings.run_time_max;
        let effort = Effort::until(deadline);
        let total = addresses.len();
        let mut answers = BTreeMap::new();
        let mut left = addresses;
        for pause in 0..=PAUSES_MAX {
            // Set by the first answer that asks for fewer requests: what did not start does not.
            let stop = AtomicBool::new(false);
            let (stopped, spent) = (&stop, &effort);
            let mut asking = futures_util::stream::iter(std::mem::take(&mut left))
                .map(|address| async move {
                    if stopped.load(Ordering::Relaxed) || clock.monotonic() >= deadline {
                        return (address, None);
                    }
                    let subject = template.settings.subject.clone().unwrap_or_else(|| address.clone());
                    let target = Target { calendar: address.as_str().into(), subject };
                    let answer = provider.access(&target, spent).await;
                    if answer.as_ref().is_err_and(slow_down) {
                        stopped.store(true, Ordering::Relaxed);
                    }
                    (address, Some(answer))
                })
                .buffer_unordered(AT_ONCE);
            let mut wait = PAUSE;
            while let Some((address, answer)) = asking.next().await {
                let answer = match answer {
                    None => {
                        left.push(address);
                        continue;
                    }
                    Some(Err(error)) if slow_down(&error) && pause < PAUSES_MAX => {
                        if let Retry::After(asked) = error.retry() {
                            wait = wait.max(asked);
                        }
                        left.push(address);
                        continue;
                    }
                    Some(Err(error)) if error.kind() == ErrorKind::Limit => continue,
                    Some(Err(error)) => Answer::Failed(error.to_string()),
                    Some(Ok(access)) => Answer::Access(access),
                };
                answers.insert(address, answer);
                progress(Progress { asked: answers.len(), total });
            }
            drop(asking);
            if left.is_empty() || clock.monotonic() + wait >= deadline {
                break;
            }
            tracing::debug!(left = left.len(), ?wait, "the service asks for fewer requests; waiting");
            clock.sleep(wait).await;
        }
        Ok(answers)
    }

    async fn carry_out_row(&self, proposals: &Proposals, row: &Row) -> Result<Done> {
        let bindings = self.bindings().await?;
        let rows = proposals.redecided(&bindings);
        let now = rows.into_iter().find(|now| {
            now.agent == row.agent
                && now.address == row.address
                && (row.verdict != Verdict::Pause || now.binding == row.binding)
        });
        let Some(now) = now else { return Ok(Done::Already) };
        if now.verdict == Verdict::Keep {
            return Ok(Done::Already);
        }
        let of = |id: &BindingId| {
            let found = bindings.iter().find(|binding| binding.id == *id);
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such binding").with("binding", id))
        };
        let template = &proposals.template;
        match (&row.verdict, &now.verdict, &now.binding, now.direction) {
            (Verdict::Pause, Verdict::Pause, Some(id), _) => {
                self.pause(of(id)?).await?;
                Ok(Done::Paused(id.clone()))
            }
            (Verdict::Resume | Verdict::Move { .. }, Verdict::Resume, Some(id), _) => {
                self.resume(of(id)?).await?;
                Ok(Done::Resumed(id.clone()))
            }
            (Verdict::Reassign { from }, Verdict::Reassign { from: still }, Some(id), _) if from == still => {
                let agent = row.agent.clone();
                let change = |binding: &mut Binding| {
                    binding.agent = agent;
                    binding.paused = true;
                };
                self.change(of(id)?, change).await?;
                Ok(Done::Reassigned(id.clone()))
            }
            (Verdict::Move { pauses: seen, .. }, Verdict::Move { pauses, resumes }, _, Some(direction))
                if pauses.iter().all(|id| seen.contains(id)) =>
            {
                // The old one first: at no time do both of them run.
                for id in pauses {
                    self.pause(of(id)?).await?;
                }
                if let Some(id) = resumes {
                    self.resume(of(id)?).await?;
                    return Ok(Done::Resumed(id.clone()));
                }
                let new = template.binding(&row.agent, &row.address, direction);
                Ok(Done::Bound(self.bind(new).await?.id))
            }
            // Of a move the first half may be done.
            (
                Verdict::Bind | Verdict::BindReadOnly | Verdict::Move { .. } | Verdict::SameAddress { .. },
                Verdict::Bind | Verdict::BindReadOnly | Verdict::SameAddress { .. },
                None,
                Some(direction),
            ) if row.direction == Some(direction) => {
                let new = template.binding(&row.agent, &row.address, direction);
                Ok(Done::Bound(self.bind(new).await?.id))
            }
            _ => Ok(Done::Outdated(now.verdict)),
        }
    }
}

/// Whether all should wait, and not only the one who was told.
fn slow_down(error: &Error) -> bool {
    error.kind() == ErrorKind::RateLimited
}

fn of_the_store(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::StoreBusy
            | ErrorKind::StoreFull
            | ErrorKind::StoreReadOnly
            | ErrorKind::StoreNewer
            | ErrorKind::StoreEnvironment
            | ErrorKind::Store
            | ErrorKind::LeaseLost
    )
}
