//! What a binding is about: each filter on both sides, and that leaving the scope deletes nothing.

use super::desk::{AMY, Desk, Setup, hour, timed, visit, with};
use calsync_core::ErrorKind;
use calsync_core::binding::{Binding, Detail, NewBinding, Scope};
use calsync_core::model::{Appointment, Attendee, EventType, Response, Status, Visibility};
use calsync_core::plan::Action;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// One filter with what it leaves out, on either side.
struct Filter {
    name: &'static str,
    set: fn(NewBinding) -> NewBinding,
    there: Value,
    here: Appointment,
}

fn past(title: &str) -> Value {
    timed(title, "2026-11-04T09:00:00", "2026-11-04T10:00:00", super::desk::ZONE)
}

fn here(change: fn(&mut Appointment)) -> Appointment {
    let mut appointment = visit("here out", "2026-12-05T09:00:00");
    change(&mut appointment);
    appointment
}

fn filters() -> Vec<Filter> {
    let ended = || visit("here out", "2026-11-05T09:00:00");
    let focus = || with(hour("there out", 3), json!({"eventType": "focusTime"}));
    let declined = json!({"attendees": [{"email": AMY, "responseStatus": "declined"}]});
    vec![
        Filter {
            name: "since",
            set: |new| new.since("2026-11-10".parse().unwrap()),
            there: past("there out"),
            here: ended(),
        },
        Filter { name: "past_days", set: |new| new.past_days(7), there: past("there out"), here: ended() },
        Filter {
            name: "statuses",
            set: |new| new.leave_out_statuses([Status::Tentative]),
            there: with(hour("there out", 3), json!({"status": "tentative"})),
            here: here(|a| a.status = Status::Tentative),
        },
        Filter {
            name: "declined",
            set: NewBinding::leave_out_declined,
            there: with(hour("there out", 3), declined),
            here: here(|a| {
                let answer = Attendee { response: Response::Declined, ..Attendee::default() };
                a.attendees.insert(AMY.into(), answer);
            }),
        },
        Filter {
            name: "types",
            set: |new| new.leave_out_types([EventType::FocusTime]),
            there: focus(),
            here: here(|a| a.event_type = EventType::FocusTime),
        },
        Filter {
            name: "only types",
            set: |new| new.only_types([EventType::Default]),
            there: focus(),
            here: here(|a| a.event_type = EventType::FocusTime),
        },
        Filter {
            name: "visibilities",
            set: |new| new.leave_out_visibilities([Visibility::Private]),
            there: with(hour("there out", 3), json!({"visibility": "private"})),
            here: here(|a| a.visibility = Visibility::Private),
        },
    ]
}

/// Events are named by their titles, which are no ids of Google's.
fn enter(desk: &Desk, event: &Value) -> String {
    let id = event["id"].as_str().unwrap().replace(' ', "");
    desk.enter(with(event.clone(), json!({"id": id})))
}

/// A desk with one record on each side that the filter leaves out, and one that it does not.
async fn desk(filter: &Filter, set: impl Fn(NewBinding) -> NewBinding + 'static) -> Desk {
    let desk = Setup::default().binding(move |new| set(new).push_past(true)).desk().await;
    enter(&desk, &hour("there in", 1));
    enter(&desk, &filter.there);
    desk.create(&visit("here in", "2026-12-02T09:00:00")).await;
    desk.create(&filter.here).await;
    desk
}

/// The titles on both sides, in order.
async fn both(desk: &Desk) -> (Vec<String>, Vec<String>) {
    let mut here = desk.titles().await;
    let titles = desk.living().into_iter();
    let mut there: Vec<String> =
        titles.map(|event| event["summary"].as_str().unwrap_or_default().to_owned()).collect();
    here.sort();
    there.sort();
    (here, there)
}

fn all() -> Vec<String> {
    ["here in", "here out", "there in", "there out"].map(str::to_owned).into()
}

fn deletions(desk: &Desk) -> usize {
    desk.fake().journal().iter().filter(|entry| entry.method == "DELETE").count()
}

#[tokio::test]
async fn every_filter_leaves_alone_what_it_names_on_both_sides_and_nothing_else() {
    for filter in filters() {
        let desk = desk(&filter, filter.set).await;
        let name = filter.name;
        let rows = desk.engine.plan(&desk.binding).await.unwrap().rows().next().await.unwrap();
        let left = rows.iter().filter(|row| row.row.action == Action::Skip).count();
        assert_eq!(left, 2, "{name}: {rows:?}");
        desk.run().await;
        desk.run().await;
        let (here, there) = both(&desk).await;
        assert_eq!(here, ["here in", "here out", "there in"], "{name}");
        assert_eq!(there, ["here in", "there in", "there out"], "{name}");
        desk.settled_after_a_full_listing().await;
        assert_eq!(both(&desk).await, (here, there), "{name}");
    }
}

/// The same meeting on both sides, with another place on each.
#[tokio::test]
async fn what_both_sides_have_and_the_scope_leaves_out_on_both_is_not_put_in_step_either() {
    let since = |new: NewBinding| new.since("2026-12-05".parse().unwrap()).push_past(true);
    let desk = Setup::default().binding(since).desk().await;
    for (title, day) in [("out", 2), ("in", 8)] {
        enter(&desk, &with(hour(title, day), json!({"location": "Dock 4"})));
        let mut here = visit(title, &format!("2026-12-{day:02}T09:00:00"));
        here.location = Some("Dock 5".into());
        desk.create(&here).await;
    }
    let report = desk.run().await;
    assert_eq!(report.count(Action::Join), 1, "{report}");
    desk.settled().await;
    let out = desk.record("out").await;
    let places = (desk.value(&out, "location").await, desk.titled("out")["location"].clone());
    assert_eq!(places, (json!("Dock 5"), json!("Dock 4")));
    let inside = desk.record("in").await;
    assert_eq!(desk.value(&inside, "location").await, desk.titled("in")["location"]);
    // Once the scope has them, they are found to be the same.
    desk.engine.change(&desk.binding, |binding| binding.scope.since = None).await.unwrap();
    let report = desk.run().await;
    assert_eq!((report.count(Action::Join), desk.living().len()), (1, 2), "{report}");
    assert_eq!(desk.value(&out, "location").await, desk.titled("out")["location"]);
}

#[tokio::test]
async fn c22_a_scope_that_becomes_wider_brings_over_what_was_left_alone() {
    for filter in filters() {
        let desk = desk(&filter, filter.set).await;
        desk.run().await;
        desk.settled().await;
        let wide = Scope { push_past: true, ..Scope::default() };
        desk.engine.change(&desk.binding, |binding| binding.scope = wide).await.unwrap();
        desk.run().await;
        desk.run().await;
        assert_eq!(both(&desk).await, (all(), all()), "{}", filter.name);
        desk.settled_after_a_full_listing().await;
        assert_eq!(deletions(&desk), 0, "{}", filter.name);
    }
}

#[tokio::test]
pub(crate) async fn c22_a_scope_that_becomes_narrower_or_a_pause_deletes_nothing_and_what_is_linked_stays_in_step()
 {
    for filter in filters() {
        let name = filter.name;
        let desk = desk(&filter, |new| new).await;
        desk.run().await;
        desk.run().await;
        assert_eq!(both(&desk).await, (all(), all()), "{name}");
        let (writes, records) = (desk.writes(), desk.shown().await);
        let scope = settings(&desk, filter.set).await;
        desk.engine.change(&desk.binding, |binding| binding.scope = scope).await.unwrap();
        desk.settled_after_a_full_listing().await;
        desk.engine.pause(&desk.binding).await.unwrap();
        desk.settled().await;
        desk.engine.resume(&desk.binding).await.unwrap();
        desk.settled_after_a_full_listing().await;
        assert_eq!((desk.writes(), desk.shown().await), (writes, records), "{name}");
        // Out of scope, linked, and moved: in step as before.
        let moved = timed("", "2026-12-20T09:00:00", "2026-12-20T10:00:00", super::desk::ZONE);
        desk.retouch("thereout", json!({"start": moved["start"], "end": moved["end"]}));
        desk.run().await;
        desk.settled().await;
        assert!(desk.starts().await.contains(&"2026-12-20T09:00".to_owned()), "{name}");
        // A deletion is a deletion, in scope or not.
        desk.remove("thereout");
        desk.run().await;
        desk.settled().await;
        assert_eq!(both(&desk).await.1, ["here in", "here out", "there in"], "{name}");
        assert_eq!(deletions(&desk), 0, "{name}");
    }
}

/// The scope that a filter asks for.
async fn settings(desk: &Desk, set: fn(NewBinding) -> NewBinding) -> Scope {
    let new = set(Binding::two_way(AMY).to("google", super::desk::TEAM)).push_past(true);
    let other = desk.engine.bind(new).await.unwrap();
    desk.engine.unbind(&other).await.unwrap();
    other.scope
}

#[tokio::test]
async fn what_comes_into_the_scope_by_an_edit_comes_over_and_what_leaves_it_by_time_stays() {
    let set = |new: NewBinding| new.leave_out_statuses([Status::Tentative]).past_days(7);
    let desk = Setup::default().binding(set).desk().await;
    desk.enter(with(hour("perhaps", 1), json!({"status": "tentative"})));
    let here = here(|a| a.status = Status::Tentative);
    let record = desk.create(&here).await;
    desk.run().await;
    desk.settled().await;
    desk.retouch("perhaps", json!({"status": "confirmed"}));
    desk.edit(&record, |a| a.status = Status::Confirmed).await;
    desk.run().await;
    desk.run().await;
    let expected: Vec<String> = ["here out", "perhaps"].map(str::to_owned).into();
    assert_eq!(both(&desk).await, (expected.clone(), expected.clone()));
    desk.clock.advance(40 * DAY);
    desk.settled_after_a_full_listing().await;
    assert_eq!(both(&desk).await, (expected.clone(), expected));
    // The window moves with the clock: what is entered now, and was over long ago, is left alone.
    desk.enter(hour("longago", 3));
    desk.run().await;
    assert_eq!((desk.titles().await.len(), deletions(&desk)), (2, 0));
}

#[tokio::test]
async fn c22_a_series_counts_by_its_last_occurrence_and_its_occurrences_follow_it() {
    let set = |new: NewBinding| new.past_days(7).leave_out_statuses([Status::Tentative]);
    let desk = Setup::default().binding(set).desk().await;
    let series = |id: &str, rule: &str| with(past(id), json!({"recurrence": [rule]}));
    desk.enter(series("old1", "RRULE:FREQ=DAILY;COUNT=3"));
    desk.enter(series("new1", "RRULE:FREQ=DAILY;COUNT=30"));
    // One occurrence of what is in scope is tentative, one of what is not was changed.
    desk.retouch("new1_20261110T160000Z", json!({"status": "tentative"}));
    desk.retouch("old1_20261105T160000Z", json!({"location": "Dock 4"}));
    desk.run().await;
    desk.settled_after_a_full_listing().await;
    let shown = desk.shown().await;
    assert_eq!(shown.len(), 30);
    assert!(shown.iter().all(|shown| shown.appointment.summary.as_deref() == Some("new1")));
    assert_eq!(shown.iter().filter(|shown| shown.appointment.status == Status::Tentative).count(), 1);
}

#[tokio::test]
async fn a_scope_that_cannot_be_meant_is_refused_when_bound_and_when_changed() {
    let desk = Desk::new().await;
    let new = Binding::two_way(AMY).to("google", super::desk::TEAM).past_days(100_000);
    let error = desk.engine.bind(new).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("setting past_days"), "{error}");
    let error = desk.engine.change(&desk.binding, |b| b.scope.only_types([])).await.unwrap_err();
    assert!(error.to_string().contains("setting types_left_out"), "{error}");
    assert_eq!(desk.engine.bindings().await.unwrap(), std::slice::from_ref(&desk.binding));
    // Less detail than a private one is asked to have is what counts for both.
    let changed = desk.engine.change(&desk.binding, |b| b.detail = Detail::BusyOnly).await.unwrap();
    assert_eq!(changed.private_detail, Detail::Full);
}
