//! Appointments against the working hours of their agent, at the end of a run.
//!
//! What both sides agree on is judged: whatever a run changed, and once a day, or when the agent's hours are others than before,
//! everything that is still to come. A warning is stored with its binding, is told in the report of the run that raises it, and is
//! taken away when it is no longer true (C20). It never stops anything: where hours cannot be had, the report says so and
//! the run is as it was. What is over is not judged, and its warnings are forgotten without a word.

use super::run::Pass;
use super::{Engine, Shared};
use crate::binding::{Binding, HoursJudged};
use crate::error::{Error, ErrorKind, Result};
use crate::hours::{Hours, Judged, Rota, Warning, WarningKey, find, horizon, settle};
use crate::id::{AgentId, RecordId, Tenant};
use crate::model::{Appointment, Fields, State, Status};
use crate::plan::Row;
use crate::store::{Batch, Link, WarningPlace, Which};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// How many changed appointments one run remembers; with more it looks at all of them.
const TOUCHED_MAX: usize = 1_000;
/// How long what was looked at lasts, in hours: then it is looked at again, as far ahead as ever.
const AGAIN_HOURS: i64 = 24;

/// What a run changed.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<BTreeSet<RecordId>>);

impl Touched {
    /// Remembers the appointments and series that a transaction changes.
    pub(super) fn add(&self, batch: &Batch) {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for group in &batch.groups {
            let roots = group.links.iter().map(|put| &put.link.record_root).chain(&group.unlink);
            for root in roots {
                if touched.len() <= TOUCHED_MAX {
                    touched.insert(root.clone());
                }
            }
        }
    }

    /// All of it; `None` where that is too much to remember.
    fn take(&self) -> Option<BTreeSet<RecordId>> {
        let touched = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (touched.len() <= TOUCHED_MAX).then_some(touched)
    }
}

impl Shared {
    pub(super) async fn rota(&self, tenant: &Tenant, agent: &AgentId) -> Result<Option<Rota>> {
        let agents = std::slice::from_ref(agent);
        let found = match (&self.schedules, &self.host) {
            (Some(schedules), _) => schedules.schedules(tenant, agents).await?,
            (None, Some(host)) => host.schedules(tenant, agents).await?,
            (None, None) => return Ok(None),
        };
        match <[Option<Rota>; 1]>::try_from(found) {
            Ok([rota]) => Ok(rota),
            Err(found) => Err(Error::new(ErrorKind::Host, "schedules were asked of one agent")
                .with("agent", agent)
                .with("answers", found.len())
                .cure("Answer with one rota, or None, for each agent that was asked about.")),
        }
    }

    /// Whether anybody may know of working hours.
    pub(super) fn knows_hours(&self) -> bool {
        self.schedules.is_some() || self.host.is_some()
    }
}

impl Engine {
    /// The warnings of working hours that stand for a binding, in the order of [`WarningPlace`], after `after`.
    ///
    /// # Errors
    /// Whatever the store answers.
    pub async fn hours_warnings(
        &self,
        binding: &Binding,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>> {
        self.shared.store.warnings(&self.tenant, &binding.id, None, after, count_max).await
    }

    /// Holds an appointment against the working hours of an agent, as a run would: before it is saved, or to show it. The answer is
    /// the sentence for a person, in the engine's words; `None` where there is nothing to warn of, or no schedule is known. Of a
    /// series, the occurrences that the next 18 months have are looked at.
    ///
    /// # Errors
    /// Whatever the source of the schedules answers, and [`ErrorKind::Invalid`] for times or rules that cannot be read.
    pub async fn hours_notice(&self, agent: &AgentId, appointment: &Appointment) -> Result<Option<String>> {
        let Some(rota) = self.shared.rota(&self.tenant, agent).await? else { return Ok(None) };
        let window = horizon(self.shared.clock.now());
        let hours = Hours::compile(&rota, window.clone())?;
        let found = find(&hours, &window, appointment, &BTreeMap::new(), Some(agent.as_str()))?;
        Ok(found.and_then(|found| found.said(&self.shared.words, appointment.summary.as_deref())))
    }
}

/// One look at appointments of a binding.
pub(super) struct Look {
    hours: Hours,
    window: Range<DateTime<Utc>>,
    agent: AgentId,
    /// The agent's address among guests.
    own: String,
}

/// An appointment that was judged: what is true of it now, and how it would be said.
struct Verdict {
    judged: Judged,
    said: Option<String>,
}

impl Look {
    fn new(binding: &Binding, rota: &Rota, window: Range<DateTime<Utc>>) -> Result<Self> {
        let hours = Hours::compile(rota, window.clone())?;
        Ok(Self { hours, window, agent: binding.agent.clone(), own: binding.target.calendar.to_string() })
    }

    /// Judges a single appointment or a series by what both sides agree on.
    fn at(&self, shared: &Shared, root: &Link, links: &[Link]) -> Result<Verdict> {
        let nothing = Judged::nothing(self.agent.clone(), root.record.clone());
        let Some(State::Live(fields)) = &root.base else {
            return Ok(Verdict { judged: nothing, said: None });
        };
        let appointment = Appointment::from_fields(fields)?;
        let mut changed = BTreeMap::new();
        for link in links {
            if let (Some(slot), Some(base)) = (link.slot, &link.base) {
                changed.insert(slot, occurrence(base, &appointment)?);
            }
        }
        let Some(found) = find(&self.hours, &self.window, &appointment, &changed, Some(&self.own))? else {
            return Ok(Verdict { judged: nothing, said: None });
        };
        let said = found.said(&shared.words, title(fields));
        let judged = found.judged(self.agent.clone(), root.record.clone(), self.window.clone());
        Ok(Verdict { judged, said })
    }
}

/// What both sides agree on of one occurrence; a cancelled one has the values of its series.
fn occurrence(base: &State, series: &Appointment) -> Result<Appointment> {
    match base {
        State::Live(fields) => Appointment::from_fields(fields),
        State::Gone => Ok(Appointment { status: Status::Cancelled, ..series.clone() }),
    }
}

/// The title as others may see it.
fn title(fields: &Fields) -> Option<&str> {
    let shown = Some(fields).filter(|fields| !crate::detail::private(fields));
    shown.and_then(|fields| fields.get("summary")).and_then(|title| title.as_str())
}

impl Pass<'_> {
    /// Holds what this run changed, or everything, against the agent's working hours.
    pub(super) async fn judge_hours(&mut self) -> Result<()> {
        if !self.engine.shared.knows_hours() {
            return Ok(());
        }
        match self.look_at_hours().await {
            Err(error) if matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::Halted) => Err(error),
            Err(error) => {
                self.owe_hours();
                self.report.warnings.push(format!("working hours were not looked at: {error}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// What was changed and could not be looked at makes the next run look at everything.
    pub(super) fn owe_hours(&mut self) {
        let now = self.now();
        if let Some(judged) = &mut self.state.hours {
            judged.until = judged.until.min(now);
        }
    }

    /// What appointments are held against; `None` where nothing is known of the agent's hours.
    async fn hours(&self) -> Result<Option<Look>> {
        let rota = self.engine.shared.rota(&self.binding.tenant, &self.binding.agent).await?;
        rota.map(|rota| Look::new(&self.binding, &rota, horizon(self.now()))).transpose()
    }

    /// The same for a plan, which says so where they cannot be had.
    pub(super) async fn hours_to_show(&mut self) -> Option<Look> {
        self.hours().await.unwrap_or_else(|error| {
            self.report.warnings.push(format!("working hours were not looked at: {error}"));
            None
        })
    }

    /// What a row of a plan would put outside of working hours, in a sentence.
    pub(super) fn notice(&self, look: &Look, row: &Row) -> Option<String> {
        let fields = row.after.as_ref().filter(|_| row.writes())?;
        let appointment = Appointment::from_fields(fields).ok()?;
        let found = find(&look.hours, &look.window, &appointment, &BTreeMap::new(), Some(&look.own));
        found.ok()??.said(&self.engine.shared.words, row.summary.as_deref())
    }

    async fn look_at_hours(&mut self) -> Result<()> {
        let touched = self.touched.take();
        let rota = self.engine.shared.rota(&self.binding.tenant, &self.binding.agent).await?;
        let Some(rota) = rota else {
            if self.state.hours.is_some() {
                self.settle_the_rest(&mut Standing::default()).await?;
                self.state.hours = None;
            }
            return Ok(());
        };
        let window = horizon(self.now());
        let soon = window.end - chrono::Duration::hours(AGAIN_HOURS);
        let known = (self.state.hours.as_ref())
            .is_some_and(|judged| judged.version == *rota.version() && judged.until > soon);
        match touched.filter(|_| known) {
            Some(touched) if touched.is_empty() => Ok(()),
            Some(touched) => self.judge_touched(&Look::new(&self.binding, &rota, window)?, touched).await,
            None => {
                let until = window.end;
                self.judge_all(&Look::new(&self.binding, &rota, window)?).await?;
                self.state.hours = Some(HoursJudged { version: rota.version().clone(), until });
                Ok(())
            }
        }
    }

    async fn judge_touched(&mut self, look: &Look, touched: BTreeSet<RecordId>) -> Result<()> {
        let (tenant, id) = (self.binding.tenant.clone(), self.binding.id.clone());
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        for root in touched {
            let links = store.family(&tenant, &id, Which::Local, root.as_str()).await?.links;
            let verdict = self.verdict(look, &root, &links);
            let standing = store.warnings(&tenant, &id, Some(&root), None, usize::MAX).await?;
            self.settle_hours(standing, vec![verdict]).await?;
        }
        Ok(())
    }

    async fn judge_all(&mut self, look: &Look) -> Result<()> {
        let (tenant, id) = (self.binding.tenant.clone(), self.binding.id.clone());
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        let page = self.engine.shared.settings.page_records_max;
        let mut standing = Standing::default();
        let mut after: Option<RecordId> = None;
        loop {
            self.hold().await?;
            let links = store.links_after(&tenant, &id, after.as_ref(), page).await?;
            let Some(last) = links.last().map(|link| link.record.clone()) else { break };
            let mut verdicts = Vec::new();
            for link in links {
                let root = &link.record_root;
                let stands_alone = *root == link.record
                    || store.links(&tenant, &id, std::slice::from_ref(root)).await?.is_empty();
                if !stands_alone {
                    continue;
                }
                let recurring = link.base.as_ref().and_then(State::fields).is_some_and(|fields| {
                    fields.get("when").is_some_and(|when| !when["recurrence"].is_null())
                });
                let family = match recurring {
                    true => store.family(&tenant, &id, Which::Local, root.as_str()).await?.links,
                    false => vec![link.clone()],
                };
                verdicts.push(self.verdict(look, &link.record, &family));
            }
            let here = standing.until(self, Some(&last)).await?;
            self.settle_hours(here, verdicts).await?;
            after = Some(last);
        }
        self.settle_the_rest(&mut standing).await
    }

    /// What cannot be read is not judged, and what was said of it no longer stands.
    fn verdict(&mut self, look: &Look, record: &RecordId, links: &[Link]) -> Verdict {
        let root = links.iter().find(|link| link.record == *record);
        let nothing = || Verdict { judged: Judged::nothing(look.agent.clone(), record.clone()), said: None };
        let Some(root) = root else { return nothing() };
        look.at(&self.engine.shared, root, links).unwrap_or_else(|error| {
            tracing::warn!(binding = %self.binding.id, %record, %error, "not held against working hours");
            nothing()
        })
    }

    /// Warnings about what is not linked any more.
    async fn settle_the_rest(&mut self, standing: &mut Standing) -> Result<()> {
        loop {
            let rest = standing.until(self, None).await?;
            if rest.is_empty() {
                return Ok(());
            }
            self.settle_hours(rest, Vec::new()).await?;
        }
    }

    /// Compares what stands of some appointments with what was found out about them, and stores and tells what is new.
    async fn settle_hours(&mut self, standing: Vec<Warning>, verdicts: Vec<Verdict>) -> Result<()> {
        let now = self.now();
        let (over, standing): (Vec<_>, Vec<_>) =
            standing.into_iter().partition(|warning| warning.check.end <= now);
        let before: BTreeMap<WarningKey, Warning> =
            standing.iter().map(|warning| (warning.key.clone(), warning.clone())).collect();
        let mut said = BTreeMap::new();
        let mut judged = Vec::new();
        let looked_at: BTreeSet<RecordId> = verdicts.iter().map(|v| v.judged.event().clone()).collect();
        for verdict in verdicts {
            said.extend(verdict.said.map(|text| (verdict.judged.event().clone(), text)));
            judged.push(verdict.judged);
        }
        // Nothing is linked to it any more.
        let lost = standing.iter().filter(|warning| !looked_at.contains(&warning.key.event));
        judged.extend(lost.map(|w| Judged::nothing(w.key.person.clone(), w.key.event.clone())));
        let settled = settle(standing, judged);
        let mut batch = self.batch();
        batch.unwarned = over.into_iter().chain(settled.withdrawn.iter().cloned()).map(|w| w.key).collect();
        let changed = settled.kept.into_iter().filter(|kept| before.get(&kept.key) != Some(kept));
        batch.warned = changed.chain(settled.raised.iter().cloned()).collect();
        if batch.warned.is_empty() && batch.unwarned.is_empty() {
            return Ok(());
        }
        let (mut raised, mut withdrawn) = (settled.raised, settled.withdrawn);
        self.leave_to_others(&mut raised).await?;
        self.leave_to_others(&mut withdrawn).await?;
        self.commit(batch).await?;
        // A series that goes on being outside is told of once for a version of the hours.
        let told: BTreeSet<_> = before.keys().map(|key| (&key.event, &key.version)).collect();
        for warning in &raised {
            if !told.contains(&(&warning.key.event, &warning.key.version))
                && let Some(text) = said.remove(&warning.key.event)
            {
                self.report.hours.say(text);
            }
        }
        self.report.hours.add(raised, withdrawn);
        Ok(())
    }

    /// Leaves out what another binding of the agent has told already, or still has.
    async fn leave_to_others(&self, warnings: &mut Vec<Warning>) -> Result<()> {
        let mut known = BTreeSet::new();
        for event in warnings.iter().map(|warning| &warning.key.event).collect::<BTreeSet<_>>() {
            for other in &self.siblings {
                let store = &self.engine.shared.store;
                let theirs =
                    store.warnings(&self.binding.tenant, other, Some(event), None, usize::MAX).await?;
                known.extend(theirs.into_iter().map(|warning| warning.key));
            }
        }
        warnings.retain(|warning| !known.contains(&warning.key));
        Ok(())
    }
}

/// The warnings that stand, read in order as they are asked for.
#[derive(Debug, Default)]
struct Standing {
    read: VecDeque<Warning>,
    after: Option<WarningPlace>,
    ended: bool,
}

impl Standing {
    /// Those about appointments up to `last`, or the next ones of all.
    async fn until(&mut self, pass: &Pass<'_>, last: Option<&RecordId>) -> Result<Vec<Warning>> {
        let mut found = Vec::new();
        loop {
            if self.read.is_empty() && !self.ended {
                let (tenant, id) = (&pass.binding.tenant, &pass.binding.id);
                let store = &pass.engine.shared.store;
                let page = pass.engine.shared.settings.page_records_max;
                let page = store.warnings(tenant, id, None, self.after.as_ref(), page).await?;
                self.ended = page.is_empty();
                self.after = page.last().map(|warning| WarningPlace::of(&warning.key)).or(self.after.take());
                self.read.extend(page);
            }
            let next = self.read.front().filter(|next| last.is_none_or(|last| next.key.event <= *last));
            if next.is_none() || (last.is_none() && found.len() >= 500) {
                return Ok(found);
            }
            found.extend(self.read.pop_front());
        }
    }
}
