//! "This and following" on both sides before either heard of the other.

use super::desk::{AMY, Desk, Setup, TEAM, hour, in_zone, with};
use calsync_core::binding::Policy;
use calsync_core::model::{Recurrence, Slot};
use calsync_core::plan::Waiting;
use calsync_core::{Binding, ErrorKind};
use calsync_testkit::fake_google::ExceptionPolicy;
use serde_json::json;

/// A series of six days, kept in step.
async fn six_days(policy: Policy) -> (Desk, calsync_core::RecordId, Vec<Slot>) {
    let desk = Setup::default().binding(move |new| new.policy(policy)).desk().await;
    desk.enter(with(hour("s1", 1), json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=6"]})));
    desk.run().await;
    let series = desk.record("s1").await;
    let slots = desk.shown().await.into_iter().map(|shown| shown.occurrence.unwrap().slot).collect();
    (desk, series, slots)
}

fn suffix(slot: &Slot) -> String {
    let Slot::Time(at) = slot else { panic!("a slot with a time") };
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Wherever the two splits are, and wherever the CRM changed or cancelled a day, the sides become the same.
#[tokio::test]
async fn c01_a_series_split_on_both_sides_at_once_is_the_same_on_both() {
    for policy in [Policy::Local, Policy::Remote] {
        for (there, here, day, cancelled) in (1..6)
            .flat_map(|a| (1..6).map(move |b| (a, b)))
            .flat_map(|(a, b)| (0..6).flat_map(move |day| [(a, b, day, false), (a, b, day, true)]))
        {
            let (desk, series, slots) = six_days(policy).await;
            if cancelled {
                desk.crm.cancel_occurrence(&series, slots[day]).await.unwrap();
            } else {
                let edited =
                    desk.crm.edit_occurrence(&series, slots[day], |a| a.location = Some("Dock 4".into()));
                edited.await.unwrap();
            }
            let following = desk.crm.edit_following(&series, slots[here], |a| a.summary = Some("crm".into()));
            following.await.unwrap();
            let patch = json!({"summary": "google"});
            desk.user(|fake, now| fake.user_split(now, AMY, "s1", &suffix(&slots[there]), &patch)).unwrap();
            desk.run().await;
            desk.run().await;
            let case = format!("{policy:?}: split at {there} and {here}, day {day}, cancelled: {cancelled}");
            assert_eq!(desk.instants().await, desk.starts_there(), "{case}");
            desk.settled_after_a_full_listing().await;
        }
    }
}

/// A day that was cancelled is not back when its series was cut short before it and reaches it again, whoever cut it, however, and
/// whatever Google makes of changed days meanwhile.
#[tokio::test]
async fn c11_a_cancelled_day_is_not_back_when_its_series_was_cut_short_and_reaches_it_again() {
    for (exceptions, cut) in [ExceptionPolicy::Keep, ExceptionPolicy::Reset]
        .into_iter()
        .flat_map(|exceptions| ["in the CRM", "in Google", "split in Google"].map(|cut| (exceptions, cut)))
    {
        let (desk, series, slots) = six_days(Policy::Local).await;
        desk.fake().behaviour_mut().exceptions_on_master_change = exceptions;
        desk.crm.cancel_occurrence(&series, slots[4]).await.unwrap();
        desk.run().await;
        desk.settled().await;
        let daily = |count| Recurrence::new(vec![format!("RRULE:FREQ=DAILY;COUNT={count}")]);
        match cut {
            "in the CRM" => desk.edit(&series, |a| a.recurrence = daily(3)).await,
            "in Google" => desk.retouch("s1", json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})),
            _ => {
                let patch = json!({"summary": "later"});
                desk.user(|fake, now| fake.user_split(now, AMY, "s1", &suffix(&slots[3]), &patch)).unwrap();
            }
        }
        desk.run().await;
        desk.settled().await;
        desk.edit(&series, |a| a.recurrence = daily(6)).await;
        desk.run().await;
        desk.run().await;
        let case = format!("{exceptions:?}, cut {cut}");
        assert_eq!(desk.instants().await, desk.starts_there(), "{case}");
        desk.settled_after_a_full_listing().await;
        assert_eq!(desk.instants().await, desk.starts_there(), "{case}");
    }
}

/// The copy of a day that the CRM had cancelled, changed by somebody after the CRM's series no longer reached it.
#[tokio::test]
async fn c01_a_day_after_the_end_of_the_crm_s_series_does_not_come_back_to_it() {
    let (desk, series, slots) = six_days(Policy::Local).await;
    let team = desk.engine.bind(Binding::two_way(AMY).to("google", TEAM)).await.unwrap();
    desk.try_run_of(&team).await.unwrap();
    let copy = desk.living_in(TEAM)[0]["id"].as_str().unwrap().to_owned();
    desk.crm.cancel_occurrence(&series, slots[4]).await.unwrap();
    // Cancelled in Amy's calendar before the series is cut short there: what is cancelled stays known by its id.
    desk.run().await;
    desk.crm.edit_following(&series, slots[2], |a| a.summary = Some("crm".into())).await.unwrap();
    let day = format!("{copy}_{}", suffix(&slots[4]));
    desk.user(|fake, at| fake.user_patch(at, TEAM, &day, &json!({"location": "Dock 4"}))).unwrap();
    for _ in 0..2 {
        desk.try_run_of(&team).await.unwrap();
        desk.run().await;
        let here = desk.instants().await;
        assert_eq!((here.len(), &here), (5, &desk.starts_there()));
        assert_eq!(here, desk.starts_in(TEAM));
    }
    desk.settled_after_a_full_listing().await;
}

/// A split in Google takes a changed day along without a word, also where the end of an all-day series is written as a time, or as a
/// number of occurrences.
#[tokio::test]
async fn c13_a_changed_day_that_a_split_took_along_is_noticed_however_the_end_is_written() {
    for end in ["UNTIL=20261203", "UNTIL=20261203T235959Z", "COUNT=3"] {
        let desk = Desk::new().await;
        let days = json!({"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"},
            "recurrence": ["RRULE:FREQ=DAILY;COUNT=6"]});
        desk.enter(with(hour("s1", 1), days));
        desk.user(|fake, at| fake.user_patch(at, AMY, "s1_20261205", &json!({"location": "Dock 4"})))
            .unwrap();
        desk.run().await;
        desk.user(|fake, at| fake.user_split(at, AMY, "s1", "20261204", &json!({}))).unwrap();
        desk.retouch("s1", json!({"recurrence": [format!("RRULE:FREQ=DAILY;{end}")]}));
        desk.run().await;
        assert_eq!(desk.instants().await, desk.starts_there(), "{end}");
        assert_eq!(desk.instants().await.len(), 6, "{end}");
        desk.settled_after_a_full_listing().await;
    }
}

/// A changed day that could not be read when the calendar showed it, and that a split there has taken to the new series since:
/// its old id is gone without a word, and what waited behind it must not wait for the next full listing.
#[tokio::test]
async fn c13_a_day_that_a_split_took_along_before_it_could_be_read_holds_nothing_up() {
    for deleted_here in [true, false] {
        let (desk, series, slots) = six_days(Policy::Remote).await;
        let day = format!("s1_{}", suffix(&slots[4]));
        desk.retouch(&day, json!({"location": "Dock 4"}));
        desk.after({
            let day = day.clone();
            move |_, mut answer| {
                for event in answer["items"].as_array_mut().into_iter().flatten() {
                    if event["id"] == *day {
                        event["start"] = json!({"date": "0001-06-01"});
                        event["end"] = json!({"date": "0001-06-02"});
                    }
                }
                answer
            }
        });
        let report = desk.run().await;
        assert_eq!(report.waiting.get(&Waiting::Quarantined), Some(&1), "{report}");
        desk.undisturbed();
        let patch = json!({"summary": "google"});
        desk.user(|fake, now| fake.user_split(now, AMY, "s1", &suffix(&slots[2]), &patch)).unwrap();
        if deleted_here {
            desk.crm.delete(&series).await.unwrap();
        }
        desk.run().await;
        let report = desk.run().await;
        assert!(report.waiting.is_empty(), "{report}");
        assert_eq!(desk.instants().await, desk.starts_there(), "{report}");
        desk.settled_after_a_full_listing().await;
    }
}

/// One that stays unreadable is asked for again only while something waits behind it.
#[tokio::test]
async fn c13_an_unreadable_day_alone_costs_no_request() {
    let (desk, series, slots) = six_days(Policy::Remote).await;
    let day = format!("s1_{}", suffix(&slots[4]));
    desk.after(move |_, mut answer| {
        let listed = answer["items"].as_array_mut().into_iter().flatten();
        for event in listed.filter(|event| event["id"] == *day) {
            event["end"] = json!("soon");
        }
        if answer["id"] == *day {
            answer["end"] = json!("soon");
        }
        answer
    });
    desk.retouch(&format!("s1_{}", suffix(&slots[4])), json!({"location": "Dock 4"}));
    desk.run().await;
    for (edited, requests) in [(false, 1), (true, 2), (true, 2)] {
        if edited {
            desk.edit(&series, |a| a.description = Some("Weekly".into())).await;
        }
        let report = desk.run().await;
        assert_eq!(report.waiting.get(&Waiting::Quarantined), Some(&1), "{report}");
        assert_eq!(report.requests, requests, "{report}");
    }
}

/// In Los Angeles; the clocks go forward on the 14th of March.
async fn in_the_crm(lines: &[&str]) -> (Desk, calsync_core::RecordId, Vec<Slot>) {
    let desk = Desk::new().await;
    let mut series = in_zone("visits", "2027-03-08T09:00:00", "America/Los_Angeles");
    series.recurrence = Recurrence::new(lines.iter().map(|line| (*line).to_owned()).collect());
    let id = desk.create(&series).await;
    let slots = desk.shown().await.into_iter().map(|shown| shown.occurrence.unwrap().slot).collect();
    (desk, id, slots)
}

/// Whatever the lines are: this and following, edited in a field only, moves, doubles and loses no occurrence.
#[tokio::test]
async fn this_and_following_in_the_crm_leaves_every_occurrence_where_it_was() {
    for lines in [
        &["RRULE:FREQ=DAILY;COUNT=9"][..],
        &["RRULE:FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20270402T000000Z", "EXDATE:20270315T160000Z"],
        // The count is spent before the listed days begin.
        &["RRULE:FREQ=DAILY;COUNT=3", "RDATE:20270323T160000Z,20270330T160000Z"],
        &["RRULE:FREQ=DAILY;COUNT=3", "RDATE:20270323T090000,20270330T090000,20270331T090000"],
        &["RDATE;TZID=Europe/Berlin:20270310T180000,20270323T180000"],
    ] {
        let (_, _, slots) = in_the_crm(lines).await;
        for (nth, slot) in slots.iter().enumerate().skip(1) {
            let (desk, series, _) = in_the_crm(lines).await;
            desk.run().await;
            let before = desk.instants().await;
            assert_eq!((before.len(), &before), (slots.len(), &desk.starts_there()));
            desk.crm.edit_following(&series, *slot, |a| a.location = Some("Dock 4".into())).await.unwrap();
            assert_eq!(desk.instants().await, before, "{lines:?} split at {slot}");
            desk.run().await;
            assert_eq!(desk.starts_there(), before, "{lines:?} split at {slot}");
            let moved = desk.shown().await.iter().filter(|a| a.appointment.location.is_some()).count();
            assert_eq!(moved, slots.len() - nth);
            desk.settled_after_a_full_listing().await;
        }
    }
}

/// Moved over a clock change with its series, a changed occurrence stays the same day and hour of the week.
#[tokio::test]
async fn a_changed_occurrence_goes_along_with_this_and_following_by_the_wall_clock() {
    let (desk, series, slots) = in_the_crm(&["RRULE:FREQ=WEEKLY;COUNT=4"]).await;
    desk.crm.edit_occurrence(&series, slots[2], |a| a.location = Some("Dock 4".into())).await.unwrap();
    desk.run().await;
    // From Monday the 15th on, five days earlier: before the change.
    let earlier = |a: &mut calsync_core::model::Appointment| {
        let Slot::Time(at) = "20270310T170000Z".parse().unwrap() else { panic!() };
        a.when = a.when.moved_to(&Slot::Time(at)).unwrap();
    };
    desk.crm.edit_following(&series, slots[1], earlier).await.unwrap();
    // The changed one has a time of its own, which stays.
    let days = ["08", "10", "22", "24"].map(|day| format!("2027-03-{day}T09:00"));
    assert_eq!(desk.starts().await, days);
    let changed: Vec<_> =
        desk.shown().await.into_iter().filter(|a| a.appointment.location.is_some()).collect();
    let slot = changed[0].occurrence.as_ref().unwrap().slot;
    assert_eq!((changed.len(), slot.to_string().as_str()), (1, "20270317T160000Z"));
    desk.run().await;
    assert_eq!(desk.instants().await, desk.starts_there());
    desk.settled_after_a_full_listing().await;
}

#[tokio::test]
async fn a_split_that_would_bend_the_series_is_refused_and_changes_nothing() {
    let listed = &["RRULE:FREQ=DAILY;COUNT=9", "RDATE:20270312T200000Z"];
    for (lines, at, why) in [
        (
            &listed[..1],
            "20270308T170000Z",
            "20270308T170000Z is the first occurrence: edit the series as a whole",
        ),
        (&listed[..1], "20270308T180000Z", "the series has no occurrence at 20270308T180000Z"),
        (
            listed,
            "20270312T200000Z",
            "the rules of the series cannot go on from 20270312T200000Z as they are: split it at another occurrence",
        ),
    ] {
        let (desk, series, _) = in_the_crm(lines).await;
        let before = desk.shown().await;
        let edited =
            desk.crm.edit_following(&series, at.parse().unwrap(), |a| a.summary = Some("new".into()));
        let refused = edited.await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(
            refused.to_string().contains(why) && refused.to_string().contains(series.as_str()),
            "{refused}"
        );
        assert_eq!(desk.shown().await, before);
    }

    // Nor is there anything to change or to cancel where no occurrence is.
    let (desk, series, slots) = in_the_crm(&listed[..1]).await;
    let single = desk.create(&in_zone("single", "2027-03-08T09:00:00", "America/Los_Angeles")).await;
    for (record, at) in [(&series, "20270308T180000Z".parse().unwrap()), (&single, slots[0])] {
        let edited = desk.crm.edit_occurrence(record, at, |a| a.summary = Some("new".into())).await;
        let cancelled = desk.crm.cancel_occurrence(record, at).await;
        for refused in [edited.unwrap_err(), cancelled.unwrap_err()] {
            assert_eq!(refused.kind(), ErrorKind::Invalid);
            assert!(refused.to_string().contains("the series has no such occurrence"), "{refused}");
        }
    }
}
