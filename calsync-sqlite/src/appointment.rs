//! Records of calsync's own table as rows: which unit is a column, and which is in `fields`.
//!
//! The table is made to be read and written with plain SQL, so the usual units have columns. A unit goes into its column
//! when it looks as the column says; anything else stays in `fields` as it is, and so every record comes back exactly as it
//! was written. Where both have a value, the column is right: it is what a CRM's SQL would have written.

use crate::db::{Unread, all, damaged, from_json, int, one, run, to_json, uint};
use calsync_core::model::{Fields, Occurrence, Record, Slot};
use calsync_core::store::own::{OwnRow, window_start};
use calsync_core::{AgentId, RecordId, Result, Version};
use chrono::{DateTime, Datelike, Duration, SecondsFormat, Utc};
use rusqlite::{Connection, Row, named_params};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Units whose column holds their text, in the order of [`COLUMNS`].
const TEXTS: [&str; 6] = ["summary", "description", "location", "status", "transparency", "visibility"];

/// What of a `when` has a column.
const WHEN: [&str; 4] = ["start", "end", "zone", "recurrence"];

const COLUMNS: &str = "c.id, c.version, c.agent, c.series, c.slot, c.sync, coalesce(a.modified, c.modified), a.fields, \
    a.summary, a.description, a.location, a.status, a.transparency, a.visibility, a.starts, a.ends, a.zone, a.recurrence, \
    c.operation, c.created_operation, c.created_version";

const TABLES: &str = "appointment_change c LEFT JOIN appointment a ON a.tenant = c.tenant AND a.id = c.id";

/// The row of a record, a deleted one included.
pub(crate) fn row(db: &Connection, tenant: &str, id: &RecordId) -> Result<Option<OwnRow>> {
    let query = format!("SELECT {COLUMNS} FROM {TABLES} WHERE c.tenant = ?1 AND c.id = ?2");
    one(db, &query, (tenant, id.as_str()), |row| {
        let created = match (row.get::<_, Option<String>>(19)?, row.get::<_, Option<i64>>(20)?) {
            (Some(operation), Some(version)) => Some((operation.into(), number(version)?)),
            _ => None,
        };
        let operation = row.get::<_, Option<String>>(18)?.map(Into::into);
        Ok(OwnRow { record: record(row)?, operation, created })
    })
}

/// These records, deleted ones left out.
pub(crate) fn records(db: &Connection, tenant: &str, ids: &[RecordId]) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    for id in ids.iter().collect::<BTreeSet<_>>() {
        found.extend(row(db, tenant, id)?.map(|row| row.record).filter(|record| record.fields.is_some()));
    }
    Ok(found)
}

/// Records that changed after the number `after`, in commit order.
pub(crate) fn changes(
    db: &Connection,
    tenant: &str,
    binding: Option<(&str, &AgentId)>,
    after: i64,
    count_max: i64,
) -> Result<Vec<Record>> {
    // The link comes before the appointment, so that what it leaves out is not looked up there.
    let query = format!(
        "SELECT {COLUMNS} FROM appointment_change c
         LEFT JOIN calsync_link l ON l.tenant = c.tenant AND l.binding = ?4 AND l.record = c.id
         LEFT JOIN appointment a ON a.tenant = c.tenant AND a.id = c.id
         WHERE c.tenant = ?1 AND c.version > ?2 AND (?4 IS NULL
           OR (c.agent = ?5 OR l.record IS NOT NULL) AND l.version IS NOT CAST(c.version AS TEXT))
         ORDER BY c.version LIMIT ?3"
    );
    let (id, agent) = binding.unzip();
    all(db, &query, (tenant, after, count_max, id, agent.map(AgentId::as_str)), record)
}

/// The number of the tenant's last change.
pub(crate) fn last(db: &Connection, tenant: &str) -> Result<i64> {
    let query = "SELECT coalesce(max(version), 0) FROM appointment_change WHERE tenant = ?1";
    Ok(one(db, query, [tenant], |row| Ok(row.get(0)?))?.unwrap_or(0))
}

/// What may overlap `from..to`, by start.
pub(crate) fn window(
    db: &Connection,
    tenant: &str,
    agent: &AgentId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Record>> {
    // The columns hold what clocks on walls show. They are never further from UTC than this, so the index finds all that
    // matters, and the exact answer is worked out on the few records that it finds.
    let room = Duration::hours(40);
    let earliest = bound(from.checked_sub_signed(room).unwrap_or(DateTime::<Utc>::MIN_UTC));
    let latest = bound(to.checked_add_signed(room).unwrap_or(DateTime::<Utc>::MAX_UTC));
    let of_agent = "a.tenant = :tenant AND a.agent = :agent";
    let query = format!(
        "SELECT {COLUMNS} FROM appointment a JOIN appointment_change c ON c.tenant = a.tenant AND c.id = a.id WHERE a.rowid IN (
           SELECT rowid FROM appointment a WHERE {of_agent} AND starts IS NOT NULL AND recurrence IS NULL
             AND max(starts, ends) >= :earliest AND starts <= :latest
           UNION ALL SELECT rowid FROM appointment a WHERE {of_agent} AND recurrence IS NOT NULL AND starts <= :latest
           UNION ALL SELECT rowid FROM appointment a WHERE {of_agent} AND starts IS NULL
             AND json_extract(fields, '$.when') IS NOT NULL)"
    );
    let params = named_params! {
        ":tenant": tenant, ":agent": agent.as_str(), ":earliest": earliest, ":latest": latest,
    };
    let found = all(db, &query, params, record)?;
    let mut found: Vec<_> =
        found.into_iter().filter_map(|record| Some((window_start(&record, from, to)?, record))).collect();
    found.sort_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

/// The changed and cancelled occurrences of a series, by slot.
pub(crate) fn occurrences(db: &Connection, tenant: &str, series: &RecordId) -> Result<Vec<Record>> {
    let query = format!(
        "SELECT {COLUMNS} FROM appointment a JOIN appointment_change c ON c.tenant = a.tenant AND c.id = a.id
         WHERE a.tenant = ?1 AND a.series = ?2"
    );
    let mut found = all(db, &query, (tenant, series.as_str()), record)?;
    found.sort_by(|a, b| (&a.occurrence, &a.id).cmp(&(&b.occurrence, &b.id)));
    Ok(found)
}

/// Begins to write: from here to [`close`] the changes are kept by whoever writes, not by the table's triggers. Answers with
/// the number that the next change will have; nobody else can take it before the transaction ends.
pub(crate) fn open(db: &Connection) -> Result<i64> {
    let query = "UPDATE appointment_sequence SET calsync = 1 RETURNING value + 1";
    let next = one(db, query, (), |row| Ok(row.get(0)?))?;
    next.ok_or_else(|| damaged("the sequence of versions is missing"))
}

/// Ends what [`open`] began, where this is the number that the next change will have.
pub(crate) fn close(db: &Connection, next: i64) -> Result<()> {
    run(db, "UPDATE appointment_sequence SET value = ?1 - 1, calsync = 0", [next]).map(drop)
}

/// Puts a row with the version that it has, over a living one of the same id if that is `known`. Between [`open`] and [`close`].
pub(crate) fn put(db: &Connection, tenant: &str, row: &OwnRow, known: bool) -> Result<()> {
    let record = &row.record;
    let modified = record.modified.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let (operation, version) = row.created.as_ref().map(|(operation, version)| (operation, version)).unzip();
    // First: a version that the appointment's change does not have cannot be set.
    let statement = "INSERT INTO appointment_change (version, tenant, id, agent, series, slot, sync, deleted, modified, operation,
            created_operation, created_version)
        VALUES (:version, :tenant, :id, :agent, :series, :slot, :sync, :deleted, :modified, :operation,
            :created_operation, :created_version)
        ON CONFLICT (tenant, id) DO UPDATE SET version = excluded.version, agent = excluded.agent, series = excluded.series,
            slot = excluded.slot, sync = excluded.sync, deleted = excluded.deleted, modified = excluded.modified,
            operation = excluded.operation, created_operation = excluded.created_operation,
            created_version = excluded.created_version";
    let params = named_params! {
        ":version": version_number(&record.version)?,
        ":tenant": tenant,
        ":id": record.id.as_str(),
        ":agent": record.agent.as_str(),
        ":series": record.occurrence.as_ref().map(|o| o.series.as_str()),
        ":slot": record.occurrence.as_ref().map(|o| o.slot.to_string()),
        ":sync": record.sync,
        ":deleted": record.fields.is_none(),
        ":modified": modified,
        ":operation": row.operation.as_ref().map(|operation| operation.as_str()),
        ":created_operation": operation.map(|operation| operation.as_str()),
        ":created_version": version.map(version_number).transpose()?,
    };
    run(db, statement, params)?;
    match &record.fields {
        Some(fields) => put_living(db, tenant, record, fields, &modified, known),
        None => {
            run(db, "DELETE FROM appointment WHERE tenant = ?1 AND id = ?2", (tenant, record.id.as_str()))
                .map(drop)
        }
    }
}

fn put_living(
    db: &Connection,
    tenant: &str,
    record: &Record,
    fields: &Fields,
    modified: &str,
    known: bool,
) -> Result<()> {
    let occurrence = record.occurrence.as_ref();
    let columns = Columns::of(fields);
    let [summary, description, location, status, transparency, visibility] = columns.texts;
    let params = named_params! {
        ":tenant": tenant,
        ":id": record.id.as_str(),
        ":version": version_number(&record.version)?,
        ":agent": record.agent.as_str(),
        ":series": occurrence.map(|o| o.series.as_str()),
        ":slot": occurrence.map(|o| o.slot.to_string()),
        ":summary": summary,
        ":description": description,
        ":location": location,
        ":starts": columns.starts,
        ":ends": columns.ends,
        ":zone": columns.zone,
        ":recurrence": columns.recurrence,
        ":status": status,
        ":transparency": transparency,
        ":visibility": visibility,
        ":fields": to_json(&columns.rest)?,
        ":sync": record.sync,
        ":modified": modified,
    };
    // A column that is set is written anew in its indexes, the same or not.
    let edit = "UPDATE appointment SET summary = :summary, description = :description, location = :location, zone = :zone,
        status = :status, transparency = :transparency, visibility = :visibility, fields = :fields, sync = :sync,
        modified = :modified, version = :version
        WHERE tenant = :tenant AND id = :id AND agent = :agent AND series IS :series AND slot IS :slot
        AND starts IS :starts AND ends IS :ends AND recurrence IS :recurrence";
    let change = "UPDATE appointment SET agent = :agent, series = :series, slot = :slot, summary = :summary,
        description = :description, location = :location, starts = :starts, ends = :ends, zone = :zone,
        recurrence = :recurrence, status = :status, transparency = :transparency, visibility = :visibility,
        fields = :fields, sync = :sync, modified = :modified, version = :version WHERE tenant = :tenant AND id = :id";
    let insert = "INSERT INTO appointment (tenant, id, version, agent, series, slot, summary, description, location, starts, ends,
        zone, recurrence, status, transparency, visibility, fields, sync, modified)
        VALUES (:tenant, :id, :version, :agent, :series, :slot, :summary, :description, :location, :starts, :ends,
        :zone, :recurrence, :status, :transparency, :visibility, :fields, :sync, :modified)";
    let written = match known {
        true => run(db, edit, params)?,
        false => run(db, insert, params)?,
    };
    if written == 0 { run(db, change, params).map(drop) } else { Ok(()) }
}

/// The values of a record, taken apart: what columns hold, and what is left.
#[derive(Debug, PartialEq)]
struct Columns<Text, Rest> {
    texts: [Option<Text>; 6],
    starts: Option<Text>,
    ends: Option<Text>,
    zone: Option<Text>,
    recurrence: Option<String>,
    rest: Rest,
}

impl<'a> Columns<&'a str, BTreeMap<&'a str, Cow<'a, Value>>> {
    /// Values on their way into the table, as they are in the record.
    fn of(fields: &'a Fields) -> Self {
        let texts = TEXTS.map(|unit| fields.get(unit).and_then(Value::as_str));
        let in_column = |unit: &str, value: &Value| value.is_string() && TEXTS.contains(&unit);
        let rest = fields.iter().filter(|(unit, value)| !in_column(unit.as_str(), value));
        let rest = rest.map(|(unit, value)| (unit.as_str(), Cow::Borrowed(value))).collect();
        let mut columns = Self { texts, starts: None, ends: None, zone: None, recurrence: None, rest };
        if let Some(Value::Object(when)) = fields.get("when")
            && fits(when)
        {
            let text = |name| when.get(name).and_then(Value::as_str);
            (columns.starts, columns.ends, columns.zone) = (text("start"), text("end"), text("zone"));
            columns.recurrence = when.get("recurrence").map(Value::to_string);
            let left = when.iter().filter(|(name, _)| !WHEN.contains(&name.as_str()));
            let left: Map<_, _> = left.map(|(name, value)| (name.clone(), value.clone())).collect();
            if left.is_empty() {
                columns.rest.remove("when");
            } else {
                columns.rest.insert("when", Cow::Owned(Value::Object(left)));
            }
        }
        columns
    }
}

impl Columns<String, Map<String, Value>> {
    /// The values again.
    fn into_fields(self) -> Result<Fields> {
        let mut rest = self.rest;
        for (unit, text) in TEXTS.into_iter().zip(self.texts) {
            if let Some(text) = text {
                rest.insert(unit.to_owned(), Value::from(text));
            }
        }
        if let (Some(starts), Some(ends)) = (self.starts, self.ends) {
            let mut when = match rest.remove("when") {
                Some(Value::Object(when)) => when,
                _ => Map::new(),
            };
            when.insert("start".to_owned(), Value::from(starts));
            when.insert("end".to_owned(), Value::from(ends));
            match self.zone {
                Some(zone) => when.insert("zone".to_owned(), Value::from(zone)),
                None => when.remove("zone"),
            };
            if let Some(lines) = self.recurrence {
                when.insert("recurrence".to_owned(), from_json(&lines)?);
            }
            rest.insert("when".to_owned(), Value::Object(when));
        }
        serde_json::from_value(Value::Object(rest))
            .map_err(|e| damaged("the fields of an appointment cannot be read").caused_by(e))
    }
}

/// Whether a `when` looks as its columns say. Rare ones, such as a fraction of a second, are kept in `fields`.
fn fits(when: &Map<String, Value>) -> bool {
    let pattern = match when.get("zone") {
        None => "0000-00-00",
        Some(Value::String(_)) => "0000-00-00T00:00:00",
        Some(_) => return false,
    };
    let time = |name| when.get(name).and_then(Value::as_str).is_some_and(|text| looks_like(text, pattern));
    let lines = match when.get("recurrence") {
        None => true,
        Some(Value::Array(lines)) => lines.iter().all(Value::is_string),
        Some(_) => false,
    };
    time("start") && time("end") && lines
}

fn looks_like(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text
            .bytes()
            .zip(pattern.bytes())
            .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like })
}

/// An instant as the columns are written, for comparing texts. Years beyond four digits are before or after everything.
fn bound(instant: DateTime<Utc>) -> String {
    match instant.year() {
        ..0 => String::new(),
        0..=9999 => instant.format("%Y-%m-%dT%H:%M:%S").to_string(),
        _ => "~".to_owned(),
    }
}

fn number(version: i64) -> Result<Version, Unread> {
    Ok(Version::new(uint(version)?.to_string()))
}

/// A record from the columns of [`COLUMNS`].
fn record(row: &Row<'_>) -> Result<Record, Unread> {
    let occurrence = match (row.get::<_, Option<String>>(3)?, row.get::<_, Option<String>>(4)?) {
        (Some(series), Some(slot)) => Some(Occurrence { series: series.into(), slot: slot.parse::<Slot>()? }),
        _ => None,
    };
    let modified: String = row.get(6)?;
    let fields = match row.get::<_, Option<String>>(7)? {
        None => None,
        Some(rest) => {
            let columns = Columns {
                texts: [row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?, row.get(13)?],
                starts: row.get(14)?,
                ends: row.get(15)?,
                zone: row.get(16)?,
                recurrence: row.get(17)?,
                rest: from_json(&rest)?,
            };
            Some(columns.into_fields()?)
        }
    };
    Ok(Record {
        id: row.get::<_, String>(0)?.into(),
        version: number(row.get(1)?)?,
        agent: row.get::<_, String>(2)?.into(),
        occurrence,
        fields,
        sync: row.get(5)?,
        modified: modified
            .parse()
            .map_err(|e: chrono::ParseError| damaged("a time of modification cannot be read").caused_by(e))?,
    })
}

/// A version as the number that it is.
pub(crate) fn version_number(version: &Version) -> Result<i64> {
    version.as_str().parse().map_err(|_| damaged("a version is not a number")).and_then(int)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(values: Value, rest: Value) {
        let fields: Fields = serde_json::from_value(values.clone()).expect("a map");
        let columns = Columns::of(&fields);
        assert_eq!(json!(columns.rest), rest);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let read = Columns {
            texts: columns.texts.map(owned),
            starts: owned(columns.starts),
            ends: owned(columns.ends),
            zone: owned(columns.zone),
            recurrence: columns.recurrence,
            rest: from_json::<Map<String, Value>>(&to_json(&columns.rest).expect("JSON")).expect("a map"),
        };
        assert_eq!(json!(read.into_fields().expect("readable")), values);
    }

    #[test]
    fn usual_values_are_in_columns_and_everything_comes_back() {
        check(
            json!({"summary": "Visit", "status": "tentative",
                "when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "Europe/Vienna",
                    "recurrence": ["RRULE:FREQ=DAILY"]}}),
            json!({}),
        );
        check(json!({"when": {"start": "2026-11-23", "end": "2026-11-24"}}), json!({}));
    }

    #[test]
    fn what_the_columns_cannot_say_stays_in_fields() {
        check(
            json!({"when": {"start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00", "zone": "UTC",
                "end_zone": "Europe/Vienna", "start_later": true}}),
            json!({"when": {"end_zone": "Europe/Vienna", "start_later": true}}),
        );
        for odd in [
            json!({"when": {"start": "2026-11-23", "end": "2026-11-24", "zone": null}}),
            json!({"when": {"start": "2026-11-23", "end": "2026-11-24T00:00:00"}}),
            json!({"when": {"start": "2026-11-23T09:00:00.5", "end": "2026-11-23T10:00:00", "zone": "UTC"}}),
            json!({"when": {"start": "2026-11-23", "end": "2026-11-24", "recurrence": "daily"}}),
            json!({"summary": null, "status": 1, "extra": {"a": [0.1]}}),
        ] {
            check(odd.clone(), odd);
        }
    }
}
