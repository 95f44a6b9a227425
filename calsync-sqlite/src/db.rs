//! Statements as one-liners, and SQLite's errors in calsync's words.
//!
//! Every statement is prepared once per connection and kept. SQLite's result codes are sorted by what a caller does about
//! them: wait, make room, change permissions, or restore a backup (<https://www.sqlite.org/rescode.html>).

use calsync_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Params, Row, ffi};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A failure while a row is read: SQLite's, or ours about what the row says.
pub(crate) enum Unread {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<Unread> for Error {
    fn from(error: Unread) -> Self {
        match error {
            Unread::Sqlite(error) => sql(error),
            Unread::Ours(error) => error,
        }
    }
}

/// Runs a statement that answers nothing and says how many rows it changed.
pub(crate) fn run(db: &Connection, statement: &str, params: impl Params) -> Result<usize> {
    db.prepare_cached(statement).and_then(|mut statement| statement.execute(params)).map_err(sql)
}

/// All rows of a query.
pub(crate) fn all<T>(
    db: &Connection,
    query: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Unread>,
) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(query).map_err(sql)?;
    let mut rows = statement.query(params).map_err(sql)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(sql)? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a query, which is run to its end.
pub(crate) fn one<T>(
    db: &Connection,
    query: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, Unread>,
) -> Result<Option<T>> {
    all(db, query, params, read).map(|rows| rows.into_iter().next())
}

/// All rows of a query whose first column is a JSON body.
pub(crate) fn bodies<T: DeserializeOwned>(
    db: &Connection,
    query: &str,
    params: impl Params,
) -> Result<Vec<T>> {
    all(db, query, params, |row| Ok(from_json(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?))
}

/// The first row of such a query.
pub(crate) fn body<T: DeserializeOwned>(
    db: &Connection,
    query: &str,
    params: impl Params,
) -> Result<Option<T>> {
    bodies(db, query, params).map(|rows| rows.into_iter().next())
}

pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::Store, "a row cannot be written as JSON").caused_by(e))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| damaged("a row is not what it should be").caused_by(e))
}

/// Something in the store that calsync never writes.
pub(crate) fn damaged(message: &'static str) -> Error {
    Error::new(ErrorKind::Store, message).cure("Restore the file from a backup.")
}

/// SQLite's integers are signed; none of calsync's numbers gets near the limit.
pub(crate) fn int(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| {
        Error::new(ErrorKind::Limit, "a number is larger than SQLite can keep").with("number", number)
    })
}

pub(crate) fn uint(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| damaged("a number is negative").with("number", number))
}

/// As many rows as somebody may ask for.
pub(crate) fn limit(count_max: usize) -> i64 {
    i64::try_from(count_max).unwrap_or(i64::MAX)
}

/// An error of SQLite, sorted by what to do about it.
pub(crate) fn sql(error: rusqlite::Error) -> Error {
    let code = error.sqlite_error().map_or(0, |e| e.extended_code);
    let told = |kind, message: &'static str, cure: &'static str| Error::new(kind, message).cure(cure);
    let sorted = match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => told(
            ErrorKind::StoreBusy,
            "another process has the store locked",
            "Nothing was lost. If it stays so, look for a program that keeps a transaction open in this file.",
        )
        .later(),
        ffi::SQLITE_FULL => told(
            ErrorKind::StoreFull,
            "the disk is full, or the store has reached its size limit",
            "Free some space or raise the limit; nothing was lost.",
        )
        .later(),
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_AUTH => told(
            ErrorKind::StoreReadOnly,
            "the store cannot be written",
            "Let this user write the file and its directory: SQLite keeps two more files next to it.",
        ),
        ffi::SQLITE_CANTOPEN => told(
            ErrorKind::StoreReadOnly,
            "the store cannot be opened for writing",
            "Let this user write the file and its directory: SQLite keeps two more files next to it.",
        ),
        ffi::SQLITE_NOTADB => told(
            ErrorKind::Store,
            "the file is not a SQLite database",
            "Check the path; if it is right, restore the file from a backup.",
        ),
        ffi::SQLITE_CORRUPT => told(
            ErrorKind::Store,
            "the database is damaged",
            "Restore the file from a backup; SQLite's `PRAGMA integrity_check` says what is wrong with it.",
        ),
        ffi::SQLITE_IOERR => told(
            ErrorKind::Store,
            "the disk failed",
            "Look into the system's log for the disk; calsync goes on where it was once the file can be read and written.",
        )
        .later(),
        ffi::SQLITE_TOOBIG => Error::new(ErrorKind::Limit, "a value is larger than SQLite can keep"),
        _ => Error::new(ErrorKind::Store, "SQLite refused a statement"),
    };
    let sorted = if code == 0 { sorted } else { sorted.with("SQLite code", code) };
    sorted.caused_by(error)
}
