//! Access lists, calendar lists, and the API that a project has switched off.

use super::consent::{WEB, consents, exchange, world};
use super::*;
use crate::marked::CLIENT_SECRET;

const TEAM: &str = "team@group.calendar.google.com";

/// Alice's team calendar with an open and a private event.
fn team() -> Client {
    let mut client = Client::new();
    client.fake.calendar(ALICE, TEAM, "Team");
    client.call("POST", &format!("/calendars/{TEAM}/events"), event("opened", "2026-01-05")).ok();
    let mut private = event("closed", "2026-01-06");
    private["visibility"] = json!("private");
    client.call("POST", &format!("/calendars/{TEAM}/events"), private).ok();
    client
}

fn rule(kind: &str, value: &str, role: &str) -> Value {
    let scope =
        if value.is_empty() { json!({ "type": kind }) } else { json!({ "type": kind, "value": value }) };
    json!({ "scope": scope, "role": role })
}

fn share(client: &mut Client, rule: Value) -> Got {
    client.call("POST", &format!("/calendars/{TEAM}/acl?sendNotifications=false"), rule)
}

#[test]
fn a_role_decides_what_becomes_of_events_and_what_the_list_says() {
    for (role, entry, open, closed, write, acl) in [
        ("", "404 ", "404 notFound", "404 notFound", "404 notFound", "404 notFound"),
        (
            "freeBusyReader",
            "200 freeBusyReader",
            "200 busy",
            "200 busy",
            "403 requiredAccessLevel",
            "403 forbidden",
        ),
        ("reader", "200 reader", "200 opened", "200 busy", "403 requiredAccessLevel", "403 forbidden"),
        (
            "writerWithoutPrivateAccess",
            "200 writerWithoutPrivateAccess",
            "200 opened",
            "200 busy",
            "200 opened",
            "403 forbidden",
        ),
        ("writer", "200 writer", "200 opened", "200 closed", "200 opened", "200 "),
        ("owner", "200 owner", "200 opened", "200 closed", "200 opened", "200 "),
    ] {
        let mut client = team();
        if !role.is_empty() {
            let made = share(&mut client, rule("user", "Bob@example.com", role)).ok();
            assert_eq!(
                (made.text("id").as_str(), made.text("role").as_str()),
                ("user:bob@example.com", role)
            );
        }
        client.become_user(BOB);
        let told = |got: Got| {
            let body = &got.body;
            let said =
                if got.status >= 400 { got.reason() } else { body["summary"].as_str().unwrap_or("busy") };
            format!("{} {said}", got.status)
        };
        let got = client.get(&format!("/users/me/calendarList/{TEAM}"));
        assert_eq!(
            format!("{} {}", got.status, got.body["accessRole"].as_str().unwrap_or("")),
            entry,
            "{role}"
        );
        let events = format!("/calendars/{TEAM}/events");
        assert_eq!(told(client.get(&format!("{events}/opened"))), open, "{role}");
        assert_eq!(told(client.get(&format!("{events}/closed"))), closed, "{role}");
        assert_eq!(
            told(client.call("PATCH", &format!("{events}/opened"), json!({ "location": "x" }))),
            write,
            "{role}"
        );
        let got = client.get(&format!("/calendars/{TEAM}/acl"));
        assert_eq!(format!("{} {}", got.status, got.reason()), acl, "{role}");
        let got = share(&mut client, rule("user", "carol@example.com", "reader"));
        assert_eq!(got.status == 200, role == "owner", "{role}");
    }
}

#[test]
fn an_access_list_is_read_in_pages_and_increments_and_keeps_what_was_taken_back() {
    let mut client = team();
    let acl = format!("/calendars/{TEAM}/acl");
    for (kind, value, role) in
        [("user", BOB, "writer"), ("domain", "example.com", "reader"), ("default", "", "freeBusyReader")]
    {
        share(&mut client, rule(kind, value, role)).ok();
    }
    let ids = |got: &Got| -> Vec<String> {
        let items = got.body["items"].as_array().unwrap().iter();
        items
            .map(|item| format!("{} {}", item["id"].as_str().unwrap(), item["role"].as_str().unwrap()))
            .collect()
    };
    let all = client.get(&acl).ok();
    assert_eq!(
        ids(&all),
        [
            "user:alice@example.com owner",
            "user:bob@example.com writer",
            "default freeBusyReader",
            "domain:example.com reader"
        ]
    );
    let first = client.get(&format!("{acl}?maxResults=3")).ok();
    assert_eq!((ids(&first).len(), first.body.get("nextSyncToken")), (3, None));
    let next = first.text("nextPageToken");
    let second = client.get(&format!("{acl}?maxResults=3&pageToken={next}")).ok();
    assert_eq!(ids(&second), ["domain:example.com reader"]);
    let token = second.text("nextSyncToken");
    assert_eq!(ids(&client.get(&format!("{acl}?syncToken={token}")).ok()), [""; 0]);

    client.call("PATCH", &format!("{acl}/user:bob@example.com"), json!({ "role": "reader" })).ok();
    assert_eq!(client.call("DELETE", &format!("{acl}/default"), Value::Null).status, 204);
    let changed = client.get(&format!("{acl}?syncToken={token}")).ok();
    assert_eq!(ids(&changed), ["user:bob@example.com reader", "default none"]);
    assert_eq!(ids(&client.get(&acl).ok()).len(), 3);
    assert_eq!(ids(&client.get(&format!("{acl}?showDeleted=true")).ok()).len(), 4);
    let got = client.get(&format!("{acl}?syncToken={token}&showDeleted=false"));
    assert_eq!(got.reason(), "syncTokenWithRequestRestrictions");
    client.fake.expire_sync_tokens();
    assert_eq!(client.get(&format!("{acl}?syncToken={token}")).reason(), "fullSyncRequired");
    // Of one's domain everybody reads, of another nobody.
    for (who, status) in [("carol@example.com", 200), ("dan@example.org", 404)] {
        client.fake.account(who);
        client.become_user(who);
        assert_eq!(client.get(&format!("/calendars/{TEAM}")).status, status, "{who}");
    }
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    let mut client = team();
    for (method, path, body, status, reason) in [
        ("POST", "", rule("user", "", "reader"), 400, "required"),
        ("POST", "", rule("user", "bob", "reader"), 400, "invalid"),
        ("POST", "", rule("user", BOB, "king"), 400, "invalid"),
        ("POST", "", rule("tribe", BOB, "reader"), 400, "invalid"),
        ("POST", "", json!({ "role": "reader" }), 400, "required"),
        ("POST", "", json!({ "scope": { "type": "user", "value": BOB } }), 400, "required"),
        ("POST", "", rule("group", "all@example.com", "reader"), 501, "fake"),
        ("POST", "", rule("user", ALICE, "reader"), 403, "cannotChangeOwnAcl"),
        ("DELETE", "/user:alice@example.com", Value::Null, 403, "cannotChangeOwnAcl"),
        ("DELETE", "/user:bob@example.com", Value::Null, 404, "notFound"),
        ("GET", "/user:bob@example.com", Value::Null, 404, "notFound"),
        ("PATCH", "/user:bob@example.com", json!({ "role": "reader" }), 404, "notFound"),
        ("PATCH", "/user:alice@example.com", rule("user", BOB, "owner"), 400, "invalid"),
    ] {
        let got = client.call(method, &format!("/calendars/{TEAM}/acl{path}"), body.clone());
        assert_eq!((got.status, got.reason()), (status, reason), "{method} {path} {body}");
    }
    // Another owner does not get rid of the data owner.
    share(&mut client, rule("user", BOB, "owner")).ok();
    client.become_user(BOB);
    let got = client.call("DELETE", &format!("/calendars/{TEAM}/acl/user:{ALICE}"), Value::Null);
    assert_eq!(got.reason(), "forbidden");
    for (scope, list, get) in [("calendar.readonly", 403, 200), ("calendar.acls.readonly", 200, 200)] {
        client.token = client.fake.access_token(client.now, ALICE, &[scope]);
        assert_eq!(client.get(&format!("/calendars/{TEAM}/acl")).status, list, "{scope}");
        assert_eq!(client.get(&format!("/calendars/{TEAM}/acl/user:{BOB}")).status, get, "{scope}");
        assert_eq!(share(&mut client, rule("default", "", "reader")).reason(), "insufficientPermissions");
    }
}

#[test]
fn sharing_is_told_by_mail_unless_the_call_says_otherwise() {
    for (query, mails) in [("", 1), ("?sendNotifications=true", 1), ("?sendNotifications=false", 0)] {
        let mut client = team();
        client.call("POST", &format!("/calendars/{TEAM}/acl{query}"), rule("user", BOB, "reader")).ok();
        assert_eq!(client.fake.mails().len(), mails, "{query}");
        client.call("DELETE", &format!("/calendars/{TEAM}/acl/user:{BOB}"), Value::Null).ok();
        assert_eq!(client.fake.mails().len(), mails, "a right that is lost is not told");
        assert!(
            client.fake.mails().iter().all(|mail| mail.kind == MailKind::Sharing && mail.recipient == BOB)
        );
    }
}

#[test]
fn a_calendar_is_on_the_list_only_when_it_was_put_there() {
    let mut client = team();
    client.fake.behaviour_mut().shared_calendars_join_list = false;
    client.become_user(BOB);
    let put = |client: &mut Client| client.call("POST", "/users/me/calendarList", json!({ "id": TEAM }));
    assert_eq!(put(&mut client).reason(), "notFound");
    client.fake.share(TEAM, BOB, Role::Reader);
    let listed = |client: &mut Client| client.get("/users/me/calendarList").ok().ids();
    assert_eq!(listed(&mut client), BOB);
    assert_eq!(client.get(&format!("/users/me/calendarList/{TEAM}")).status, 404);
    assert_eq!(
        client.get(&format!("/calendars/{TEAM}/events/opened")).status,
        200,
        "it can be read all the same"
    );
    assert_eq!(put(&mut client).ok().text("accessRole"), "reader");
    assert_eq!(listed(&mut client), format!("{BOB} {TEAM}"));
    let off = |client: &mut Client, id: &str| {
        client.call("DELETE", &format!("/users/me/calendarList/{id}"), Value::Null)
    };
    assert_eq!(off(&mut client, TEAM).status, 204);
    assert_eq!(listed(&mut client), BOB);
    assert_eq!(off(&mut client, TEAM).status, 404);
    assert_eq!(off(&mut client, "primary").reason(), "forbidden");
}

#[test]
fn a_project_without_the_api_gets_tokens_and_a_link_and_no_calendar() {
    let mut client = world();
    let landing = consents(&mut client, &[("scope", "email calendar")], &Choice::of(ALICE));
    client.fake.set_calendar_api("123456789", false);
    client.token = exchange(&mut client, &landing, &[]).ok().text("access_token");
    assert_eq!(client.raw("GET", "/oauth2/v2/userinfo", "").status, 200, "another API");
    let got = client.get("/users/me/calendarList");
    assert_eq!((got.status, got.reason()), (403, "accessNotConfigured"));
    let link = "https://console.developers.google.com/apis/api/calendar-json.googleapis.com/overview?project=123456789";
    let said = format!(
        "Google Calendar API has not been used in project 123456789 before or it is disabled. Enable it by visiting \
         {link} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our \
         systems and retry."
    );
    assert_eq!(got.message(), said);
    let error = &got.body["error"];
    assert_eq!(
        (&error["status"], &error["errors"][0]["domain"]),
        (&json!("PERMISSION_DENIED"), &json!("usageLimits"))
    );
    assert_eq!(error["details"][0]["reason"], "SERVICE_DISABLED");
    assert_eq!(error["details"][0]["metadata"]["consumer"], "projects/123456789");
    assert_eq!(error["details"][1]["links"][0]["url"], link);
    client.fake.oauth_client(WEB, CLIENT_SECRET).project = "another".to_owned();
    assert_eq!(client.get("").reason(), "accessNotConfigured", "a token keeps its project");
    client.fake.set_calendar_api("123456789", true);
    assert_eq!(client.get("").status, 200);
}
