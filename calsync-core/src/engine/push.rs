//! Sends what the outbox holds for the calendar, and acknowledges it.
//!
//! An entry is marked as sent before the request leaves: from then on a newer plan cannot replace it, and a crash leaves a
//! question that reading back answers. Entries of one series leave one after the other, and the first that fails holds the
//! rest of its series back. What the calendar refuses for good is parked with its reason and tried again when either side's
//! version changes; what it refuses for now waits for its time, and blocks nobody else.

use super::run::Pass;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::RecordId;
use crate::plan::settle::{Settled, acknowledge, looked, missing, observed, recognised, settle};
use crate::planted::{self, Fault};
use crate::provider::{Receipt, WriteAction};
use crate::store::{Entry, EntryState, Group, Intent, Link};
use std::collections::BTreeSet;

/// Most entries that are marked as sent at a time.
const SENT_MAX: usize = 20;
/// How long an entry waits that was refused for lack of permission.
const FORBIDDEN_WAIT: chrono::Duration = chrono::Duration::hours(1);
/// No entry waits longer than this for its time.
const WAIT_MAX: chrono::Duration = chrono::Duration::hours(24);
/// So many refusals for lack of permission in a row, and the calendar itself is the problem.
const FORBIDDEN_MAX: u32 = 5;

/// What became of sending one entry.
enum Sent {
    /// Store this; the entry is done with, parked, or put back.
    Settled(Group),
    /// As `Settled`, and the entry's series is held back for this run.
    Held(Group),
    /// As `Held`, and nothing more is sent in this run.
    Stop(Group, Error),
}

impl Pass<'_> {
    /// Reads back whatever an earlier run may have sent without hearing the answer.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let mut after = 0;
        loop {
            let entries = self.outbox(after).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.sequence;
            for entry in entries {
                if entry.state == EntryState::Sent && matches!(entry.intent, Intent::Remote { .. }) {
                    self.hold().await?;
                    let group = self.read_back(&entry, false).await?;
                    self.store_group(group).await?;
                }
            }
        }
    }

    /// Sends everything that is due; whether anything was stored.
    pub(super) async fn push(&mut self) -> Result<bool> {
        let mut changed = false;
        let mut held: BTreeSet<RecordId> = BTreeSet::new();
        let mut forbidden = 0;
        let mut after = 0;
        loop {
            let entries = self.outbox(after).await?;
            let Some(last) = entries.last() else { return Ok(changed) };
            after = last.sequence;
            let now = self.now();
            // An entry that is not due holds its own series back, so that an occurrence is never written before it.
            let mut due = Vec::new();
            for entry in entries {
                if !matches!(entry.intent, Intent::Remote { .. }) || held.contains(&entry.root) {
                    continue;
                }
                match entry.state {
                    EntryState::Planned if is_due(&entry, now) => due.push(entry),
                    _ => _ = held.insert(entry.root),
                }
            }
            for chunk in due.chunks(SENT_MAX) {
                if self.out_of_time() {
                    return Ok(changed);
                }
                self.hold().await?;
                changed = true;
                if self.send_chunk(chunk, &mut held, &mut forbidden).await? {
                    return Ok(changed);
                }
            }
        }
    }

    /// Sends some entries; `true` when nothing more should be sent in this run.
    async fn send_chunk(
        &mut self,
        chunk: &[Entry],
        held: &mut BTreeSet<RecordId>,
        forbidden: &mut u32,
    ) -> Result<bool> {
        let chunk: Vec<&Entry> = chunk.iter().filter(|entry| !held.contains(&entry.root)).collect();
        let marked = || if planted::on(Fault::SentUnmarked) { EntryState::Planned } else { EntryState::Sent };
        let sent: Vec<Entry> = chunk
            .iter()
            .map(|e| Entry { state: marked(), attempts: e.attempts + 1, ..(*e).clone() })
            .collect();
        self.store_group(Group { outbox: sent.clone(), ..Group::default() }).await?;
        let mut groups: Vec<Group> = Vec::new();
        let (mut stop, mut ended) = (false, None);
        for entry in &sent {
            // Marked, but not sent after all: its series or the whole run is held back.
            if !stop && let Err(error) = self.hold().await {
                // Halted, or without its lease: what is marked and did not leave is put back, if that may still be written.
                ended = Some(error);
                stop = true;
            }
            if stop || held.contains(&entry.root) {
                groups.push(put_back(entry, self.now()));
                continue;
            }
            match self.send_one(entry, forbidden).await? {
                Sent::Settled(group) => groups.push(group),
                Sent::Held(group) => {
                    held.insert(entry.root.clone());
                    groups.push(group);
                }
                Sent::Stop(group, error) => {
                    groups.push(group);
                    self.trouble.get_or_insert(error);
                    stop = true;
                }
            }
        }
        self.store_groups(groups).await?;
        ended.map_or(Ok(stop), Err)
    }

    async fn send_one(&mut self, entry: &Entry, forbidden: &mut u32) -> Result<Sent> {
        let Intent::Remote { write, .. } = &entry.intent else { return Ok(Sent::Held(Group::default())) };
        let error = match self.provider.write(&self.binding.target, write, &self.effort).await {
            Ok(receipt) => {
                *forbidden = 0;
                return Ok(Sent::Settled(self.acknowledged(entry, &receipt).await?));
            }
            Err(error) => error.with("record", &entry.record).with("event", write.action.id()),
        };
        let about_the_record = matches!(
            error.kind(),
            ErrorKind::PreconditionFailed | ErrorKind::NotFound | ErrorKind::Gone | ErrorKind::Duplicate
        );
        if error.may_have_been_sent() || about_the_record {
            let readable = self.read_back(entry, error.kind() == ErrorKind::Duplicate).await;
            return Ok(match readable {
                // It did not arrive, and everything is still as it was: said, and left for the next run.
                Ok(group) if group.outbox_drop.is_empty() && !group.outbox.is_empty() => {
                    if !about_the_record {
                        return Ok(Sent::Stop(group, error));
                    }
                    self.trouble.get_or_insert(error);
                    Sent::Held(group)
                }
                Ok(group) => Sent::Held(group),
                // Still unknown: it stays frozen, and the next run asks again.
                Err(_) => Sent::Stop(Group::default(), error),
            });
        }
        tracing::warn!(record = %entry.record, kind = error.kind().as_str(), reason = error.reason_code(), "write refused");
        Ok(match error.kind() {
            ErrorKind::Invalid | ErrorKind::Limit | ErrorKind::Protocol if error.retry() == Retry::Never => {
                Sent::Held(parked(entry, &error))
            }
            ErrorKind::Forbidden => {
                *forbidden += 1;
                let later = put_back(entry, self.now() + FORBIDDEN_WAIT);
                self.trouble.get_or_insert_with(|| copy(&error));
                if *forbidden >= FORBIDDEN_MAX { Sent::Stop(later, error) } else { Sent::Held(later) }
            }
            ErrorKind::QuotaExhausted => Sent::Stop(put_back(entry, self.now() + FORBIDDEN_WAIT), error),
            _ => {
                let wait = match error.retry() {
                    Retry::After(wait) => {
                        chrono::Duration::from_std(wait).map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX))
                    }
                    _ => chrono::Duration::zero(),
                };
                Sent::Stop(put_back(entry, self.now() + wait), error)
            }
        })
    }

    /// Settles an entry by what the calendar has now. `taken` says that the id of what was to be made is not free.
    async fn read_back(&mut self, entry: &Entry, taken: bool) -> Result<Group> {
        let Intent::Remote { write, .. } = &entry.intent else { return Ok(Group::default()) };
        let found = self.provider.get(&self.binding.target, write.action.id(), &self.effort).await;
        let found = found.map_err(|error| self.about_calendar(error))?;
        // "Not found" may mean the calendar: only a calendar that answers makes it evidence, of a deletion as of anything (C4).
        if found.is_none() && (taken || !matches!(write.action, WriteAction::Create { .. })) {
            self.provider.calendar(&self.binding.target, &self.effort).await?;
        }
        let generation = self.state.listing.generation;
        // Not free and not there: of something that was deleted so long ago that nothing else is left of it. As after any
        // deletion, it is made anew under another id.
        if taken
            && found.is_none()
            && let Some(link) = self.link(&entry.record).await?
        {
            let outbox_drop = vec![entry.operation.clone()];
            return Ok(Group { outbox_drop, remote: vec![missing(&link, generation)], ..Group::default() });
        }
        match settle(entry, found) {
            Settled::Landed(receipt) => self.acknowledged(entry, &receipt).await,
            Settled::NotSent => Ok(put_back(entry, self.now())),
            Settled::Replan(found) => {
                // What was meant for an event that is not linked any more says nothing about the one that is.
                let link = self.link(&entry.record).await?.filter(|link| link.remote == *write.action.id());
                let mut group = Group { outbox_drop: vec![entry.operation.clone()], ..Group::default() };
                match (found, link) {
                    (Some(found), link) => {
                        let mut item = match recognised(link.as_ref(), None) {
                            true => observed(&found, generation),
                            false => looked(&found, generation),
                        };
                        if let Some(link) = link {
                            item.key = link.key;
                        }
                        group.remote.push(item);
                    }
                    (None, Some(link)) => group.remote.push(missing(&link, generation)),
                    (None, None) => {}
                }
                Ok(group)
            }
        }
    }

    async fn acknowledged(&mut self, entry: &Entry, receipt: &Receipt) -> Result<Group> {
        let Some(link) = self.link(&entry.record).await? else {
            return Ok(Group { outbox_drop: vec![entry.operation.clone()], ..Group::default() });
        };
        let fill = self.engine.shared.host.is_none() && self.binding.direction.writes_local();
        let generation = self.state.listing.generation;
        let group = acknowledge(entry, &link, receipt, generation, self.lens(), fill);
        if group.records.is_empty() {
            return Ok(group);
        }
        // What only the calendar knows goes into the CRM's record along with the acknowledgement, if nobody edited it meanwhile.
        let mut batch = self.batch();
        batch.groups.push(group);
        if self.commit(batch).await?.moved.is_empty() {
            return Ok(Group::default());
        }
        Ok(acknowledge(entry, &link, receipt, generation, self.lens(), false))
    }

    async fn link(&self, record: &RecordId) -> Result<Option<Link>> {
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let links = self.engine.shared.store.links(tenant, id, std::slice::from_ref(record)).await?;
        Ok(links.into_iter().next())
    }

    pub(super) async fn outbox(&self, after: u64) -> Result<Vec<Entry>> {
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        self.engine.shared.store.outbox(tenant, id, after, self.engine.shared.settings.page_records_max).await
    }

    pub(super) async fn store_group(&self, group: Group) -> Result<()> {
        self.store_groups(vec![group]).await
    }

    async fn store_groups(&self, groups: Vec<Group>) -> Result<()> {
        let mut batch = self.batch();
        // What was sent is acknowledged under whatever settings there are by now.
        batch.settings = None;
        batch.groups = groups;
        self.touch(&mut batch);
        self.commit(batch).await.map(drop)
    }
}

/// A time further off than anything waits was set by a clock that was wrong then, and has been set right since (C15).
fn is_due(entry: &Entry, now: chrono::DateTime<chrono::Utc>) -> bool {
    entry.due <= now || entry.due - now > WAIT_MAX
}

fn put_back(entry: &Entry, due: chrono::DateTime<chrono::Utc>) -> Group {
    let entry = Entry { state: EntryState::Planned, due, ..entry.clone() };
    Group { outbox: vec![entry], ..Group::default() }
}

fn parked(entry: &Entry, error: &Error) -> Group {
    if planted::on(Fault::RefusedForEver) {
        return put_back(entry, entry.due);
    }
    let state = EntryState::Parked { kind: error.kind(), reason: error.to_string() };
    Group { outbox: vec![Entry { state, ..entry.clone() }], ..Group::default() }
}

/// The same error once more: one copy goes into the report, one decides about the rest of the run.
fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    for (name, value) in error.context() {
        copy = copy.with(name, value);
    }
    if let Some(reason) = error.reason_code() {
        copy = copy.reason(reason);
    }
    if let Some(cure) = error.cure_text() {
        copy = copy.cure(cure.to_owned());
    }
    copy.later()
}
