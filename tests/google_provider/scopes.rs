//! Which scopes are enough, held against what Google's discovery document says of the methods.

use calsync_google::Feature;
use calsync_google::scope::Feature::*;
use serde_json::Value;
use std::collections::BTreeSet;

const AUTH: &str = "https://www.googleapis.com/auth/";

/// What the document accepts for a method, `events.list`.
fn accepted(document: &Value, method: &str) -> BTreeSet<String> {
    let (resource, name) = method.split_once('.').expect("resource.method");
    let scopes = &document["resources"][resource]["methods"][name]["scopes"];
    scopes.as_array().expect("a method with scopes").iter().map(|s| s.as_str().unwrap().to_owned()).collect()
}

#[test]
fn s10_a_feature_s_scopes_are_those_that_all_of_its_methods_accept_but_for_four_that_open_something_else() {
    let text = include_str!("../data/discovery/calendar.v3.json");
    let document: Value = serde_json::from_str(text).expect("the document");
    let apart = [
        "calendar.app.created",
        "calendar.events.owned",
        "calendar.events.owned.readonly",
        "calendar.events.public.readonly",
    ];
    let check = |feature: Feature, methods: &[&str], apart: &[&str]| {
        let sets = methods.iter().map(|method| accepted(&document, method));
        let mut enough = sets.reduce(|a, b| a.intersection(&b).cloned().collect()).expect("a method");
        for scope in apart {
            enough.remove(&format!("{AUTH}{scope}"));
        }
        let said: BTreeSet<String> = feature.any_of().iter().map(|s| s.to_string()).collect();
        assert_eq!(said, enough, "{feature:?}");
    };
    let reading = ["events.list", "events.get", "events.instances", "events.watch"];
    let writing = ["events.insert", "events.patch", "events.update", "events.delete", "events.move"];
    check(WriteEvents, &[&reading[..], &writing].concat(), &apart);
    // For events, this one opens times and no more.
    check(ReadEvents, &reading, &[&apart[..], &["calendar.events.freebusy"]].concat());
    check(ListCalendars, &["calendarList.list", "calendarList.watch", "calendarList.get"], &apart);
    check(Subscribe, &["calendarList.insert"], &apart);
    check(WorkingHours, &["calendars.get"], &apart);
    check(FreeBusy, &["freebusy.query"], &apart);
    check(Settings, &["settings.list", "settings.get"], &apart);
    check(Sharing, &["acl.list", "acl.watch"], &apart);
}
