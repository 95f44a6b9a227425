//! What is logged while tests run, kept in a file for each process, to be looked through for what must not be in it.
//!
//! `tests/run` names a directory in `CALSYNC_LOGS` and looks at its end. Without the variable nothing is installed. Every event and
//! every new span is kept, of every crate and level, without the time; a line that was there before is left out, since one says as much.
//!
//! The unit tests of calsync-core and calsync-google have this file as a module of their own.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, Once};
use tracing_subscriber::fmt::format::FmtSpan;

/// The word in every secret of the tests.
const MARK: &[u8] = b"neversay";

/// So many lines of a process are kept. Of those after them, from long simulations, only what has the word.
const LINES_MAX: usize = 400_000;

/// Keeps what this process logs from now on, if the environment asks for it.
pub(crate) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        if let Some(directory) = std::env::var_os("CALSYNC_LOGS") {
            keep(Path::new(&directory));
        }
    });
}

/// # Panics
/// When it cannot keep anything: that nothing was found would say nothing.
fn keep(directory: &Path) {
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let path = directory.join(format!("{program}-{}.txt", std::process::id()));
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let installed = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::NEW)
        .with_ansi(false)
        .without_time()
        .with_writer(Mutex::new(Lines { file, known: HashSet::new() }))
        .try_init();
    assert!(installed.is_ok(), "somebody else took what is logged: {installed:?}");
    // It is looked for in each file: a search that finds nothing has to be one that finds this.
    tracing::trace!("control-neversay");
}

fn hash(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// Lines of which each is written once.
struct Lines {
    file: File,
    known: HashSet<u64>,
}

impl Write for Lines {
    /// What comes is one whole line.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let has_mark = || line.windows(MARK.len()).any(|part| part.eq_ignore_ascii_case(MARK));
        let new = if self.known.len() < LINES_MAX { self.known.insert(hash(line)) } else { has_mark() };
        if new {
            self.file.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
