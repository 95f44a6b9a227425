//! A CRM with a table of its own, for tests.

use super::desk::{AMY, Desk, ZONE, key};
use async_trait::async_trait;
use calsync_core::clock::SeededEntropy;
use calsync_core::host::{Applied, Changes, Host, RecordChange, RecordWrite};
use calsync_core::hours::{Draft, Period, Rota};
use calsync_core::model::Record;
use calsync_core::store::{Batch, Group, MemoryStore, Store};
use calsync_core::{
    AgentId, Binding, Engine, Error, ErrorKind, OperationId, Position, RecordId, Result, Tenant,
};
use calsync_google::Google;
use chrono::Weekday;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) fn store(desk: &Desk) -> MemoryStore {
    MemoryStore::new(desk.clock.clone(), "installation".into())
}

/// A CRM with a table of its own, which forgets nothing, and which of calsync's operations it has carried out.
#[derive(Clone, Debug)]
pub(crate) struct OwnTable {
    pub(crate) rows: MemoryStore,
    pub(crate) done: Arc<Mutex<BTreeMap<OperationId, Applied>>>,
    /// What is applied next is applied, and nobody hears of it.
    pub(crate) mute: Arc<AtomicBool>,
}

impl OwnTable {
    pub(crate) fn new(desk: &Desk) -> Self {
        Self { rows: store(desk), done: Arc::default(), mute: Arc::default() }
    }

    /// calsync with this table, and this store for its own rows.
    pub(crate) fn engine(&self, desk: &Desk, store: impl Store + 'static, seed: u64) -> Engine {
        let google = Google::service_account(key())
            .transport(Arc::new(desk.wire.clone()))
            .clock(desk.clock.clone())
            .entropy(Arc::new(SeededEntropy::new(seed)));
        Engine::builder(store)
            .provider("google", google.build().unwrap())
            .host(self.clone())
            .clock(desk.clock.clone())
            .entropy(Arc::new(SeededEntropy::new(seed)))
            .build()
            .unwrap()
    }

    pub(crate) async fn write(&self, id: &RecordId, change: RecordChange) {
        let tenant = Tenant::from("default");
        let before = self.rows.records(&tenant, std::slice::from_ref(id)).await.unwrap();
        let row = RecordWrite {
            operation: OperationId::from(format!("write {id} {change:?}").as_str()),
            id: id.clone(),
            expected: before.first().map(|record| record.version.clone()),
            change,
        };
        let answers = self.apply(&tenant, &[row]).await.unwrap();
        assert!(matches!(answers[..], [Applied::Applied { .. }]), "{answers:?}");
    }
}

#[async_trait]
impl Host for OwnTable {
    async fn changes(
        &self,
        tenant: &Tenant,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes> {
        self.rows.record_changes(tenant, None, position, count_max).await
    }

    async fn apply(&self, tenant: &Tenant, rows: &[RecordWrite]) -> Result<Vec<Applied>> {
        let mut answers = Vec::new();
        for row in rows {
            let known = self.done.lock().unwrap().get(&row.operation).cloned();
            let answer = match known {
                Some(answer) => answer,
                None => {
                    let mut batch = Batch::new(tenant.clone());
                    batch.groups.push(Group { records: vec![row.clone()], ..Group::default() });
                    let committed = self.rows.commit(batch).await?;
                    let version = committed.versions.get(&row.id).cloned();
                    version.map_or(Applied::Moved, |version| Applied::Applied { id: row.id.clone(), version })
                }
            };
            if matches!(answer, Applied::Applied { .. }) {
                self.done.lock().unwrap().insert(row.operation.clone(), answer.clone());
            }
            answers.push(answer);
        }
        if self.mute.swap(false, Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Host, "the CRM's answer was lost").later());
        }
        Ok(answers)
    }

    /// What was deleted is not there any more.
    async fn read(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>> {
        let records = self.rows.records(tenant, ids).await?;
        Ok(records.into_iter().filter(|record| record.fields.is_some()).collect())
    }

    async fn schedules(&self, _: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        let nine_to_five = Draft::new(ZONE).every([Weekday::Tue], [Period::hours(9, 17)]).check().unwrap();
        let nine_to_five = Rota::new(nine_to_five);
        Ok(agents.iter().map(|agent| (agent.as_str() == AMY).then(|| nine_to_five.clone())).collect())
    }
}

/// Runs one after the other, with time in between.
pub(crate) async fn rounds(desk: &Desk, engine: &Engine, binding: &Binding, count: u32) {
    for _ in 0..count {
        desk.clock.advance(Duration::from_secs(180));
        engine.run(binding).await.unwrap();
    }
}
