//! How long a listing takes, beside the least that it could take.
//!
//! ```sh
//! cargo bench -p calsync-testkit --bench first_binding
//! CALSYNC_BENCH_EVENTS=20000 CALSYNC_BENCH_BYTES=4000 cargo bench -p calsync-testkit --bench first_binding
//! CALSYNC_BENCH_EVENTS=2000 CALSYNC_BENCH_HOSTILE=yes cargo bench -p calsync-testkit --bench first_binding
//! ```
//!
//! | variable `CALSYNC_BENCH_…` | default | what |
//! |---|---|---|
//! | `EVENTS` | 100000 | how many events the calendar has |
//! | `CHANGES` | 1000 | how many of them are edited on either side |
//! | `BYTES` | 0 | each takes about so many bytes of a listing, 2000 to 9000; 0: as they come, about 1000 |
//! | `HOSTILE` | | `yes`: each is as large as Google lets an event become, about 150 kB |
//! | `FLOORS` | 5 | how often a floor is measured |
//! | `DIR`, `KEEP` | | where the databases are made, and whether they stay |
//!
//! The fake Google runs in a process of its own and serves pages over HTTP on the loopback. It renders a page once and then gives
//! the same bytes (`--keep-pages`), because rendering takes it longer than reading takes a client; every listing is asked
//! for once, untimed, before it is timed. Each step of the engine runs in a fresh process, so that its memory and its
//! processor time are its own.
//!
//! Beside a listing stands its *floor*: the same pages fetched over the same transport, read into Google's own types, and as many
//! rows as a first binding ends up with (taken from the store that it made) inserted with prepared statements, one
//! transaction a page, through the shipped schema as calsync writes it and with its pragmas, into an empty file; the median of
//! five. And `listing.py`, the script that one would write without calsync, if `.local/venv` has Google's client (as `tests/run`
//! makes it).
//!
//! Each line says what is aimed at, and whether it missed that; nothing is asserted, as the figures are of the machine that it runs
//! on.

mod figures;

use async_trait::async_trait;
use bytes::Bytes;
use calsync_core::engine::Engine;
use calsync_core::http::{ReqwestTransport, Transport};
use calsync_core::{Binding, Result as SyncResult, Secret};
use calsync_google::{Endpoints, Google, OAuthClient};
use calsync_sqlite::SqliteStore;
use calsync_testkit::tapped_store::{Tap, TappedStore};
use figures::{Aim, Line};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CALENDAR: &str = "alice@example.com";
/// What the engine asks for first.
const PAGE: usize = 600;
const EMPTY_RUNS: u32 = 50;

/// Most times that the floor may be taken, by step.
const FIRST_RATIO: f64 = 2.0;
const AGAIN_RATIO: f64 = 1.5;
const CHANGES_RATIO: f64 = 1.5;
/// How many times the rate of the script the first binding is to have.
const SCRIPT_TIMES: f64 = 2.0;
/// Most megabytes that the engine's process may take, for events of up to 4 kB and for hostile ones.
const MEGABYTES: f64 = 64.0;
const MEGABYTES_HOSTILE: f64 = 256.0;

fn main() -> Outcome<()> {
    calsync_testkit::keep_logs();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words.as_slice() {
        ["step", step, facts, store] => {
            println!("{}", runtime.block_on(step_of_engine(step, &serde_json::from_str(facts)?, store))?);
            Ok(())
        }
        ["floor", token, facts, rows, since] => {
            let facts = serde_json::from_str(facts)?;
            println!("{}", runtime.block_on(floor(token, &facts, Path::new(rows), since))?);
            Ok(())
        }
        _ => runtime.block_on(table()),
    }
}

fn number(name: &str, default: u32) -> Outcome<u32> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().map_err(|error| format!("{name}={text}: {error}").into())
}

/// How large the events are.
#[derive(Clone, Copy)]
enum Size {
    /// About so many bytes in a listing; 0 for as they come.
    Bytes(u32),
    Hostile,
}

impl Size {
    fn asked_for() -> Outcome<Self> {
        let bytes = number("CALSYNC_BENCH_BYTES", 0)?;
        match std::env::var("CALSYNC_BENCH_HOSTILE").as_deref() {
            Err(_) | Ok("") => Ok(Self::Bytes(bytes)),
            Ok("yes") if bytes == 0 => Ok(Self::Hostile),
            Ok("yes") => Err("the events have one size: CALSYNC_BENCH_BYTES or CALSYNC_BENCH_HOSTILE".into()),
            Ok(text) => Err(format!("CALSYNC_BENCH_HOSTILE is yes or left away, not {text}").into()),
        }
    }

    /// As the fake wants to be told.
    fn arguments(self) -> [String; 2] {
        match self {
            Self::Bytes(bytes) => ["--event-bytes".to_owned(), bytes.to_string()],
            Self::Hostile => ["--hostile".to_owned(), "yes".to_owned()],
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(0) => f.write_str("of the usual size"),
            Self::Bytes(bytes) => write!(f, "of about {bytes} bytes"),
            Self::Hostile => f.write_str("as large as Google lets them become"),
        }
    }
}

/// The transport does not take an answer of this size.
#[derive(Debug)]
struct TooLarge(String);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TooLarge {}

/// The fake in a process of its own, ended when this goes.
struct Fake {
    child: Child,
    facts: Value,
}

impl Fake {
    fn start(events: u32, size: Size) -> Outcome<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fake-google"))
            .args(["--events", &events.to_string(), "--keep-pages", "yes"])
            .args(size.arguments())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("the fake has no output")?;
        std::io::BufReader::new(output).read_line(&mut line)?;
        if line.is_empty() {
            return Err(format!("the fake did not start: {}", child.wait()?).into());
        }
        Ok(Self { child, facts: serde_json::from_str(&line)? })
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(text(&self.facts, "service_account_key_file"));
    }
}

fn text<'a>(facts: &'a Value, name: &str) -> &'a str {
    facts[name].as_str().unwrap_or_default()
}

async fn send(
    transport: &ReqwestTransport,
    method: &str,
    uri: &str,
    token: &str,
    body: String,
) -> Outcome<Bytes> {
    let mut request = http::Request::builder().method(method).uri(uri);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if method == "POST" && !body.starts_with('{') {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    let answer = match transport.send(request.body(Bytes::from(body))?).await {
        Err(error) if error.limit => return Err(TooLarge(error.message).into()),
        answer => answer.map_err(|error| error.message)?,
    };
    if !answer.status().is_success() {
        return Err(format!("{uri}: {}", answer.status()).into());
    }
    Ok(answer.into_body())
}

async fn access_token(transport: &ReqwestTransport, facts: &Value) -> Outcome<String> {
    let form = format!(
        "grant_type=refresh_token&refresh_token={}&client_id={}&client_secret={}",
        text(facts, "refresh_token"),
        text(facts, "client_id"),
        text(facts, "client_secret")
    );
    let answer = send(transport, "POST", text(facts, "token_url"), "", form).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    Ok(text(&answer, "access_token").to_owned())
}

/// The addresses and bodies of a listing's pages are those that the engine asks for: a page that is too large is asked for
/// again with half as many events, and so are those after it.
async fn pages(
    transport: &ReqwestTransport,
    facts: &Value,
    token: &str,
    since: &str,
    mut each: impl FnMut(&[u8]) -> Outcome<Option<String>>,
) -> Outcome<()> {
    let calendar = CALENDAR.replace('@', "%40");
    let uri =
        format!("{}/calendars/{calendar}/events?singleEvents=false&maxResults=", text(facts, "api_url"));
    let which = match since {
        "" => "&showDeleted=false".to_owned(),
        since => format!("&syncToken={}", encode(since)),
    };
    let mut next: Option<String> = None;
    let mut size = PAGE;
    loop {
        let page = next.as_ref().map_or(String::new(), |next| format!("&pageToken={}", encode(next)));
        let body =
            match send(transport, "GET", &format!("{uri}{size}{which}{page}"), token, String::new()).await {
                Err(error) if error.is::<TooLarge>() && size > 1 => {
                    size /= 2;
                    continue;
                }
                body => body?,
            };
        next = each(&body)?;
        if next.is_none() {
            return Ok(());
        }
    }
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let of = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(of).collect()
}

async fn warm(facts: &Value, since: &str) -> Outcome<()> {
    let transport = ReqwestTransport::new()?;
    let token = access_token(&transport, facts).await?;
    pages(&transport, facts, &token, since, |body| Ok(calsync_google::read_page_only(body)?.1)).await
}

#[derive(Debug, Default)]
struct Commits(Arc<AtomicU32>);

#[async_trait]
impl Tap for Commits {
    async fn before(&self, call: &'static str) -> SyncResult<()> {
        if matches!(call, "commit" | "lease" | "renew" | "release") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// One step of the engine, in this process.
async fn step_of_engine(step: &str, facts: &Value, path: &str) -> Outcome<Value> {
    let commits = Arc::new(AtomicU32::new(0));
    let store = TappedStore { inner: SqliteStore::open(path).await?, tap: Commits(Arc::clone(&commits)) };
    let client = OAuthClient {
        id: text(facts, "client_id").into(),
        secret: Secret::new(text(facts, "client_secret")),
    };
    let google = Google::refresh_token(client, Secret::new(text(facts, "refresh_token")))
        .endpoints(Endpoints::under(text(facts, "api_url").trim_end_matches("/calendar/v3"))?)
        .build()?;
    let engine =
        Engine::builder(store).provider("google", google).run_time_max(Duration::from_secs(3600)).build()?;
    let binding = match step {
        "first" => engine.bind(Binding::two_way(CALENDAR).to("google", CALENDAR)).await?,
        _ => engine.store().bindings(engine.tenant()).await?.pop().ok_or("there is no binding")?,
    };
    let runs = if step == "empty" {
        engine.run(&binding).await?;
        EMPTY_RUNS
    } else {
        1
    };
    commits.store(0, Ordering::Relaxed);
    let (began, worked) = (Instant::now(), processor_seconds());
    let mut report = engine.run(&binding).await?;
    for _ in 1..runs {
        report = engine.run(&binding).await?;
    }
    let runs = f64::from(runs);
    Ok(json!({
        "seconds": began.elapsed().as_secs_f64() / runs,
        "processor": (processor_seconds() - worked) / runs,
        "commits": f64::from(commits.load(Ordering::Relaxed)) / runs,
        "requests": report.requests,
        "resident": status("VmHWM:"),
        "outcome": report.to_string().lines().next(),
    }))
}

/// Processor time of all threads of this process.
fn processor_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_thread = |thread: std::fs::DirEntry| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
    };
    threads.map(of_thread).sum::<f64>() / 1e9
}

/// A figure of `/proc/self/status`, in MB.
fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// The tables that a first binding fills, a statement that puts a row of each, and the columns that it takes.
const TABLES: [(&str, &str); 5] = [
    (
        "appointment_change",
        "version, tenant, id, agent, series, slot, sync, deleted, modified, operation, created_operation, created_version",
    ),
    (
        "appointment",
        "tenant, id, agent, series, slot, summary, description, location, starts, ends, zone, recurrence, status, \
         transparency, visibility, fields, sync, modified, version",
    ),
    ("calsync_remote", "tenant, binding, key, root, generation, pending, body"),
    ("calsync_link", "tenant, binding, record, record_root, key, remote_root, live, version, body"),
    ("calsync_journal", "tenant, binding, record, body"),
];

async fn floor(token: &str, facts: &Value, rows: &Path, since: &str) -> Outcome<f64> {
    let path = rows.with_extension("floor");
    for end in ["floor", "floor-wal", "floor-shm"] {
        let _ = std::fs::remove_file(rows.with_extension(end));
    }
    // Makes the shipped schema.
    drop(SqliteStore::open(&path).await?);
    let from = Connection::open(rows)?;
    let limit = if since.is_empty() { i64::MAX } else { number("CALSYNC_BENCH_CHANGES", 1000)?.into() };
    let mut tables: Vec<Vec<Vec<Cell>>> = Vec::new();
    for (table, columns) in TABLES {
        let mut query = from.prepare(&format!("SELECT {columns} FROM {table} ORDER BY rowid LIMIT ?1"))?;
        let width = query.column_count();
        let rows = query.query_map([limit], |row| (0..width).map(|at| row.get(at)).collect())?;
        tables.push(rows.collect::<Result<_, _>>()?);
    }
    let transport = ReqwestTransport::new()?;
    let to = Connection::open(&path)?;
    to.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    to.pragma_update(None, "synchronous", "FULL")?;
    to.pragma_update(None, "journal_size_limit", 64 << 20)?;
    to.pragma_update(None, "wal_autocheckpoint", 10_000)?;
    to.pragma_update(None, "cache_size", -6 * 1024)?;
    to.pragma_update(None, "temp_store", "MEMORY")?;
    to.pragma_update(None, "foreign_keys", true)?;
    let began = Instant::now();
    let mut done = 0;
    pages(&transport, facts, token, since, |body| {
        let (count, next) = calsync_google::read_page_only(body)?;
        to.execute_batch("BEGIN IMMEDIATE; UPDATE appointment_sequence SET calsync = 1")?;
        for ((table, columns), rows) in TABLES.iter().zip(&tables) {
            let marks = vec!["?"; columns.split(',').count()].join(", ");
            let mut put = to.prepare_cached(&format!("INSERT INTO {table} ({columns}) VALUES ({marks})"))?;
            for row in rows.iter().skip(done).take(count) {
                put.execute(rusqlite::params_from_iter(row))?;
            }
        }
        done += count;
        to.execute_batch(&format!("UPDATE appointment_sequence SET value = {done}, calsync = 0; COMMIT"))?;
        Ok(next)
    })
    .await?;
    Ok(began.elapsed().as_secs_f64())
}

fn ask_itself(words: &[&str]) -> Outcome<Value> {
    let output = Command::new(std::env::current_exe()?).args(words).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", words[..2].join(" "), output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn step(step: &str, facts: &Value, store: &Path) -> Outcome<Value> {
    ask_itself(&["step", step, &facts.to_string(), &store.display().to_string()])
}

async fn median_floor(facts: &Value, store: &Path, since: &str) -> Outcome<f64> {
    warm(facts, since).await?;
    let token = access_token(&ReqwestTransport::new()?, facts).await?;
    let mut found = Vec::new();
    for _ in 0..number("CALSYNC_BENCH_FLOORS", 5)?.max(1) {
        let words = ["floor", &token, &facts.to_string(), &store.display().to_string(), since];
        found.push(ask_itself(&words)?.as_f64().ok_or("no figure")?);
    }
    found.sort_by(f64::total_cmp);
    Ok(found[found.len() / 2])
}

/// `None` without Google's client.
async fn script(facts: &Value, store: &Path) -> Outcome<Option<f64>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../.local/venv/bin/python");
    if !python.exists() {
        return Ok(None);
    }
    let token = access_token(&ReqwestTransport::new()?, facts).await?;
    let output = Command::new(python)
        .arg(root.join("benches/listing.py"))
        .args([text(facts, "api_url"), &token, CALENDAR])
        .arg(store.with_extension("script"))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("listing.py failed".into());
    }
    let said = String::from_utf8(output.stdout)?;
    Ok(Some(said.split_whitespace().nth(1).ok_or("listing.py said nothing")?.parse()?))
}

fn cursor(store: &Path) -> Outcome<String> {
    let db = Connection::open(store)?;
    let query = "SELECT json_extract(body, '$.listing.cursor') FROM calsync_state";
    Ok(db.query_row(query, [], |row| row.get(0))?)
}

async fn order(facts: &Value, name: &str, body: &Value) -> Outcome<()> {
    let uri = format!("{}/{name}", text(facts, "control_url"));
    send(&ReqwestTransport::new()?, "POST", &uri, "", body.to_string()).await.map(drop)
}

/// A step of the engine, said and printed.
fn print_step(what: &str, step: &Value, line: &Line, aim: &Aim) {
    line.print(what, aim);
    eprintln!("{what}: {}", text(step, "outcome"));
}

async fn table() -> Outcome<()> {
    let events = number("CALSYNC_BENCH_EVENTS", 100_000)?;
    let changes = number("CALSYNC_BENCH_CHANGES", 1000)?.min(events);
    let size = Size::asked_for()?;
    let directory = std::env::var_os("CALSYNC_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("calsync-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let store = directory.join("calsync.db");
    let fake = Fake::start(events, size)?;
    let facts = &fake.facts;
    println!("{events} events {size}");
    figures::head();

    warm(facts, "").await?;
    let first = step("first", facts, &store)?;
    let floor_of_all = median_floor(facts, &store, "").await?;
    let line = Line::of(&first, events, Some(floor_of_all));
    let aim = Aim::at_most(FIRST_RATIO, line.ratio(), " times the floor");
    print_step(&format!("first binding of {events}"), &first, &line, &aim);
    let empty = step("empty", facts, &store)?;
    let line = Line::of(&empty, 1, None);
    let met = line.requests.is_some_and(|count| count <= 1.0)
        && line.commits.is_some_and(|count| count <= 2.0)
        && line.processor.is_some_and(|seconds| seconds <= 0.001);
    let aim = Aim("one request, two commits, 1 ms of CPU at most".into(), met);
    print_step("run with nothing new", &empty, &line, &aim);

    order(facts, "expire-sync-tokens", &json!({})).await?;
    warm(facts, "").await?;
    let again = step("again", facts, &store)?;
    let line = Line::of(&again, events, Some(floor_of_all));
    let aim = Aim::at_most(AGAIN_RATIO, line.ratio(), " times the floor");
    print_step("full listing again (410)", &again, &line, &aim);

    let since = cursor(&store)?;
    let listed: Vec<String> = Connection::open(&store)?
        .prepare("SELECT key FROM calsync_remote ORDER BY rowid LIMIT ?1")?
        .query_map([changes], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in listed {
        let event = json!({ "summary": "Changed in the calendar" });
        let patch = json!({ "verb": "patch", "calendar": CALENDAR, "id": id, "event": event });
        order(facts, "user", &patch).await?;
    }
    warm(facts, &since).await?;
    let increment = step("increment", facts, &store)?;
    let floor_of_changes = median_floor(facts, &store, &since).await?;
    let line = Line::of(&increment, changes, Some(floor_of_changes));
    let aim = Aim::at_most(CHANGES_RATIO, line.ratio(), " times the floor");
    print_step(&format!("run with {changes} changes"), &increment, &line, &aim);

    let edit = "UPDATE appointment SET summary = 'Changed in the CRM' WHERE rowid IN
        (SELECT rowid FROM appointment WHERE recurrence IS NULL AND series IS NULL ORDER BY rowid DESC LIMIT ?1)";
    let edited = u32::try_from(Connection::open(&store)?.execute(edit, [changes])?)?;
    let push = step("push", facts, &store)?;
    let line = Line::of(&push, edited, None);
    // One for each, the listing, and a token.
    let met = line.requests.is_some_and(|count| count <= f64::from(edited) + 2.0);
    print_step(
        &format!("push of {edited} edits"),
        &push,
        &line,
        &Aim("one request an edit, and two".into(), met),
    );

    Line::timed(floor_of_all, events).print("floor of a full listing", &Aim::none());
    Line::timed(floor_of_changes, changes).print(&format!("floor of {changes} changes"), &Aim::none());
    match script(facts, &store).await? {
        Some(seconds) => {
            let times = seconds / first["seconds"].as_f64().unwrap_or(f64::NAN);
            let note = format!("{SCRIPT_TIMES} times its rate at least; the first binding has {times:.2}");
            Line::timed(seconds, events).print("script in Python", &Aim(note, times >= SCRIPT_TIMES));
        }
        None => println!("script in Python: .local/venv is missing; tests/run makes it"),
    }
    let steps = [&first, &empty, &again, &increment, &push];
    let peak = steps.iter().filter_map(|step| step["resident"].as_f64()).fold(0.0, f64::max);
    let aim = match size {
        Size::Bytes(0..=4096) => Aim::at_most(MEGABYTES, peak, " MB"),
        Size::Bytes(_) => Aim::none(),
        Size::Hostile => Aim::at_most(MEGABYTES_HOSTILE, peak, " MB"),
    };
    Line { megabytes: Some(peak), ..Line::default() }.print("peak memory of the engine", &aim);
    if std::env::var_os("CALSYNC_BENCH_KEEP").is_none() {
        std::fs::remove_dir_all(&directory)?;
    } else {
        println!("kept in {}", directory.display());
    }
    Ok(())
}
