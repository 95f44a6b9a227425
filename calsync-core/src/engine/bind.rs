//! Bindings: made, paused, resumed, changed. Each verb says what becomes of links and cursors.

use super::Engine;
use crate::audit::Audited;
use crate::binding::{Binding, BindingState, Direction, NewBinding};
use crate::clock::EntropyExt;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BindingId, RecordId};
use crate::plan::ids;
use crate::provider::Target;
use crate::store::{Answer, Batch, Group, Which};
use serde_json::json;

impl Engine {
    /// Makes a binding. Nothing is connected or read before its first run.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when no calendar or an unknown provider is named or a setting cannot be meant, [`ErrorKind::Duplicate`] when this tenant has a
    /// binding to that calendar already: two of them would answer each other.
    pub async fn bind(&self, new: NewBinding) -> Result<Binding> {
        let Some((provider, calendar)) = new.calendar else {
            return Err(Error::new(ErrorKind::Config, "the binding names no calendar")
                .with("agent", &new.agent)
                .cure("Say which with .to(provider, calendar)."));
        };
        self.provider(&provider)?;
        new.limits.check()?;
        if calendar.as_str() == "primary" || calendar.as_str().is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "a binding needs the calendar's own address, not \"primary\"",
            )
            .with("agent", &new.agent)
            .cure(
                "Use the address of the calendar: to a service account, \"primary\" is its own empty one.",
            ));
        }
        let subject = new.subject.unwrap_or_else(|| new.agent.to_string());
        let hash = ids::hash(&["binding", provider.as_str(), calendar.as_str(), &self.shared.entropy.hex()]);
        let id: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let binding = Binding {
            id: BindingId::new(id),
            tenant: self.tenant.clone(),
            agent: new.agent,
            provider,
            target: Target { calendar, subject },
            direction: new.direction,
            policy: new.policy,
            edit_or_delete: new.edit_or_delete,
            mail: new.mail,
            removal: new.removal,
            scope: new.scope,
            detail: new.detail,
            private_detail: new.private_detail,
            limits: new.limits,
            paused: false,
            leaving: false,
            created: self.shared.clock.now(),
            version: 1,
        };
        binding.check()?;
        self.put(&binding).await?;
        Ok(binding)
    }

    /// All bindings of this tenant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn bindings(&self) -> Result<Vec<Binding>> {
        self.shared.store.bindings(&self.tenant).await
    }

    /// What is known about a binding's progress: last attempt, last success, last error.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn state(&self, binding: &Binding) -> Result<BindingState> {
        self.shared.store.state(&self.tenant, &binding.id).await
    }

    /// Stops runs from doing anything. Links, cursors and everything pending stay.
    ///
    /// # Errors
    /// As [`Engine::change`].
    pub async fn pause(&self, binding: &Binding) -> Result<Binding> {
        self.change(binding, |binding| binding.paused = true).await
    }

    /// Lets runs go on where they stopped: the cursor is still there, and both sides' changes since are carried over.
    ///
    /// # Errors
    /// As [`Engine::change`].
    pub async fn resume(&self, binding: &Binding) -> Result<Binding> {
        self.change(binding, |binding| binding.paused = false).await
    }

    /// Changes which way changes flow. Links and bases stay; what was held back because of the old direction is carried over
    /// by the next run.
    ///
    /// # Errors
    /// As [`Engine::change`].
    pub async fn redirect(&self, binding: &Binding, direction: Direction) -> Result<Binding> {
        self.change(binding, |binding| binding.direction = direction).await
    }

    /// Changes any of the settings but id, tenant, provider and calendar. Links stay. Both sides are looked at as a whole in
    /// the next run, because what was out of scope may be in it now; leaving the scope deletes nothing. Where mail is switched off,
    /// [`Engine::plan_guests_out`] offers to take the guests out of the calendar who are in it by then.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the binding is gone, [`ErrorKind::PreconditionFailed`] when it is changed by somebody else
    /// at the same time, [`ErrorKind::Config`] when a limit means nothing.
    pub async fn change(&self, binding: &Binding, change: impl FnOnce(&mut Binding)) -> Result<Binding> {
        let current = self.shared.store.binding(&self.tenant, &binding.id).await?;
        let current = current.ok_or_else(|| no_such(binding))?;
        if current.leaving {
            return Err(being_taken_apart(&current.id));
        }
        let mut changed = current.clone();
        change(&mut changed);
        changed.id = current.id.clone();
        changed.tenant = current.tenant.clone();
        changed.provider = current.provider.clone();
        changed.target = current.target.clone();
        changed.created = current.created;
        changed.leaving = false;
        changed.limits.check()?;
        changed.version = current.version + 1;
        changed.check()?;
        // Also where less is let through: what is kept of both sides is reduced when it is seen again.
        let about = |b: &Binding| (b.scope.clone(), b.detail, b.private_detail, b.direction, b.agent.clone());
        let wider = about(&changed) != about(&current);
        let mut batch = Batch::new(self.tenant.clone());
        batch.binding = Some(changed.id.clone());
        batch.put_binding = Some(changed.clone());
        if wider {
            let mut state = self.shared.store.state(&self.tenant, &changed.id).await?;
            state.listing.cursor = None;
            state.listing.page = None;
            state.listing.full = false;
            state.position = None;
            batch.state = Some(state);
            let what = |b: &Binding| {
                json!({
                    "scope": b.scope, "detail": b.detail, "private_detail": b.private_detail,
                    "direction": b.direction, "agent": b.agent,
                })
            };
            let facts = json!({"before": what(&current), "now": what(&changed)});
            batch.events.push(self.event(Audited::ScopeChanged, &changed.id, facts));
        }
        self.shared.store.commit(batch).await?;
        Ok(changed)
    }

    /// Answers a conflict that waits: the CRM's values win, or the calendar's. The answer holds for just the versions that it
    /// was given for; a newer edit on either side asks again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the record is not linked or nothing of it waits.
    pub async fn answer(&self, binding: &Binding, record: &RecordId, local_wins: bool) -> Result<()> {
        let pass = self.begin(&binding.id).await?;
        let result = self.store_answer(binding, record, local_wins, &pass.lease).await;
        self.shared.store.release(&self.tenant, &pass.lease).await?;
        result
    }

    async fn store_answer(
        &self,
        binding: &Binding,
        record: &RecordId,
        local_wins: bool,
        lease: &crate::store::Lease,
    ) -> Result<()> {
        let nothing = || {
            Error::new(ErrorKind::NotFound, "no conflict of this record waits for an answer")
                .with("record", record)
        };
        let store = &self.shared.store;
        let links = store.links(&self.tenant, &binding.id, std::slice::from_ref(record)).await?;
        let mut link = links.into_iter().next().ok_or_else(nothing)?;
        let root = link.record_root.as_str().to_owned();
        let family = store.family(&self.tenant, &binding.id, Which::Local, &root).await?;
        let mark = family.local.iter().find(|mark| mark.id == *record);
        let item = family.remote.iter().find(|item| item.key == link.key);
        if mark.is_none() && item.is_none_or(|item| !item.pending) {
            return Err(nothing());
        }
        link.answer = Some(Answer {
            local_wins,
            version: mark.map(|mark| mark.version.clone()).or(link.version.clone()),
            revision: item.map(|item| item.revision.clone()).or(link.revision.clone()),
        });
        let mut batch = Batch { settings: None, ..Batch::of(binding, lease) };
        batch.groups.push(Group { links: vec![link.into()], ..Group::default() });
        store.commit(batch).await.map(drop)
    }

    async fn put(&self, binding: &Binding) -> Result<()> {
        let mut batch = Batch::new(self.tenant.clone());
        batch.binding = Some(binding.id.clone());
        batch.put_binding = Some(binding.clone());
        self.shared.store.commit(batch).await.map(drop)
    }
}

pub(super) fn no_such(binding: &Binding) -> Error {
    Error::new(ErrorKind::NotFound, "no such binding").with("binding", &binding.id)
}

/// What everybody is told who wants to go on with a binding that is on its way out.
pub(super) fn being_taken_apart(binding: &BindingId) -> Error {
    Error::new(ErrorKind::Config, "the binding is being taken apart with what calsync made in the calendar")
        .with("binding", binding)
        .cure("Engine::unbind_deleting goes on with that, Engine::unbind leaves the rest in the calendar; then bind anew.")
}
