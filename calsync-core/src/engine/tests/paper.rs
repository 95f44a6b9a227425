//! A calendar on paper: the smallest provider that keeps the contract, for tests of the engine alone.
//!
//! It keeps records, revisions and a change log, checks expected revisions, and shows what a series puts into a slot. What
//! Google does beyond that is the fake Google's business, in the testkit.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Cursor, OperationId, RemoteId, Revision};
use crate::model::appointment::{read_when, when_value};
use crate::model::{Fields, Recurrence, RemoteOccurrence, RemoteRecord, Slot, State, Writable};
use crate::provider::{
    Access, CalendarInfo, Effort, Item, Next, Page, Provider, Receipt, Start, Target, Write, WriteAction,
};
use crate::zone::Zone;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Debug, Default)]
pub(super) struct Paper(Arc<Mutex<Sheet>>);

#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub records: BTreeMap<RemoteId, (u64, RemoteRecord)>,
    /// What a listing shows besides, where it was read while people edited.
    pub shown_before: Vec<(u64, RemoteRecord)>,
    pub sequence: u64,
    pub oldest_cursor: u64,
    /// Writes that changed something.
    pub writes: Vec<String>,
    /// The next writes take effect, but their answers are lost.
    pub lose_answers: u32,
    /// The next writes fail like this, without taking effect.
    pub refuse: Option<ErrorKind>,
    /// A listing fails after so many more pages.
    pub pages_left: Option<u32>,
}

impl Paper {
    pub(super) fn sheet(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().unwrap()
    }

    /// As a user of the calendar.
    pub(super) fn put(&self, id: &str, fields: Fields) {
        self.sheet().store(&id.into(), None, State::Live(fields), None, true);
    }

    pub(super) fn put_occurrence(&self, series: &str, slot: Slot, state: State) {
        let occurrence = RemoteOccurrence { series: series.into(), slot };
        self.sheet().store(&occurrence_id(&series.into(), &slot), Some(occurrence), state, None, true);
    }

    pub(super) fn delete(&self, id: &str) {
        self.sheet().store(&id.into(), None, State::Gone, None, true);
    }

    pub(super) fn fields(&self, id: &str) -> Option<Fields> {
        self.sheet().records.get(&RemoteId::from(id)).and_then(|(_, record)| record.state.fields().cloned())
    }

    pub(super) fn living(&self) -> Vec<(RemoteId, Fields)> {
        let sheet = self.sheet();
        let living =
            sheet.records.values().filter_map(|(_, r)| Some((r.id.clone(), r.state.fields()?.clone())));
        living.collect()
    }
}

impl Sheet {
    fn store(
        &mut self,
        id: &RemoteId,
        occurrence: Option<RemoteOccurrence>,
        state: State,
        stamp: Option<OperationId>,
        by_user: bool,
    ) -> RemoteRecord {
        self.sequence += 1;
        let known = self.records.get(id).map(|(_, record)| record.clone());
        let stamp = stamp.or(known.as_ref().and_then(|record| record.stamp.clone()));
        if !by_user {
            self.writes.push(format!("{id} {}", if state == State::Gone { "deleted" } else { "written" }));
        }
        let record = RemoteRecord {
            id: id.clone(),
            revision: Revision::new(format!("r{}", self.sequence)),
            occurrence: occurrence.or(known.and_then(|record| record.occurrence)),
            state,
            updated: chrono::DateTime::from_timestamp(1_700_000_000 + self.sequence as i64, 0),
            stamp,
            writable: Writable::All,
        };
        self.records.insert(id.clone(), (self.sequence, record.clone()));
        record
    }

    fn find(&self, id: &RemoteId) -> Option<RemoteRecord> {
        if let Some((_, record)) = self.records.get(id) {
            return Some(record.clone());
        }
        let (series, slot) = id.as_str().rsplit_once('_')?;
        let slot: Slot = slot.parse().ok()?;
        let (_, master) = self.records.get(&RemoteId::from(series))?;
        let mut fields = master.state.fields()?.clone();
        let (when, _) = read_when(fields.get("when")?).ok()?;
        fields.set("when", when_value(&when.moved_to(&slot).ok()?, &Recurrence::default()));
        Some(RemoteRecord {
            id: id.clone(),
            occurrence: Some(RemoteOccurrence { series: series.into(), slot }),
            state: State::Live(fields),
            revision: Revision::new(format!("virtual-{}", master.revision)),
            stamp: None,
            ..master.clone()
        })
    }
}

fn occurrence_id(series: &RemoteId, slot: &Slot) -> RemoteId {
    RemoteId::new(format!("{series}_{slot}"))
}

#[async_trait]
impl Provider for Paper {
    async fn calendar(&self, _: &Target, effort: &Effort) -> Result<CalendarInfo> {
        effort.spend();
        Ok(CalendarInfo { zone: Zone::utc(), summary: None })
    }

    async fn access(&self, _: &Target, effort: &Effort) -> Result<Access> {
        effort.spend();
        Ok(Access::Writer)
    }

    async fn list(&self, _: &Target, start: &Start, effort: &Effort) -> Result<Page> {
        effort.spend();
        let mut sheet = self.sheet();
        if let Some(left) = sheet.pages_left {
            let unavailable = || Error::new(ErrorKind::Unavailable, "no page").later();
            sheet.pages_left = Some(left.checked_sub(1).ok_or_else(unavailable)?);
        }
        let (since, page) = match start {
            Start::Full(page) => (0, page),
            Start::Since(cursor, page) => {
                let since: u64 = cursor.as_str().parse().unwrap();
                if since < sheet.oldest_cursor {
                    return Err(Error::new(ErrorKind::CursorExpired, "too old"));
                }
                (since, page)
            }
        };
        let full = matches!(start, Start::Full(_));
        let from = page.as_ref().map_or(since, |page| page.as_str().parse().unwrap());
        let shown = sheet.records.values().chain(&sheet.shown_before);
        let mut changed: Vec<_> = shown.filter(|(at, _)| *at > from).cloned().collect();
        changed.sort_by_key(|(at, _)| *at);
        changed.retain(|(_, r)| !full || r.state != State::Gone || r.occurrence.is_some());
        let more = changed.len() > 3;
        changed.truncate(3);
        let last = changed.last().map(|(at, _)| at.to_string());
        Ok(Page {
            items: changed.into_iter().map(|(_, record)| Item::Record(record)).collect(),
            next: match last {
                Some(last) if more => Next::More(last.into()),
                _ => Next::Done(Cursor::new(sheet.sequence.to_string())),
            },
        })
    }

    async fn get(&self, _: &Target, id: &RemoteId, effort: &Effort) -> Result<Option<Item>> {
        effort.spend();
        let mut sheet = self.sheet();
        if sheet.lose_answers > 0 {
            sheet.lose_answers -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "the answer was lost").later());
        }
        Ok(sheet.find(id).map(Item::Record))
    }

    async fn write(&self, _: &Target, write: &Write, effort: &Effort) -> Result<Receipt> {
        effort.spend();
        let mut sheet = self.sheet();
        if let Some(kind) = sheet.refuse {
            return Err(Error::new(kind, "refused by the test"));
        }
        let found = sheet.find(write.action.id());
        let stamp = Some(write.operation.clone());
        let check = |revision: &Option<Revision>| match (&found, revision) {
            (Some(found), Some(revision)) if found.revision == *revision => Ok(found.clone()),
            (Some(_), _) => Err(Error::new(ErrorKind::PreconditionFailed, "it moved")),
            (None, _) => Err(Error::new(ErrorKind::NotFound, "no such record")),
        };
        let receipt = match &write.action {
            WriteAction::Create { .. } if found.is_some() => {
                return Err(Error::new(ErrorKind::Duplicate, "the id is taken"));
            }
            WriteAction::Create { id, fields } => {
                Receipt::Written(sheet.store(id, None, State::Live(fields.clone()), stamp, false))
            }
            WriteAction::Update { id, revision, units, fields, .. } => {
                let found = check(revision)?;
                let mut now = found.state.fields().cloned().unwrap_or_default();
                now.take_from(fields, units);
                Receipt::Written(sheet.store(id, found.occurrence, State::Live(now), stamp, false))
            }
            WriteAction::Delete { id, revision } => {
                let found = check(revision)?;
                sheet.store(id, found.occurrence, State::Gone, stamp, false);
                Receipt::Deleted
            }
        };
        if sheet.lose_answers > 0 {
            sheet.lose_answers -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "the answer was lost").later().maybe_sent());
        }
        Ok(receipt)
    }

    fn fingerprint(&self) -> String {
        "paper".to_owned()
    }

    fn create_id(&self, hash: &[u8; 32]) -> RemoteId {
        RemoteId::new(hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    fn occurrence_id(&self, series: &RemoteId, slot: &Slot) -> RemoteId {
        occurrence_id(series, slot)
    }

    fn project(&self, fields: &Fields) -> Fields {
        fields.clone()
    }
}
