//! Where statements run: a connection on a thread of its own, or on the caller's.
//!
//! SQLite blocks, and a future must not. So each connection lives on a thread, jobs are sent to it, and the answer comes
//! back over a channel that wakes the future on whatever executor it is. A job whose caller has gone away before it began is
//! left out; one that has begun is finished, so that a cancelled transaction happened entirely or not at all.
//!
//! A simulation wants to be the only one who decides what happens when: for it, the jobs run inside `poll`.

use calsync_core::{Error, ErrorKind, Result};
use rusqlite::Connection;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A connection and where it is used.
pub(crate) enum Worker {
    /// On a thread of its own.
    Thread { jobs: Option<mpsc::Sender<Job>>, thread: Option<JoinHandle<()>> },
    /// On whichever thread polls.
    Caller(Mutex<Connection>),
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread { .. } => "Thread",
            Self::Caller(_) => "Caller",
        })
    }
}

impl Worker {
    /// Opens a connection on a new thread of this name and keeps it there.
    pub(crate) async fn thread<T: Send + 'static>(
        name: &str,
        open: impl FnOnce() -> Result<(Connection, T)> + Send + 'static,
    ) -> Result<(Self, T)> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (tell, told) = oneshot::channel();
        let work = move || match open() {
            Err(error) => drop(tell.send(Err(error))),
            Ok((mut connection, found)) => {
                if tell.send(Ok(found)).is_ok() {
                    for job in queue {
                        // A job that panics rolls its transaction back and fails its caller; the next one is none the worse.
                        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|e| {
            Error::new(ErrorKind::Store, "the store's thread cannot be started").caused_by(e).later()
        })?;
        let worker = Self::Thread { jobs: Some(jobs), thread: Some(thread) };
        let found = told.await.map_err(|_| panicked())??;
        Ok((worker, found))
    }

    /// Keeps a connection for the threads that poll.
    pub(crate) fn caller(connection: Connection) -> Self {
        Self::Caller(Mutex::new(connection))
    }

    /// Runs a job and waits for its answer.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match self {
            Self::Caller(connection) => job(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)),
            Self::Thread { jobs, .. } => {
                let (tell, told) = oneshot::channel();
                let job: Job = Box::new(move |connection| {
                    if !tell.is_closed() {
                        let _ = tell.send(job(connection));
                    }
                });
                let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
                if !sent {
                    return Err(panicked());
                }
                told.await.map_err(|_| panicked())?
            }
        }
    }

    /// Takes apart what a job was told, on a thread that ends with it. Of a large transaction that is a good part of the work, and
    /// neither its caller nor the next job has to wait for it.
    pub(crate) fn take_apart(&self, told: impl Send + 'static) {
        if let Self::Thread { .. } = self {
            // Where there is no other thread to be had, it is done here.
            drop(std::thread::Builder::new().spawn(move || drop(told)));
        }
    }
}

/// Waits until the connection is closed, so that the file can be opened, copied or removed by whoever comes next.
impl Drop for Worker {
    fn drop(&mut self) {
        if let Self::Thread { jobs, thread } = self {
            drop(jobs.take());
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Store, "the store's thread panicked; what it was doing was rolled back")
}
