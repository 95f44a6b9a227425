//! Two agents, a CRM in one SQLite file, and Google Calendar: kept the same through eight rounds of edits on both sides.
//!
//! ```sh
//! cargo run -p calsync-examples --example quickstart
//! ```
//!
//! It needs no account. A fake Google is started in this process, and calsync's real Google provider talks to it over real HTTP
//! with a service account. The database stays, to be looked at: `crm.db`, or what `CALSYNC_DB` names. At the end both sides are
//! compared by code that knows nothing of calsync's decisions, and the program fails if they differ.
//!
//! Against your own Google Calendar it makes a plan, shows it, and asks before anything is written:
//!
//! ```sh
//! CALSYNC_GOOGLE_KEY=key.json CALSYNC_GOOGLE_USER=amy@example.com CALSYNC_DB=amy.db \
//!   cargo run -p calsync-examples --example quickstart
//! ```
//!
//! `key.json` is a service account's key whose domain-wide delegation has the scope
//! `https://www.googleapis.com/auth/calendar.events`; the user's primary calendar is synchronised from today on.

use calsync_core::binding::{Binding, Policy};
use calsync_core::clock::SystemEntropy;
use calsync_core::engine::{Appointments, Engine};
use calsync_core::http::ReqwestTransport;
use calsync_core::model::{Appointment, Attendee, Recurrence, Slot, When};
use calsync_core::plan::{Action, Row};
use calsync_core::report::Report;
use calsync_core::{RecordId, Zone};
use calsync_examples::fake_google::{ALICE, BOB, ZONE};
use calsync_examples::sides::{self, Shown};
use calsync_examples::table::{self, short};
use calsync_examples::{Result, database, fake_google};
use calsync_google::{Google, ServiceAccountKey};
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::Server;
use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match (std::env::var_os("CALSYNC_GOOGLE_KEY"), std::env::var("CALSYNC_GOOGLE_USER")) {
        (Some(key), Ok(user)) => with_google_itself(Path::new(&key), &user).await,
        (None, Err(_)) => with_a_fake_google().await,
        _ => Err("CALSYNC_GOOGLE_KEY and CALSYNC_GOOGLE_USER belong together: set both or neither".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn with_a_fake_google() -> Result<()> {
    let path = database::path();
    if database::make_room(&path)? {
        println!("Removed {}, which an earlier run had left.", path.display());
    }
    let server = fake_google::start()?;
    println!("The fake Google listens on {}, the CRM is {}.", server.base_url(), path.display());

    // What an application does.
    let store = SqliteStore::builder(&path).environment(database::ENVIRONMENT).open().await?;
    let google = Google::service_account(fake_google::key()?)
        .endpoints(fake_google::endpoints(&server)?)
        .transport(Arc::new(ReqwestTransport::new()?))
        .build()?;
    let engine = Engine::builder(store).provider("google", google).build()?;
    let alice = engine.bind(Binding::two_way(ALICE).to("google", ALICE)).await?;
    let bob = engine.bind(Binding::two_way(BOB).to("google", BOB).policy(Policy::Local)).await?;

    let crm = engine.appointments()?;
    let stage = Stage { engine, crm, server, bindings: [("alice", alice), ("bob", bob)], first: a_monday()? };
    stage.play(&path).await
}

/// Everything that the rounds work with.
struct Stage {
    engine: Engine,
    crm: Appointments,
    server: Server,
    bindings: [(&'static str, Binding); 2],
    /// A Monday to come; all appointments are in the weeks from it on.
    first: NaiveDate,
}

impl Stage {
    async fn play(&self, path: &Path) -> Result<()> {
        let crm = &self.crm;

        round(1, "the first sync");
        told(
            "alice has a visit with a customer as guest and a weekly stand-up in the CRM, and a dentist in Google",
        );
        told("bob has a review and two days of fair in the CRM, and a supplier's call in Google");
        told(
            "two calendars of other people's making are in Google: a daily series of 2006, a monthly one without end",
        );
        let mut visit = Appointment::new("Site visit", self.time(0, 9, 0, 60)?);
        visit.attendees.insert("customer@elsewhere.example".into(), Attendee::default());
        let visit = crm.create(ALICE, &visit).await?.id;
        let mut standup = Appointment::new("Stand-up", self.time(0, 8, 30, 15)?);
        standup.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=6".into()]);
        let standup = crm.create(ALICE, &standup).await?.id;
        let review = Appointment::new("Contract review", self.time(1, 14, 0, 60)?);
        let review = crm.create(BOB, &review).await?.id;
        let fair = When::AllDay { start: self.day(2), end: self.day(4) };
        crm.create(BOB, &Appointment::new("Trade fair", fair)).await?;
        self.in_google_new(ALICE, "Dentist", 2, 11)?;
        self.in_google_new(BOB, "Supplier call", 3, 10)?;
        self.sync().await?;

        round(2, "made on both sides");
        told("bob's kick-off goes into the CRM's table by plain SQL, alice's interview into Google");
        self.by_sql(path, "Kick-off", BOB, 7, 13)?;
        self.in_google_new(ALICE, "Interview", 4, 15)?;
        self.sync().await?;

        round(3, "different fields edited on both sides: both are kept");
        told("the visit gets a place in the CRM, and another title in Google");
        crm.edit(&visit, |visit| visit.location = Some("Dock 4".into())).await?;
        self.in_google(ALICE, "Site visit", &json!({ "summary": "Site visit, with keys" }))?;
        self.sync().await?;

        round(4, "the same field edited on both sides: the binding's policy decides");
        told(
            "alice's binding says that the calendar wins: the visit is at Dock 5 in the CRM, at Dock 6 in Google",
        );
        told("bob's binding says that the CRM wins: the review is in room 1 in the CRM, in room 2 in Google");
        crm.edit(&visit, |visit| visit.location = Some("Dock 5".into())).await?;
        self.in_google(ALICE, "Site visit, with keys", &json!({ "location": "Dock 6" }))?;
        crm.edit(&review, |review| review.location = Some("Room 1".into())).await?;
        self.in_google(BOB, "Contract review", &json!({ "location": "Room 2" }))?;
        self.sync().await?;
        self.lost(&[&visit, &review]).await?;

        round(5, "one occurrence moved in Google, another cancelled in the CRM");
        told("alice's second stand-up is at 9:15 in Google, her third one is cancelled in the CRM");
        let second = self.time(7, 8, 30, 15)?;
        self.move_occurrence(ALICE, "Stand-up", &second, &self.time(7, 9, 15, 15)?)?;
        crm.cancel_occurrence(&standup, self.time(14, 8, 30, 15)?.slot()?).await?;
        self.sync().await?;

        round(6, "deleted on one side");
        told("bob deletes the review in the CRM, alice the dentist in Google");
        crm.delete(&review).await?;
        self.delete_in_google(ALICE, "Dentist", false)?;
        self.sync().await?;

        round(7, "Google forgets what calsync had seen");
        told(
            "bob deletes the supplier's call in Google; no listing tells of it, and all sync tokens have expired",
        );
        self.delete_in_google(BOB, "Supplier call", true)?;
        self.server.fake().expire_sync_tokens();
        self.sync().await?;

        round(8, "nothing happened");
        let before = self.writes();
        self.sync().await?;
        if self.writes() != before {
            return Err("a round in which nothing happened wrote to Google".into());
        }

        self.compare().await?;
        self.no_mail()?;
        println!("\nThe CRM is an SQL table. Look at it:\n");
        println!(
            "  sqlite3 -box {} \\\n    \"SELECT agent, summary, location, starts, status FROM appointment\"",
            path.display()
        );
        Ok(())
    }

    // ---- what people do ----

    fn in_google_new(&self, calendar: &str, title: &str, day: i64, hour: u32) -> Result<()> {
        let (start, end) = (self.clock(day, hour, 0)?, self.clock(day, hour + 1, 0)?);
        let event = json!({ "summary": title, "start": edge(start), "end": edge(end) });
        self.server.fake().user_insert(Utc::now(), calendar, &event)?;
        Ok(())
    }

    fn in_google(&self, calendar: &str, title: &str, patch: &Value) -> Result<()> {
        let id = self.event(calendar, title)?;
        Ok(self.server.fake().user_patch(Utc::now(), calendar, &id, patch)?)
    }

    fn move_occurrence(&self, calendar: &str, series: &str, from: &When, to: &When) -> Result<()> {
        let id = self.event(calendar, series)?;
        let When::Timed { start, end } = to else { return Err("an occurrence moves to a time".into()) };
        let (start, end) = (edge(start.time), edge(end.time));
        let slot = from.slot()?.to_string();
        Ok(self.server.fake().user_move_instance(Utc::now(), calendar, &id, &slot, &start, &end)?)
    }

    fn delete_in_google(&self, calendar: &str, title: &str, without_a_trace: bool) -> Result<()> {
        let id = self.event(calendar, title)?;
        let mut google = self.server.fake();
        google.user_delete(Utc::now(), calendar, &id)?;
        if without_a_trace {
            google.user_purge(calendar, &id);
        }
        Ok(())
    }

    fn event(&self, calendar: &str, title: &str) -> Result<String> {
        let google = self.server.fake();
        let found = google.events(calendar).find(|event| {
            event["summary"] == title && event["recurringEventId"].is_null() && event["status"] != "cancelled"
        });
        let id = found.as_ref().and_then(|event| event["id"].as_str());
        Ok(id.ok_or_else(|| format!("Google has no event {title:?} in {calendar}"))?.to_owned())
    }

    /// Any program that speaks SQL can keep the CRM's appointments.
    fn by_sql(&self, path: &Path, title: &str, agent: &str, day: i64, hour: u32) -> Result<()> {
        use calsync_core::clock::EntropyExt;
        let text = |time: NaiveDateTime| time.format("%Y-%m-%dT%H:%M:%S").to_string();
        let (start, end) = (text(self.clock(day, hour, 0)?), text(self.clock(day, hour + 1, 0)?));
        rusqlite::Connection::open(path)?.execute(
            "INSERT INTO appointment (tenant, id, agent, summary, starts, ends, zone) \
             VALUES ('default', ?1, ?2, ?3, ?4, ?5, ?6)",
            (SystemEntropy.hex(), agent, title, start, end, ZONE),
        )?;
        Ok(())
    }

    // ---- what calsync does ----

    async fn sync(&self) -> Result<()> {
        let mut rows = Vec::new();
        let mut notes = Vec::new();
        for (name, binding) in &self.bindings {
            let report: Report = self.engine.run(binding).await?;
            rows.extend(report.rows.iter().map(|row| line(name, row)));
            notes.extend(report.warnings().map(|warning| format!("{name}: {warning}")));
        }
        if rows.is_empty() {
            println!("  calsync found nothing to do.");
        } else {
            table::print(4, ["agent", "done", "appointment", "fields", "reason"], &rows);
        }
        for note in notes {
            println!("    ! {note}");
        }
        Ok(())
    }

    /// The values that lost, from the journal.
    async fn lost(&self, records: &[&RecordId]) -> Result<()> {
        for (name, binding) in &self.bindings {
            for record in records {
                let store = self.engine.store();
                let journal = store.journal(self.engine.tenant(), &binding.id, Some(record), 10).await?;
                for entry in journal {
                    for (unit, value) in entry.lost.iter().flat_map(|lost| lost.iter()) {
                        println!("    in the journal of {name}: {} {value} lost", unit.as_str());
                    }
                }
            }
        }
        Ok(())
    }

    fn writes(&self) -> usize {
        self.server.fake().journal().iter().filter(|entry| entry.wrote()).count()
    }

    // ---- what came of it ----

    async fn compare(&self) -> Result<()> {
        let (begin, now) = (NaiveDate::default(), Utc::now());
        let from = begin.and_time(chrono::NaiveTime::MIN).and_utc();
        let (today, soon, to) = (now, now + Duration::days(50), now + Duration::days(400));
        let zone = Zone::new(ZONE)?;
        let (mut lines, mut more, mut differ) = (Vec::new(), 0, 0);
        for calendar in [ALICE, BOB] {
            let crm = sides::in_crm(&self.engine, calendar, from, to).await?;
            let google = sides::in_google(&self.server.fake(), calendar, from, to)?;
            for (shown, here, there) in sides::beside(&crm, &google) {
                differ += usize::from(here != there);
                if here == there && (shown.start < today || shown.start > soon) {
                    more += 1;
                    continue;
                }
                let yes = |count: usize| if count == 0 { "-".to_owned() } else { "yes".to_owned() };
                let agent = calendar.split('@').next().unwrap_or_default().to_owned();
                lines.push([agent, when(&shown, &zone)?, title(&shown), yes(here), yes(there)]);
            }
        }
        println!("\nBoth sides, by the CRM's own window and by Google's own expansion:\n");
        table::print(4, ["agent", "when", "appointment", "CRM", "Google"], &lines);
        println!("    and {more} more occurrences before and after, on both sides");
        if differ > 0 {
            return Err(format!("the sides differ in {differ} occurrences").into());
        }
        println!("\nBoth sides are the same.");
        Ok(())
    }

    fn no_mail(&self) -> Result<()> {
        let google = self.server.fake();
        let writes = google.journal().iter().filter(|entry| entry.wrote()).count();
        println!(
            "Google handled {} requests, of which {writes} wrote an event. Mails sent to guests: {}.",
            google.requests(),
            google.mails().len()
        );
        if google.mails().is_empty() { Ok(()) } else { Err("somebody was mailed".into()) }
    }

    // ---- days and times ----

    fn day(&self, offset: i64) -> NaiveDate {
        self.first + Duration::days(offset)
    }

    fn clock(&self, day: i64, hour: u32, minute: u32) -> Result<NaiveDateTime> {
        Ok(self.day(day).and_hms_opt(hour, minute, 0).ok_or("no such time of day")?)
    }

    fn time(&self, day: i64, hour: u32, minute: u32, minutes: i64) -> Result<When> {
        Ok(When::timed(self.clock(day, hour, minute)?, Duration::minutes(minutes), &Zone::new(ZONE)?)?)
    }
}

fn round(number: u32, what: &str) {
    println!("\nRound {number}: {what}");
}

fn told(what: &str) {
    println!("  {what}");
}

/// A row of a report, as it is printed.
fn line(agent: &str, row: &Row) -> [String; 5] {
    let units: Vec<&str> = row.units.iter().map(|unit| unit.as_str()).collect();
    // A new appointment has all its fields; which ones is of no interest.
    let fields = match row.action {
        Action::CreateLocal | Action::CreateRemote => String::new(),
        _ => units.join(", "),
    };
    let title = row.summary.as_deref().unwrap_or("(private)");
    let title = match row.slot {
        Some(Slot::Time(start)) => format!("{title} of {}", start.format("%-d %b")),
        Some(Slot::Date(day)) => format!("{title} of {}", day.format("%-d %b")),
        None => title.to_owned(),
    };
    [agent.to_owned(), row.action.to_string(), short(&title, 28), short(&fields, 24), row.reason.clone()]
}

fn title(shown: &Shown) -> String {
    if shown.location.is_empty() {
        shown.summary.clone()
    } else {
        format!("{}, {}", shown.summary, shown.location)
    }
}

fn when(shown: &Shown, zone: &Zone) -> Result<String> {
    if shown.all_day {
        let last = shown.end - Duration::days(1);
        return Ok(format!("{} to {}", shown.start.format("%a %e %b"), last.format("%a %e %b")));
    }
    let (start, end) = (zone.wall(shown.start)?.time, zone.wall(shown.end)?.time);
    Ok(format!("{}–{}", start.format("%a %e %b %H:%M"), end.format("%H:%M")))
}

fn edge(time: NaiveDateTime) -> Value {
    json!({ "dateTime": time.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": ZONE })
}

/// The second Monday from today on.
fn a_monday() -> Result<NaiveDate> {
    let today = Utc::now().date_naive();
    let days = 14 - u64::from(today.weekday().num_days_from_monday());
    Ok(today.checked_add_days(Days::new(days)).ok_or("the end of time")?)
}

/// Your own calendar: a plan, a question, and only then a write.
async fn with_google_itself(key: &Path, user: &str) -> Result<()> {
    let path = database::path();
    let google = Google::service_account(ServiceAccountKey::from_file(key)?).build()?;
    let store = SqliteStore::open(&path).await?;
    let engine = Engine::builder(store).provider("google", google).build()?;

    let known = engine.bindings().await?.into_iter().find(|binding| binding.agent.as_str() == user);
    let binding = match known {
        Some(binding) => binding,
        None => {
            let today: DateTime<Utc> = Utc::now();
            engine.bind(Binding::two_way(user).to("google", user).since(today.date_naive())).await?
        }
    };
    let plan = engine.plan(&binding).await?;
    println!(
        "Nothing is written yet. {} would be kept the same as {}:\n",
        path.display(),
        binding.target.calendar
    );
    println!("{plan}");
    if !confirmed("\nApply this plan?")? {
        println!("Nothing was written.");
        return Ok(());
    }
    println!("{}", engine.apply(&plan).await?);
    Ok(())
}

/// No answer is no.
fn confirmed(question: &str) -> Result<bool> {
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
