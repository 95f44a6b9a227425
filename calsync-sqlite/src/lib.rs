//! The embedded store of calsync: one SQLite file.
//!
//! It is the default because it needs nothing else to run: SQLite is compiled in, a file is made when there is none, and
//! several processes on one machine may use it at once. One connection writes and one reads, each on a thread of its own, so
//! that the store works on any executor. Every commit is on the disk before anybody hears of it.
//!
//! calsync's own table of appointments is a documented SQL table: a CRM can read and write it with plain SQL, from any
//! language, and its changes are synchronised like any other. See [`docs`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> calsync_core::Result<()> {
//! # let directory = tempfile::tempdir().map_err(|e| calsync_core::Error::new(calsync_core::ErrorKind::Store, e.to_string()))?;
//! # let path = directory.path().join("crm.db");
//! let store = calsync_sqlite::SqliteStore::open(path).await?;
//! # drop(store); Ok(()) }
//! ```
//!
//! The crate stands alone because a program can link SQLite's C library only once: who already links it with another
//! version brings a store of their own instead.

mod appointment;
mod audit;
mod commit;
mod db;
mod lease;
mod open;
mod read;
mod schema;
mod sealed;
mod store;
mod worker;

pub use open::SqliteBuilder;
pub use store::SqliteStore;

/// Longer texts.
pub mod docs {
    #[doc = include_str!("../docs/appointment.md")]
    pub mod appointment {}
}
