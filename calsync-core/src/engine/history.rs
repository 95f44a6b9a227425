//! What happened: runs, checks of the configuration, and events of connections and settings.

use super::Engine;
use crate::audit::{AuditEvent, Audited};
use crate::check::CheckReport;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Batch, RunRow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One line of a tenant's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryEntry {
    /// A run that changed something or failed.
    Run(RunRow),
    /// Something that happened to a connection or a setting; a check of the configuration among them.
    Event(AuditEvent),
}

impl HistoryEntry {
    /// When it ended.
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Run(run) => run.finished,
            Self::Event(event) => event.at,
        }
    }
}

impl Engine {
    /// The last `count_max` lines of this tenant's history, newest first: the runs of its bindings that changed something or failed,
    /// checks, and events. Runs of bindings that are taken apart are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, count_max: usize) -> Result<Vec<HistoryEntry>> {
        let events = self.audit(None, None, count_max).await?;
        let mut all: Vec<HistoryEntry> = events.into_iter().map(HistoryEntry::Event).collect();
        for binding in self.bindings().await? {
            let runs = self.shared.store.runs(&self.tenant, &binding.id, count_max).await?;
            all.extend(runs.into_iter().map(HistoryEntry::Run));
        }
        all.sort_by_key(|entry| std::cmp::Reverse(entry.at()));
        all.truncate(count_max);
        Ok(all)
    }

    /// What happened to connections and settings, of one kind or of all, newest first, before the [`AuditEvent::sequence`] `before`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit(
        &self,
        what: Option<Audited>,
        before: Option<u64>,
        count_max: usize,
    ) -> Result<Vec<AuditEvent>> {
        self.shared.store.audit(&self.tenant, what, before, count_max).await
    }

    /// Forgets the events of this tenant from before an instant, checks among them; answers how many. Nothing forgets them by itself.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget_audit(&self, before: DateTime<Utc>) -> Result<u64> {
        self.shared.store.forget_audit(&self.tenant, before).await
    }

    /// Keeps the result of a check in the history; nothing of the settings that were checked is kept. `about` says which they
    /// were, in the host's words: an agent's address, the method, a colleague's draft.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn keep_check(&self, about: impl Into<String>, report: &CheckReport) -> Result<()> {
        let facts = serde_json::to_value(report).map_err(|e| {
            Error::new(ErrorKind::Store, "the result of the check cannot be stored").caused_by(e)
        })?;
        let event = AuditEvent::new(Audited::Checked, about, report.at).with(facts);
        self.shared.store.commit(Batch::telling(&self.tenant, event)).await.map(drop)
    }

    /// What happens now, to be told in the transaction of it.
    pub(super) fn event(&self, what: Audited, about: &impl ToString, facts: Value) -> AuditEvent {
        AuditEvent::new(what, about.to_string(), self.shared.clock.now()).with(facts)
    }

    /// The last checks that were kept, newest first, with what they were about. One that a newer version of calsync kept in another
    /// form is left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn checks(&self, count_max: usize) -> Result<Vec<(String, CheckReport)>> {
        let events = self.audit(Some(Audited::Checked), None, count_max).await?;
        let read = |event: AuditEvent| Some((event.about, serde_json::from_value(event.facts).ok()?));
        Ok(events.into_iter().filter_map(read).collect())
    }
}
