//! Working hours in runs, plans and the CRM: told once, taken back when no longer true, and never in the way.

use super::desk::{AMY, Desk, EVE, Setup, TEAM, Way, ZONE, hour, timed, visit, with};
use async_trait::async_trait;
use calsync_core::binding::Detail;
use calsync_core::clock::Clock as _;
use calsync_core::engine::{EngineBuilder, Match, PlanRow, RowState};
use calsync_core::hours::{Draft, Layer, LayerKind, Period, Rota, Schedules, Words};
use calsync_core::model::appointment::{Response, Transparency};
use calsync_core::model::{Appointment, Attendee, Recurrence, Slot, When};
use calsync_core::plan::Action;
use calsync_core::{AgentId, Binding, Error, ErrorKind, RecordId, Report, Result, Tenant, Zone};
use chrono::Weekday::{Fri, Mon, Thu, Tue, Wed};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NOTICE: &str =
    "Please note that part or all of this Appointment falls outside the Agents working hours.";

/// The CRM's list of who works when; nothing of it can be had while there is none.
#[derive(Clone, Debug)]
struct Office {
    rota: Arc<Mutex<Option<Rota>>>,
    /// The process dies when it asks.
    deadly: Arc<AtomicBool>,
}

#[async_trait]
impl Schedules for Office {
    async fn schedules(&self, _: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        if self.deadly.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let rota = self.rota.lock().unwrap().clone();
        let rota = rota.ok_or_else(|| Error::new(ErrorKind::Host, "the CRM does not answer").later())?;
        Ok(agents.iter().map(|agent| (agent.as_str() == AMY).then(|| rota.clone())).collect())
    }
}

impl Office {
    fn of(rota: Rota) -> Self {
        Self { rota: Arc::new(Mutex::new(Some(rota))), deadly: Arc::default() }
    }

    fn set(&self, rota: Option<Rota>) {
        *self.rota.lock().unwrap() = rota;
    }
}

fn week(from: u32, until: u32) -> Draft {
    Draft::new(ZONE).every([Mon, Tue, Wed, Thu, Fri], [Period::hours(from, until)])
}

fn rota(draft: Draft) -> Rota {
    Rota::new(draft.check().unwrap())
}

/// A desk where Amy works from nine to five.
async fn nine_to_five() -> (Desk, Office) {
    let office = Office::of(rota(week(9, 17)));
    let given = office.clone();
    let desk = Setup::default().engine(move |builder| builder.schedules(given.clone())).desk().await;
    (desk, office)
}

fn said(report: &Report) -> Vec<&str> {
    report.warnings().collect()
}

/// A Tuesday, from half past four to half past five.
fn late(id: &str) -> serde_json::Value {
    timed(id, "2026-12-01T16:30:00", "2026-12-01T17:30:00", ZONE)
}

async fn next(desk: &Desk) -> Report {
    desk.clock.advance(Duration::from_secs(60));
    desk.run().await
}

#[tokio::test]
async fn c20_an_appointment_outside_of_working_hours_is_told_of_once_and_taken_back_when_it_moves() {
    let (desk, _) = nine_to_five().await;
    desk.enter(hour("inside", 1));
    desk.enter(late("late"));
    let report = desk.run().await;
    let sentence = format!(
        "{NOTICE} late, Tuesday 1 December 2026, 16:30–17:30 ({ZONE}): 17:00–17:30 is after the end of the working day."
    );
    assert_eq!(said(&report), [&sentence], "{report}");
    assert!(report.to_string().contains(&sentence), "{report}");
    assert_eq!((report.hours.raised.len(), report.hours.withdrawn.len()), (1, 0));
    assert_eq!(report.hours.raised[0].key.event, desk.record("late").await);
    assert_eq!(said(&next(&desk).await), Vec::<&str>::new());
    // What is told is edited, and still outside: nobody is told again.
    desk.retouch("late", json!({"location": "Dock 4"}));
    let report = next(&desk).await;
    assert!(report.wrote() && report.hours == Default::default(), "{report}");
    desk.retouch("late", json!({"start": {"dateTime": "2026-12-01T15:30:00", "timeZone": ZONE}}));
    desk.retouch("late", json!({"end": {"dateTime": "2026-12-01T16:30:00", "timeZone": ZONE}}));
    let report = next(&desk).await;
    assert_eq!((report.hours.raised.len(), report.hours.withdrawn.len()), (0, 1), "{report}");
    assert_eq!(desk.engine.hours_warnings(&desk.binding, None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn c20_an_edit_in_the_crm_is_told_of_like_one_in_the_calendar_and_a_deletion_takes_it_back() {
    let (desk, _) = nine_to_five().await;
    let early = visit("early", "2026-12-02T08:30:00");
    let sentence = format!(
        "{NOTICE} early, Wednesday 2 December 2026, 08:30–09:30 ({ZONE}): 08:30–09:00 is before the start of the working day."
    );
    // Before it is saved, and when it is.
    assert_eq!(
        desk.engine.hours_notice(&AMY.into(), None, &early).await.unwrap().as_deref(),
        Some(&*sentence)
    );
    assert_eq!(desk.engine.hours_notice(&"bob@example.com".into(), None, &early).await.unwrap(), None);
    let record = desk.create(&early).await;
    assert_eq!(said(&desk.run().await), [&sentence]);
    assert_eq!(desk.engine.hours_warnings(&desk.binding, None, 9).await.unwrap().len(), 1);
    desk.crm.delete(&record).await.unwrap();
    let report = next(&desk).await;
    assert_eq!((report.hours.raised.len(), report.hours.withdrawn.len()), (0, 1), "{report}");
}

#[tokio::test]
async fn c20_other_hours_are_looked_at_without_any_change_of_the_appointments() {
    let (desk, office) = nine_to_five().await;
    desk.enter(late("late"));
    desk.enter(hour("first", 2));
    desk.run().await;
    // From ten to six: what was outside is inside, and the other way round.
    office.set(Some(rota(week(10, 18))));
    let report = next(&desk).await;
    assert_eq!(said(&report).len(), 1, "{report}");
    assert!(said(&report)[0].contains("first, Wednesday 2 December 2026"), "{report}");
    assert_eq!((report.hours.raised.len(), report.hours.withdrawn.len()), (1, 1));
    // A holiday.
    let holiday = Layer::day(LayerKind::Holiday, "2026-12-01".parse().unwrap());
    office.set(Some(rota(week(9, 18).layer(holiday))));
    let report = next(&desk).await;
    assert!(said(&report)[0].ends_with("16:30–17:30 is on a holiday."), "{report}");
    // Nothing is known of her any more.
    office.set(Some(Rota::of([], [], None).unwrap()));
    let report = next(&desk).await;
    assert_eq!((report.hours.raised.len(), report.hours.withdrawn.len()), (0, 1), "{report}");
}

#[tokio::test]
async fn c20_a_series_is_told_of_once_with_its_number_and_its_first_occurrence() {
    let (desk, _) = nine_to_five().await;
    desk.enter(with(late("round"), json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=60"]})));
    let report = desk.run().await;
    assert_eq!(said(&report).len(), 1, "{report}");
    assert!(said(&report)[0].contains("round: 60 of 60 occurrences"), "{report}");
    assert_eq!(report.hours.raised.len(), calsync_core::hours::LISTED_MAX);
    // The days go by: what is over is forgotten, what comes into the list was told with the series.
    for _ in 0..20 {
        desk.clock.advance(Duration::from_secs(24 * 3600));
        assert_eq!(said(&desk.run().await), Vec::<&str>::new());
    }
    let standing = desk.engine.hours_warnings(&desk.binding, None, 99).await.unwrap();
    assert!(standing.iter().all(|warning| warning.check.end > desk.clock.now()), "{standing:?}");
    assert_eq!(standing.len(), calsync_core::hours::LISTED_MAX);
    // Cancelled on one day, moved into working hours on another.
    let slot = |day: u32| format!("round_202612{day:02}T233000Z");
    desk.remove(&slot(22));
    let inside = json!({"start": {"dateTime": "2026-12-23T11:00:00", "timeZone": ZONE},
        "end": {"dateTime": "2026-12-23T12:00:00", "timeZone": ZONE}});
    desk.retouch(&slot(23), inside);
    let report = next(&desk).await;
    assert_eq!(report.hours.withdrawn.len(), 2, "{report}");
}

#[tokio::test]
async fn c20_of_two_calendars_of_one_agent_one_tells() {
    let (desk, _) = nine_to_five().await;
    let team = desk.engine.bind(Binding::two_way(AMY).to("google", TEAM)).await.unwrap();
    desk.enter(late("late"));
    assert_eq!(said(&desk.run().await).len(), 1);
    let report = desk.try_run_of(&team).await.unwrap();
    assert!(report.wrote() && said(&report).is_empty(), "{report}");
}

/// Two writes, one on each side, of which the second is what takes the appointment outside.
#[tokio::test]
async fn c20_what_is_written_second_counts_in_a_plan_as_well() {
    for series in [false, true] {
        let (desk, _) = nine_to_five().await;
        let rule =
            json!({"recurrence": if series { json!(["RRULE:FREQ=WEEKLY;COUNT=2"]) } else { json!(null) }});
        desk.enter(with(hour("inside", 1), rule));
        assert_eq!(said(&desk.run().await), Vec::<&str>::new());
        let record = desk.record("inside").await;
        desk.retouch("inside", json!({"location": "Dock 4"}));
        desk.edit(&record, move_to_half_past_four).await;
        let plan = desk.engine.plan(&desk.binding).await.unwrap();
        let rows = plan.rows().all().await.unwrap();
        let kinds: Vec<_> = rows.iter().map(|row| (row.row.action, row.row.hours.is_some())).collect();
        assert_eq!(kinds, [(Action::Merge, true)], "series: {series}");
        let reports = [desk.engine.apply(&plan).await.unwrap(), next(&desk).await, next(&desk).await];
        let said: Vec<&str> = reports.iter().flat_map(said).collect();
        assert_eq!(said, [rows[0].row.hours.as_deref().unwrap()]);
    }
}

#[tokio::test]
async fn a_plan_says_what_is_outside_before_anything_is_imported_and_applying_it_tells() {
    let (desk, _) = nine_to_five().await;
    desk.enter(late("late"));
    desk.enter(hour("inside", 1));
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let rows = plan.rows().next().await.unwrap();
    let mut notices: Vec<_> =
        rows.into_iter().map(|row| (row.row.summary.unwrap(), row.row.hours.is_some())).collect();
    notices.sort();
    assert_eq!(notices, [("inside".to_owned(), false), ("late".to_owned(), true)]);
    assert_eq!(desk.engine.hours_warnings(&desk.binding, None, 9).await.unwrap(), [], "a plan stores none");
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(said(&report).len(), 1, "{report}");
}

#[tokio::test]
async fn c20_hours_that_cannot_be_had_stop_nothing_and_are_looked_at_later() {
    let (desk, office) = nine_to_five().await;
    office.set(None);
    desk.enter(late("late"));
    let report = desk.run().await;
    assert_eq!(desk.shown().await.len(), 1, "{report}");
    assert_eq!(said(&report).len(), 1, "{report}");
    assert!(said(&report)[0].starts_with("working hours were not looked at: "), "{report}");
    office.set(Some(rota(week(9, 17))));
    assert!(said(&next(&desk).await)[0].starts_with(NOTICE));
    // Nor is what changed meanwhile passed over, when all had been looked at before.
    office.set(None);
    desk.enter(timed("later", "2026-12-02T16:30:00", "2026-12-02T17:30:00", ZONE));
    assert!(said(&next(&desk).await)[0].starts_with("working hours were not looked at: "));
    office.set(Some(rota(week(9, 17))));
    let report = next(&desk).await;
    assert!(said(&report)[0].contains("later, Wednesday 2 December 2026"), "{report}");
}

#[tokio::test]
async fn c20_what_a_run_changed_before_it_failed_is_looked_at_by_the_next_one() {
    let office = Office::of(rota(week(9, 17)));
    let settings = move |builder: EngineBuilder| builder.schedules(office.clone());
    let desk = Setup::default().page_size(1).engine(settings).desk().await;
    desk.run().await;
    desk.enter(late("late"));
    desk.enter(hour("inside", 1));
    desk.before(|request, _| match request.uri().query().is_some_and(|query| query.contains("pageToken")) {
        true => Way::Cut,
        false => Way::Free,
    });
    desk.clock.advance(Duration::from_secs(60));
    desk.try_run().await.unwrap_err();
    assert_eq!(desk.titles().await, ["late"], "made with the page that showed it");
    desk.undisturbed();
    assert_eq!(said(&desk.heal().await).len(), 1);
}

#[tokio::test]
async fn what_is_over_free_or_of_whole_days_is_not_told_of_and_words_can_be_others() {
    let office = Office::of(rota(week(9, 17)));
    let settings = move |builder: EngineBuilder| builder.schedules(office.clone()).words(Words::dutch());
    let desk = Setup::default().engine(settings).desk().await;
    desk.enter(timed("over", "2026-11-20T19:00:00", "2026-11-20T20:00:00", ZONE));
    desk.enter(with(late("free"), json!({"transparency": "transparent"})));
    desk.enter(json!({"id": "days", "summary": "days", "start": {"date": "2026-12-05"}, "end": {"date": "2026-12-06"}}));
    assert_eq!(said(&desk.run().await), Vec::<&str>::new());
    desk.enter(with(late("secret"), json!({"visibility": "private"})));
    let report = next(&desk).await;
    assert_eq!(said(&report).len(), 1, "{report}");
    assert!(said(&report)[0].starts_with("Let op: "), "{report}");
    assert!(!said(&report)[0].contains("secret"), "{report}");
}

/// What is at rest on both sides, and is edited then: in the calendar, or in the CRM.
struct Edited {
    event: serde_json::Value,
    /// What else is done to it before it is at rest.
    first: fn(&Desk),
    there: serde_json::Value,
    here: fn(&mut Appointment),
    /// What is said after the notice; empty where nothing is.
    says: &'static str,
}

impl Edited {
    async fn at_rest(&self) -> (Desk, RecordId) {
        let (desk, _) = nine_to_five().await;
        desk.enter(self.event.clone());
        desk.run().await;
        let record = desk.record("visit").await;
        (self.first)(&desk);
        assert_eq!(said(&desk.run().await), Vec::<&str>::new());
        (desk, record)
    }

    async fn edit(&self, in_the_crm: bool) -> Desk {
        let (desk, record) = self.at_rest().await;
        match in_the_crm {
            true => desk.edit(&record, self.here).await,
            false => desk.retouch("visit", self.there.clone()),
        }
        desk
    }

    /// The same in a plan, when it is carried out, in a run by itself, and before it is saved in the CRM.
    async fn check(&self) {
        let expected: Vec<String> = Some(self.says)
            .filter(|says| !says.is_empty())
            .map(|says| format!("{NOTICE} {says}"))
            .into_iter()
            .collect();
        for in_the_crm in [false, true] {
            let desk = self.edit(in_the_crm).await;
            let plan = desk.engine.plan(&desk.binding).await.unwrap();
            let rows = plan.rows().all().await.unwrap();
            assert!(rows.iter().any(|row| row.row.writes()), "{rows:?}");
            let planned: Vec<String> = rows.into_iter().filter_map(|row| row.row.hours).collect();
            assert_eq!(planned, expected, "in a plan; edited in the CRM: {in_the_crm}");
            desk.clock.advance(Duration::from_secs(60));
            let report = desk.engine.apply(&plan).await.unwrap();
            assert_eq!(
                said(&report),
                expected,
                "imported by hand; edited in the CRM: {in_the_crm}: {report}"
            );
            let report = self.edit(in_the_crm).await.run().await;
            assert_eq!(said(&report), expected, "in a run; edited in the CRM: {in_the_crm}: {report}");
        }
        let (desk, record) = self.at_rest().await;
        let mut appointment = Appointment::from_fields(&desk.fields(&record).await).unwrap();
        (self.here)(&mut appointment);
        let notice = desk.engine.hours_notice(&AMY.into(), Some(&record), &appointment).await.unwrap();
        assert_eq!(Vec::from_iter(notice), expected, "before it is saved");
    }
}

/// Its times on the first of December.
fn at(start: &str, end: &str) -> serde_json::Value {
    json!({"start": {"dateTime": format!("2026-12-01T{start}:00"), "timeZone": ZONE},
        "end": {"dateTime": format!("2026-12-01T{end}:00"), "timeZone": ZONE}})
}

fn move_to_half_past_four(appointment: &mut Appointment) {
    appointment.when = visit("", "2026-12-01T16:30:00").when;
}

#[tokio::test]
async fn halo_c20_a_plan_an_import_by_hand_a_scheduled_run_and_an_edit_in_the_crm_say_the_same() {
    let nothing: fn(&Desk) = |_| ();
    let hour = |more: serde_json::Value| {
        with(timed("visit", "2026-12-01T10:00:00", "2026-12-01T11:00:00", ZONE), more)
    };
    let moved = at("16:30", "17:30");
    let late = "visit, Tuesday 1 December 2026, 16:30–17:30 (America/Vancouver): 17:00–17:30 is after the end of the working day.";
    let declined = json!({"attendees": [{"email": EVE}, {"email": AMY, "responseStatus": "declined"}]});
    let half_hours = with(
        timed("visit", "2026-12-01T16:30:00", "2026-12-01T17:00:00", ZONE),
        json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=4"]}),
    );
    let longer: fn(&mut Appointment) = |series| {
        let zone = Zone::new(ZONE).unwrap();
        series.when =
            When::timed("2026-12-01T16:30:00".parse().unwrap(), chrono::Duration::hours(1), &zone).unwrap();
    };
    let free = || json!({"transparency": "transparent"});
    for case in [
        Edited {
            event: hour(json!({})),
            first: nothing,
            there: moved.clone(),
            here: move_to_half_past_four,
            says: late,
        },
        Edited {
            event: hour(free()),
            first: nothing,
            there: moved.clone(),
            here: move_to_half_past_four,
            says: "",
        },
        Edited {
            event: hour(declined),
            first: nothing,
            there: moved.clone(),
            here: move_to_half_past_four,
            says: "",
        },
        Edited {
            event: with(hour(free()), moved.clone()),
            first: nothing,
            there: json!({"transparency": "opaque"}),
            here: |appointment| appointment.transparency = Transparency::Opaque,
            says: late,
        },
        Edited {
            event: half_hours,
            first: |desk| {
                desk.remove("visit_20261201T233000Z");
                desk.retouch(
                    "visit_20261203T233000Z",
                    json!({"start": {"dateTime": "2026-12-03T11:00:00", "timeZone": ZONE},
                    "end": {"dateTime": "2026-12-03T12:00:00", "timeZone": ZONE}}),
                );
            },
            there: at("16:30", "17:30"),
            here: longer,
            says: "visit: 2 of 3 occurrences. The first is on Wednesday 2 December 2026, 16:30–17:30 (America/Vancouver): 17:00–17:30 is after the end of the working day.",
        },
    ] {
        case.check().await;
    }
}

#[tokio::test]
async fn c20_occurrences_that_follow_their_new_series_count_as_they_will_be() {
    let round = || visit("round", "2026-12-01T16:30:00");
    let says = format!(
        "{NOTICE} round: 1 of 2 occurrences. The first is on Wednesday 2 December 2026, 16:30–17:30 ({ZONE}): 17:00–17:30 is \
         after the end of the working day."
    );
    let cancelled = Slot::Time("2026-12-01T23:30:00Z".parse().unwrap());
    let moved = Slot::Time("2026-12-03T23:30:00Z".parse().unwrap());
    let mut series = round();
    series.recurrence = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=3".to_owned()]);
    for in_the_crm in [true, false] {
        for by_hand in [true, false] {
            let (desk, _) = nine_to_five().await;
            if in_the_crm {
                let record = desk.create(&series).await;
                desk.crm.cancel_occurrence(&record, cancelled).await.unwrap();
                let earlier = |own: &mut Appointment| own.when = visit("", "2026-12-03T11:00:00").when;
                desk.crm.edit_occurrence(&record, moved, earlier).await.unwrap();
                let notice = desk.engine.hours_notice(&AMY.into(), Some(&record), &series).await.unwrap();
                assert_eq!(notice.as_ref(), Some(&says), "before anything is written");
            } else {
                desk.enter(with(late("round"), json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})));
                desk.remove("round_20261201T233000Z");
                let earlier = json!({"start": {"dateTime": "2026-12-03T11:00:00", "timeZone": ZONE},
                    "end": {"dateTime": "2026-12-03T12:00:00", "timeZone": ZONE}});
                desk.retouch("round_20261203T233000Z", earlier);
            }
            let report = if by_hand {
                let plan = desk.engine.plan(&desk.binding).await.unwrap();
                let rows = plan.rows().all().await.unwrap();
                let planned: Vec<String> = rows.into_iter().filter_map(|row| row.row.hours).collect();
                assert_eq!(planned, [says.as_str()], "in a plan; new in the CRM: {in_the_crm}");
                desk.engine.apply(&plan).await.unwrap()
            } else {
                desk.run().await
            };
            assert_eq!(said(&report), [&says], "new in the CRM: {in_the_crm}, by hand: {by_hand}: {report}");
            assert_eq!(said(&next(&desk).await), Vec::<&str>::new());
        }
    }
}

#[tokio::test]
pub(crate) async fn c20_a_series_that_cannot_be_followed_keeps_what_stands_and_everybody_is_told_why() {
    let (desk, _) = nine_to_five().await;
    desk.enter(with(late("round"), json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})));
    desk.run().await;
    let record = desk.record("round").await;
    let standing = desk.engine.hours_warnings(&desk.binding, None, 9).await.unwrap();
    assert_eq!(standing.len(), 3);
    desk.retouch("round", json!({"recurrence": ["RRULE:FREQ=SECONDLY"]}));
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let planned: Vec<_> =
        plan.rows().all().await.unwrap().into_iter().filter_map(|row| row.row.hours).collect();
    let report = next(&desk).await;
    assert_eq!(said(&report).len(), 1, "{report}");
    let why =
        "round was not held against working hours: limit: the series has too many occurrences to be followed";
    assert!(said(&report)[0].starts_with(why), "{report}");
    assert_eq!(planned, said(&report));
    let endless = Appointment::from_fields(&desk.fields(&record).await).unwrap();
    let notice = desk.engine.hours_notice(&AMY.into(), Some(&record), &endless).await.unwrap();
    assert_eq!(notice.as_deref(), Some(said(&report)[0]));
    let kept = desk.engine.hours_warnings(&desk.binding, None, 9).await.unwrap();
    assert_eq!((report.hours.withdrawn.len(), kept), (0, standing), "what stood is gone");
    // Looked at again a day later, and once it can be.
    desk.clock.advance(Duration::from_secs(24 * 3600));
    assert!(said(&desk.run().await)[0].starts_with(why));
    desk.retouch("round", json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=2"]}));
    let report = next(&desk).await;
    assert_eq!((said(&report), report.hours.withdrawn.len()), (vec![], 1), "{report}");
}

#[tokio::test]
pub(crate) async fn c20_what_a_run_changed_before_its_process_died_is_looked_at_by_the_next_one() {
    let (desk, office) = nine_to_five().await;
    desk.run().await;
    for round in ["new in the calendar", "new in the CRM"] {
        match round {
            "new in the calendar" => _ = desk.enter(with(late("there"), json!({"summary": round}))),
            _ => _ = desk.create(&visit(round, "2026-12-01T16:30:00")).await,
        }
        // It dies when all is written, and nothing is looked at.
        office.deadly.store(true, Ordering::Relaxed);
        desk.die().await;
        office.deadly.store(false, Ordering::Relaxed);
        let report = desk.settled().await;
        assert_eq!(said(&report).len(), 1, "nobody is told: {round}: {report}");
        assert_eq!(said(&next(&desk).await), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn c20_what_was_sent_before_the_process_died_at_a_later_request_is_looked_at_by_the_next_one() {
    let (desk, _) = nine_to_five().await;
    desk.run().await;
    for number in 0..21 {
        desk.create(&visit(&format!("visit {number}"), "2026-12-01T16:30:00")).await;
    }
    // What was planned by a run that looked at what there was is sent by another one.
    desk.refuse_writes(503);
    assert_eq!(said(&desk.heal().await), Vec::<&str>::new());
    let mut sent = 0;
    desk.before(move |request, _| {
        sent += usize::from(request.method() == "POST" && request.uri().path().ends_with("/events"));
        if sent > 20 { Way::Lost } else { Way::Free }
    });
    desk.die().await;
    desk.undisturbed();
    assert_eq!(desk.living().len(), 20);
    let report = desk.run().await;
    assert_eq!((said(&report).len(), desk.living().len()), (21, 21), "{report}");
}

#[tokio::test]
async fn rows_that_are_planned_again_say_what_is_outside_like_the_first_ones() {
    let (desk, _) = nine_to_five().await;
    desk.enter(late("matched"));
    let [record, moved] = ["to be matched", "moved"].map(|title| visit(title, "2026-12-02T10:00:00"));
    let (record, moved) = (desk.create(&record).await, desk.create(&moved).await);
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    let rows = plan.rows().all().await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.row.hours.is_some()).count(), 1);
    let row = rows.iter().find(|row| row.row.summary.as_deref() == Some("matched")).unwrap();
    let joined = plan.rematch(row.number, Match::Record(record)).await.unwrap();
    desk.edit(&moved, move_to_half_past_four).await;
    desk.engine.apply(&plan).await.unwrap();
    let rows = plan.rows().all().await.unwrap();
    let said = |row: &&PlanRow| row.row.hours.as_ref().is_some_and(|said| said.starts_with(NOTICE));
    assert!(rows.iter().any(|row| joined.contains(&row.number) && said(&row)), "matched by hand: {rows:#?}");
    assert!(rows.iter().any(|row| row.state == RowState::Moved && said(&row)), "moved: {rows:#?}");
}

#[tokio::test]
async fn a_notice_knows_of_a_guest_only_what_the_binding_lets_a_run_know() {
    let office = Office::of(rota(week(9, 17)));
    let setup = |detail: Detail| {
        let given = office.clone();
        let setup = Setup::default().engine(move |builder| builder.schedules(given.clone()));
        setup.binding(move |new| new.detail(detail)).desk()
    };
    for (detail, number) in [(Detail::Full, 0), (Detail::TitleOnly, 1)] {
        let desk = setup(detail).await;
        let mut declined = visit("round", "2026-12-01T16:30:00");
        let answer = Attendee { response: Response::Declined, ..Attendee::default() };
        declined.attendees.insert(AMY.to_owned(), answer);
        let notice = desk.engine.hours_notice(&AMY.into(), None, &declined).await.unwrap();
        desk.create(&declined).await;
        let report = desk.run().await;
        assert_eq!(said(&report), Vec::from_iter(notice.as_deref()), "{detail:?}: {report}");
        assert_eq!(said(&report).len(), number, "{detail:?}: {report}");
    }
}

/// Answers for nobody.
#[derive(Debug)]
struct Speechless;

#[async_trait]
impl Schedules for Speechless {
    async fn schedules(&self, _: &Tenant, _: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn schedules_for_another_number_of_agents_than_was_asked_about_are_an_error_that_is_told() {
    let desk = Setup::default().engine(|builder| builder.schedules(Speechless)).desk().await;
    desk.enter(late("late"));
    let told = "working hours were not looked at: CRM: schedules were asked of one agent (agent amy@example.com, answers 0). \
                Answer with one rota, or None, for each agent that was asked about.";
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(plan.warnings, [told]);
    let report = desk.run().await;
    assert_eq!((said(&report), desk.shown().await.len()), (vec![told], 1), "{report}");
    let error =
        desk.engine.hours_notice(&AMY.into(), None, &visit("", "2026-12-01T16:30:00")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Host);
}
