//! The file that an example works with.
//!
//! An example begins with an empty database, so it has to remove the one that its last run left. It removes nothing else: a
//! store says for which environment it was made, and only one that says [`ENVIRONMENT`] is removed. The file is opened for
//! reading alone to find that out.

use crate::Result;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};

/// The environment that stores of examples are made for; a store of another environment is refused by calsync itself.
pub const ENVIRONMENT: &str = "quickstart";

/// The path from the environment variable `CALSYNC_DB`, or `crm.db` in the working directory.
pub fn path() -> PathBuf {
    std::env::var_os("CALSYNC_DB").map_or_else(|| PathBuf::from("crm.db"), PathBuf::from)
}

/// Makes room for a new store: removes what an earlier run left, and says whether there was something.
///
/// # Errors
/// When there is a file that no earlier run made. It is left as it is.
pub fn make_room(path: &Path) -> Result<bool> {
    // Of a link to a file, neither is ours.
    let Ok(found) = path.symlink_metadata() else { return Ok(false) };
    if !found.is_file() || made_for(path).as_deref() != Some(ENVIRONMENT) {
        return Err(format!(
            "{} is not a database that an earlier run of this example made, so it stays as it is. Set CALSYNC_DB to \
             another path.",
            path.display()
        )
        .into());
    }
    std::fs::remove_file(path)?;
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        if Path::new(&beside).exists() {
            std::fs::remove_file(&beside)?;
        }
    }
    Ok(true)
}

/// The environment that a store names; `None` for a file that is no store.
fn made_for(path: &Path) -> Option<String> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let row = |row: &rusqlite::Row<'_>| row.get(0);
    db.query_row("SELECT value FROM calsync_meta WHERE name = 'environment'", (), row).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_sqlite::SqliteStore;

    #[tokio::test]
    async fn only_what_an_earlier_run_made_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crm.db");
        assert!(!make_room(&path).unwrap());

        drop(SqliteStore::builder(&path).environment(ENVIRONMENT).open().await.unwrap());
        assert!(make_room(&path).unwrap());
        assert!(!path.exists());

        for content in ["", "a letter", "SQLite format 3\0"] {
            std::fs::write(&path, content).unwrap();
            assert!(make_room(&path).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        std::fs::remove_file(&path).unwrap();

        drop(SqliteStore::builder(&path).open().await.unwrap());
        assert!(make_room(&path).is_err(), "a store of production");
        assert!(path.exists());

        let elsewhere = directory.path().join("elsewhere.db");
        drop(SqliteStore::builder(&elsewhere).environment(ENVIRONMENT).open().await.unwrap());
        let other = directory.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE customer (id)").unwrap();
        assert!(make_room(&other).is_err(), "somebody else's database");
        assert!(make_room(directory.path()).is_err(), "a directory");
        #[cfg(unix)]
        {
            let link = directory.path().join("link.db");
            std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
            assert!(make_room(&link).is_err(), "a link");
            assert!(elsewhere.exists() && link.exists());
        }
    }
}
