//! The tables, and how a store of an older version becomes one of this.
//!
//! The schema's number is in a table of calsync's own, not in SQLite's `user_version`: the file may be the CRM's, and
//! `user_version` is then the CRM's too. A store is looked at before anything about it is changed: one that is newer, of
//! another environment, or no store at all is left exactly as it was. Migrations are numbered, each runs once, and all that are
//! due run in one transaction, so that a store is never between two versions.

use crate::db::{all, one, sql};
use calsync_core::{Error, ErrorKind, InstallationId, Result};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::BTreeMap;

/// Numbered from 1. What was released is never edited; a change is another entry.
const MIGRATIONS: [&str; 1] = [include_str!("schema/1.sql")];

/// The number of today's schema.
pub(crate) const NEWEST: usize = MIGRATIONS.len();

/// What a store says about itself.
#[derive(Debug)]
pub(crate) struct Meta {
    schema: usize,
    environment: String,
    written_by: String,
    pub(crate) installation: InstallationId,
}

/// Whether this database may be used as the store of `environment`. Changes nothing.
pub(crate) fn look(db: &Connection, environment: &str) -> Result<Option<Meta>> {
    let tables = all(
        db,
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND (name LIKE 'calsync\\_%' ESCAPE '\\' \
         OR name IN ('appointment', 'appointment_change', 'appointment_sequence')) ORDER BY name",
        (),
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    if !tables.iter().any(|name| name == "calsync_meta") {
        return match tables.first() {
            None => Ok(None),
            Some(table) => Err(Error::new(
                ErrorKind::Store,
                "the database has a table of the same name as one of calsync's",
            )
            .with("table", table)
            .cure("Give calsync a database file of its own.")),
        };
    }
    let meta = read(db)?;
    if meta.schema > NEWEST {
        return Err(Error::new(ErrorKind::StoreNewer, "the store was written by a newer version of calsync")
            .with("its schema", meta.schema)
            .with("known here", NEWEST)
            .with("written by", &meta.written_by)
            .cure(format!(
                "Run version {} of calsync or a newer one; this version is {}.",
                meta.written_by,
                env!("CARGO_PKG_VERSION")
            )));
    }
    if meta.environment != environment {
        return Err(Error::new(ErrorKind::StoreEnvironment, "the store was made for another environment")
            .with("made for", &meta.environment)
            .with("opened for", environment)
            .cure(format!(
                "If this is a copy, give {environment} a new store: this one knows the calendars of {}, and would write \
                 to them. If it is not a copy, open it with environment \"{}\".",
                meta.environment, meta.environment
            )));
    }
    Ok(Some(meta))
}

/// Makes the tables or brings them up to date; with nothing to do it writes nothing.
pub(crate) fn migrate(
    db: &mut Connection,
    environment: &str,
    draw: impl FnOnce() -> InstallationId,
) -> Result<Meta> {
    let current = |meta: &Meta| meta.schema == NEWEST && meta.written_by == env!("CARGO_PKG_VERSION");
    if let Some(meta) = look(db, environment)?.filter(current) {
        return Ok(meta);
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    // Somebody else may have migrated it since the first look.
    let known = look(&tx, environment)?;
    if known.is_none() {
        let made = "CREATE TABLE calsync_meta (name TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT";
        tx.execute_batch(made).map_err(sql)?;
        put(&tx, "environment", environment)?;
        put(&tx, "installation", draw().as_str())?;
    }
    for migration in MIGRATIONS.iter().skip(known.map_or(0, |meta| meta.schema)) {
        tx.execute_batch(migration).map_err(sql)?;
    }
    put(&tx, "schema", &NEWEST.to_string())?;
    put(&tx, "written_by", env!("CARGO_PKG_VERSION"))?;
    let meta = read(&tx)?;
    tx.commit().map_err(sql)?;
    Ok(meta)
}

fn read(db: &Connection) -> Result<Meta> {
    let mut meta: BTreeMap<String, String> =
        all(db, "SELECT name, value FROM calsync_meta", (), |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
    let mut take = |name: &'static str| {
        meta.remove(name).ok_or_else(|| {
            Error::new(ErrorKind::Store, "the store does not say what it is")
                .with("missing", name)
                .cure("Restore the file from a backup.")
        })
    };
    let schema = take("schema")?;
    Ok(Meta {
        schema: schema.parse().map_err(|_| {
            Error::new(ErrorKind::Store, "the store does not say what it is").with("schema", schema)
        })?,
        environment: take("environment")?,
        written_by: take("written_by")?,
        installation: InstallationId::new(take("installation")?),
    })
}

fn put(db: &Connection, name: &str, value: &str) -> Result<()> {
    let put =
        "INSERT INTO calsync_meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    one(db, &format!("{put} RETURNING 1"), (name, value), |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(db: &Connection) -> Vec<(String, Option<String>)> {
        all(db, "SELECT name, sql FROM sqlite_schema ORDER BY name", (), |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("a schema")
    }

    #[test]
    fn migrating_again_changes_nothing() {
        let mut db = Connection::open_in_memory().expect("opens");
        let first = migrate(&mut db, "production", || "first".into()).expect("migrates");
        let (tables, changes) = (dump(&db), db.total_changes());
        let second = migrate(&mut db, "production", || "second".into()).expect("nothing to do");
        assert_eq!(second.installation, first.installation);
        assert_eq!((dump(&db), db.total_changes()), (tables, changes));
    }

    #[test]
    fn a_store_of_an_older_version_of_calsync_is_brought_up_to_date_and_keeps_its_installation() {
        let mut db = Connection::open_in_memory().expect("opens");
        migrate(&mut db, "production", || "first".into()).expect("migrates");
        put(&db, "written_by", "0.0.1").expect("older");
        let meta = migrate(&mut db, "production", || "second".into()).expect("migrates");
        assert_eq!(
            (meta.installation.as_str(), meta.written_by.as_str()),
            ("first", env!("CARGO_PKG_VERSION"))
        );
    }
}
