//! What is new in the calendar, and when it is decided.

use super::*;
use crate::host::{RecordChange, RecordWrite};
use crate::plan::ids;
use crate::store::{Batch, Group};

#[tokio::test]
async fn what_is_new_is_made_with_the_page_that_shows_it_and_a_series_when_all_are_seen() {
    let desk = Desk::new().await;
    desk.paper.put("g1", series("Weekly").to_fields());
    for n in 2..6 {
        desk.paper.put(&format!("g{n}"), visit(&format!("Visit {n}")).to_fields());
    }
    // A page has three entries.
    desk.paper.sheet().pages_left = Some(1);
    desk.engine.run(&desk.binding).await.unwrap_err();
    let (from, to) = ("2000-01-01T00:00:00Z".parse().unwrap(), "2100-01-01T00:00:00Z".parse().unwrap());
    let titles = async || {
        let shown = desk.crm.window("amy@example.com", from, to).await.unwrap();
        let mut titles: Vec<_> = shown.into_iter().filter_map(|shown| shown.appointment.summary).collect();
        titles.sort();
        titles.dedup();
        titles
    };
    assert_eq!(titles().await, ["Visit 2", "Visit 3"]);
    desk.paper.sheet().pages_left = None;
    let report = desk.run().await;
    assert_eq!(report.count(Action::CreateLocal), 3, "{report}");
    assert_eq!(titles().await, ["Visit 2", "Visit 3", "Visit 4", "Visit 5", "Weekly"]);
    desk.settled().await;
}

#[tokio::test]
async fn what_cannot_be_made_as_it_is_seen_is_still_there_to_be_decided() {
    let desk = Desk::new().await;
    let store = desk.engine.store();
    // Somebody else's, under the very id that the new one would get.
    let id = ids::record_id(&store.installation().await.unwrap(), &desk.binding, &"g1".into());
    let change = RecordChange::Create {
        agent: "bob@example.com".into(),
        occurrence: None,
        fields: visit("Bob's").to_fields(),
    };
    let write = RecordWrite { operation: "by hand".into(), id: id.clone(), expected: None, change };
    let mut batch = Batch::new(desk.binding.tenant.clone());
    batch.groups.push(Group { records: vec![write], ..Group::default() });
    store.commit(batch).await.unwrap();
    desk.paper.put("g1", visit("Visit").to_fields());
    let report = desk.run().await;
    // As ever: what is linked and is somebody else's leaves the calendar.
    let counts = (report.count(Action::CreateLocal), report.count(Action::DeleteRemote));
    assert_eq!(counts, (0, 1), "{report}");
    assert_eq!(text(&desk.crm_fields(&id).await, "summary"), "Bob's");
    desk.settled().await;
}
