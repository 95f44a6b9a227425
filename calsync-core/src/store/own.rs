//! The rules of calsync's own table of appointments, for whoever keeps it.
//!
//! A store keeps rows and hands out versions; what a write does to a row, and when it may not, is the same for every store
//! and stands here, without I/O. Versions are decimal numbers from one sequence of the whole store, so the order of versions is
//! the order of commits, and the last version seen is the position from which changes are read on. A write carries the id
//! of an operation: the row remembers which operation made it and which one wrote it last, so that a repeat is told from
//! a second write. A user's write and calsync's are the same thing here.

use super::batch::Expect;
use super::rows::LocalMark;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{RecordChange, RecordWrite};
use crate::id::{AgentId, OperationId, Position, RecordId, Version};
use crate::model::appointment::read_when;
use crate::model::{Record, When};
use crate::planted::{self, Fault};
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

/// A row of calsync's own table. A deleted record stays as a row without fields, so that its deletion can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnRow {
    /// The record.
    pub record: Record,
    /// The operation that wrote this version, if it was written through calsync.
    pub operation: Option<OperationId>,
    /// The operation that made the record and the version which that gave it.
    pub created: Option<(OperationId, Version)>,
}

/// What becomes of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling {
    /// The record is no longer what the write was made from.
    Moved,
    /// It happened before, and gave the record this version.
    Done(Version),
    /// The row to put.
    Put(Box<OwnRow>),
}

impl OwnRow {
    /// What `write` does to `row`, where a changed row gets `version` and `now`.
    ///
    /// A creation needs that there is no row or a deleted one; every other change needs a living row at the expected
    /// version. A deletion of what is deleted at that version is done already.
    pub fn rule(row: Option<&Self>, write: &RecordWrite, version: &Version, now: DateTime<Utc>) -> Ruling {
        if let Some(row) = row {
            if row.operation.as_ref() == Some(&write.operation) {
                return Ruling::Done(row.record.version.clone());
            }
            if let (Some((operation, version)), RecordChange::Create { .. }) = (&row.created, &write.change)
                && *operation == write.operation
            {
                return Ruling::Done(version.clone());
            }
        }
        let expect = Expect { record: write.id.clone(), version: write.expected.clone() };
        if !expect.holds(row.map(|row| &row.record)) {
            return Ruling::Moved;
        }
        let living = row.filter(|row| row.record.fields.is_some()).map(|row| row.record.clone());
        let mut created = row.and_then(|row| row.created.clone());
        let mut record = match (&write.change, living) {
            (RecordChange::Create { agent, occurrence, fields }, _) => {
                created = Some((write.operation.clone(), version.clone()));
                Record {
                    id: write.id.clone(),
                    version: version.clone(),
                    agent: agent.clone(),
                    occurrence: occurrence.clone(),
                    fields: Some(fields.clone()),
                    sync: true,
                    modified: now,
                }
            }
            (RecordChange::Delete, None) if write.expected.is_some() => {
                return row.map_or(Ruling::Moved, |row| Ruling::Done(row.record.version.clone()));
            }
            (_, None) => return Ruling::Moved,
            (change, Some(mut record)) => {
                change.alter(&mut record);
                record
            }
        };
        record.version = version.clone();
        record.modified = now;
        Ruling::Put(Box::new(Self { record, operation: Some(write.operation.clone()), created }))
    }
}

impl RecordChange {
    /// Carries the change out on a living record; making one is not a change of one.
    fn alter(&self, record: &mut Record) {
        let values = record.fields.get_or_insert_default();
        match self {
            Self::Create { .. } => {}
            Self::Patch { units, fields, occurrence, agent, sync } => {
                values.take_from(fields, units);
                if let Some(occurrence) = occurrence {
                    record.occurrence = Some(occurrence.clone());
                }
                if let Some(agent) = agent {
                    record.agent = agent.clone();
                }
                if let Some(sync) = sync {
                    record.sync = *sync;
                }
            }
            Self::Cancel => values.set("status", Value::from("cancelled")),
            Self::Delete => record.fields = None,
        }
    }
}

impl Expect {
    /// Whether the record in the table, a deleted one included, is as expected.
    pub fn holds(&self, record: Option<&Record>) -> bool {
        match (&self.version, record) {
            (None, record) => record.is_none_or(|record| record.fields.is_none()),
            (Some(_), Some(_)) if planted::on(Fault::OverwrittenUnseen) => true,
            (Some(version), Some(record)) => record.version == *version,
            (Some(_), None) => false,
        }
    }
}

impl LocalMark {
    /// Whether having dealt with `version` settles this mark. Versions of calsync's own table are numbers and a later one
    /// settles an earlier mark; those of another host have no order, so that only the very version does.
    pub fn settled_by(&self, version: &Version) -> bool {
        let number = |version: &Version| version.as_str().parse::<u64>().ok();
        let later = || {
            self.record.is_none() && number(&self.version).zip(number(version)).is_some_and(|(a, b)| a <= b)
        };
        self.version == *version || later()
    }

    /// The mark with its record filled in, from calsync's own table where it keeps none itself. What the table does not
    /// know, not even as deleted, reads as deleted.
    pub fn filled(self, own: impl FnOnce(&RecordId) -> Option<Record>) -> Self {
        let record = self.record.or_else(|| own(&self.id)).unwrap_or_else(|| Record {
            id: self.id.clone(),
            version: self.version.clone(),
            agent: AgentId::new(""),
            occurrence: None,
            fields: None,
            sync: true,
            modified: DateTime::UNIX_EPOCH,
        });
        Self { id: self.id, root: self.root, version: self.version, record: Some(record) }
    }
}

/// The number of a position of calsync's own table; `None` is before everything.
///
/// # Errors
/// [`ErrorKind::Store`] for a position of another host.
pub fn position_number(position: Option<&Position>) -> Result<u64> {
    position.map_or(Ok(0), |position| {
        position.as_str().parse().map_err(|_| {
            Error::new(ErrorKind::Store, "the position is not one of calsync's own table")
                .with("position", position)
                .cure("Start over without a position; what is known already changes nothing.")
        })
    })
}

/// Where the record belongs in a list of what may overlap `from..to`; `None` where it cannot.
///
/// A series counts when it begins before `to`. Whole days are given the room of all zones, because a day is a different
/// stretch of time in each. What is over before it began counts at its start.
pub fn window_start(record: &Record, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (when, recurrence) = read_when(record.fields.as_ref()?.get("when")?).ok()?;
    let (start, end) = (when.start_instant().ok()?, when.end_instant().ok()?);
    let (earliest, latest) = match when {
        When::AllDay { .. } => (Duration::hours(14), Duration::hours(12)),
        When::Timed { .. } => (Duration::zero(), Duration::zero()),
    };
    let first = start.checked_sub_signed(earliest).unwrap_or(start);
    let last = end.checked_add_signed(latest).unwrap_or(end);
    let overlaps = first < to && (!recurrence.is_empty() || last > from || first >= from);
    overlaps.then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fields;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        serde_json::from_value(value).expect("a map")
    }

    fn write(operation: &str, expected: Option<&str>, change: RecordChange) -> RecordWrite {
        RecordWrite {
            operation: operation.into(),
            id: RecordId::from("a"),
            expected: expected.map(Version::from),
            change,
        }
    }

    fn create(operation: &str) -> RecordWrite {
        let change = RecordChange::Create {
            agent: "amy".into(),
            occurrence: None,
            fields: fields(json!({"summary": "Visit", "location": "Dock 4"})),
        };
        write(operation, None, change)
    }

    fn put(row: Option<&OwnRow>, write: &RecordWrite, version: &str) -> OwnRow {
        match OwnRow::rule(row, write, &version.into(), DateTime::UNIX_EPOCH) {
            Ruling::Put(row) => *row,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_repeated_creation_is_answered_as_the_first_time_even_after_edits_and_a_deletion() {
        let row = put(None, &create("o1"), "1");
        let row = put(Some(&row), &write("o2", Some("1"), RecordChange::Cancel), "2");
        let row = put(Some(&row), &write("o3", Some("2"), RecordChange::Delete), "3");
        let again = OwnRow::rule(Some(&row), &create("o1"), &"4".into(), DateTime::UNIX_EPOCH);
        assert_eq!(again, Ruling::Done("1".into()));
        let other = OwnRow::rule(Some(&row), &create("o4"), &"4".into(), DateTime::UNIX_EPOCH);
        assert!(matches!(other, Ruling::Put(_)), "a deleted record can be made again by somebody else");
    }

    #[test]
    fn a_cancelled_record_keeps_its_values_and_a_patched_unit_without_a_value_goes_back_to_its_default() {
        let row = put(None, &create("o1"), "1");
        let row = put(Some(&row), &write("o2", Some("1"), RecordChange::Cancel), "2");
        assert_eq!(row.record.fields.as_ref().and_then(|f| f.get("summary")), Some(&json!("Visit")));
        let patch = RecordChange::Patch {
            units: ["location".into(), "status".into()].into(),
            fields: fields(json!({"location": "Dock 5", "summary": "not asked for"})),
            occurrence: None,
            agent: None,
            sync: Some(false),
        };
        let row = put(Some(&row), &write("o3", Some("2"), patch), "3");
        let now = row.record.fields.expect("living");
        assert_eq!(json!(now), json!({"summary": "Visit", "location": "Dock 5"}));
        assert!(!row.record.sync);
    }

    #[test]
    fn a_write_that_was_made_from_another_version_moved() {
        let row = put(None, &create("o1"), "1");
        for (expected, change) in [
            (Some("0"), RecordChange::Cancel),
            (Some("0"), RecordChange::Delete),
            (None, RecordChange::Cancel),
            (None, create("x").change),
        ] {
            let write = write("o2", expected, change);
            let ruling = OwnRow::rule(Some(&row), &write, &"2".into(), DateTime::UNIX_EPOCH);
            assert_eq!(ruling, Ruling::Moved, "{write:?}");
        }
    }
}
