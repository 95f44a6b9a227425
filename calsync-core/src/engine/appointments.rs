//! calsync's own table of appointments: what a CRM without tables of its own works with.
//!
//! Every verb is one transaction, made from the version that was read: two people who edit at once do not overwrite each
//! other unseen, the later one's change is applied to what the earlier one left. Runs notice what happened here by themselves.
//! The same table can be written by SQL; `calsync-sqlite` documents it.

use super::Engine;
use crate::calendar::{self, EditRefused, Length, Placed, Reading, RecurrenceSet, Start};
use crate::clock::EntropyExt;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{RecordChange, RecordWrite};
use crate::id::{AgentId, OperationId, RecordId};
use crate::model::appointment::{read_when, when_value};
use crate::model::{Appointment, Fields, Occurrence, Record, Recurrence, Slot, Status, Unit, When};
use crate::plan::ids;
use crate::store::{Batch, Group};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// How often an edit is applied anew because somebody else was faster.
const ATTEMPTS_MAX: u32 = 10;

/// The appointments of one tenant in calsync's own table.
#[derive(Clone, Debug)]
pub struct Appointments {
    engine: Engine,
}

/// One appointment, or one occurrence of a series, as a calendar shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The record that holds it: its own, or the series'.
    pub record: RecordId,
    /// The series and the slot, where it is an occurrence.
    pub occurrence: Option<Occurrence>,
    /// Its values; for an occurrence that nobody changed, the series' values at its slot.
    pub appointment: Appointment,
}

impl Engine {
    /// calsync's own table of appointments.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the CRM has tables of its own.
    pub fn appointments(&self) -> Result<Appointments> {
        if self.shared.host.is_some() {
            return Err(Error::new(ErrorKind::Config, "the CRM keeps its appointments in tables of its own"));
        }
        Ok(Appointments { engine: self.clone() })
    }
}

impl Appointments {
    /// Makes an appointment of `agent`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn create(&self, agent: impl Into<AgentId>, appointment: &Appointment) -> Result<Record> {
        let id = RecordId::new(self.engine.shared.entropy.hex());
        let (agent, fields) = (agent.into(), appointment.to_fields());
        self.write(vec![self.of(&id, None, RecordChange::Create { agent, occurrence: None, fields })])
            .await?;
        self.expect(&id).await
    }

    /// Reads one record; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(&self, id: &RecordId) -> Result<Option<Record>> {
        let found = self.engine.shared.store.records(&self.engine.tenant, std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next())
    }

    /// Changes an appointment, or a series as a whole.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it does not exist, [`ErrorKind::Invalid`] when its values cannot be read as an appointment.
    pub async fn edit(&self, id: &RecordId, change: impl Fn(&mut Appointment)) -> Result<Record> {
        self.patch(id, |record| {
            let before = record.fields.clone().unwrap_or_default();
            let mut appointment = Appointment::from_fields(&before)?;
            change(&mut appointment);
            let fields = appointment.to_fields();
            let units: BTreeSet<Unit> = raw_diff(&before, &fields);
            Ok(RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None })
        })
        .await
    }

    /// Gives an appointment, with the changed occurrences of a series, to another agent. Who organised it and under which UID
    /// goes with the old calendar, and so does the old agent's own place among the guests.
    ///
    /// # Errors
    /// As [`Appointments::edit`].
    pub async fn reassign(&self, id: &RecordId, agent: impl Into<AgentId>) -> Result<Record> {
        let agent = agent.into();
        let record = self.expect(id).await?;
        if record.agent == agent {
            return Ok(record);
        }
        let mut writes = vec![self.of(id, Some(&record), given_to(&record, &agent))];
        for child in self.occurrences(id).await? {
            writes.push(self.of(&child.id, Some(&child), given_to(&child, &agent)));
        }
        self.write(writes).await?;
        self.expect(id).await
    }

    /// Sets or clears the "don't sync" flag.
    ///
    /// # Errors
    /// As [`Appointments::edit`].
    pub async fn set_sync(&self, id: &RecordId, sync: bool) -> Result<Record> {
        self.patch(id, |_| {
            let (units, fields) = (BTreeSet::new(), Fields::new());
            Ok(RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: Some(sync) })
        })
        .await
    }

    /// Marks an appointment or a series as cancelled. It disappears from the calendar and stays in the CRM.
    ///
    /// # Errors
    /// As [`Appointments::edit`].
    pub async fn cancel(&self, id: &RecordId) -> Result<Record> {
        self.patch(id, |_| Ok(RecordChange::Cancel)).await
    }

    /// Deletes an appointment, or a series with its changed occurrences.
    ///
    /// # Errors
    /// As [`Appointments::edit`].
    pub async fn delete(&self, id: &RecordId) -> Result<()> {
        let record = self.expect(id).await?;
        let mut writes = vec![self.of(id, Some(&record), RecordChange::Delete)];
        for child in self.occurrences(id).await? {
            writes.push(self.of(&child.id, Some(&child), RecordChange::Delete));
        }
        self.write(writes).await
    }

    /// Changes one occurrence of a series and no other.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such series, [`ErrorKind::Invalid`] when it has no such slot.
    pub async fn edit_occurrence(
        &self,
        series: &RecordId,
        slot: Slot,
        change: impl Fn(&mut Appointment),
    ) -> Result<Record> {
        self.put_occurrence(series, slot, |master, own| {
            // One that was cancelled in the calendar has no values of its own: it comes back as its series puts it.
            let own =
                own.filter(|own| own.iter().any(|(unit, _)| !matches!(unit.as_str(), "when" | "status")));
            let mut appointment = self.at_slot(master, own, slot)?;
            appointment.status = Status::Confirmed;
            change(&mut appointment);
            Ok(appointment)
        })
        .await
    }

    /// Cancels one occurrence of a series.
    ///
    /// # Errors
    /// As [`Appointments::edit_occurrence`].
    pub async fn cancel_occurrence(&self, series: &RecordId, slot: Slot) -> Result<Record> {
        self.put_occurrence(series, slot, |master, own| {
            let mut appointment = self.at_slot(master, own, slot)?;
            appointment.status = Status::Cancelled;
            Ok(appointment)
        })
        .await
    }

    /// Writes the record of an occurrence, made from what it is now, until nobody else was faster.
    async fn put_occurrence(
        &self,
        series: &RecordId,
        slot: Slot,
        make: impl Fn(&Record, Option<&Fields>) -> Result<Appointment>,
    ) -> Result<Record> {
        for _ in 0..ATTEMPTS_MAX {
            let (master, child) = self.occurrence(series, slot).await?;
            if child.is_none() && !has_slot(&master, slot)? {
                return Err(Error::new(ErrorKind::Invalid, "the series has no such occurrence")
                    .with("record", series)
                    .with("slot", slot)
                    .cure("Name the slot as Appointments::window gives it: where the series puts it."));
            }
            let own = child.as_ref().and_then(|child| child.fields.as_ref());
            let fields = make(&master, own)?.to_fields();
            let write = match &child {
                Some(child) => {
                    let units = raw_diff(&child.fields.clone().unwrap_or_default(), &fields);
                    let change =
                        RecordChange::Patch { units, fields, occurrence: None, agent: None, sync: None };
                    self.of(&child.id, Some(child), change)
                }
                None => {
                    let occurrence = Some(Occurrence { series: master.id.clone(), slot });
                    let change = RecordChange::Create { agent: master.agent.clone(), occurrence, fields };
                    self.of(&ids::occurrence_record(&master.id, &slot), None, change)
                }
            };
            let id = write.id.clone();
            if self.try_write(vec![write]).await? {
                return self.expect(&id).await;
            }
        }
        Err(moved(series))
    }

    /// Changes this occurrence and all that follow: the series ends before `slot`, and a new one begins there. One
    /// transaction, so that there are never two series or none. Changed occurrences from `slot` on move to the new series and
    /// keep their changes. Returns the new series.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the series has no such slot, when it is the first one (edit the series instead), or when the rules
    /// would not go on from it as they are ([`EditRefused`]).
    pub async fn edit_following(
        &self,
        series: &RecordId,
        slot: Slot,
        change: impl Fn(&mut Appointment),
    ) -> Result<Record> {
        let master = self.expect(series).await?;
        let fields = master.fields.clone().unwrap_or_default();
        let (when, recurrence) = read_when(fields.get("when").unwrap_or(&serde_json::Value::Null))?;
        let refused = |why: EditRefused| {
            Error::new(ErrorKind::Invalid, "this and all that follow cannot be edited")
                .with("record", series)
                .with("reason", why)
        };
        let (before, following) = halves(&when, &recurrence, slot).map_err(refused)?;
        let mut right = Appointment::from_fields(&fields)?;
        right.when = when.moved_to(&slot)?;
        if Start::from(&right.when) != following.own().start {
            // A clock change moved this occurrence: a series that starts where it is would stay at that time.
            return Err(refused(EditRefused::Rules(slot)));
        }
        right.recurrence = following.lines().clone();
        right.ical_uid = None;
        change(&mut right);
        let id = RecordId::new(self.engine.shared.entropy.hex());
        let mut trimmed = Fields::new();
        trimmed.set("when", when_value(&when, &before));
        let patch = RecordChange::Patch {
            units: trimmed.iter().map(|(unit, _)| unit.clone()).collect(),
            fields: trimmed,
            occurrence: None,
            agent: None,
            sync: None,
        };
        let create =
            RecordChange::Create { agent: master.agent.clone(), occurrence: None, fields: right.to_fields() };
        let mut writes = vec![self.of(series, Some(&master), patch), self.of(&id, None, create)];
        let start = Start::from(&right.when);
        for child in self.occurrences(series).await? {
            let Some(occurrence) = child.occurrence.clone().filter(|occurrence| occurrence.slot >= slot)
            else {
                continue;
            };
            // An occurrence cannot move to another series in the calendar: it ends here and is made anew there.
            let slot = following.slot_moved_to(occurrence.slot, &start).map_err(refused)?;
            let moved = Occurrence { series: id.clone(), slot };
            let fields = child.fields.clone().unwrap_or_default();
            let new = ids::occurrence_record(&moved.series, &moved.slot);
            writes.push(self.of(&child.id, Some(&child), RecordChange::Cancel));
            let agent = child.agent.clone();
            writes.push(self.of(&new, None, RecordChange::Create { agent, occurrence: Some(moved), fields }));
        }
        self.write(writes).await?;
        self.expect(&id).await
    }

    /// What `agent`'s calendar shows between `from` and `to`, by start: series expanded, cancelled ones left out.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] when a series has more than 10,000 occurrences in the window.
    pub async fn window(
        &self,
        agent: impl Into<AgentId>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Shown>> {
        let agent = agent.into();
        let records = self.engine.shared.store.record_window(&self.engine.tenant, &agent, from, to).await?;
        let mut shown: Vec<(DateTime<Utc>, Shown)> = Vec::new();
        let mut add =
            |record: &RecordId, occurrence: Option<Occurrence>, appointment: Appointment| -> Result<()> {
                let (start, end) = (appointment.when.start_instant()?, appointment.when.end_instant()?);
                if appointment.status != Status::Cancelled && start < to && (end > from || start >= from) {
                    shown.push((start, Shown { record: record.clone(), occurrence, appointment }));
                }
                Ok(())
            };
        for record in &records {
            let Some(fields) = &record.fields else { continue };
            if record.occurrence.is_some() {
                continue;
            }
            let appointment = Appointment::from_fields(fields)?;
            if appointment.recurrence.is_empty() {
                add(&record.id, None, appointment)?;
                continue;
            }
            if appointment.status == Status::Cancelled {
                continue;
            }
            let children: BTreeMap<Slot, Record> = (self.occurrences(&record.id).await?.into_iter())
                .filter_map(|child| Some((child.occurrence.as_ref()?.slot, child)))
                .collect();
            for child in children.values() {
                let Some(occurrence) = &child.occurrence else { continue };
                // One that its series no longer has is shown by neither side.
                if calendar::has_slot(&appointment.when, &appointment.recurrence, occurrence.slot)
                    .map_err(|error| error.with("record", &record.id))?
                    && let Ok(appointment) = self.at_slot(record, child.fields.as_ref(), occurrence.slot)
                {
                    add(&child.id, child.occurrence.clone(), appointment)?;
                }
            }
            // What began before the window may last into it.
            let lasts = appointment.when.end_instant()? - appointment.when.start_instant()?;
            let begin = from - lasts - chrono::Duration::days(1);
            let expansion =
                calendar::expand_from(&appointment.when, &appointment.recurrence, Some(begin), to)?;
            if expansion.truncated {
                return Err(Error::new(ErrorKind::Limit, "a series has too many occurrences in this window")
                    .with("record", &record.id)
                    .cure("Ask for a shorter window."));
            }
            for slot in expansion.slots.into_iter().filter(|slot| !children.contains_key(slot)) {
                let occurrence = Occurrence { series: record.id.clone(), slot };
                add(&record.id, Some(occurrence), self.at_slot(record, None, slot)?)?;
            }
        }
        shown.sort_by(|a, b| (a.0, &a.1.record, &a.1.occurrence).cmp(&(b.0, &b.1.record, &b.1.occurrence)));
        Ok(shown.into_iter().map(|(_, shown)| shown).collect())
    }

    /// The changed and cancelled occurrences of a series.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn occurrences(&self, series: &RecordId) -> Result<Vec<Record>> {
        self.engine.shared.store.record_occurrences(&self.engine.tenant, series).await
    }

    async fn occurrence(&self, series: &RecordId, slot: Slot) -> Result<(Record, Option<Record>)> {
        let master = self.expect(series).await?;
        let children = self.occurrences(series).await?;
        let child =
            children.into_iter().find(|child| child.occurrence.as_ref().is_some_and(|o| o.slot == slot));
        Ok((master, child))
    }

    /// An occurrence's own values, or what its series puts into the slot.
    fn at_slot(&self, master: &Record, own: Option<&Fields>, slot: Slot) -> Result<Appointment> {
        if let Some(own) = own.filter(|own| own.get("when").is_some()) {
            return Appointment::from_fields(own);
        }
        let mut appointment = Appointment::from_fields(master.fields.as_ref().unwrap_or(&Fields::new()))?;
        appointment.when = appointment.when.moved_to(&slot)?;
        appointment.recurrence = Recurrence::default();
        Ok(appointment)
    }

    async fn patch(&self, id: &RecordId, change: impl Fn(&Record) -> Result<RecordChange>) -> Result<Record> {
        for _ in 0..ATTEMPTS_MAX {
            let record = self.expect(id).await?;
            let write = self.of(id, Some(&record), change(&record)?);
            if self.try_write(vec![write]).await? {
                return self.expect(id).await;
            }
        }
        Err(moved(id))
    }

    async fn expect(&self, id: &RecordId) -> Result<Record> {
        let missing = || Error::new(ErrorKind::NotFound, "no such appointment").with("record", id);
        self.read(id).await?.ok_or_else(missing)
    }

    fn of(&self, id: &RecordId, record: Option<&Record>, change: RecordChange) -> RecordWrite {
        let operation = OperationId::new(self.engine.shared.entropy.hex());
        RecordWrite {
            operation,
            id: id.clone(),
            expected: record.map(|record| record.version.clone()),
            change,
        }
    }

    async fn write(&self, writes: Vec<RecordWrite>) -> Result<()> {
        let id = writes.first().map(|write| write.id.clone()).unwrap_or_else(|| "".into());
        if self.try_write(writes).await? { Ok(()) } else { Err(moved(&id)) }
    }

    async fn try_write(&self, records: Vec<RecordWrite>) -> Result<bool> {
        let mut batch = Batch::new(self.engine.tenant.clone());
        batch.groups.push(Group { records, ..Group::default() });
        Ok(self.engine.shared.store.commit(batch).await?.moved.is_empty())
    }
}

fn given_to(record: &Record, agent: &AgentId) -> RecordChange {
    let own_place = format!("attendee/{}", record.agent.as_str().to_lowercase());
    let mut units: BTreeSet<Unit> = ["organizer", "ical_uid", "conference"].map(Unit::from).into();
    units.insert(Unit::new(own_place));
    let fields = Fields::new();
    RecordChange::Patch { units, fields, occurrence: None, agent: Some(agent.clone()), sync: None }
}

fn moved(id: &RecordId) -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the appointment is being changed by somebody else")
        .with("record", id)
        .later()
}

/// The units that differ as written, whether or not that is a difference in canonical form.
fn raw_diff(before: &Fields, after: &Fields) -> BTreeSet<Unit> {
    let units = before.iter().chain(after.iter()).map(|(unit, _)| unit);
    units.filter(|unit| before.get(unit.as_str()) != after.get(unit.as_str())).cloned().collect()
}

/// Whether a series puts an occurrence there. A single appointment has none.
fn has_slot(series: &Record, slot: Slot) -> Result<bool> {
    let when = series.fields.as_ref().and_then(|fields| fields.get("when"));
    let (when, recurrence) = read_when(when.unwrap_or(&serde_json::Value::Null))?;
    Ok(!recurrence.is_empty()
        && calendar::has_slot(&when, &recurrence, slot).map_err(|error| error.with("record", &series.id))?)
}

/// The lines of a series before a slot, and the series that starts in it.
fn halves(
    when: &When,
    recurrence: &Recurrence,
    slot: Slot,
) -> std::result::Result<(Recurrence, RecurrenceSet<()>), EditRefused> {
    let own = Placed { start: Start::from(when), length: Length::default(), value: () };
    let halves = RecurrenceSet::new(own, recurrence.clone(), [], Reading::Lenient)?.split(slot)?;
    Ok((halves.before.lines().clone(), halves.following))
}
