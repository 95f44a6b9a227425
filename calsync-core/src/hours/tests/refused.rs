//! Schedules that cannot be taken as given.

use super::*;

#[track_caller]
fn refused(draft: Draft, expected: &str) {
    assert_eq!(draft.check().expect_err("a bad schedule").to_string(), expected);
}

fn monday(start: u32, end: u32) -> Draft {
    Draft::new("UTC").every([Mon], [Period::new(start, end)])
}

#[test]
fn a_bad_schedule_is_refused_with_the_place_and_the_reason() {
    refused(Draft::new("Mars/Olympus_Mons"), "zone Mars/Olympus_Mons: an unknown time zone");
    refused(monday(540, 540), "weekly period 1 (Mon 09:00–09:00): it is empty: the end is the start");
    refused(
        monday(1020, 540),
        "weekly period 1 (Mon 17:00–09:00): it ends before it begins; an end on the next day is counted on past 1440",
    );
    refused(monday(1440, 1500), "weekly period 1 (Mon 24:00–01:00+1): it begins on a later day than its own");
    refused(monday(0, 1441), "weekly period 1 (Mon 00:00–00:01+1): it is longer than a day");
    refused(
        monday(u32::MAX, u32::MAX),
        "weekly period 1 (Mon 71582788:15–04:15+2982616): it begins on a later day than its own",
    );
    refused(
        monday(540, 720).every([Mon], [Period::new(700, 800)]),
        "Mon 09:00–12:00 and 11:40–13:20: they overlap",
    );
    let night =
        Draft::new("UTC").every([Sun], periods(&["22:00-06:00"])).every([Mon], periods(&["05:59-09:00"]));
    refused(night, "Sun 22:00–06:00+1 and 05:59–09:00 of the next day: they overlap");
    refused(
        Draft::new("UTC").valid(Some(date("2026-12-02")), Some(date("2026-12-01"))),
        "valid 2026-12-02 to 2026-12-01: it ends before it begins",
    );
}

#[test]
fn a_bad_layer_is_refused_with_its_place_in_the_list() {
    let with = |bad: Layer| Draft::new("UTC").layer(layer(LayerKind::Holiday, "2026-12-25", &[])).layer(bad);
    refused(
        with(layer(LayerKind::Leave, "2026-12-02..2026-12-01", &[])),
        "layer 2 (leave 2026-12-02 to 2026-12-01): it ends before it begins",
    );
    refused(
        with(layer(LayerKind::Extra, "2026-12-02", &[])),
        "layer 2 (extra time 2026-12-02 to 2026-12-02): extra time without a period adds nothing",
    );
    refused(
        with(layer(LayerKind::Override, "2026-12-02", &["09:00-12:00", "11:00-13:00"])),
        "layer 2 (override 2026-12-02 to 2026-12-02), 09:00–12:00 and 11:00–13:00: they overlap",
    );
    refused(
        with(layer(LayerKind::Override, "2026-12-02..2026-12-03", &["06:00-08:00", "20:00-07:00"])),
        "layer 2 (override 2026-12-02 to 2026-12-03), 20:00–07:00+1 and 06:00–08:00 of the next day: they overlap",
    );
}

#[test]
fn too_many_of_anything_are_refused_at_once() {
    let minutes = (0..169).map(|at| Period::new(at * 2, at * 2 + 1));
    refused(Draft::new("UTC").every([Mon], minutes.clone()), "weekly period 169: too many periods");
    refused(Draft::new("UTC").every([Mon], minutes.take(25)), "Mon period 25: too many periods on one day");
    let mut many = Draft::new("UTC");
    many.layers = vec![layer(LayerKind::Leave, "2026-12-02", &[]); LAYERS_MAX + 1];
    refused(many, "layer 10001: too many layers");
    let schedule = std::sync::Arc::new(office().check().expect("good"));
    let refused = Rota::of(vec![schedule; SCHEDULES_MAX + 1], [], None).expect_err("too many");
    assert_eq!(refused.to_string(), "schedule 201: too many schedules");
}

#[test]
fn two_schedules_of_one_person_do_not_hold_on_one_day() {
    let [first, second] = [(None, Some("2026-12-02")), (Some("2026-12-02"), None)]
        .map(|(from, until)| office().valid(from.map(date), until.map(date)).check().expect("good").into());
    let refused = Rota::of([second, first], [], None).expect_err("both hold on one day");
    assert_eq!(
        refused.to_string(),
        "the schedule that holds from 2026-12-02: the one before it still holds then"
    );
}

#[test]
fn days_without_end_cost_no_more_than_the_span_that_is_asked_for() {
    let mut draft = office();
    draft.layers = (0..LAYERS_MAX)
        .map(|_| layer(LayerKind::Leave, "0001-01-01..9999-12-31", &["12:00-12:30"]))
        .collect();
    draft.from = Some(NaiveDate::MIN);
    draft.until = Some(NaiveDate::MAX);
    judge(
        &draft,
        "2026-12-01T12:00:00",
        60,
        "outside; 12-01 12:00 to 12-01 12:30 leave; 12-01 12:30 to 12-01 13:00 break",
    );
}

#[test]
fn what_is_read_is_checked_and_what_is_written_is_read_back() {
    let text = r#"{"zone":"W. Europe Standard Time","weekly":[{"day":"Tue","start":540,"end":720},{"day":"Mon","start":720,"end":1020},
        {"day":"Mon","start":540,"end":720}],"layers":[{"kind":"leave","from":"2026-12-24","until":"2026-12-31"}],"from":"2026-01-01"}"#;
    let schedule: Schedule = serde_json::from_str(text).expect("good");
    assert_eq!(schedule.zone().as_str(), "Europe/Berlin");
    let written = serde_json::to_string(&schedule).expect("text");
    assert_eq!(serde_json::from_str::<Schedule>(&written).expect("good"), schedule);
    let bad = text.replace("720}]", "9}]").replace("\"end\":720},", "\"end\":539},");
    let refused = serde_json::from_str::<Schedule>(&bad).expect_err("bad").to_string();
    assert!(refused.starts_with("weekly period 1 (Tue 09:00–08:59): it ends before it begins"), "{refused}");
    assert!(
        serde_json::from_str::<Schedule>(&text.replace("\"from\":\"2026-01", "\"form\":\"2026-01")).is_err()
    );
}

#[test]
fn a_version_is_the_crms_or_names_what_the_schedule_says() {
    let version = |draft: Draft| draft.check().expect("good").version().as_str().to_owned();
    assert_eq!(version(office().version("17")), "17");
    assert_eq!(version(office()), version(office()));
    // The same said otherwise.
    let split = week("America/New_York", &WORKDAYS, &["13:00-17:00", "10:00-12:00", "09:00-10:00"]);
    assert_eq!(version(split), version(office()));
    assert_ne!(version(office().layer(layer(LayerKind::Leave, "2026-12-24", &[]))), version(office()));
    let of = |own: &[Layer]| {
        let shared = std::sync::Arc::new(office().check().expect("good"));
        Rota::of([shared], own.iter().cloned(), None).expect("good").version().clone()
    };
    assert_eq!(of(&[]).as_str(), version(office()));
    assert_ne!(of(&[layer(LayerKind::Leave, "2026-12-24", &[])]), of(&[]));
}

#[test]
fn times_of_day_are_read_as_people_write_them() {
    for (text, start, end) in [
        ("9:00-17:30", 540, 1050),
        ("22:00–06:00", 1320, 1800),
        ("00:00-24:00", 0, 1440),
        ("08:00-08:00", 480, 1920),
    ] {
        assert_eq!(text.parse::<Period>(), Ok(Period::new(start, end)), "{text}");
    }
    for text in
        ["", "9-17", "09:00", "09:60-10:00", "25:00-26:00", "24:00-25:00", "-1:00-02:00", "+9:00-10:00"]
    {
        assert!(text.parse::<Period>().is_err(), "{text}");
    }
}
