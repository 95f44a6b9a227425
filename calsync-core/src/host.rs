//! The CRM's side.
//!
//! A host is whoever has the appointments. calsync's own table is the first host and shares the store's transaction; a CRM
//! with tables of its own implements [`Host`] and is joined by intent and replay: calsync stores what it is about to do, asks
//! the host, and stores what the host answered, so that a crash between the two repeats a call that is safe to repeat.

use crate::error::Result;
use crate::hours::Rota;
use crate::id::{AgentId, OperationId, Position, RecordId, Tenant, Version};
use crate::model::{Fields, Occurrence, Record, Unit};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The CRM: who has the appointments.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// What changed since `position`, in commit order; `None` means from the beginning. The same change may come twice, none
    /// is left out, deletions included.
    async fn changes(
        &self,
        tenant: &Tenant,
        position: Option<&Position>,
        count_max: usize,
    ) -> Result<Changes>;

    /// Applies each row on its own and says what became of it, in the same order. Repeating an operation id changes nothing
    /// and answers as the first time.
    async fn apply(&self, tenant: &Tenant, rows: &[RecordWrite]) -> Result<Vec<Applied>>;

    /// Reads these records; an unknown one is simply missing from the answer.
    async fn read(&self, tenant: &Tenant, ids: &[RecordId]) -> Result<Vec<Record>>;

    /// What each of these agents works by, as [`Schedules`](crate::hours::Schedules) promises it. Asked where the engine was given no
    /// schedules. Default: nothing is known of anybody.
    async fn schedules(&self, tenant: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        _ = tenant;
        Ok(vec![None; agents.len()])
    }
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The records as they are now, deleted ones without fields.
    pub records: Vec<Record>,
    /// Where the next page starts.
    pub position: Option<Position>,
    /// Whether there is another page already.
    pub more: bool,
}

/// One write to the CRM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordWrite {
    /// Names this write; the same one may come again.
    pub operation: OperationId,
    /// The record. For a creation an id that calsync chose; a host with ids of its own answers with its own.
    pub id: RecordId,
    /// The version it is made from; `None` for a record that must not exist yet.
    pub expected: Option<Version>,
    /// What to do.
    pub change: RecordChange,
}

/// What a write to the CRM does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordChange {
    /// Make the record.
    Create {
        /// Whose appointment. An occurrence belongs to whoever has its series when it is made, should that be somebody else by now.
        agent: AgentId,
        /// Which occurrence of which series it replaces.
        occurrence: Option<Occurrence>,
        /// All values; a cancelled occurrence has `status` `cancelled` and nothing else.
        fields: Fields,
    },
    /// Change some units and leave the rest.
    Patch {
        /// The units to change; a unit that `fields` lacks goes back to its default.
        units: BTreeSet<Unit>,
        /// The new values.
        fields: Fields,
        /// Set where the record becomes an occurrence of a series, or of another one.
        occurrence: Option<Occurrence>,
        /// Set where somebody else gets the appointment.
        agent: Option<AgentId>,
        /// Set where the "don't sync" flag changes.
        sync: Option<bool>,
    },
    /// Mark it as cancelled and keep its values.
    Cancel,
    /// Remove it.
    Delete,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// Done.
    Applied {
        /// The record's id in the CRM.
        id: RecordId,
        /// Its version after the write.
        version: Version,
    },
    /// The record is no longer at the expected version; nothing was written.
    Moved,
    /// The CRM does not want it.
    Refused {
        /// Why, for a person.
        reason: String,
    },
}
