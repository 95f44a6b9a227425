//! The engine against a calendar on paper and the store in memory: one round trip a test.

mod adopt;
mod newcomers;
mod paper;
mod review;

use super::{Appointments, Engine};
use crate::binding::{Binding, EditOrDelete, NewBinding, Policy};
use crate::clock::{ManualClock, SeededEntropy};
use crate::error::ErrorKind;
use crate::id::RecordId;
use crate::limits::{Allowance, Limits};
use crate::model::{Appointment, Fields, Recurrence, RemoteRecord, Slot, State, Status, When};
use crate::plan::Action;
use crate::report::Report;
use crate::store::MemoryStore;
use crate::zone::Zone;
use chrono::Duration;
use paper::Paper;
use std::sync::Arc;

struct Desk {
    engine: Engine,
    paper: Paper,
    binding: Binding,
    crm: Appointments,
    clock: Arc<ManualClock>,
}

impl Desk {
    async fn new() -> Self {
        Self::with(|new| new).await
    }

    async fn with(settings: impl Fn(NewBinding) -> NewBinding) -> Self {
        Self::over(settings).await.0
    }

    /// The same, with the store that it works over.
    async fn over(settings: impl Fn(NewBinding) -> NewBinding) -> (Self, MemoryStore) {
        crate::captured::begin();
        let clock = Arc::new(ManualClock::new("2026-11-23T08:00:00Z".parse().unwrap()));
        let paper = Paper::default();
        let store = MemoryStore::new(clock.clone(), "installation".into());
        let engine = Engine::builder(store.clone())
            .provider("paper", paper.clone())
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(7)))
            .build()
            .unwrap();
        let new = settings(Binding::two_way("amy@example.com").to("paper", "amy@example.com"));
        let binding = engine.bind(new).await.unwrap();
        let crm = engine.appointments().unwrap();
        (Self { engine, paper, binding, crm, clock }, store)
    }

    async fn run(&self) -> Report {
        self.clock.advance(std::time::Duration::from_secs(60));
        self.engine.run(&self.binding).await.unwrap()
    }

    /// The next run finds nothing to do, and writes nothing.
    async fn settled(&self) {
        let writes = self.paper.sheet().writes.len();
        let report = self.run().await;
        assert!(!report.wrote(), "{report}");
        assert_eq!(self.paper.sheet().writes.len(), writes);
    }

    async fn crm_fields(&self, id: &RecordId) -> Fields {
        self.crm.read(id).await.unwrap().expect("it is in the CRM").fields.expect("it has values")
    }

    /// The only record that the CRM has.
    async fn only(&self) -> RecordId {
        let from = "2000-01-01T00:00:00Z".parse().unwrap();
        let to = "2100-01-01T00:00:00Z".parse().unwrap();
        let shown = self.crm.window("amy@example.com", from, to).await.unwrap();
        assert_eq!(shown.len(), 1, "{shown:?}");
        shown[0].record.clone()
    }
}

fn visit(title: &str) -> Appointment {
    let zone = Zone::new("America/Vancouver").unwrap();
    Appointment::new(
        title,
        When::timed("2026-12-01T09:00:00".parse().unwrap(), Duration::hours(1), &zone).unwrap(),
    )
}

fn series(title: &str) -> Appointment {
    let mut series = visit(title);
    series.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=5".into()]);
    series
}

fn slot(number: i64) -> Slot {
    let first: chrono::DateTime<chrono::Utc> = "2026-12-01T16:00:00Z".parse().unwrap();
    Slot::Time(first + Duration::weeks(number))
}

fn text<'a>(fields: &'a Fields, unit: &str) -> &'a str {
    fields.get(unit).and_then(|value| value.as_str()).unwrap_or("")
}

#[tokio::test]
async fn what_one_side_makes_edits_and_deletes_reaches_the_other() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("From the calendar").to_fields());
    let record = desk.crm.create("amy@example.com", &visit("From the CRM")).await.unwrap();
    let report = desk.run().await;
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::CreateRemote)), (1, 1), "{report}");
    assert_eq!(desk.paper.living().len(), 2);
    desk.settled().await;

    desk.crm.edit(&record.id, |a| a.summary = Some("Renamed".into())).await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.count(Action::UpdateRemote), 1, "{report}");
    desk.settled().await;
    let (id, fields) = desk.paper.living().into_iter().find(|(id, _)| id.as_str() != "g1").unwrap();
    assert_eq!(text(&fields, "summary"), "Renamed");

    let mut moved = visit("Renamed");
    moved.location = Some("Dock 4".into());
    desk.paper.put(id.as_str(), moved.to_fields());
    assert_eq!(desk.run().await.count(Action::UpdateLocal), 1);
    assert_eq!(text(&desk.crm_fields(&record.id).await, "location"), "Dock 4");
    desk.settled().await;

    desk.paper.delete(id.as_str());
    assert_eq!(desk.run().await.count(Action::DeleteLocal), 1);
    assert_eq!(text(&desk.crm_fields(&record.id).await, "status"), "cancelled");
    desk.settled().await;

    let other = desk.only().await;
    desk.crm.delete(&other).await.unwrap();
    assert_eq!(desk.run().await.count(Action::DeleteRemote), 1);
    assert!(desk.paper.living().is_empty());
    desk.settled().await;
}

#[tokio::test]
async fn c04_a_record_that_is_on_two_pages_of_a_listing_is_as_the_later_page_says() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("Visit").to_fields());
    desk.run().await;
    let record = desk.only().await;
    // Deleted and brought back while the pages were read; a page has three entries.
    let (_, alive) = desk.paper.sheet().records[&"g1".into()].clone();
    let gone = RemoteRecord { state: State::Gone, revision: "gone".into(), ..alive.clone() };
    {
        let mut sheet = desk.paper.sheet();
        sheet.sequence += 1;
        let at = sheet.sequence;
        sheet.shown_before.push((at, gone));
    }
    desk.paper.put("g2", visit("Second").to_fields());
    desk.paper.put("g3", visit("Third").to_fields());
    {
        let mut sheet = desk.paper.sheet();
        sheet.sequence += 1;
        let at = sheet.sequence;
        sheet.records.insert("g1".into(), (at, alive));
    }
    let report = desk.run().await;
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::DeleteLocal)), (2, 0), "{report}");
    assert_eq!(text(&desk.crm_fields(&record).await, "status"), "");
    desk.settled().await;
}

#[tokio::test]
async fn different_fields_edited_on_both_sides_are_both_kept() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("Visit").to_fields());
    desk.run().await;
    let record = desk.only().await;
    desk.crm.edit(&record, |a| a.summary = Some("CRM title".into())).await.unwrap();
    let mut there = visit("Visit");
    there.location = Some("Dock 4".into());
    desk.paper.put("g1", there.to_fields());
    let report = desk.run().await;
    assert_eq!(report.count(Action::Merge), 1, "{report}");
    for fields in [desk.crm_fields(&record).await, desk.paper.fields("g1").unwrap()] {
        assert_eq!((text(&fields, "summary"), text(&fields, "location")), ("CRM title", "Dock 4"));
    }
    desk.settled().await;
}

#[tokio::test]
async fn the_same_field_goes_to_the_policy_and_the_loser_to_the_journal() {
    for (policy, wins, loses) in [(Policy::Remote, "there", "here"), (Policy::Local, "here", "there")] {
        let desk = Desk::with(|new| new.policy(policy)).await;
        desk.paper.put("g1", visit("Visit").to_fields());
        desk.run().await;
        let record = desk.only().await;
        desk.crm.edit(&record, |a| a.summary = Some("here".into())).await.unwrap();
        desk.paper.put("g1", visit("there").to_fields());
        desk.run().await;
        assert_eq!(text(&desk.crm_fields(&record).await, "summary"), wins);
        assert_eq!(text(&desk.paper.fields("g1").unwrap(), "summary"), wins);
        let journal = desk
            .engine
            .store()
            .journal(desk.engine.tenant(), &desk.binding.id, Some(&record), 10)
            .await
            .unwrap();
        let lost: Vec<_> = journal.iter().filter_map(|entry| entry.lost.as_ref()).collect();
        assert_eq!(lost.len(), 1, "{journal:?}");
        assert_eq!(text(lost[0], "summary"), loses);
        // The creation keeps no copy of what it made; what was there then is in the entry that changed it.
        let (change, creation) = (&journal[0], journal.last().unwrap());
        assert_eq!((creation.action.as_str(), &creation.after), (Action::CreateLocal.as_str(), &None));
        assert!(change.before.as_ref().is_some_and(|before| before.get("summary").is_some()), "{journal:?}");
        desk.settled().await;
    }
}

#[tokio::test]
async fn a_conflict_to_be_asked_about_waits_until_it_is_answered() {
    let desk = Desk::with(|new| new.policy(Policy::Ask)).await;
    desk.paper.put("g1", visit("Visit").to_fields());
    desk.run().await;
    let record = desk.only().await;
    desk.crm.edit(&record, |a| a.summary = Some("here".into())).await.unwrap();
    desk.paper.put("g1", visit("there").to_fields());
    for _ in 0..2 {
        let report = desk.run().await;
        assert_eq!((report.count(Action::Wait), report.conflicts().count()), (1, 1), "{report}");
    }
    desk.engine.answer(&desk.binding, &record, true).await.unwrap();
    desk.run().await;
    assert_eq!(text(&desk.paper.fields("g1").unwrap(), "summary"), "here");
    desk.settled().await;
}

#[tokio::test]
async fn an_edit_beats_a_deletion_unless_told_otherwise() {
    for (choice, survives) in [(EditOrDelete::EditWins, true), (EditOrDelete::DeleteWins, false)] {
        let desk = Desk::with(|new| new.edit_or_delete(choice)).await;
        desk.paper.put("g1", visit("One").to_fields());
        desk.run().await;
        let one = desk.only().await;
        desk.crm.edit(&one, |a| a.summary = Some("edited here".into())).await.unwrap();
        desk.paper.delete("g1");
        desk.run().await;
        assert_eq!(desk.paper.living().len(), usize::from(survives));
        desk.settled().await;

        let record = desk.crm.create("amy@example.com", &visit("Two")).await.unwrap();
        desk.run().await;
        let (id, _) = desk.paper.living().into_iter().find(|(_, f)| text(f, "summary") == "Two").unwrap();
        desk.crm.delete(&record.id).await.unwrap();
        desk.paper.put(id.as_str(), visit("edited there").to_fields());
        desk.run().await;
        assert_eq!(desk.crm.read(&record.id).await.unwrap().is_some(), survives);
        assert_eq!(desk.paper.fields(id.as_str()).is_some(), survives);
        desk.settled().await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading_back_and_nothing_is_made_twice() {
    let desk = Desk::new().await;
    let record = desk.crm.create("amy@example.com", &visit("Once")).await.unwrap();
    desk.paper.sheet().lose_answers = 1;
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.paper.living().len(), 1);
    desk.crm.edit(&record.id, |a| a.summary = Some("Twice".into())).await.unwrap();
    desk.paper.sheet().lose_answers = 1;
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.paper.sheet().writes.len(), 2);
    desk.crm.cancel(&record.id).await.unwrap();
    desk.paper.sheet().lose_answers = 1;
    desk.run().await;
    desk.run().await;
    assert_eq!(desk.paper.sheet().writes.len(), 3);
    desk.settled().await;
}

#[tokio::test]
async fn an_expired_cursor_leads_to_a_full_listing_that_finds_what_was_deleted_meanwhile() {
    let desk = Desk::new().await;
    for n in 0..5 {
        desk.paper.put(&format!("g{n}"), visit(&format!("Visit {n}")).to_fields());
    }
    desk.run().await;
    desk.paper.delete("g3");
    {
        let mut sheet = desk.paper.sheet();
        sheet.oldest_cursor = sheet.sequence + 1;
        sheet.sequence += 1;
    }
    let report = desk.run().await;
    assert_eq!(
        (report.count(Action::DeleteLocal), report.listed),
        (1, crate::report::Listed::Again),
        "{report}"
    );
    desk.settled().await;
}

#[tokio::test]
async fn occurrences_edited_and_cancelled_on_either_side_reach_the_other() {
    let desk = Desk::new().await;
    desk.paper.put("g1", series("Weekly").to_fields());
    let mut moved = visit("Weekly, moved");
    moved.when = When::timed(
        "2026-12-09T11:00:00".parse().unwrap(),
        Duration::hours(1),
        &Zone::new("America/Vancouver").unwrap(),
    )
    .unwrap();
    desk.paper.put_occurrence("g1", slot(1), State::Live(moved.to_fields()));
    desk.paper.put_occurrence("g1", slot(2), State::Gone);
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 2, "{report}");
    assert_eq!(report.count(Action::DeleteLocal), 1, "{report}");
    desk.settled().await;
    let from = "2026-12-01T00:00:00Z".parse().unwrap();
    let shown = desk.crm.window("amy@example.com", from, from + Duration::days(60)).await.unwrap();
    let times: Vec<String> = shown.iter().map(|s| s.appointment.when.slot().unwrap().to_string()).collect();
    assert_eq!(times, ["20261201T160000Z", "20261209T180000Z", "20261222T160000Z", "20261229T160000Z"]);

    let master = shown[0].occurrence.as_ref().unwrap().series.clone();
    desk.crm.edit_occurrence(&master, slot(3), |a| a.summary = Some("Only this one".into())).await.unwrap();
    desk.crm.cancel_occurrence(&master, slot(4)).await.unwrap();
    let report = desk.run().await;
    assert_eq!((report.count(Action::UpdateRemote), report.count(Action::DeleteRemote)), (1, 1), "{report}");
    assert_eq!(text(&desk.paper.fields(&format!("g1_{}", slot(3))).unwrap(), "summary"), "Only this one");
    assert_eq!(text(&desk.paper.fields("g1").unwrap(), "summary"), "Weekly");
    desk.settled().await;

    // What the calendar cancelled comes back with all that the series says of it.
    desk.crm.edit_occurrence(&master, slot(2), |a| a.location = Some("Dock 4".into())).await.unwrap();
    desk.run().await;
    let back = desk.paper.fields(&format!("g1_{}", slot(2))).unwrap();
    assert_eq!((text(&back, "summary"), text(&back, "location")), ("Weekly", "Dock 4"));
    desk.settled().await;
}

#[tokio::test]
async fn a_series_of_the_crm_with_changed_occurrences_arrives_whole() {
    let desk = Desk::new().await;
    let master = desk.crm.create("amy@example.com", &series("Weekly")).await.unwrap();
    desk.crm.edit_occurrence(&master.id, slot(1), |a| a.location = Some("Elsewhere".into())).await.unwrap();
    desk.crm.cancel_occurrence(&master.id, slot(2)).await.unwrap();
    let report = desk.run().await;
    assert_eq!(desk.paper.sheet().writes.len(), 3, "{report}");
    desk.settled().await;

    desk.crm.edit_following(&master.id, slot(3), |a| a.summary = Some("From now on".into())).await.unwrap();
    desk.run().await;
    let titles: Vec<String> =
        desk.paper.living().iter().map(|(_, f)| text(f, "summary").to_owned()).collect();
    assert_eq!(titles.iter().filter(|t| *t == "From now on").count(), 1, "{titles:?}");
    desk.settled().await;
}

#[tokio::test]
async fn a_series_that_comes_back_brings_its_occurrences_along() {
    let desk = Desk::new().await;
    let master = desk.crm.create("amy@example.com", &series("Weekly")).await.unwrap();
    desk.crm.edit_occurrence(&master.id, slot(1), |a| a.location = Some("Elsewhere".into())).await.unwrap();
    desk.run().await;
    let (id, _) = desk.paper.living().into_iter().find(|(id, _)| !id.as_str().contains('_')).unwrap();
    desk.crm.edit(&master.id, |a| a.summary = Some("Still wanted".into())).await.unwrap();
    desk.paper.delete(id.as_str());
    desk.paper.put_occurrence(id.as_str(), slot(1), State::Gone);
    let report = desk.run().await;
    let mut living = desk.paper.living();
    living.sort_by_key(|(id, _)| id.as_str().len());
    assert_eq!(living.len(), 2, "{report}");
    assert_eq!(
        (text(&living[0].1, "summary"), text(&living[1].1, "location")),
        ("Still wanted", "Elsewhere"),
        "{report}"
    );
    desk.settled().await;

    desk.crm.cancel(&master.id).await.unwrap();
    desk.run().await;
    desk.settled().await;
    desk.crm.edit(&master.id, |a| a.status = Status::Confirmed).await.unwrap();
    desk.run().await;
    let back = desk.paper.living();
    assert!(back.iter().any(|(_, f)| text(f, "location") == "Elsewhere"), "{back:?}");
    desk.settled().await;
}

#[tokio::test]
async fn an_appointment_given_to_another_agent_leaves_the_calendar() {
    let desk = Desk::new().await;
    let record = desk.crm.create("amy@example.com", &visit("Visit")).await.unwrap();
    desk.run().await;
    desk.crm.reassign(&record.id, "bob@example.com").await.unwrap();
    let report = desk.run().await;
    assert_eq!(report.count(Action::DeleteRemote), 1, "{report}");
    assert_eq!(text(&desk.crm_fields(&record.id).await, "summary"), "Visit");
    desk.settled().await;
    desk.crm.reassign(&record.id, "amy@example.com").await.unwrap();
    desk.run().await;
    assert_eq!(desk.paper.living().len(), 1);
    desk.settled().await;
}

#[tokio::test]
async fn more_deletions_than_allowed_are_held_back_and_the_rest_goes_on() {
    let max = Allowance { count: 2, percent: 10 };
    let desk = Desk::with(|new| new.deletions_max(max)).await;
    for n in 0..6 {
        desk.paper.put(&format!("g{n}"), visit(&format!("Visit {n}")).to_fields());
    }
    desk.run().await;
    for n in 0..4 {
        desk.paper.delete(&format!("g{n}"));
    }
    desk.paper.put("g9", visit("New").to_fields());
    let report = desk.run().await;
    assert_eq!(
        (report.count(Action::DeleteLocal), report.count(Action::CreateLocal), report.count(Action::Wait)),
        (0, 1, 4),
        "{report}"
    );
    let binding = desk
        .engine
        .change(&desk.binding, |b| b.limits = Limits::deletions_max(Allowance { count: 4, percent: 10 }))
        .await
        .unwrap();
    desk.engine.run(&binding).await.unwrap();
    let report = desk.engine.run(&binding).await.unwrap();
    assert!(!report.wrote() && report.waiting.is_empty(), "{report}");
}

#[tokio::test]
async fn what_is_flagged_not_to_be_synced_stays_as_it_is_on_both_sides() {
    let desk = Desk::new().await;
    let record = desk.crm.create("amy@example.com", &visit("Visit")).await.unwrap();
    desk.run().await;
    desk.crm.set_sync(&record.id, false).await.unwrap();
    desk.crm.edit(&record.id, |a| a.summary = Some("Only here".into())).await.unwrap();
    let (id, fields) = desk.paper.living().remove(0);
    let mut there = fields.clone();
    there.set("location", "Only there".into());
    desk.paper.put(id.as_str(), there);
    desk.settled().await;
    desk.crm.set_sync(&record.id, true).await.unwrap();
    desk.run().await;
    let (here, there) = (desk.crm_fields(&record.id).await, desk.paper.fields(id.as_str()).unwrap());
    assert_eq!((text(&here, "summary"), text(&here, "location")), ("Only here", "Only there"));
    assert!(here.same_as(&there));
    desk.settled().await;
}

#[tokio::test]
async fn past_appointments_of_the_crm_are_not_pushed_unless_asked() {
    for (push_past, pushed) in [(false, 0), (true, 1)] {
        let desk = Desk::with(|new| new.push_past(push_past)).await;
        let mut past = visit("Last year");
        past.when = When::day("2025-11-03".parse().unwrap());
        desk.crm.create("amy@example.com", &past).await.unwrap();
        desk.run().await;
        assert_eq!(desk.paper.living().len(), pushed);
        desk.settled().await;
    }
}

#[tokio::test]
async fn pausing_redirecting_and_unbinding_keep_what_is_on_both_sides() {
    let desk = Desk::new().await;
    let record = desk.crm.create("amy@example.com", &visit("Visit")).await.unwrap();
    desk.run().await;
    let paused = desk.engine.pause(&desk.binding).await.unwrap();
    desk.crm.edit(&record.id, |a| a.summary = Some("While paused".into())).await.unwrap();
    desk.settled().await;
    let one_way = desk.engine.redirect(&paused, crate::binding::Direction::FromRemote).await.unwrap();
    desk.engine.resume(&one_way).await.unwrap();
    desk.settled().await;
    desk.engine.redirect(&one_way, crate::binding::Direction::TwoWay).await.unwrap();
    desk.run().await;
    assert_eq!(text(&desk.paper.living()[0].1, "summary"), "While paused");
    desk.engine.unbind(&desk.binding).await.unwrap();
    assert_eq!(desk.paper.living().len(), 1);
    assert_eq!(desk.engine.run(&desk.binding).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Bound again, the same appointment is found under the id that it was made with, and nothing is made twice.
    let again = Binding::two_way("amy@example.com").to("paper", "amy@example.com");
    let again = desk.engine.bind(again).await.unwrap();
    desk.engine.run(&again).await.unwrap();
    assert_eq!(desk.paper.living().len(), 1);
}

#[tokio::test]
async fn what_came_from_the_calendar_is_found_again_by_a_new_binding() {
    let desk = Desk::new().await;
    desk.paper.put("g1", series("Weekly").to_fields());
    desk.paper.put_occurrence("g1", slot(2), State::Gone);
    desk.run().await;
    desk.engine.unbind(&desk.binding).await.unwrap();
    let again = Binding::two_way("amy@example.com").to("paper", "amy@example.com");
    let again = desk.engine.bind(again).await.unwrap();
    for _ in 0..2 {
        desk.engine.run(&again).await.unwrap();
    }
    assert!(desk.paper.sheet().writes.is_empty(), "{:?}", desk.paper.sheet().writes);
    let from = "2026-12-01T00:00:00Z".parse().unwrap();
    let shown = desk.crm.window("amy@example.com", from, from + Duration::days(60)).await.unwrap();
    assert_eq!(shown.len(), 4);
}

#[tokio::test]
async fn a_one_way_binding_leaves_alone_what_was_changed_in_the_calendar() {
    let desk = Desk::new().await;
    let one_way = desk.engine.redirect(&desk.binding, crate::binding::Direction::ToRemote).await.unwrap();
    let record = desk.crm.create("amy@example.com", &visit("Visit")).await.unwrap();
    desk.engine.run(&one_way).await.unwrap();
    let (id, mut there) = desk.paper.living().remove(0);
    there.set("location", "Dock 4".into());
    desk.paper.put(id.as_str(), there);
    desk.crm.edit(&record.id, |a| a.summary = Some("Renamed".into())).await.unwrap();
    for _ in 0..2 {
        desk.engine.run(&one_way).await.unwrap();
        let there = desk.paper.fields(id.as_str()).unwrap();
        assert_eq!((text(&there, "summary"), text(&there, "location")), ("Renamed", "Dock 4"));
    }
    assert_eq!(text(&desk.crm_fields(&record.id).await, "location"), "");
}

#[tokio::test]
async fn what_is_made_again_is_planned_and_written_down_once() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("Visit").to_fields());
    desk.run().await;
    let record = desk.only().await;
    desk.crm.edit(&record, |a| a.summary = Some("Still wanted".into())).await.unwrap();
    desk.paper.delete("g1");
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateRemote), 1, "{report}");
    let journal =
        desk.engine.store().journal(desk.engine.tenant(), &desk.binding.id, Some(&record), 10).await.unwrap();
    assert_eq!(journal.iter().filter(|entry| entry.action == "create in calendar").count(), 1, "{journal:?}");
    desk.settled().await;
}

#[tokio::test]
async fn a_plan_writes_to_neither_side_and_is_carried_out_when_nothing_moved() {
    let desk = Desk::new().await;
    desk.paper.put("g1", visit("From the calendar").to_fields());
    let record = desk.crm.create("amy@example.com", &visit("From the CRM")).await.unwrap();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(plan.counts.values().sum::<u64>(), 2, "{plan}");
    assert!(desk.paper.sheet().writes.is_empty());
    assert_eq!(desk.only().await, record.id);
    desk.crm.edit(&record.id, |a| a.summary = Some("Moved on".into())).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!((report.count(Action::CreateLocal), report.count(Action::CreateRemote)), (1, 0), "{report}");
    assert_eq!(report.warnings.len(), 1, "{report}");
    desk.run().await;
    desk.settled().await;
}

#[tokio::test]
async fn a_refused_record_is_parked_until_either_side_changes() {
    let desk = Desk::new().await;
    let record = desk.crm.create("amy@example.com", &visit("Odd")).await.unwrap();
    desk.paper.sheet().refuse = Some(ErrorKind::Invalid);
    let report = desk.run().await;
    assert_eq!(report.waiting.values().sum::<u64>(), 1, "{report}");
    desk.paper.sheet().refuse = None;
    let report = desk.run().await;
    assert_eq!(report.waiting.values().sum::<u64>(), 1, "{report}");
    assert!(desk.paper.living().is_empty());
    desk.crm.edit(&record.id, |a| a.summary = Some("Fine".into())).await.unwrap();
    desk.run().await;
    assert_eq!(desk.paper.living().len(), 1);
    desk.settled().await;
}

#[tokio::test]
async fn two_workers_do_not_run_one_binding_at_once() {
    let desk = Desk::new().await;
    let lease = desk.engine.begin(&desk.binding.id).await.unwrap().lease;
    let error = desk.engine.run(&desk.binding).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost);
    desk.engine.store().release(desk.engine.tenant(), &lease).await.unwrap();
    desk.run().await;
}
