//! Who knows when people work.

use super::rota::Rota;
use crate::error::Result;
use crate::id::{AgentId, Tenant};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;

/// Who knows when people work: the CRM, or a list that was given.
#[async_trait]
pub trait Schedules: fmt::Debug + Send + Sync + 'static {
    /// What each of these agents works by, in the same order; `None` for one of whom nothing is known, whose appointments are then
    /// not judged. Asked once a run, and once more where a plan is carried out. Where it fails, the run goes on, and its report says that working hours were not looked at.
    async fn schedules(&self, tenant: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>>;
}

/// The same for every tenant.
#[async_trait]
impl Schedules for BTreeMap<AgentId, Rota> {
    async fn schedules(&self, _: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        Ok(agents.iter().map(|agent| self.get(agent).cloned()).collect())
    }
}
