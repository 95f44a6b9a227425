//! Plans: reviewed, in parts, in a file, later.

use super::*;
use crate::engine::{Match, Plan, PlanRow, RowState};
use crate::plan::Waiting;

async fn rows(plan: &Plan) -> Vec<PlanRow> {
    plan.rows().all().await.unwrap()
}

/// Number, state, action and title of every row.
async fn text_of(plan: &Plan) -> Vec<String> {
    let rows = rows(plan).await;
    let name = |row: &PlanRow| row.summary.clone().unwrap_or_default();
    rows.iter().map(|row| format!("{} {} {} {}", row.number, row.state, row.action, name(row))).collect()
}

/// The number of the row with this title.
async fn number(plan: &Plan, title: &str) -> u64 {
    let rows = rows(plan).await;
    rows.iter().find(|row| row.summary.as_deref() == Some(title)).expect("a row with this title").number
}

async fn with_visits(titles: &[&str]) -> Desk {
    let desk = Desk::new().await;
    for (n, title) in titles.iter().enumerate() {
        desk.paper.put(&format!("g{n}"), visit(title).to_fields());
    }
    desk
}

async fn titles(desk: &Desk) -> Vec<String> {
    let from = "2000-01-01T00:00:00Z".parse().unwrap();
    let to = "2100-01-01T00:00:00Z".parse().unwrap();
    let shown = desk.crm.window("amy@example.com", from, to).await.unwrap();
    let mut titles: Vec<_> = shown.into_iter().filter_map(|shown| shown.appointment.summary).collect();
    titles.sort();
    titles
}

#[tokio::test]
async fn what_is_deselected_waits_in_every_run_until_somebody_selects_it() {
    let desk = with_visits(&["A", "B", "C"]).await;
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    let b = number(&plan, "B").await;
    assert_eq!(plan.deselect(&[b]).await.unwrap(), [b]);
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(report.count(Action::CreateLocal), 2, "{report}");
    assert_eq!(titles(&desk).await, ["A", "C"]);
    for _ in 0..2 {
        let report = desk.run().await;
        assert_eq!(report.waiting.get(&Waiting::Deselected), Some(&1), "{report}");
        assert!(!report.wrote(), "{report}");
    }
    // A newer version of it changes nothing about that.
    desk.paper.put("g1", visit("B2").to_fields());
    desk.run().await;
    assert_eq!(titles(&desk).await, ["A", "C"]);
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(text_of(&plan).await, ["1 deselected create in CRM B2"]);
    plan.select(&[1]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(titles(&desk).await, ["A", "B2", "C"]);
    desk.settled().await;
}

/// There would be no row that anybody could select.
#[tokio::test]
async fn c15_what_is_deselected_and_has_come_to_nothing_does_not_wait() {
    let desk = with_visits(&["Made", "Gone"]).await;
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    plan.select_where(|row| row.summary.as_deref() == Some("Made")).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(desk.run().await.waiting.get(&Waiting::Deselected), Some(&1));
    desk.paper.delete("g1");
    assert!(desk.run().await.waiting.is_empty());
    assert_eq!(titles(&desk).await, ["Made"]);
    desk.settled().await;
    // Back again, it is as new as anything.
    desk.paper.put("g1", visit("Gone").to_fields());
    desk.run().await;
    assert_eq!(titles(&desk).await, ["Gone", "Made"]);
    desk.settled().await;
}

/// Deselected while it was on both sides, selected when it is in the calendar only.
#[tokio::test]
async fn c15_what_is_deselected_and_then_deleted_on_one_side_can_be_selected() {
    let desk = with_visits(&["First"]).await;
    desk.run().await;
    let record = desk.only().await;
    desk.paper.put("g0", visit("Second").to_fields());
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    plan.deselect(&[1]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    desk.crm.delete(&record).await.unwrap();
    assert_eq!(desk.run().await.waiting.get(&Waiting::Deselected), Some(&1));
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(text_of(&plan).await, ["1 deselected create in CRM Second"]);
    plan.select(&[1]).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!(report.count(Action::CreateLocal), 1, "{report}");
    assert_eq!(titles(&desk).await, ["Second"]);
    desk.settled().await;
}

#[tokio::test]
async fn a_plan_is_applied_in_parts_and_by_another_handle_and_nothing_twice() {
    let desk = with_visits(&["A", "B"]).await;
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    plan.select_where(|row| row.summary.as_deref() == Some("A")).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(titles(&desk).await, ["A"]);
    let mut later = desk.engine.open_plan(&plan.id).await.unwrap();
    assert_eq!(text_of(&later).await, ["1 done create in CRM A", "2 deselected create in CRM B"]);
    later.select(&[2]).await.unwrap();
    for _ in 0..2 {
        desk.engine.apply(&later).await.unwrap();
        assert_eq!(titles(&desk).await, ["A", "B"]);
    }
    let error = later.select(&[1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("carried out already"), "{error}");
    desk.settled().await;
}

#[tokio::test]
async fn a_row_whose_ground_moved_is_planned_again_and_waits_for_another_look() {
    let desk = Desk::new().await;
    let record = desk.crm.create("amy@example.com", &visit("First")).await.unwrap();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    desk.crm.edit(&record.id, |a| a.summary = Some("Second".into())).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert!(!report.wrote(), "{report}");
    assert!(report.warnings[0].contains("planned"), "{report}");
    let mut plan = desk.engine.open_plan(&plan.id).await.unwrap();
    assert_eq!(text_of(&plan).await, ["2 moved create in calendar Second"]);
    desk.engine.apply(&plan).await.unwrap();
    assert!(desk.paper.living().is_empty(), "never forced");
    plan.select(&[2]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(text(&desk.paper.living()[0].1, "summary"), "Second");
    desk.settled().await;
}

#[tokio::test]
async fn the_rows_of_a_series_stand_or_fall_together() {
    let desk = with_visits(&["Single"]).await;
    desk.paper.put("s", series("Stand-up").to_fields());
    let mut moved = visit("Stand-up, moved").to_fields();
    moved.set("location", "Room 2".into());
    desk.paper.put_occurrence("s", slot(1), State::Live(moved));
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    let changed = number(&plan, "Stand-up, moved").await;
    let both = plan.deselect(&[changed]).await.unwrap();
    assert_eq!(both.len(), 2, "{plan}");
    desk.engine.apply(&plan).await.unwrap();
    assert_eq!(titles(&desk).await, ["Single"]);
}

#[tokio::test]
async fn somebody_says_which_are_the_same_and_which_are_not() {
    let desk = with_visits(&["Call", "Call"]).await;
    let record = desk.crm.create("amy@example.com", &visit("Call")).await.unwrap();
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    let all = rows(&plan).await;
    assert!(all.iter().all(|row| row.waiting == Some(Waiting::Ambiguous)), "{plan}");
    assert_eq!(plan.select(&[all[0].number]).await.unwrap_err().kind(), ErrorKind::Invalid);
    let second = all.iter().find(|row| row.key.as_ref().is_some_and(|key| key.as_str() == "g1")).unwrap();
    plan.rematch(second.number, Match::Record(record.id.clone())).await.unwrap();
    let first = rows(&plan)
        .await
        .iter()
        .find(|row| row.key.as_ref().is_some_and(|key| key.as_str() == "g0"))
        .unwrap()
        .number;
    plan.rematch(first, Match::Nothing).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!((report.count(Action::Join), report.count(Action::CreateLocal)), (1, 1), "{report}\n{plan}");
    desk.settled().await;
    assert_eq!(titles(&desk).await, ["Call", "Call"]);
    desk.paper.delete("g1");
    desk.run().await;
    assert_eq!(text(&desk.crm_fields(&record.id).await, "status"), "cancelled", "g1 and the record were one");
}

#[tokio::test]
async fn what_was_found_to_be_the_same_can_be_taken_apart_and_put_together_otherwise() {
    let desk = with_visits(&["Call", "Meeting"]).await;
    let record = desk.crm.create("amy@example.com", &visit("Call")).await.unwrap();
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(plan.counts.get(&Action::Join), Some(&1), "{plan}");
    let call = number(&plan, "Call").await;
    plan.rematch(call, Match::Nothing).await.unwrap();
    assert_eq!(
        (plan.counts.get(&Action::CreateLocal), plan.counts.get(&Action::CreateRemote)),
        (Some(&2), Some(&1))
    );
    let meeting = number(&plan, "Meeting").await;
    let joined = plan.rematch(meeting, Match::Record(record.id.clone())).await.unwrap()[0];
    let error = plan.rematch(joined, Match::Record("nobody".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let report = desk.engine.apply(&plan).await.unwrap();
    assert_eq!((report.count(Action::Join), report.count(Action::CreateLocal)), (1, 1), "{report}\n{plan}");
    desk.run().await;
    desk.settled().await;
    assert_eq!(titles(&desk).await, ["Call", "Meeting"], "the calendar's title won where the two differed");
    assert_eq!(desk.paper.living().len(), 2);
}

#[tokio::test]
async fn a_dry_run_writes_nothing_but_what_it_saw_and_its_plan() {
    let (Desk { engine, paper, binding, crm, .. }, store) = Desk::over(|new| new).await;
    paper.put("g1", visit("Both").to_fields());
    paper.put("g2", visit("Calendar").to_fields());
    crm.create("amy@example.com", &visit("Both")).await.unwrap();
    crm.create("amy@example.com", &visit("CRM")).await.unwrap();
    let own = |snapshot: &serde_json::Value| snapshot["tenants"]["default"]["own"].clone();
    let before = store.snapshot();
    let plan = engine.plan(&binding).await.unwrap();
    assert_eq!(plan.counts.len(), 3, "{plan}");
    let after = store.snapshot();
    assert_eq!(own(&before), own(&after), "the CRM");
    assert!(paper.sheet().writes.is_empty(), "the calendar");
    let of_binding = &after["tenants"]["default"]["rows"][binding.id.as_str()];
    for table in ["links", "outbox", "runs", "journal", "deselected"] {
        assert_eq!(of_binding[table], serde_json::json!([]), "{table}");
    }
    assert_eq!(
        of_binding["state"]["health"],
        serde_json::to_value(crate::binding::Health::default()).unwrap()
    );
    plan.discard().await.unwrap();
    assert_eq!(store.snapshot()["tenants"]["default"]["plans"], serde_json::json!([]));
}

async fn exported(plan: &Plan) -> Vec<String> {
    let mut out = Vec::new();
    plan.export(&mut out).await.unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_plan_goes_out_as_json_lines_and_comes_back_as_it_was_edited() {
    let desk = with_visits(&["A", "B", "C"]).await;
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let lines = exported(&plan).await;
    assert_eq!(lines.len(), 4);
    let back = desk.engine.import_plan(lines.join("\n").as_bytes()).await.unwrap();
    assert_eq!((back.selected.len(), back.deselected.len()), (0, 0), "nothing was edited");
    // One deselected, one line taken out.
    let mut edited = lines.clone();
    edited[1] = edited[1].replace("\"selected\"", "\"deselected\"");
    edited.remove(3);
    let back = desk.engine.import_plan(edited.join("\n").as_bytes()).await.unwrap();
    assert_eq!(back.deselected, [1, 3]);
    desk.engine.apply(&back.plan).await.unwrap();
    assert_eq!(titles(&desk).await.len(), 1);
}

#[tokio::test]
async fn a_match_is_told_in_the_file() {
    let desk = with_visits(&["Call", "Call"]).await;
    let record = desk.crm.create("amy@example.com", &visit("Call")).await.unwrap();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let mut lines = exported(&plan).await;
    let line = lines.iter_mut().find(|line| line.contains("\"key\":\"g0\"")).unwrap();
    let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
    row["match"] = serde_json::json!({"record": record.id});
    *line = row.to_string();
    let back = desk.engine.import_plan(lines.join("\n").as_bytes()).await.unwrap();
    assert_eq!(back.rematched.len(), 1, "{}", back.plan);
    let report = desk.engine.apply(&back.plan).await.unwrap();
    assert_eq!(report.count(Action::Join), 1, "{report}");
}

#[tokio::test]
async fn a_file_that_was_edited_elsewhere_is_refused_whole_with_the_line() {
    let desk = with_visits(&["A", "B"]).await;
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let lines = exported(&plan).await;
    let with = |at: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        assert!(lines[at].contains(from), "{}", lines[at]);
        lines[at] = lines[at].replace(from, to);
        lines
    };
    let mut twice = lines.clone();
    twice.push(lines[1].clone());
    let cases: [(&str, Vec<String>, ErrorKind, &str); 10] = [
        ("empty", vec![], ErrorKind::Config, "empty"),
        ("no plan", vec!["hello".into()], ErrorKind::Config, "not the first line"),
        (
            "of another tenant",
            with(0, "\"tenant\":\"default\"", "\"tenant\":\"globex\""),
            ErrorKind::Config,
            "another tenant",
        ),
        ("of another version", with(0, "\"format\":1", "\"format\":0"), ErrorKind::Config, "another version"),
        (
            "of another binding",
            with(0, desk.binding.id.as_str(), "elsewhere"),
            ErrorKind::Config,
            "another binding",
        ),
        ("of no plan", with(0, plan.id.as_str(), "gone"), ErrorKind::NotFound, "no such plan"),
        ("another title", with(2, "\"B\"", "\"Hers\""), ErrorKind::Config, "more than `state` and `match`"),
        (
            "a row that is not there",
            with(2, "\"number\":2", "\"number\":9"),
            ErrorKind::NotFound,
            "no such row",
        ),
        ("a state that is none", with(2, "\"selected\"", "\"done\""), ErrorKind::Config, "can be put to"),
        ("twice", twice, ErrorKind::Config, "twice"),
    ];
    for (what, lines, kind, words) in cases {
        let lines: Vec<String> = lines
            .into_iter()
            .map(|line| line.replace("\"state\":\"selected\"", "\"state\":\"deselected\""))
            .collect();
        let error = desk.engine.import_plan(lines.join("\n").as_bytes()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.to_string().contains(words), "{what}: {error}");
        let plan = desk.engine.open_plan(&plan.id).await.unwrap();
        assert_eq!(plan.states.get(&RowState::Selected), Some(&2), "{what}: nothing was changed");
    }
    let error = desk.engine.for_tenant("globex").open_plan(&plan.id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let mut plan = desk.engine.open_plan(&plan.id).await.unwrap();
    for number in [0, 3, u64::MAX] {
        assert_eq!(plan.deselect(&[1, number]).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(plan.states.get(&RowState::Selected), Some(&2));
}

#[tokio::test]
async fn a_plan_is_shown_as_a_table() {
    let desk = with_visits(&["Site visit"]).await;
    desk.crm.create("amy@example.com", &visit("Call")).await.unwrap();
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    plan.deselect(&[2]).await.unwrap();
    let text = plan.to_string();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let expected = [
        "  create in CRM 1, create in calendar 1; 1 selected, 1 deselected",
        "  row       action              appointment  when                                fields        guests  reason",
        "  1    [x]  create in CRM       Site visit   2026-12-01 09:00 America/Vancouver  summary when          new in the calendar",
        "  2    [ ]  create in calendar  Call         2026-12-01 09:00 America/Vancouver  summary when          new in the CRM",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn what_an_earlier_run_meant_to_send_is_not_sent_once_it_is_deselected() {
    let desk = Desk::new().await;
    desk.crm.create("amy@example.com", &visit("Visit")).await.unwrap();
    desk.paper.sheet().refuse = Some(ErrorKind::RateLimited);
    desk.run().await;
    desk.paper.sheet().refuse = None;
    desk.clock.advance(std::time::Duration::from_secs(7_200));
    let mut plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(text_of(&plan).await, ["1 selected create in calendar Visit"]);
    plan.deselect(&[1]).await.unwrap();
    desk.engine.apply(&plan).await.unwrap();
    assert!(desk.paper.living().is_empty());
    assert_eq!(desk.run().await.waiting.get(&Waiting::Deselected), Some(&1));
    assert!(desk.paper.living().is_empty());
}

/// The ground of a row is looked up on both sides before anything is carried out.
#[tokio::test]
async fn a_row_whose_ground_moved_in_the_calendar_is_planned_again_too() {
    // Edited there, deleted there, back there.
    let desk = with_visits(&["First"]).await;
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    desk.paper.put("g0", visit("Second").to_fields());
    let report = desk.engine.apply(&plan).await.unwrap();
    assert!(!report.wrote() && report.warnings[0].contains("planned"), "{report}");
    let mut plan = desk.engine.open_plan(&plan.id).await.unwrap();
    assert_eq!(text_of(&plan).await, ["2 moved create in CRM Second"]);
    desk.paper.delete("g0");
    plan.select(&[2]).await.unwrap();
    let report = desk.engine.apply(&plan).await.unwrap();
    assert!(!report.wrote(), "{report}");
    assert!(titles(&desk).await.is_empty());

    let desk = with_visits(&["Kept"]).await;
    desk.run().await;
    desk.paper.delete("g0");
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    assert_eq!(text_of(&plan).await, ["1 selected remove in CRM Kept"]);
    desk.paper.put("g0", visit("Kept").to_fields());
    let report = desk.engine.apply(&plan).await.unwrap();
    assert!(!report.wrote(), "{report}");
    assert_eq!(titles(&desk).await, ["Kept"]);
    desk.settled().await;
}

/// What an earlier run may have written without hearing the answer is not looked into by a plan: that would be stored as agreed.
#[tokio::test]
async fn a_dry_run_leaves_in_doubt_what_an_earlier_run_did_not_hear_the_answer_of() {
    let (Desk { engine, paper, binding, crm, .. }, store) = Desk::over(|new| new).await;
    crm.create("amy@example.com", &visit("Sent")).await.unwrap();
    paper.sheet().lose_answers = 2;
    _ = engine.run(&binding).await;
    let kept = |mut snapshot: serde_json::Value| {
        let tenant = &mut snapshot["tenants"]["default"];
        tenant["plans"].take();
        tenant["leases"].take();
        let rows = &mut tenant["rows"][binding.id.as_str()];
        // What was observed: how far, and what of it is to be decided about.
        for seen in ["remote", "marks"] {
            rows[seen].take();
        }
        for seen in ["listing", "position"] {
            rows["state"][seen].take();
        }
        snapshot["version"].take();
        snapshot["sequence"].take();
        snapshot
    };
    let before = kept(store.snapshot());
    assert!(before.to_string().contains("\"sent\""), "{before}");
    let plan = engine.plan(&binding).await.unwrap();
    assert_eq!(before, kept(store.snapshot()));
    let waits = rows(&plan).await;
    assert_eq!(waits.len(), 1, "{plan}");
    assert_eq!((waits[0].waiting, waits[0].state), (Some(Waiting::Unsettled), RowState::Idle), "{plan}");
    engine.run(&binding).await.unwrap();
    assert_eq!(paper.living().len(), 1);
    assert!(engine.plan(&binding).await.unwrap().counts.is_empty());
}

/// A match that cannot be is found before the first row of the file is changed.
#[tokio::test]
async fn a_file_with_one_match_that_cannot_be_changes_nothing() {
    let desk = with_visits(&["Call", "Other"]).await;
    let record = desk.crm.create("amy@example.com", &visit("Mine")).await.unwrap();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let before = text_of(&plan).await;
    let lines: Vec<String> = exported(&plan).await;
    let edited = |line: &String| {
        let Ok(mut row) = serde_json::from_str::<serde_json::Value>(line) else { return line.clone() };
        if line.contains("\"key\":\"g0\"") {
            row["match"] = serde_json::json!({"record": record.id});
        } else if line.contains("\"key\":\"g1\"") {
            row["match"] = serde_json::json!({"record": "nobody"});
        } else if row["state"].is_string() {
            row["state"] = "deselected".into();
        }
        row.to_string()
    };
    let file: Vec<String> = lines.iter().map(edited).collect();
    let error = desk.engine.import_plan(file.join("\n").as_bytes()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("nobody") && error.to_string().contains("line 3"), "{error}");
    assert_eq!(text_of(&desk.engine.open_plan(&plan.id).await.unwrap()).await, before);
}

/// A stored plan of an older version, a row that was carried out since the export, a line without end, a match that no row can have.
#[tokio::test]
async fn a_plan_that_is_out_of_date_or_asks_for_what_cannot_be_is_refused() {
    let (Desk { engine, binding, .. }, store) = Desk::over(|new| new).await;
    let plan = engine.plan(&binding).await.unwrap();
    let mut batch = crate::store::Batch::new("default".into());
    let header = crate::store::PlanHeader {
        summary: serde_json::json!({"warnings": []}),
        id: "old".into(),
        ..header(&plan)
    };
    batch.binding = Some(binding.id.clone());
    batch.plan = Some(header);
    crate::store::Store::commit(&store, batch).await.unwrap();
    let error = engine.open_plan(&"old".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("another version of calsync"), "{error}");

    let desk = with_visits(&["A"]).await;
    desk.crm.create("amy@example.com", &visit("B")).await.unwrap();
    let plan = desk.engine.plan(&desk.binding).await.unwrap();
    let lines = exported(&plan).await;
    let long = format!("{}\n{}", lines[0], "x".repeat(65 << 20));
    let error = desk.engine.import_plan(long.as_bytes()).await.unwrap_err();
    assert!(error.to_string().contains("too long") && error.to_string().contains("line 2"), "{error}");
    let error = plan.clone().rematch(1, Match::Event("g9".into())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    desk.engine.apply(&plan).await.unwrap();
    let error = desk.engine.import_plan(lines.join("\n").as_bytes()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("carried out or replaced"), "{error}");
    let plan = desk.engine.open_plan(&plan.id).await.unwrap();
    assert_eq!(plan.clone().rematch(1, Match::Nothing).await.unwrap_err().kind(), ErrorKind::Invalid);
}

fn header(plan: &Plan) -> crate::store::PlanHeader {
    let (binding, made) = (plan.binding.clone(), plan.made);
    crate::store::PlanHeader { id: plan.id.clone(), binding, made, summary: serde_json::Value::Null }
}
