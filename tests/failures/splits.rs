//! "This and following" on both sides before either heard of the other.

use super::desk::{AMY, Desk, Setup, hour, with};
use calsync_core::binding::Policy;
use calsync_core::model::Slot;
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
