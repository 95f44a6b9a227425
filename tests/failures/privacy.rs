//! How much of an appointment passes: what is held back is nowhere, and nothing is wiped.

use super::desk::{AMY, Desk, EVE, Setup, hour, visit, with};
use super::log::Log;
use calsync_core::binding::{Detail, NewBinding};
use calsync_core::model::{Appointment, Recurrence, Slot, Visibility};
use calsync_core::plan::Action;
use calsync_core::store::Store;
use calsync_core::{Report, Result};
use calsync_sqlite::SqliteStore;
use calsync_testkit::fake_google::{Fault, FaultKind, Route};
use calsync_testkit::marked::MARK;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

fn secret(event: Value) -> Value {
    with(
        event,
        json!({
            "summary": "neversay visit", "description": "neversay text", "location": "neversay street",
            "visibility": "private",
            "attendees": [{"email": AMY}, {"email": "neversay@elsewhere.example", "comment": "neversay comment"}],
            "extendedProperties": {"private": {"neversay": "neversay"}},
        }),
    )
}

fn weekly(event: Value) -> Value {
    with(event, json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]}))
}

/// A desk over a database in a file.
async fn filed(path: &Path, set: impl Fn(NewBinding) -> NewBinding + 'static) -> Desk {
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::builder(path).on_calling_thread().open().await.unwrap());
    Setup::default().binding(set).store(move |_| Arc::clone(&store)).desk().await
}

/// Every file of a database as text, with what is in its write-ahead log and in pages that are free again.
pub(crate) fn bytes(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        text.push_str(&String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()));
    }
    text
}

/// Every value in every table but the CRM's own.
fn tables(path: &Path) -> String {
    let database = rusqlite::Connection::open(path).unwrap();
    let mut names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(std::result::Result::unwrap).collect();
    let mut text = String::new();
    for name in names.iter().filter(|name| *name != "appointment") {
        let mut all = database.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let ValueRef::Text(value) | ValueRef::Blob(value) = row.get_ref(column).unwrap() {
                    let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value));
                }
            }
        }
    }
    text
}

/// What was reported, printed in every way.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn keep(&mut self, report: Result<Report>) {
        match report {
            Ok(report) => {
                let _ = write!(self.0, "{report}{report:?}");
                for row in &report.rows {
                    let _ = write!(self.0, "{row}{row:?}");
                }
            }
            Err(error) => {
                let _ = write!(self.0, "{error}{error:?}");
            }
        }
    }

    async fn plan(&mut self, desk: &Desk) {
        let plan = desk.engine.plan(&desk.binding).await.unwrap();
        let mut rows = plan.rows();
        while let Ok(page) = rows.next().await
            && !page.is_empty()
        {
            page.iter().for_each(|row| _ = write!(self.0, "{}{row:?}", row.row));
        }
        let _ = write!(self.0, "{plan}{plan:?}");
    }
}

pub(crate) fn silent(text: &str) {
    let at = text.to_lowercase().find(MARK);
    let around =
        at.map(|at| text.to_lowercase().chars().skip(at.saturating_sub(300)).take(600).collect::<String>());
    assert_eq!(around.unwrap_or_default(), "");
}

#[tokio::test]
pub(crate) async fn c18_details_of_private_events_reach_neither_the_store_nor_a_report_nor_the_log() {
    let log = Log::default();
    // With a single one, tracing takes it for every thread's, and other threads have none.
    let _second = tracing::Dispatch::new(Log::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calsync.db");
    let desk = filed(&file, |new| new.private_detail(Detail::BusyOnly)).await;
    let mut printed = Printed::default();
    desk.enter(secret(hour("single", 1)));
    desk.enter(secret(with(hour("deleted", 2), json!({"visibility": "confidential"}))));
    desk.enter(weekly(secret(hour("series", 3))));
    desk.enter(hour("later", 4));
    // One that cannot be read says why, and not what.
    desk.enter(secret(hour("strange", 5)));
    desk.lawless();
    desk.after(|_, mut answer| {
        let spoil = |event: &mut Value| {
            if event["id"] == "strange" {
                event["start"] = json!({"dateTime": "neversay o'clock", "timeZone": "Neversay/Town"});
            }
        };
        answer["items"].as_array_mut().into_iter().flatten().for_each(spoil);
        answer
    });
    printed.plan(&desk).await;
    printed.keep(desk.try_run().await);
    printed.keep(desk.try_run().await);
    let busy = |titles: &[String]| titles.iter().filter(|title| *title == "Busy").count();
    assert_eq!(busy(&desk.titles().await), 6, "{:?}", desk.titles().await);
    // Edited, also in one occurrence; private only now; deleted.
    desk.retouch("single", json!({"description": "neversay again", "location": "neversay lane"}));
    desk.retouch(
        "series_20261210T160000Z",
        json!({"summary": "neversay moved", "location": "neversay lane"}),
    );
    desk.retouch(
        "later",
        json!({"visibility": "private", "summary": "neversay later", "description": "neversay"}),
    );
    desk.remove("deleted");
    printed.plan(&desk).await;
    printed.keep(desk.try_run().await);
    printed.keep(desk.try_run().await);
    // Both sides move it, and Google changes the text as well; the write fails at first.
    let single = desk.shown().await.into_iter().find(|s| s.appointment.summary.as_deref() == Some("Busy"));
    let single = single.unwrap().record;
    let moved = visit("", "2026-12-01T13:00:00").when;
    desk.edit(&single, |a| {
        a.when = moved.clone();
        a.location = Some("Dock 4".into());
    })
    .await;
    desk.retouch("single", json!({"summary": "neversay conflict", "transparency": "transparent"}));
    desk.fake().inject(Fault::new(FaultKind::Status { code: 503 }).on(Route::PatchEvent));
    for _ in 0..3 {
        printed.keep(desk.try_run().await);
    }
    printed.plan(&desk).await;
    desk.fake().expire_sync_tokens();
    printed.keep(desk.try_run().await);
    printed.keep(Ok(desk.settled().await));
    // What was typed there is still there, and what was typed here stayed here.
    let event = desk.event("single");
    assert_eq!(
        (&event["summary"], &event["location"]),
        (&json!("neversay conflict"), &json!("neversay lane"))
    );
    assert!(event["start"]["dateTime"].as_str().unwrap().starts_with("2026-12-01T13:00"), "{event}");
    assert_eq!(desk.value(&single, "location").await, "Dock 4");
    assert_eq!(desk.value(&single, "transparency").await, "transparent");
    silent(&bytes(directory.path()));
    assert!(tables(&file).contains("calsync_remote: "));
    silent(&printed.0);
    silent(&format!("{:?}{:?}", desk.engine, desk.binding));
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("run ended"), "nothing was logged: {log}");
    silent(&log);
}

#[tokio::test]
async fn c18_details_of_a_private_appointment_stay_in_the_crms_own_table() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calsync.db");
    let desk = filed(&file, |new| new.private_detail(Detail::BusyOnly)).await;
    let mut printed = Printed::default();
    let hide = |a: &mut Appointment| {
        a.summary = Some("neversay visit".into());
        a.description = Some("neversay text".into());
        a.location = Some("neversay street".into());
        a.visibility = Visibility::Private;
    };
    let mut private = visit("", "2026-12-01T09:00:00");
    hide(&mut private);
    let record = desk.create(&private).await;
    let later = desk.create(&visit("open", "2026-12-02T09:00:00")).await;
    let gone = desk.create(&private).await;
    printed.plan(&desk).await;
    printed.keep(desk.try_run().await);
    printed.keep(desk.try_run().await);
    desk.edit(&record, |a| a.description = Some("neversay again".into())).await;
    desk.edit(&later, hide).await;
    desk.crm.delete(&gone).await.unwrap();
    printed.plan(&desk).await;
    printed.keep(desk.try_run().await);
    let there = desk.living();
    assert_eq!(there.len(), 2);
    silent(&format!("{there:?}"));
    assert!(there.iter().all(|event| event["visibility"] == "private"), "{there:?}");
    // It was open, and calsync takes nothing back that it was told in the open.
    let mut titles: Vec<&str> = there.iter().filter_map(|event| event["summary"].as_str()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["Busy", "open"]);
    desk.settled_after_a_full_listing().await;
    assert_eq!(desk.value(&record, "description").await, "neversay again");
    silent(&tables(&file));
    silent(&printed.0);
    for entry in desk.fake().journal().iter().filter(|entry| entry.wrote()) {
        silent(&entry.request_json().to_string());
    }
}

/// A single appointment and a series with a changed occurrence on both sides.
async fn entered(desk: &Desk) {
    let text =
        json!({"description": "there text", "location": "there street", "attendees": [{"email": EVE}]});
    desk.enter(with(hour("theresingle", 1), text.clone()));
    desk.enter(weekly(with(hour("thereseries", 2), text)));
    desk.retouch("thereseries_20261209T160000Z", json!({"summary": "there other", "location": "there lane"}));
    let visit = |title: &str, at: &str| {
        let mut visit = visit(title, at);
        visit.description = Some("here text".into());
        visit
    };
    desk.create(&visit("heresingle", "2026-12-03T11:00:00")).await;
    let mut series = visit("hereseries", "2026-12-04T11:00:00");
    series.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=3".into()]);
    let series = desk.create(&series).await;
    let slot = Slot::Time("2026-12-11T18:00:00Z".parse().unwrap());
    let change = |a: &mut Appointment| {
        a.summary = Some("here other".into());
        a.description = Some("here lane".into());
    };
    desk.crm.edit_occurrence(&series, slot, change).await.unwrap();
}

/// What both sides show, by start: title, description, location.
async fn seen(desk: &Desk) -> (Vec<[String; 3]>, Vec<[String; 3]>) {
    let here = (desk.shown().await.into_iter())
        .map(|s| [s.appointment.summary, s.appointment.description, s.appointment.location])
        .map(|texts| texts.map(Option::unwrap_or_default))
        .collect();
    let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
    let there = (desk.fake().instances(AMY, from, to).into_iter())
        .map(|e| ["summary", "description", "location"].map(|n| e[n].as_str().unwrap_or_default().to_owned()))
        .collect();
    (here, there)
}

/// What was entered, by start, as the side that it was entered on has it.
fn own() -> Vec<[String; 3]> {
    let there = ["thereseries", "there text", "there street"];
    let here = ["hereseries", "here text", ""];
    [
        ["theresingle", "there text", "there street"],
        there,
        ["heresingle", "here text", ""],
        here,
        ["there other", "there text", "there lane"],
        ["here other", "here lane", ""],
        there,
        here,
        there,
    ]
    .map(|texts| texts.map(str::to_owned))
    .into()
}

/// The same with what came from the other side reduced.
fn reduced(detail: Detail, theirs: &str) -> Vec<[String; 3]> {
    let reduce = |texts: [String; 3]| match detail {
        _ if !texts[0].starts_with(theirs) => texts,
        Detail::Full => texts,
        Detail::TitleOnly => [texts[0].clone(), String::new(), String::new()],
        Detail::BusyOnly => ["Busy".to_owned(), String::new(), String::new()],
    };
    own().into_iter().map(reduce).collect()
}

#[tokio::test]
async fn every_detail_goes_round_and_neither_side_loses_what_it_held_back() {
    for detail in [Detail::Full, Detail::TitleOnly, Detail::BusyOnly] {
        let desk = Setup::default().binding(move |new| new.detail(detail)).desk().await;
        entered(&desk).await;
        for _ in 0..3 {
            desk.run().await;
        }
        let (here, there) = seen(&desk).await;
        assert_eq!(here, reduced(detail, "there"), "{detail:?}");
        assert_eq!(there, reduced(detail, "here"), "{detail:?}");
        desk.settled_after_a_full_listing().await;
        // What passes is kept in step, and nothing else moves with it.
        desk.retouch("theresingle", json!({"transparency": "transparent"}));
        desk.run().await;
        desk.settled().await;
        assert_eq!(seen(&desk).await, (here, there), "{detail:?}");
    }
}

#[tokio::test]
async fn c22_less_detail_wipes_nothing_and_more_brings_over_what_was_held_back() {
    for detail in [Detail::TitleOnly, Detail::BusyOnly] {
        let desk = Desk::new().await;
        entered(&desk).await;
        for _ in 0..3 {
            desk.run().await;
        }
        assert_eq!(seen(&desk).await, (own(), own()));
        let writes = desk.writes();
        desk.engine.change(&desk.binding, |binding| binding.detail = detail).await.unwrap();
        desk.settled_after_a_full_listing().await;
        assert_eq!((desk.writes(), seen(&desk).await), (writes, (own(), own())), "{detail:?}");
        // Held back while it was narrow, carried over once it is wide again.
        desk.retouch("theresingle", json!({"description": "there new"}));
        let report = desk.run().await;
        assert_eq!(report.count(Action::UpdateLocal), 0, "{detail:?}: {report}");
        desk.engine.change(&desk.binding, |binding| binding.detail = Detail::Full).await.unwrap();
        for _ in 0..3 {
            desk.run().await;
        }
        desk.settled_after_a_full_listing().await;
        let (here, there) = seen(&desk).await;
        assert_eq!(here, there, "{detail:?}");
        assert_eq!(there[1..], own()[1..], "{detail:?}");
        assert_eq!(desk.fake().journal().iter().filter(|entry| entry.method == "DELETE").count(), 0);
    }
}

#[tokio::test]
async fn busy_time_gives_way_to_the_real_title_once_titles_pass() {
    for (narrow, wide) in [
        (Detail::BusyOnly, Detail::TitleOnly),
        (Detail::BusyOnly, Detail::Full),
        (Detail::TitleOnly, Detail::Full),
    ] {
        let desk = Setup::default().binding(move |new| new.detail(narrow)).desk().await;
        entered(&desk).await;
        for _ in 0..3 {
            desk.run().await;
        }
        desk.engine.change(&desk.binding, |binding| binding.detail = wide).await.unwrap();
        for _ in 0..3 {
            desk.run().await;
        }
        let (here, there) = seen(&desk).await;
        assert_eq!(here, reduced(wide, "there"), "{narrow:?} to {wide:?}");
        assert_eq!(there, reduced(wide, "here"), "{narrow:?} to {wide:?}");
        desk.settled_after_a_full_listing().await;
    }
}

#[tokio::test]
async fn g39_what_is_private_on_one_side_is_held_back_until_both_agree_and_passes_once_it_is_open() {
    let desk = Setup::default().binding(|new| new.private_detail(Detail::BusyOnly)).desk().await;
    desk.enter(secret(hour("g1", 1)));
    desk.run().await;
    let record = desk.record("Busy").await;
    assert_eq!(desk.value(&record, "visibility").await, "private");
    desk.settled().await;
    desk.retouch("g1", json!({"visibility": "default"}));
    for _ in 0..3 {
        desk.run().await;
    }
    assert_eq!(desk.titles().await, ["neversay visit"]);
    assert_eq!(desk.value(&record, "location").await, "neversay street");
    desk.settled_after_a_full_listing().await;
    // Opened in the CRM: Google's text passes as well, and Google's event is as open.
    desk.retouch("g1", json!({"visibility": "private"}));
    desk.run().await;
    desk.retouch("g1", json!({"description": "neversay new"}));
    desk.run().await;
    assert_eq!(desk.value(&record, "description").await, "neversay text");
    desk.edit(&record, |a| a.visibility = Visibility::Default).await;
    for _ in 0..3 {
        desk.run().await;
    }
    assert_ne!(desk.event("g1")["visibility"], "private");
    assert_eq!(desk.value(&record, "description").await, "neversay new");
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn what_may_be_the_same_busy_time_on_both_sides_waits_for_a_person() {
    let desk = Setup::default().binding(|new| new.private_detail(Detail::BusyOnly)).desk().await;
    let private = |at: &str| {
        let mut private = visit("dentist", at);
        private.visibility = Visibility::Private;
        private
    };
    desk.enter(with(hour("g1", 1), json!({"summary": "a quite other neversay", "visibility": "private"})));
    let same = desk.create(&private("2026-12-01T09:00:00")).await;
    desk.create(&private("2026-12-02T09:00:00")).await;
    let report = desk.run().await;
    assert_eq!(report.count(Action::Wait), 2, "{report}");
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::CreateRemote)), (0, 1), "{report}");
    desk.settled().await;
    assert_eq!(desk.titles().await, ["dentist", "dentist"]);
    // Open on both sides, they are told apart, and each is made on the other side.
    desk.retouch("g1", json!({"visibility": "default"}));
    desk.edit(&same, |a| a.visibility = Visibility::Default).await;
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.titles().await.len(), 3);
    desk.settled_after_a_full_listing().await;
}
