//! Opening a store: look first, change later.
//!
//! Whatever is wrong with the file (no database, newer, of another environment, locked, not writable) is found before the
//! first change to it, and said with its path and its cure.

use crate::db::sql;
use crate::schema;
use crate::store::SqliteStore;
use crate::worker::Worker;
use calsync_core::clock::{Clock, Entropy, EntropyExt, SystemClock, SystemEntropy};
use calsync_core::{Error, ErrorKind, InstallationId, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How a store is opened. Made by [`SqliteStore::builder`].
#[derive(Debug)]
pub struct SqliteBuilder {
    path: PathBuf,
    environment: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    busy_wait_max: Duration,
    size_max: Option<u64>,
    on_calling_thread: bool,
}

impl SqliteBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            environment: "production".to_owned(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            busy_wait_max: Duration::from_secs(5),
            size_max: None,
            on_calling_thread: false,
        }
    }

    /// The name of the environment that the store is for. A new store remembers it, and a store that was made for another
    /// one is refused, so that a copy of production does not write to the calendars of production. Default: `production`.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = name.into();
        self
    }

    /// The clock that judges leases and dates changes. Default: the operating system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where the id of a new store is drawn from. Default: the operating system.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// How long to wait for another process that is writing. Default: five seconds, many times what a transaction takes.
    pub fn busy_wait_max(mut self, wait: Duration) -> Self {
        self.busy_wait_max = wait;
        self
    }

    /// The size in bytes beyond which the file does not grow; more is [`ErrorKind::StoreFull`]. Default: the disk's.
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = Some(bytes);
        self
    }

    /// Runs statements on the thread that polls, where they block it. For simulations, which want to decide alone what
    /// happens when, and for programs that have no other work. Default: threads of the store's own.
    pub fn on_calling_thread(mut self) -> Self {
        self.on_calling_thread = true;
        self
    }

    /// Opens the store, and makes it if there is no file yet.
    ///
    /// # Errors
    /// Each names the path, and leaves the file as it was: [`ErrorKind::StoreEnvironment`], [`ErrorKind::StoreNewer`],
    /// [`ErrorKind::StoreReadOnly`], [`ErrorKind::StoreBusy`], [`ErrorKind::StoreFull`], [`ErrorKind::Config`] for a path that
    /// cannot be one, [`ErrorKind::Store`] for a file that is no database, is damaged, or has tables of the same names.
    pub async fn open(self) -> Result<SqliteStore> {
        let path = self.path.clone();
        let (writer, reader, installation) =
            self.connect().await.map_err(|error| error.with("store", self.path.display()))?;
        Ok(SqliteStore::new(path, self.environment, self.clock, installation, writer, reader))
    }

    async fn connect(&self) -> Result<(Worker, Worker, InstallationId)> {
        check_path(&self.path)?;
        let write = Opening {
            path: self.path.clone(),
            environment: self.environment.clone(),
            entropy: self.entropy.clone(),
            busy_wait_max: self.busy_wait_max,
            size_max: self.size_max,
        };
        let (path, busy_wait_max) = (self.path.clone(), self.busy_wait_max);
        let read = move || open_reader(&path, busy_wait_max).map(|connection| (connection, ()));
        if self.on_calling_thread {
            let (writer, installation) = write.open()?;
            Ok((Worker::caller(writer), Worker::caller(read()?.0), installation))
        } else {
            let (writer, installation) = Worker::thread("calsync-write", move || write.open()).await?;
            let (reader, ()) = Worker::thread("calsync-read", read).await?;
            Ok((writer, reader, installation))
        }
    }
}

/// What can be told from the path alone, in plainer words than SQLite has for it.
fn check_path(path: &Path) -> Result<()> {
    let wrong = |message, cure: &'static str| Err(Error::new(ErrorKind::Config, message).cure(cure));
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        // Two connections to it would be two stores.
        return wrong(
            "a store needs a file",
            "Give a path; for a store that is forgotten, use `MemoryStore`.",
        );
    }
    if path.is_dir() {
        return wrong("the path of the store is a directory", "Name a file in it, such as `calsync.db`.");
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    if directory.is_some_and(|directory| !directory.exists()) {
        return wrong("the directory of the store does not exist", "Make it first, or check the path.");
    }
    Ok(())
}

struct Opening {
    path: PathBuf,
    environment: String,
    entropy: Arc<dyn Entropy>,
    busy_wait_max: Duration,
    size_max: Option<u64>,
}

impl Opening {
    /// The connection that writes.
    fn open(self) -> Result<(Connection, InstallationId)> {
        let mut db = connect(&self.path, OpenFlags::SQLITE_OPEN_CREATE, self.busy_wait_max)?;
        schema::look(&db, &self.environment)?;
        if db.is_readonly("main").map_err(sql)? {
            return Err(Error::new(ErrorKind::StoreReadOnly, "the store cannot be written").cure(
                "Let this user write the file and its directory: SQLite keeps two more files next to it.",
            ));
        }
        if let Some(bytes) = self.size_max {
            let page: u64 =
                db.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0)).map_err(sql)?.into();
            let pages = i64::try_from(bytes / page).unwrap_or(i64::MAX).max(1);
            db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).map_err(sql)?;
        }
        // Readers and the writer do not wait for each other.
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(sql)?;
        // FULL: every commit is on the disk before anybody hears of it. A lease that a power cut took back would be given
        // out twice, and a write that was marked as sent must not look unsent again. Transactions are few and large, so
        // that waiting for the disk costs little: 28,800 instead of 32,700 rows a second when it was measured.
        db.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
        db.pragma_update(None, "journal_size_limit", 64 << 20).map_err(sql)?;
        // The log is copied into the database each 40 MB instead of each 4: a transaction of a full page is larger than that,
        // and the next one writes most of the indexes' pages again.
        db.pragma_update(None, "wal_autocheckpoint", 10_000).map_err(sql)?;
        // 6 MiB instead of SQLite's 2: a large transaction touches a dozen indexes in no order, and what does not fit goes to
        // the log before the commit and is read again.
        db.pragma_update(None, "cache_size", -6 * 1024).map_err(sql)?;
        // What a statement might have to take back is kept in memory: a page or two, not a file that is written and dropped.
        db.pragma_update(None, "temp_store", "MEMORY").map_err(sql)?;
        let meta = schema::migrate(&mut db, &self.environment, || InstallationId::new(self.entropy.hex()))?;
        Ok((db, meta.installation))
    }
}

/// The connection that reads.
fn open_reader(path: &Path, busy_wait_max: Duration) -> Result<Connection> {
    let db = connect(path, OpenFlags::empty(), busy_wait_max)?;
    db.pragma_update(None, "query_only", true).map_err(sql)?;
    Ok(db)
}

fn connect(path: &Path, more: OpenFlags, busy_wait_max: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let db = Connection::open_with_flags(path, flags).map_err(sql)?;
    db.busy_timeout(busy_wait_max).map_err(sql)?;
    db.pragma_update(None, "foreign_keys", true).map_err(sql)?;
    // A statement keeps the plan that it was prepared with. Without this SQLite parsed the query of an appointment anew at
    // each use, because its plan might depend on what is bound: a fifth of a first binding's time.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(sql)?;
    db.set_prepared_statement_cache_capacity(256);
    Ok(db)
}
