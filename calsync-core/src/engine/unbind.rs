//! Taking a binding apart: as it is, or with what calsync made in the calendar.
//!
//! Deleting goes on over any number of calls: the binding's settings say that it is being taken apart before the first event is deleted,
//! and from then on no run decides about it, so that a deletion that was asked for is never taken for one that somebody made in the
//! calendar. An event is deleted in the version that calsync last saw; whatever was edited since stays, and is named. A call that dies
//! is repeated: what it deleted is gone already, which is what was asked for.

use super::Engine;
use super::run::Pass;
use crate::audit::Audited;
use crate::binding::Binding;
use crate::detail;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::TITLES_MAX;
use crate::id::{BindingId, InstallationId, RecordId, RemoteId};
use crate::model::State;
use crate::plan::{Action, ids};
use crate::planted::{self, Fault};
use crate::provider::{Access, Mail, Provider, Write, WriteAction};
use crate::store::{Batch, Family, Group, JournalEntry, Link, Which};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// Most events that are deleted between two transactions.
const DELETED_AT_ONCE: usize = 20;

/// What calsync made in the calendar of a binding and that is there still, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Of which binding.
    pub binding: BindingId,
    /// How many series and single events calsync made.
    pub made: u64,
    /// How many others are linked: they were in the calendar before, and stay.
    pub others: u64,
    /// The titles of the first that calsync made, up to [`TITLES_MAX`]; `None` for private ones.
    pub titles: Vec<Option<String>>,
}

/// An event that was to be deleted, and stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDeleted {
    /// The CRM's record.
    pub record: RecordId,
    /// The event.
    pub event: RemoteId,
    /// Why, for a person.
    pub why: String,
}

/// What became of a binding that is taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbound {
    /// Which.
    pub binding: BindingId,
    /// How many series and single events this call deleted in the calendar.
    pub deleted: u64,
    /// What calsync made and did not delete, and why. It has to be taken out by hand.
    pub kept: Vec<NotDeleted>,
    /// The binding is gone. If not, the time of a run was over: call again, and it goes on.
    pub finished: bool,
}

impl Engine {
    /// Takes a binding apart: settings, links, cursor, observations and what was not sent are forgotten; appointments stay on
    /// both sides as they are, and nothing is written. The journal stays.
    ///
    /// # Errors
    /// [`ErrorKind::LeaseLost`] while a run is going on.
    pub async fn unbind(&self, binding: &Binding) -> Result<()> {
        let pass = self.begin_anyway(&binding.id).await?;
        pass.forget_binding(json!({"calendar": binding.target.calendar})).await
    }

    /// What calsync made in the calendar, for [`Engine::unbind_deleting`]. An event counts if its id is the one that calsync gave it;
    /// what was there before, and was joined to a record, was made by somebody else. Nothing is read from the calendar.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the binding is gone; when the store cannot be read.
    pub async fn made(&self, binding: &Binding) -> Result<Made> {
        let (store, id) = (&self.shared.store, &binding.id);
        let binding = store.binding(&self.tenant, id).await?.ok_or_else(|| super::bind::no_such(binding))?;
        let provider = self.provider(&binding.provider)?;
        let installation = store.installation().await?;
        let mut found = Made { binding: id.clone(), made: 0, others: 0, titles: Vec::new() };
        let mut after: Option<RecordId> = None;
        loop {
            let count = self.shared.settings.page_records_max;
            let links = store.links_after(&self.tenant, id, after.as_ref(), count).await?;
            let Some(last) = links.last() else { return Ok(found) };
            after = Some(last.record.clone());
            for link in links.iter().filter(|link| stands(link)) {
                if !is_made(link, &binding, &installation, &*provider) {
                    found.others += 1;
                    continue;
                }
                found.made += 1;
                let fields =
                    link.base.as_ref().and_then(State::fields).filter(|_| found.titles.len() < TITLES_MAX);
                found.titles.extend(fields.map(|fields| {
                    let title = fields.get("summary").and_then(|title| title.as_str());
                    title.filter(|_| !detail::private(fields)).map(str::to_owned)
                }));
            }
        }
    }

    /// Deletes in the calendar what calsync made there, and takes the binding apart. The CRM keeps all its records, what was in the
    /// calendar before stays, and nobody is mailed. `shown` is what [`Engine::made`] said and a person agreed to: this is the
    /// confirmation that the limits on deletions ask for.
    ///
    /// At first everything is brought into step once more, unless the binding is paused, so that the CRM has what was edited in the
    /// calendar. From then on the binding is no longer run, and cannot be changed or resumed. What may not be deleted, or was edited
    /// in that very moment, stays and is named. After an error call again: it goes on where it was.
    ///
    /// # Errors
    /// [`ErrorKind::PreconditionFailed`] when calsync made more than was agreed to, and [`ErrorKind::Config`] for a binding that does
    /// not write to the calendar: nothing was deleted then. [`ErrorKind::Halted`] when an operator halted all writing, [`ErrorKind::Forbidden`]
    /// when the calendar may not be written any more: what is not deleted yet waits for another call. Otherwise as [`Engine::run`].
    pub async fn unbind_deleting(&self, binding: &Binding, shown: &Made) -> Result<Unbound> {
        let current = self.shared.store.binding(&self.tenant, &binding.id).await?;
        let current = current.ok_or_else(|| super::bind::no_such(binding))?;
        if !current.leaving {
            self.agree_to_delete(&current, shown).await?;
        }
        let mut pass = self.begin_anyway(&binding.id).await?;
        let mut unbound =
            Unbound { binding: binding.id.clone(), deleted: 0, kept: Vec::new(), finished: false };
        let outcome = pass.delete_made(&mut unbound).await;
        if matches!(outcome, Ok(true)) {
            let facts = json!({
                "calendar": binding.target.calendar, "deleted": unbound.deleted, "kept": unbound.kept.len(),
            });
            pass.forget_binding(facts).await?;
            unbound.finished = true;
            return Ok(unbound);
        }
        pass.end_quietly(outcome.map(drop)).await?;
        Ok(unbound)
    }

    /// Everything that has to be so before the first event is deleted; then the binding is on its way out.
    async fn agree_to_delete(&self, binding: &Binding, shown: &Made) -> Result<()> {
        let agreed = |made: &Made| made.made <= shown.made && shown.binding == binding.id;
        let fits = |made: &Made| match agreed(made) || planted::on(Fault::NothingCounted) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::PreconditionFailed, "calsync made more than was agreed to")
                .with("binding", &binding.id)
                .with("agreed to", shown.made)
                .with("made", made.made)
                .cure("Nothing was deleted. Ask Engine::made again, and show that.")),
        };
        let made = self.made(binding).await?;
        fits(&made)?;
        if made.made > 0 && !binding.direction.writes_remote() {
            return Err(Error::new(ErrorKind::Config, "this binding does not write to the calendar")
                .with("binding", &binding.id)
                .cure(
                    "Change its direction first (Engine::redirect), or take it apart with Engine::unbind.",
                ));
        }
        if !binding.paused {
            self.run(binding).await?;
        }
        let pass = self.begin(&binding.id).await?;
        let agreed = async {
            pass.heed_halt().await?;
            fits(&self.made(binding).await?)?;
            let current = &pass.binding;
            let leaving = Binding {
                leaving: !planted::on(Fault::LeavingForgotten),
                paused: true,
                version: current.version + 1,
                ..current.clone()
            };
            let mut batch = pass.batch();
            batch.put_binding = Some(leaving);
            let facts = json!({"delete": "made by calsync", "count": shown.made});
            batch.events.push(self.event(Audited::Confirmed, &binding.id, facts));
            self.shared.store.commit(batch).await.map(drop)
        };
        let agreed = agreed.await;
        pass.end_quietly(agreed).await
    }
}

impl Pass<'_> {
    /// Deletes what calsync made; `false` when the time was over before the end.
    async fn delete_made(&mut self, unbound: &mut Unbound) -> Result<bool> {
        let store = Arc::clone(&self.engine.shared.store);
        let (tenant, id) = (self.binding.tenant.clone(), self.binding.id.clone());
        let count = self.engine.shared.settings.page_records_max;
        let mut after: Option<RecordId> = None;
        loop {
            let links = store.links_after(&tenant, &id, after.as_ref(), count).await?;
            let Some(last) = links.last() else { return Ok(true) };
            after = Some(last.record.clone());
            let made = |link: &&Link| {
                stands(link) && is_made(link, &self.binding, &self.installation, &*self.provider)
            };
            let made: Vec<Link> = links.iter().filter(made).cloned().collect();
            for chunk in made.chunks(DELETED_AT_ONCE) {
                if self.out_of_time() {
                    return Ok(false);
                }
                let flagged = self.flagged(chunk).await?;
                let mut groups = Vec::new();
                let mut failed = None;
                for link in chunk {
                    match self.delete_one(link, &flagged).await {
                        Ok(Ok(group)) => {
                            unbound.deleted += 1;
                            groups.push(group);
                        }
                        Ok(Err(why)) => {
                            let (record, event) = (link.record.clone(), link.remote.clone());
                            tracing::warn!(%record, %why, "not deleted");
                            unbound.kept.push(NotDeleted { record, event, why });
                        }
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
                let mut batch = self.batch();
                batch.groups = groups;
                self.commit(batch).await?;
                if let Some(error) = failed {
                    return Err(error);
                }
            }
        }
    }

    /// The records of these links that are not to be synchronised (C10).
    async fn flagged(&self, links: &[Link]) -> Result<Vec<RecordId>> {
        let ids: Vec<RecordId> = links.iter().map(|link| link.record.clone()).collect();
        let records = self.records(&ids).await?;
        Ok(records.into_iter().filter(|record| !record.sync).map(|record| record.id).collect())
    }

    /// Deletes one event: what to store of that, or why it stays.
    async fn delete_one(
        &mut self,
        link: &Link,
        flagged: &[RecordId],
    ) -> Result<std::result::Result<Group, String>> {
        self.hold().await?;
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let root = link.record_root.as_str();
        let family = self.engine.shared.store.family(tenant, id, Which::Local, root).await?;
        let revision = match revision_to_delete(link, &family, flagged) {
            Ok(revision) => revision,
            Err(why) => return Ok(Err(why)),
        };
        let versions = (link.version.as_ref().map(|v| v.as_str()), Some(revision.as_str()));
        let write = Write {
            operation: ids::operation(
                &self.installation,
                &self.binding,
                "unbind",
                &link.record,
                versions,
                Some(link),
            ),
            mail: if planted::on(Fault::MailWithoutLeave) { Mail::Guests } else { Mail::Nobody },
            action: WriteAction::Delete {
                id: link.remote.clone(),
                revision: Some(revision).filter(|_| !planted::on(Fault::DeletionWithoutVersion)),
            },
        };
        if let Err(error) = self.provider.write(&self.binding.target, &write, &self.effort).await {
            let error = error.with("record", &link.record).with("event", &link.remote);
            match error.kind() {
                ErrorKind::Gone => {}
                // "Not found" may mean the calendar: only one that answers makes it evidence.
                ErrorKind::NotFound => {
                    self.provider.calendar(&self.binding.target, &self.effort).await?;
                }
                ErrorKind::PreconditionFailed => {
                    return Ok(Err("it was edited in the calendar in this moment".to_owned()));
                }
                // Only this event, or the whole calendar: then nothing is taken apart before that is mended.
                ErrorKind::Forbidden => {
                    let access = self.provider.access(&self.binding.target, &self.effort).await?;
                    return if access == Access::Writer { Ok(Err(error.to_string())) } else { Err(error) };
                }
                ErrorKind::Invalid => return Ok(Err(error.to_string())),
                _ => return Err(error),
            }
        }
        let before = link.base.as_ref().and_then(State::fields).cloned();
        let entry = JournalEntry {
            at: self.now(),
            run: self.run.clone(),
            record: link.record.clone(),
            key: Some(link.key.clone()),
            side: Which::Remote,
            action: Action::DeleteRemote.as_str().to_owned(),
            reason: "the binding is taken apart with what calsync made in the calendar".to_owned(),
            before,
            after: None,
            lost: None,
        };
        Ok(Ok(Group {
            unlink: family.links.iter().map(|link| link.record.clone()).collect(),
            forget: family.remote.iter().map(|item| item.key.clone()).collect(),
            journal: vec![entry],
            ..Group::default()
        }))
    }

    /// Forgets the binding, and says so in the history.
    async fn forget_binding(self, facts: serde_json::Value) -> Result<()> {
        let mut batch = Batch { settings: None, ..self.batch() };
        batch.drop_binding = true;
        batch.release = true;
        batch.events.push(self.engine.event(Audited::Disconnected, &self.binding.id, facts));
        self.engine.shared.store.commit(batch).await.map(drop)
    }
}

/// Whether it stands for a series or a single event that is there, as far as is known.
fn stands(link: &Link) -> bool {
    link.slot.is_none() && !matches!(link.base, Some(State::Gone))
}

/// Whether calsync made the event: it has the id that calsync gave it.
fn is_made(link: &Link, binding: &Binding, installation: &InstallationId, provider: &dyn Provider) -> bool {
    link.remote == ids::created(provider, installation, binding, &link.record, link.incarnation)
}

/// The revision in which an event may be deleted, or why it may not.
fn revision_to_delete(
    link: &Link,
    family: &Family,
    flagged: &[RecordId],
) -> std::result::Result<crate::id::Revision, String> {
    let unsettled = !family.outbox.is_empty() || link.base.is_none();
    if flagged.contains(&link.record) && !planted::on(Fault::FlagIgnored) {
        return Err("the record is marked not to be synchronised".to_owned());
    }
    if unsettled {
        return Err("something is still to be written to it, or may have been".to_owned());
    }
    let ahead = |link: &Link| matches!(link.base, Some(State::Live(_))) && link.revision.is_none();
    let edited = family.remote.iter().any(|item| item.pending) || family.links.iter().any(ahead);
    match &link.revision {
        Some(revision) if !edited => Ok(revision.clone()),
        _ => Err("it was edited in the calendar, and that is not in the CRM".to_owned()),
    }
}
