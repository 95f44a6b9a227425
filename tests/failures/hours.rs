//! Working hours in runs, plans and the CRM: told once, taken back when no longer true, and never in the way.

use super::desk::{AMY, Desk, Setup, TEAM, Way, ZONE, hour, timed, visit, with};
use async_trait::async_trait;
use calsync_core::clock::Clock as _;
use calsync_core::engine::EngineBuilder;
use calsync_core::hours::{Draft, Layer, LayerKind, Period, Rota, Schedules, Words};
use calsync_core::{AgentId, Binding, Error, ErrorKind, Report, Result, Tenant};
use chrono::Weekday::{Fri, Mon, Thu, Tue, Wed};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NOTICE: &str =
    "Please note that part or all of this Appointment falls outside the Agents working hours.";

/// The CRM's list of who works when; nothing of it can be had while there is none.
#[derive(Clone, Debug)]
struct Office(Arc<Mutex<Option<Rota>>>);

#[async_trait]
impl Schedules for Office {
    async fn schedules(&self, _: &Tenant, agents: &[AgentId]) -> Result<Vec<Option<Rota>>> {
        let rota = self.0.lock().unwrap().clone();
        let rota = rota.ok_or_else(|| Error::new(ErrorKind::Host, "the CRM does not answer").later())?;
        Ok(agents.iter().map(|agent| (agent.as_str() == AMY).then(|| rota.clone())).collect())
    }
}

impl Office {
    fn set(&self, rota: Option<Rota>) {
        *self.0.lock().unwrap() = rota;
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
    let office = Office(Arc::new(Mutex::new(Some(rota(week(9, 17))))));
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
    assert_eq!(desk.engine.hours_notice(&AMY.into(), &early).await.unwrap().as_deref(), Some(&*sentence));
    assert_eq!(desk.engine.hours_notice(&"bob@example.com".into(), &early).await.unwrap(), None);
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
    let office = Office(Arc::new(Mutex::new(Some(rota(week(9, 17))))));
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
    let office = Office(Arc::new(Mutex::new(Some(rota(week(9, 17))))));
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
