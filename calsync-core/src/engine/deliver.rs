//! Carries out what the outbox holds for a CRM with tables of its own, and acknowledges it.
//!
//! With calsync's own table there is nothing here to do: its writes are part of the transaction that decided them. Elsewhere
//! the intent is stored first and the CRM is asked then; asking twice is safe, because a write is named by its operation.

use super::run::Pass;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Applied, Host};
use crate::id::RecordId;
use crate::plan::settle::applied;
use crate::store::{Entry, EntryState, Group, Intent, Link, LocalMark, RemoteItem};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Pass<'_> {
    /// Asks the CRM for everything that is planned; whether anything was stored.
    pub(super) async fn deliver(&mut self) -> Result<bool> {
        let Some(host) = self.host() else { return Ok(false) };
        let mut changed = false;
        let mut held: BTreeSet<RecordId> = BTreeSet::new();
        let mut after = 0;
        loop {
            let entries = self.outbox(after).await?;
            let Some(last) = entries.last() else { return Ok(changed) };
            after = last.sequence;
            for entry in entries {
                let Intent::Local { write, .. } = &entry.intent else { continue };
                if matches!(entry.state, EntryState::Parked { .. }) || held.contains(&entry.root) {
                    held.insert(entry.root);
                    continue;
                }
                self.hold().await?;
                let answers = host.apply(&self.binding.tenant, std::slice::from_ref(write)).await?;
                let answer = answers.into_iter().next().ok_or_else(|| {
                    Error::new(ErrorKind::Host, "the CRM answered fewer writes than it was asked for")
                        .with("record", &entry.record)
                })?;
                changed = true;
                let group = self.answered(&entry, &answer, &host).await?;
                if !matches!(answer, Applied::Applied { .. }) {
                    held.insert(entry.root.clone());
                }
                self.store_group(group).await?;
            }
        }
    }

    async fn answered(&self, entry: &Entry, answer: &Applied, host: &Arc<dyn Host>) -> Result<Group> {
        let drop = Group { outbox_drop: vec![entry.operation.clone()], ..Group::default() };
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let links: Vec<Link> =
            self.engine.shared.store.links(tenant, id, std::slice::from_ref(&entry.record)).await?;
        let Some(link) = links.first() else { return Ok(drop) };
        match answer {
            Applied::Applied { id: made, version: done } => {
                let keys = std::slice::from_ref(&link.key);
                let (_, items): (_, Vec<RemoteItem>) =
                    self.engine.shared.store.known(tenant, id, keys).await?;
                let mut group = applied(entry, link, items.first(), answer).unwrap_or(drop);
                if let Intent::Local { agrees, version, .. } = &entry.intent
                    && (!agrees || version.is_none())
                {
                    group.marks = self.seen_again(host, link, made).await?;
                    // A creation may be the answer to an earlier one, for a store that is lost: what became of the record since is
                    // decided about, and what was known of it before is not. Where more has to be written to the calendar, that is
                    // from the record as it is now. One that cannot be read any more was deleted since; a mark that says so stays.
                    let as_made = |mark: &LocalMark| {
                        let own = mark.record.as_ref().is_some_and(|r| r.agent == self.binding.agent);
                        own && mark.version == *done
                    };
                    if *agrees && !group.marks.is_empty() && group.marks.iter().all(as_made) {
                        group.marks.clear();
                        group.unmark_any.push(made.clone());
                    }
                }
                Ok(group)
            }
            // Somebody changed it meanwhile: look at it as it is now, and decide anew.
            Applied::Moved => Ok(Group { marks: self.seen_again(host, link, &entry.record).await?, ..drop }),
            Applied::Refused { reason } => {
                let state = EntryState::Parked { kind: ErrorKind::Host, reason: reason.clone() };
                Ok(Group { outbox: vec![Entry { state, ..entry.clone() }], ..Group::default() })
            }
        }
    }

    async fn seen_again(&self, host: &Arc<dyn Host>, link: &Link, id: &RecordId) -> Result<Vec<LocalMark>> {
        let root = root_of(link, id);
        let records = host.read(&self.binding.tenant, std::slice::from_ref(id)).await?;
        Ok(records.iter().map(|r| LocalMark { root: root.clone(), ..LocalMark::of(r, true) }).collect())
    }
}

/// The root of a record that was just written: its own, or its series'.
fn root_of<'a>(link: &'a Link, id: &'a RecordId) -> &'a RecordId {
    if link.slot.is_none() { id } else { &link.record_root }
}
