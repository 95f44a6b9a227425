//! A CRM with tables of its own: it shares no transaction with calsync, and remembers which of its writes it has done.

use super::coverage::{Step, Trouble};
use super::gate::{Gate, now};
use async_trait::async_trait;
use calsync_core::host::{Applied, Changes, Host, RecordChange, RecordWrite};
use calsync_core::model::Record;
use calsync_core::store::{Batch, Group, MemoryStore, Store};
use calsync_core::{OperationId, Position, RecordId, Result, Tenant};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The CRM's tables, and the table of calsync's operations beside them.
#[derive(Clone, Debug)]
pub struct CrmTables {
    /// Appointments.
    pub appointments: MemoryStore,
    done: Arc<Mutex<BTreeMap<OperationId, Applied>>>,
}

impl CrmTables {
    /// Around these appointments.
    pub fn new(appointments: MemoryStore) -> Self {
        Self { appointments, done: Arc::default() }
    }

    /// Other tables with the same rows.
    pub fn copy(&self) -> Self {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { appointments: self.appointments.copy(), done: Arc::new(Mutex::new(done)) }
    }

    /// Writes that were carried out so far.
    pub fn writes(&self) -> usize {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// One transaction: the write, and that it was done.
    fn apply_one(&self, tenant: &Tenant, write: &RecordWrite) -> Result<Applied> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = done.get(&write.operation) {
            return Ok(answer.clone());
        }
        let mut write = write.clone();
        // An occurrence belongs to whoever has its series by now.
        if let RecordChange::Create { agent, occurrence: Some(occurrence), .. } = &mut write.change {
            let series = now(self.appointments.records(tenant, std::slice::from_ref(&occurrence.series)))?;
            *agent = series.first().map_or_else(|| agent.clone(), |series| series.agent.clone());
        }
        let mut batch = Batch::new(tenant.clone());
        batch.groups.push(Group { records: vec![write.clone()], ..Group::default() });
        let committed = now(self.appointments.commit(batch))?;
        let version = committed.versions.get(&write.id).cloned();
        let Some(version) = version.filter(|_| committed.moved.is_empty()) else { return Ok(Applied::Moved) };
        let answer = Applied::Applied { id: write.id.clone(), version };
        done.insert(write.operation.clone(), answer.clone());
        Ok(answer)
    }
}

/// The way to the CRM, with a gate before and after each call.
#[derive(Debug)]
pub struct SimHost {
    /// The other end.
    pub crm: CrmTables,
    /// The gate.
    pub gate: Arc<Gate>,
}

#[async_trait]
impl Host for SimHost {
    async fn changes(
        &self,
        tenant: &Tenant,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        self.gate.pass().await;
        self.gate.host(Step::HostChanges).await?;
        self.crm.appointments.record_changes(tenant, None, position, count_max).await
    }

    async fn apply(&self, tenant: &Tenant, rows: &[RecordWrite]) -> Result<Vec<Applied>> {
        let mut answers = Vec::new();
        for row in rows {
            self.gate.pass().await;
            let trouble = self.gate.host(Step::HostApply).await?;
            if trouble == Some(Trouble::Twice) {
                self.crm.apply_one(tenant, row)?;
            }
            answers.push(self.crm.apply_one(tenant, row)?);
            self.gate.host_answers(trouble).await?;
        }
        self.gate.pass().await;
        Ok(answers)
    }

    async fn read(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        self.gate.pass().await;
        self.gate.host(Step::HostRead).await?;
        self.crm.appointments.records(tenant, ids).await
    }
}
