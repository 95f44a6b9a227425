//! What only an answer can do wrong: masks, refusals, and bodies that are hopeless or large.

use super::*;

#[test]
fn an_answer_holds_nothing_that_the_mask_left_out() {
    let page = json!({ "items": [{ "id": "e1", "start": { "date": "2026-11-03" } }], "nextSyncToken": "t1" });
    check_list("fields=items(id,start/date),nextSyncToken", &page, &[]);
    check_list("fields=items(id,start),nextSyncToken", &page, &[]);
    check_list("fields=*", &page, &[]);
    check_list("fields=items/*,nextSyncToken", &page, &[]);
    check_list("fields=items,items/id,nextSyncToken", &page, &[]);
    check_list("fields=items%28id%2Cstart%29%2CnextSyncToken", &page, &[]);
    check_list(
        "fields=items(id)",
        &page,
        &[("body.items[0].start", "did not ask for it"), ("body.nextSyncToken", "did not ask for it")],
    );
    check_list(
        "fields=items(id,start/timeZone),nextSyncToken",
        &page,
        &[("body.items[0].start.date", "did not ask")],
    );
}

#[test]
fn a_mask_names_only_what_the_answer_can_have_and_is_well_formed() {
    check_query("fields=items(id,sumary)", &[("query.fields", "no field `sumary`")]);
    check_query("fields=items/*/dateTimes", &[("query.fields", "no field `dateTimes`")]);
    check_query("fields=items/id/more", &[("query.fields", "no field `more`")]);
    check_query(
        "fields=items(extendedProperties/private/calsync,workingLocationProperties/homeOffice/x)",
        &[],
    );
    check_query("fields=items(id", &[("query.fields", "`(` after `items` is not closed")]);
    check_query("fields=items(id))", &[("query.fields", "`)` is left over")]);
    check_query("fields=items,,kind", &[("query.fields", "a name is missing before `,kind`")]);
    check_query("fields=", &[("query.fields", "a name is missing")]);
    let deep = format!("fields={}", ["items"; 40].join("/"));
    check_query(&deep, &[("query.fields", "nested deeper than 16")]);
}

#[test]
fn an_error_looks_as_googles_errors_do() {
    let error = |error: Value| json!({ "error": error }).to_string();
    let entry = json!({ "domain": "global", "reason": "notFound", "message": "Not Found" });
    let at = |answer: &str, expected: Expected<'_>| check_answer(&Method::GET, EVENTS, 404, answer, expected);

    at(&error(json!({ "code": 404, "message": "Not Found", "errors": [entry] })), &[]);
    at(
        &error(
            json!({ "code": 404, "message": "Not Found", "status": "NOT_FOUND", "details": [{ "@type": "t" }] }),
        ),
        &[],
    );
    at("Not Found", &[("body", "not JSON")]);
    at("", &[("body", "not JSON")]);
    at("{}", &[("body.error", "required"), ("body.error", "neither")]);
    at(
        &json!({ "error": "invalid_grant" }).to_string(),
        &[("body.error", "not of type object"), ("body.error", "neither")],
    );
    at(
        &error(json!({ "code": 403, "message": "Not Found", "errors": [entry] })),
        &[("body.error.code", "403 in an answer with status 404")],
    );
    at(&error(json!({ "message": "Not Found", "errors": [entry] })), &[("body.error.code", "required")]);
    at(
        &error(json!({ "code": 404, "message": "Not Found", "errors": [] })),
        &[("body.error", "neither an entry in `errors`")],
    );
    at(
        &error(
            json!({ "code": 404, "message": "Not Found", "errors": [{ "reason": "notFound", "text": "" }] }),
        ),
        &[
            ("body.error.errors[0].text", "no such field"),
            ("body.error.errors[0].domain", "required"),
            ("body.error.errors[0].message", "required"),
        ],
    );
}

#[test]
fn a_server_error_may_be_a_page_but_json_has_to_be_an_error() {
    check_answer(&Method::GET, EVENTS, 503, "<html>", &[]);
    check_answer(&Method::GET, EVENTS, 503, "", &[]);
    check_answer(
        &Method::GET,
        EVENTS,
        503,
        r#"{"items":[]}"#,
        &[("body.items", "no such field"), ("body.error", "required"), ("body.error", "neither")],
    );
}

#[test]
fn a_status_that_the_api_does_not_use_is_a_violation() {
    check_answer(&Method::GET, EVENTS, 302, "", &[("status", "does not answer 302")]);
    check_answer(&Method::GET, EVENTS, 201, "{}", &[("status", "answers 200, not 201")]);
    check_answer(&Method::GET, EVENTS, 304, "{}", &[("body", "a 304 answer has no body")]);
    check_answer(&Method::DELETE, &format!("{EVENTS}/e1"), 304, "", &[("status", "does not answer 304")]);
}

#[test]
fn a_report_names_the_method_the_half_and_the_place() {
    let result =
        Discovery::calendar().check_exchange(&Method::GET, EVENTS, b"", 200, br#"{"items":[{"id":7}]}"#);
    let report = result.unwrap_err()[0].to_string();
    assert_eq!(report, "calendar.events.list: answer body.items[0].id: 7 is not of type string");
}

#[test]
fn a_hopeless_answer_is_reported_up_to_a_limit() {
    let answer = json!({ "items": vec![json!({ "nonsense": 1 }); 1000] }).to_string();
    let result = Discovery::calendar().check_exchange(&Method::GET, EVENTS, b"", 200, answer.as_bytes());
    assert_eq!(result.unwrap_err().len(), crate::discovery::VIOLATIONS_MAX);
}

#[test]
fn a_full_page_is_checked_whole() {
    let page = json!({ "items": vec![an_event(); 2500] }).to_string();
    Discovery::calendar().check_exchange(&Method::GET, EVENTS, b"", 200, page.as_bytes()).unwrap();
}
