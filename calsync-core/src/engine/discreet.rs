//! Nothing enters a run that its binding does not let through.
//!
//! A run reaches its calendar and its CRM only through what is here, so that there is one place where details are held back
//! and none where that can be forgotten: whatever a listing, a read or the answer to a write shows of a record is reduced
//! before anything compares, stores or reports it (C18). Writes pass unchanged; they are made from what was let in.
//!
//! The calendar's records are judged by their own visibility alone. Where the other side says that the appointment is
//! private, it is the planner that holds back (`plan/observe.rs`).

use super::run::Pass;
use crate::binding::Binding;
use crate::error::Result;
use crate::host::{Applied, Changes, Host, RecordWrite};
use crate::hours::Rota;
use crate::id::{AgentId, Position, RecordId, RemoteId, Tenant};
use crate::model::{Fields, Record, Slot};
use crate::planted::{self, Fault};
use crate::provider::{Access, CalendarInfo, Effort, Item, Page, Provider, Receipt, Start, Target, Write};
use async_trait::async_trait;
use std::sync::Arc;

/// A calendar, or a CRM, as a binding may see it.
#[derive(Debug)]
pub(super) struct Discreet<T: ?Sized> {
    inner: Arc<T>,
    binding: Binding,
}

impl<T: ?Sized> Discreet<T> {
    pub(super) fn new(inner: Arc<T>, binding: &Binding) -> Self {
        Self { inner, binding: binding.clone() }
    }

    fn item(&self, item: &mut Item) {
        if let Item::Record(record) = item
            && !planted::on(Fault::DetailsLetIn)
        {
            self.binding.discreet_record(record);
        }
    }

    fn records(&self, records: &mut [Record]) {
        for fields in records.iter_mut().filter_map(|record| record.fields.as_mut()) {
            *fields = self.binding.discreet(std::mem::take(fields));
        }
    }
}

impl Pass<'_> {
    /// The CRM with tables of its own, as this binding may see it.
    pub(super) fn host(&self) -> Option<Arc<dyn Host>> {
        let host = self.engine.shared.host.clone()?;
        Some(Arc::new(Discreet::new(host, &self.binding)))
    }
}

#[async_trait]
impl Provider for Discreet<dyn Provider> {
    async fn calendar(&self, target: &Target, effort: &Effort) -> Result<CalendarInfo> {
        self.inner.calendar(target, effort).await
    }

    async fn access(&self, target: &Target, effort: &Effort) -> Result<Access> {
        self.inner.access(target, effort).await
    }

    async fn list(&self, target: &Target, start: &Start, effort: &Effort) -> Result<Page> {
        let mut page = self.inner.list(target, start, effort).await?;
        page.items.iter_mut().for_each(|item| self.item(item));
        Ok(page)
    }

    async fn get(&self, target: &Target, id: &RemoteId, effort: &Effort) -> Result<Option<Item>> {
        let mut found = self.inner.get(target, id, effort).await?;
        found.iter_mut().for_each(|item| self.item(item));
        Ok(found)
    }

    async fn write(&self, target: &Target, write: &Write, effort: &Effort) -> Result<Receipt> {
        let mut receipt = self.inner.write(target, write, effort).await?;
        if let Receipt::Written(record) = &mut receipt {
            self.binding.discreet_record(record);
        }
        Ok(receipt)
    }

    fn fingerprint(&self) -> String {
        self.inner.fingerprint()
    }

    fn create_id(&self, hash: &[u8; 32]) -> RemoteId {
        self.inner.create_id(hash)
    }

    fn occurrence_id(&self, series: &RemoteId, slot: &Slot) -> RemoteId {
        self.inner.occurrence_id(series, slot)
    }

    fn project(&self, fields: &Fields) -> Fields {
        self.inner.project(fields)
    }
}

#[async_trait]
impl Host for Discreet<dyn Host> {
    async fn changes(
        &self,
        tenant: &Tenant,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        let mut changes = self.inner.changes(tenant, position, count_max).await?;
        self.records(&mut changes.records);
        Ok(changes)
    }

    async fn apply(&self, tenant: &Tenant, writes: &[RecordWrite]) -> Result<Vec<Applied>> {
        self.inner.apply(tenant, writes).await
    }

    async fn read(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        let mut records = self.inner.read(tenant, ids).await?;
        self.records(&mut records);
        Ok(records)
    }

    async fn schedules(&self, tenant: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        self.inner.schedules(tenant, agents).await
    }
}
